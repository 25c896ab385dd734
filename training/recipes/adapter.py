"""The head for users of YAMNet: calibrated logistic regression on its embedding, with thresholds.

1. Embed every stream of the training part once: sounds over background and alone, backgrounds, sounds
   of no class. The network is frozen, so the embeddings serve all later steps.
2. Cross-fit: a head fitted on two thirds of the recordings scores the last third, three times; weight
   decay and temperature are fitted on those scores, thresholds on soundscapes of that third.
3. Fit the head on all training recordings; test it on the test fold and the test backgrounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.events.feasible import check_feasible
from monitor.model.adapter import Adapter, AdapterCard, Network, probe_window
from monitor.model.card import ClassCard, Quality
from monitor.model.heads import sigmoid
from training.base.arrays import Floats
from training.base.progress import Progress
from training.data.audio import RATE
from training.data.corpora import BACKGROUND, CLASSES, LABELS, Corpora
from training.data.splits import cross_fit, split
from training.errors import ExportError
from training.export.package import DATA_LICENCES, LICENCE
from training.features.front_end import HOP
from training.mixing.streams import Scored
from training.networks.yamnet import WINDOW
from training.recipes.hearing import NETWORK_CARD, Ear, EmbeddedStreams, hear
from training.scoring.calibration import CalibrationStreams, fit_class, fit_temperature
from training.scoring.evaluation import AlertFigures, ClipFigures, alert_figures, clip_figures

NAME = "yamnet-urban"
CROSS_FITS = 3
SCAPES = 40
"""Number of one-minute soundscapes per third, as for the shipped model."""
DEVELOPMENT_SNR_DB = (0.0, 20.0)
TEST_SNR_DB = (15.0, 15.0)
DECAYS = (0.03, 0.1, 0.3)
_ITERATIONS = 200
_MOSTLY = 0.5


@dataclass(frozen=True)
class AdapterPlan:
    """Settings of one adapter build."""

    train_folds: tuple[int, ...]
    test_folds: tuple[int, ...]
    seed: int
    version: str
    command: str


@dataclass(frozen=True)
class TrainingRows:
    """Training windows: embedding, shape (n, 1024), and targets, shape (n, labels), 0 or 1."""

    embedding: Floats
    targets: Floats


@dataclass(frozen=True)
class Head:
    """Linear head on the raw embedding: weights, shape (labels, embedding), and bias, shape (labels,)."""

    weights: Floats
    bias: Floats

    def logits(self, embedding: NDArray[np.floating]) -> Floats:
        found: Floats = embedding.astype(np.float32) @ self.weights.T + self.bias
        return found


@dataclass(frozen=True)
class AdapterOutcome:
    """All results of one adapter build."""

    adapter: Adapter
    decay: float
    clips: ClipFigures
    alerts: tuple[AlertFigures, ...]
    beds: tuple[Scored, ...]

    @property
    def bed_hours(self) -> float:
        return sum(bed.seconds for bed in self.beds) / 3600


def rows_of(hearing: EmbeddedStreams) -> TrainingRows:
    """Return the windows of all streams with an unambiguous label.

    A window is positive if it contains at least half of what it could contain of the sound, background
    if it contains none; those in between are excluded.
    """
    embedding, targets = [], []
    for stream in (*hearing.scenes, *hearing.clips, *hearing.beds, *hearing.others):
        share = _share_heard(stream)
        label = LABELS.index(stream.label) if stream.label else LABELS.index(BACKGROUND)
        columns = np.where(share >= _MOSTLY, label, LABELS.index(BACKGROUND))
        plain = (share >= _MOSTLY) | (share == 0)
        embedding.append(stream.scores[plain])
        targets.append(np.eye(len(LABELS), dtype=np.float32)[columns[plain]])
    return TrainingRows(np.concatenate(embedding).astype(np.float32), np.concatenate(targets))


def _share_heard(stream: Scored) -> NDArray[np.float64]:
    """Return the share of the stream's sound in each window, relative to the most it could contain."""
    if not stream.label:
        return np.zeros(len(stream.times_s))
    window_s = WINDOW / RATE
    begins = np.maximum(stream.times_s - window_s, stream.onset_s)
    held_s = np.minimum(stream.times_s, stream.offset_s) - begins
    share: NDArray[np.float64] = held_s.clip(0.0) / min(window_s, stream.offset_s - stream.onset_s)
    return share


def joined(rows: Sequence[TrainingRows]) -> TrainingRows:
    return TrainingRows(
        np.concatenate([r.embedding for r in rows]), np.concatenate([r.targets for r in rows])
    )


def cross_entropy(logits: Floats, targets: Floats) -> float:
    """Return the mean over windows of the binary cross-entropy summed over labels."""
    return float((np.logaddexp(0.0, logits) - targets * logits).sum(axis=1).mean())


def fit_head(rows: TrainingRows, decay: float) -> Head:
    """Fit logistic regression of each label on the standardised embedding, with weight decay, by L-BFGS."""
    from scipy.optimize import minimize

    mean, deviation = rows.embedding.mean(axis=0), rows.embedding.std(axis=0) + 1e-3
    inputs = (rows.embedding - mean) / deviation
    shape = (rows.targets.shape[1], inputs.shape[1] + 1)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = flat.reshape(shape)
        weights = parameters[:, 1:].astype(np.float32)
        logits = inputs @ weights.T + parameters[:, 0].astype(np.float32)
        error = (sigmoid(logits) - rows.targets) / np.float32(len(inputs))
        slope = np.concatenate([error.sum(axis=0)[:, None], error.T @ inputs + decay * weights], axis=1)
        value = cross_entropy(logits, rows.targets) + decay / 2 * float(np.square(weights).sum())
        return value, slope.ravel().astype(np.float64)

    # The gradient is summed in float32; below this a step is noise.
    options = {"maxiter": _ITERATIONS, "ftol": 1e-5}
    found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=options)
    parameters = found.x.reshape(shape)
    weights = parameters[:, 1:] / deviation
    bias = parameters[:, 0] - weights @ mean
    return Head(weights.astype(np.float32), bias.astype(np.float32))


def make(
    plan: AdapterPlan, corpora: Corpora, ear: Ear, cache: Path, path: Path, say: Progress
) -> AdapterOutcome:
    """Run the whole recipe with embeddings cached in ``cache``; ``path`` is where the adapter will be."""
    parts = split(corpora, plan.train_folds, plan.test_folds)
    hearings = []
    for number, (_, held) in enumerate(cross_fit(parts.train, CROSS_FITS)):
        say(f"embedding third {number + 1} of {CROSS_FITS}")
        hearings.append(
            hear(ear, held, DEVELOPMENT_SNR_DB, SCAPES, plan.seed + number, cache, lambda done: None)
        )
    rows = [rows_of(hearing) for hearing in hearings]
    decay, heads = _cross_fitted(rows, say)
    temperature, classes = calibrated(hearings, rows, heads)
    say(f"temperature {temperature:g}; fitting on all")
    head = fit_head(joined(rows), decay)
    say("embedding the test streams")
    test = hear(ear, parts.test, TEST_SNR_DB, 0, plan.seed, cache, lambda done: None)
    truth = np.array([CLASSES.index(label) for _, label in parts.test.events])
    clips = clip_figures(np.stack([head.logits(c.scores).mean(axis=0) for c in test.clips]), truth)
    judged = _judged(test, head, temperature)
    quiet = {label: card.profiles["quiet"] for label, card in classes.items()}
    alerts = tuple(alert_figures(judged.scenes, judged.beds, quiet))
    adapter = _adapter(plan, head, temperature, classes, ear, path)
    outcome = AdapterOutcome(adapter, decay, clips, alerts, judged.beds)
    card = adapter.card.model_copy(update={"quality": _quality(plan, outcome)})
    return replace(outcome, adapter=replace(adapter, card=card))


def _cross_fitted(rows: Sequence[TrainingRows], say: Progress) -> tuple[float, list[Head]]:
    """Return the weight decay with the lowest held-out loss, and its heads."""
    fitted = []
    for decay in DECAYS:
        heads = [fit_head(joined([*rows[:i], *rows[i + 1 :]]), decay) for i in range(len(rows))]
        logits = np.concatenate([head.logits(r.embedding) for head, r in zip(heads, rows, strict=True)])
        loss = cross_entropy(logits, joined(rows).targets)
        say(f"decay {decay:g}: held-out loss {loss:.4f}")
        fitted.append((loss, decay, heads))
    _, decay, heads = min(fitted, key=lambda entry: entry[0])
    return decay, heads


def calibrated(
    hearings: Sequence[EmbeddedStreams], rows: Sequence[TrainingRows], heads: Sequence[Head]
) -> tuple[float, dict[str, ClassCard]]:
    """Fit temperature and class settings on each head's scores of the third it was not fitted on.

    Raises
    ------
    ExportError
        If settings can never trigger a class at this window.
    """
    logits = np.concatenate([head.logits(r.embedding) for head, r in zip(heads, rows, strict=True)])
    temperature = fit_temperature(logits, joined(rows).targets)
    judged = [_judged(hearing, head, temperature) for hearing, head in zip(hearings, heads, strict=True)]
    heard = CalibrationStreams(
        tuple(s for each in judged for s in each.scapes),
        tuple(s for each in judged for s in each.beds),
        tuple(s for each in judged for s in each.others),
        WINDOW / RATE,
        HOP / RATE,
    )
    classes = {label: fit_class(label, LABELS.index(label), heard) for label in CLASSES}
    for label, card in classes.items():
        for settings in card.profiles.values():
            problem = check_feasible(label, settings, card.shortest_s, WINDOW / RATE, HOP / RATE)
            if problem is not None and problem.severity == "refuse":
                raise ExportError(problem.text)
    return temperature, classes


def _judged(hearing: EmbeddedStreams, head: Head, temperature: float) -> EmbeddedStreams:
    """Return the streams with the head's calibrated scores in place of the embedding."""

    def scored(streams: Sequence[Scored]) -> tuple[Scored, ...]:
        return tuple(replace(s, scores=sigmoid(head.logits(s.scores) / temperature)) for s in streams)

    return EmbeddedStreams(
        **{field.name: scored(getattr(hearing, field.name)) for field in fields(EmbeddedStreams)}
    )


def _adapter(
    plan: AdapterPlan, head: Head, temperature: float, classes: dict[str, ClassCard], ear: Ear, path: Path
) -> Adapter:
    probe = head.logits(ear.run(probe_window(WINDOW)))
    network = Network(
        name="YAMNet, embedding", size=head.weights.shape[1], gives="embedding", probe=tuple(probe.tolist())
    )
    values = NETWORK_CARD.model_dump(by_alias=True) | {
        "name": NAME,
        "version": plan.version,
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "licence": LICENCE,
        "data_licences": DATA_LICENCES,
        "output": "logits",
        "temperature": temperature,
        "classes": classes,
        "negative_labels": (BACKGROUND,),
        "network": network,
    }
    return Adapter(path, AdapterCard.model_validate(values), LABELS, head.weights, head.bias)


def _quality(plan: AdapterPlan, outcome: AdapterOutcome) -> tuple[Quality, ...]:
    """Return the figures of exactly this head, on held-out folds and backgrounds."""
    heard, scenes = sum(row.heard for row in outcome.alerts), sum(row.scenes for row in outcome.alerts)
    alarms = sum(row.false_alarms for row in outcome.alerts)
    figures = {
        "clip accuracy, ten classes, mean logits": outcome.clips.accuracy,
        "clip macro F1": outcome.clips.macro_f1,
        "foreground clips that raise their own alert, 15 dB over background, profile quiet": heard / scenes,
        "false alarms an hour of held-out background, profile quiet": alarms / outcome.bed_hours,
    }
    return tuple(
        Quality(
            measure=measure,
            value=round(value, 4),
            data=f"UrbanSound8K; this head was fitted on folds {', '.join(map(str, plan.train_folds))}",
            fold=", ".join(map(str, plan.test_folds)),
            seed=plan.seed,
            command=plan.command,
        )
        for measure, value in figures.items()
    )
