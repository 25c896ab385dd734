"""Test conditions applied to the same soundscapes: SNRs, gains, rooms, microphones.

Each condition changes one factor; its randomness is seeded by the soundscape's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from training.base.maths import amplitude_of_db
from training.data.audio import Waveform
from training.data.splits import Part
from training.features.alterations import add_room, room_response
from training.mixing.soundscapes import RATE, ScapePlan, Soundscape, make_pairs, make_soundscapes

Change = Callable[[Waveform, np.random.Generator], Waveform]

PLAIN = "plain"
OVERLAP = "overlap"
ALARM, UNDER = "siren", ("street_music", "jackhammer")
"""Classes of overlapping pairs: a siren must be detected during another sound."""


@dataclass(frozen=True)
class Condition:
    """A named condition with its family and its position on the family's axis.

    Parameters
    ----------
    snr_db
        Level of every sound over the background in dB; None keeps the drawn levels.
    changes
        Applied to the whole mixture, in this order.
    """

    name: str
    family: str
    what: str
    value: float = 0.0
    snr_db: float | None = None
    changes: tuple[Change, ...] = field(default=(), compare=False)

    def soundscapes(self, part: Part, plan: ScapePlan) -> list[Soundscape]:
        """Return the plan's soundscapes under this condition, or overlapping pairs instead of them."""
        if self.family == OVERLAP:
            return make_pairs(part, plan, ALARM, UNDER)
        return [self._changed(scape) for scape in make_soundscapes(part, plan, self.snr_db)]

    def _changed(self, scape: Soundscape) -> Soundscape:
        seed = int.from_bytes(hashlib.sha256(scape.name.encode()).digest()[:4], "little")
        samples = scape.samples
        for change in self.changes:
            samples = change(samples, np.random.default_rng(seed))[: len(samples)]
        return replace(scape, samples=samples)


def gain(gain_db: float) -> Change:
    """Apply a gain and clip at full scale, as a converter does."""

    def change(samples: Waveform, _: np.random.Generator) -> Waveform:
        turned: Waveform = np.clip(samples * np.float32(amplitude_of_db(gain_db)), -1.0, 1.0)
        return turned

    return change


def low_pass(hertz: float) -> Change:
    """Butterworth low-pass of order 8: 48 dB per octave."""

    def change(samples: Waveform, _: np.random.Generator) -> Waveform:
        from scipy.signal import butter, sosfilt

        filtered: Waveform = sosfilt(butter(8, hertz, fs=RATE, output="sos"), samples).astype(np.float32)
        return np.clip(filtered, -1.0, 1.0)

    return change


def room(rt60_s: float, direct_db: float) -> Change:
    """Simulate a room around the microphone, a different one for each soundscape."""

    def change(samples: Waveform, rng: np.random.Generator) -> Waveform:
        return add_room(samples, room_response(RATE, rt60_s, direct_db, rng))

    return change


def microphone(hertz: Sequence[float], gains_db: Sequence[float], noise_dbfs: float) -> Change:
    """Apply a frequency response, linear in dB per octave between the points, and self-noise."""

    def change(samples: Waveform, rng: np.random.Generator) -> Waveform:
        from scipy.signal import fftconvolve

        heard = fftconvolve(samples, _response(hertz, gains_db), mode="same")
        noise = amplitude_of_db(noise_dbfs) * rng.standard_normal(len(samples))
        recorded: Waveform = np.clip(heard + noise, -1.0, 1.0).astype(np.float32)
        return recorded

    return change


def _response(hertz: Sequence[float], gains_db: Sequence[float], taps: int = 511) -> NDArray[np.float64]:
    """Return a linear-phase filter with these gains; its delay is compensated."""
    from scipy.signal import firwin2

    at = np.linspace(0.0, RATE / 2, 257)
    curve = np.interp(np.log2(np.maximum(at, 1.0)), np.log2(hertz), gains_db)
    response: NDArray[np.float64] = firwin2(taps, at, amplitude_of_db(curve), fs=RATE)
    return response


CONDITIONS = (
    Condition(PLAIN, PLAIN, "as drawn"),
    *(Condition(f"snr-{db}", "snr", f"all sounds {db} dB over background", db, float(db))
      for db in (20, 10, 5, 0)),
    *(Condition(f"level{db:+d}", "level", f"{db:+d} dB, cut off at full scale", db, changes=(gain(db),))
      for db in (-30, -20, -10, 6, 12)),
    Condition("band-4k", "band", "low-pass at 4 kHz", 4000, changes=(low_pass(4000),)),
    Condition("room-small", "room", "room, RT60 0.3 s", 0.3, changes=(room(0.3, 3.0),)),
    Condition("room-large", "room", "room, RT60 0.8 s", 0.8, changes=(room(0.8, -3.0),)),
    Condition("microphone-telephone", "microphone", "300 to 3400 Hz", 1, changes=(
        microphone((50, 150, 300, 3400, 5000, 8000), (-40, -20, 0, 0, -30, -50), -60.0),)),
    Condition("microphone-tinny", "microphone", "no bass, +8 dB at 4 kHz", 2, changes=(
        microphone((50, 150, 500, 2000, 4000, 8000), (-30, -15, -3, 2, 8, -6), -55.0),)),
    Condition("siren-over", OVERLAP, "each siren over music or a jackhammer as loud"),
    Condition("microphone-covered", "microphone", "under a cover, −18 dB at 6 kHz", 3, changes=(
        microphone((50, 500, 1500, 6000, 8000), (2, 0, -6, -18, -24), -60.0),)),
)  # fmt: skip
"""Cut-offs below 4 kHz remove what distinguishes the classes; at 8 kHz there is nothing to remove, as
the soundscapes end there."""


def chosen(families: Sequence[str]) -> tuple[Condition, ...]:
    """Return the unchanged condition and the conditions of these families."""
    return tuple(c for c in CONDITIONS if c.family in (PLAIN, *families))
