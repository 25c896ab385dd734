"""Figures of a form, their paired differences to float32, and the rule by which a form ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.export.conversion import Weights
from training.export.parity import TOLERANCE

DRAWS, LEVEL = 2000, 0.95
MOST_LOST = 0.01
"""Largest loss of a figure that has no interval."""
MOST_SLOWER = 1.25
"""Largest ratio of the time of an inference to float32's, in each runtime."""
PARITY_OUTPUTS = ("classes", "sounds")
"""Outputs whose logits are compared with Keras; the embedding has no scale of its own."""


@dataclass(frozen=True)
class UnitCounts:
    """Successes of each unit of the bootstrap, and what they are divided by.

    Parameters
    ----------
    counts
        Correct clips, reported sounds or false alarms, shape (units,).
    among
        Clips, sounds or hours, shape (units,).
    """

    counts: NDArray[np.float64]
    among: NDArray[np.float64]

    @property
    def value(self) -> float:
        return float(self.counts.sum() / self.among.sum())


@dataclass(frozen=True)
class Figure:
    """A figure of a form, and the interval of its difference to float32.

    Parameters
    ----------
    low, high
        None where no interval was computed.
    fewer_is_better
        True for false alarms.
    """

    value: float
    difference: float
    low: float | None = None
    high: float | None = None
    fewer_is_better: bool = False

    @property
    def loss(self) -> float:
        """The amount by which it is worse than float32."""
        return self.difference if self.fewer_is_better else -self.difference

    @property
    def is_lost(self) -> bool:
        """Return whether the loss is measurable."""
        if self.low is None or self.high is None:
            return self.loss > MOST_LOST
        return self.low > 0 if self.fewer_is_better else self.high < 0


def paired(form: UnitCounts, first: UnitCounts, fewer_is_better: bool = False) -> Figure:
    """Return a figure with the interval of its difference to ``first``, float32, over the same units."""
    units = len(form.counts)
    times = np.random.default_rng(0).multinomial(units, np.full(units, 1 / units), size=DRAWS)
    among = np.maximum(times @ form.among, 1e-9)
    sampled = times @ (form.counts - first.counts) / among
    low, high = np.quantile(sampled, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Figure(
        form.value, form.value - first.value, round(float(low), 5), round(float(high), 5), fewer_is_better
    )


def by_unit(counts: ArrayLike, among: ArrayLike, units: Sequence[str]) -> UnitCounts:
    """Return counts summed over the items of each unit, such as the clips of a recording."""
    names, at = np.unique(np.array(units), return_inverse=True)
    summed = (
        np.bincount(at, np.asarray(values, np.float64), len(names)).astype(np.float64)
        for values in (counts, among)
    )
    return UnitCounts(*summed)


@dataclass(frozen=True)
class FormFigures:
    """A form with its measurements.

    Parameters
    ----------
    size
        Bytes of the flatbuffer; 0 if it could not be converted.
    refused
        Why it could not be converted or run; "" if it could.
    parity
        By runtime and output, the largest difference of a logit to Keras, relative to the largest.
    window_us
        Time of an inference in µs, by runtime.
    score_change
        Mean and largest change of a class's score to float32, on all rows of the streams.
    """

    form: Weights
    size: int
    refused: str
    parity: Mapping[str, Mapping[str, float]]
    window_us: Mapping[str, float]
    score_change: tuple[float, float]
    figures: Mapping[str, Figure]

    def faults(self, first: FormFigures) -> tuple[str, ...]:
        """Return what keeps the form from shipping; ``first`` is float32."""
        if self.refused:
            return (self.refused,)
        said = []
        for runtime, outputs in self.parity.items():
            worst = max(outputs[name] for name in PARITY_OUTPUTS if name in outputs)
            # Written so that NaN fails too.
            if not worst <= TOLERANCE[self.form]:
                said.append(
                    f"{runtime}: a logit differs from Keras by {worst:.2g} of the largest, more than "
                    f"{TOLERANCE[self.form]:g}"
                )
        for runtime in self.window_us:
            ratio = self.time_ratio(first, runtime)
            if ratio is not None and ratio > MOST_SLOWER:
                said.append(f"{runtime}: an inference takes {ratio:.1f} times as long as float32's")
        said += [
            f"{name}: worse by {figure.loss:.3f}" for name, figure in self.figures.items() if figure.is_lost
        ]
        return tuple(said)

    def time_ratio(self, first: FormFigures, runtime: str) -> float | None:
        """Return the time of an inference as a ratio to float32's; None if either was not measured."""
        if runtime not in self.window_us or runtime not in first.window_us:
            return None
        return self.window_us[runtime] / first.window_us[runtime]


def shipped(forms: Sequence[FormFigures]) -> Weights:
    """Return the smallest form without faults; ``forms`` begin with float32, which ships if there is none."""
    passed = [one for one in forms if not one.faults(forms[0])]
    return min(passed, key=lambda one: one.size).form if passed else "float32"
