"""The base, which is what ships in a short run, and the factors that are changed in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from training.base.variants import changed
from training.fit.lessons import LessonPlan
from training.fit.streaming import StreamRun
from training.networks.columns import StreamSpec
from training.networks.windowed import WindowSpec
from training.recipes.ablation.front import Front
from training.study.ablation import Factor, Group

_EPOCHS, _STEPS, _BATCH, _LESSONS = 8, 50, 32, 3_000
"""Short enough that all factors are a matter of an hour of one core."""

NAME = "default"


@dataclass(frozen=True)
class Settings:
    """All that decides a job's weights, the recordings apart.

    ``run.seed`` is added to the job's, so that nothing but chance can be changed too. ``form`` says whether
    it is ``run.network`` that is trained, which judges windows, or ``columns``, which streams.
    """

    run: StreamRun = field(
        default_factory=lambda: replace(StreamRun(), epochs=_EPOCHS, steps=_STEPS, batch=_BATCH)
    )
    lessons: LessonPlan = field(default_factory=lambda: replace(LessonPlan(), count=_LESSONS))
    front: Front = field(default_factory=Front)
    form: Literal["windows", "columns"] = "windows"
    columns: StreamSpec = field(default_factory=StreamSpec)

    @property
    def network(self) -> StreamSpec | WindowSpec:
        return self.columns if self.form == "columns" else self.run.network


def _without(name: str, **changes: Any) -> Factor:
    return Factor(name, {key.replace("__", "."): value for key, value in changes.items()}, left_out=True)


def _instead(name: str, **changes: Any) -> Factor:
    return Factor(name, {key.replace("__", "."): value for key, value in changes.items()})


def _bands(count: int) -> Factor:
    """Masks and shifts keep their size in Hz."""
    return _instead(
        f"{count} bands", front__bands=count, run__network__network__n_mels=count,
        run__recipe__bands=max(1, round(count / 32)), run__recipe__mask_bands=count // 8,
    )  # fmt: skip


_UNTAUGHT = changed(NAME, {"run.taught": 0.0})

GROUPS = {
    "recipe": Group(
        "recipe",
        "The recipe: one part at a time left out",
        NAME,
        (
            _without("lessons: what YAMNet heard", run__taught=0.0),
            _instead("nothing but another seed", run__seed=1),
            _without("a second sound (between-class mixing)", run__recipe__second=0.0, lessons__second=0.0),
            _without("YAMNet's embedding to predict", run__weight=0.0),
            _instead(
                "everything mixed milder", run__recipe__partial=0.15, run__recipe__second=0.3,
                run__recipe__background=0.4, run__recipe__mask=0.25, run__recipe__level_db=(-12.0, 6.0),
                lessons__partial=0.15, lessons__second=0.3, lessons__background=0.5,
            ),
            _without("soft targets from it", run__soft=0.0),
            _without("SpecAugment", run__recipe__mask=0.0),
            _without("level normalisation", run__network__network__level="none"),
            _without("Freq-MixStyle", run__recipe__mixstyle=0.0),
            _without("background under sounds", run__recipe__background=0.0, lessons__background=0.0),
            _without("sounds that nobody labelled", lessons__unlabelled=0.0),
            _without("windows over a sound's edges", run__recipe__partial=0.0, lessons__partial=0.0),
            _without("windows with none of the classes", run__recipe__negatives=0.0, lessons__negatives=0.0),
            _instead("hard negatives mined", run__mined=0.12),
            _instead("sounds in rooms that ring", run__recipe__room=0.4, lessons__room=0.4),
            _without("gain", run__recipe__level_db=(0.0, 0.0), run__level_db=0.0),
            _without("equaliser", run__recipe__equaliser_db=0.0),
            _without("speed", run__recipe__stretch=0.0, lessons__speed=1.0),
            _without("shift of bands (pitch)", run__recipe__bands=0),
            _without("noise of room and microphone", run__recipe__noise_db=(200.0, 200.0)),
            _without("label smoothing", run__recipe__smoothing=0.0),
        ),
    ),
    "form": Group(
        "form",
        "Window and form: another in its place",
        NAME,
        (
            _instead("a stream of columns, rings of 2 s", form="columns"),
            _instead("windows of 2 s", run__network__network__frames=100),
            _instead("a stream of columns, rings of 1 s", form="columns", columns__rings=(6, 12)),
            _instead("windows of 0.64 s", run__network__network__frames=32),
            _instead("windows of 1.44 s", run__network__network__frames=72),
        ),
    ),
    "front-end": Group(
        "front-end",
        "Rate and front end: another in its place, without lessons",
        _UNTAUGHT,
        (
            _instead("PCEN, no level normalisation", front__pcen=True, run__network__network__level="none"),
            _bands(40),
            _instead("8 kHz", front__rate=8_000),
            _bands(128),
            _instead("32 kHz", front__rate=32_000),
            _instead(
                "frames of 10 ms", front__frame_ms=10, run__network__network__frames=96,
                run__network__stride=48, run__recipe__mask_frames=24,
            ),
            _bands(96),
        ),
    ),
}  # fmt: skip
"""In each, the factors in the order in which they are run: what matters most first."""


def models() -> tuple[str, ...]:
    """All models, in the order in which they are run: forms, then recipe and front ends in turn."""
    recipe, form, front = (list(group.models()) for group in GROUPS.values())
    order = [recipe.pop(0), *form]
    while recipe or front:
        order += [*recipe[:2], *front[:1]]
        del recipe[:2], front[:1]
    return tuple(dict.fromkeys(order))
