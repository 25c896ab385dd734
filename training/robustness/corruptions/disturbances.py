"""Corruptions of a sound on its way to the model: noise, rooms, codecs, microphones."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.base.maths import amplitude_of_db
from training.data.audio import Waveform
from training.errors import DataError
from training.mixing.streams import rms
from training.stream_eval.conditions import CONDITIONS, Change, gain, low_pass, room

RATE = 16_000
CLEAN = "clean"
SNRS_DB = (20, 10, 5, 0, -5)
_ENCODERS = {"mp3": "libmp3lame", "ogg": "libopus"}


@dataclass(frozen=True)
class Disturbance:
    """One corruption of a clip at 16 kHz; ``value`` is its position on the axis of its ``family``.

    The clip keeps its length. Randomness is seeded by the clip's name, so all models get the same input.
    """

    name: str
    family: str
    what: str
    value: float = 0.0
    changes: tuple[Change, ...] = field(default=(), compare=False)

    def __call__(self, samples: Waveform, name: str) -> Waveform:
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
        for change in self.changes:
            changed = change(samples, np.random.default_rng(seed))[: len(samples)]
            samples = np.pad(changed, (0, len(samples) - len(changed))).astype(np.float32)
        return samples


def every(street: Sequence[Waveform], speech: Sequence[Waveform]) -> tuple[Disturbance, ...]:
    """Return all corruptions, clean first; the recordings provide the street and speech noise."""
    backgrounds = {
        "street": _background(street),
        "speech": _background(speech),
        "white": coloured(0.0),
        "pink": coloured(1.0),
    }
    noisy = [
        Disturbance(
            f"{kind}{db:+d}", kind, f"{kind} noise, the clip {db} dB over it", db, (over(background, db),)
        )
        for kind, background in backgrounds.items()
        for db in SNRS_DB
    ]
    return (Disturbance(CLEAN, CLEAN, "as recorded"), *noisy, *_FIXED, *_microphones())


def over(background: Change, snr_db: float) -> Change:
    """Add the background that ``background`` generates, with the clip's mean power ``snr_db`` above it."""

    def change(samples: Waveform, rng: np.random.Generator) -> Waveform:
        noise = background(samples, rng)
        factor = rms(samples) / max(rms(noise), 1e-9) * amplitude_of_db(-snr_db)
        mixed: Waveform = samples + np.float32(factor) * noise
        # Attenuated where it would exceed full scale: clipping is a corruption of its own.
        mixed /= np.float32(max(1.0, float(np.abs(mixed).max())))
        return mixed

    return change


def clipped(over_db: float) -> Change:
    """Amplify the clip's peak to ``over_db`` dBFS and clip it."""

    def change(samples: Waveform, rng: np.random.Generator) -> Waveform:
        return gain(over_db)(samples / np.float32(max(float(np.abs(samples).max()), 1e-6)), rng)

    return change


def codec(container: str, kbit_s: int, rate: int) -> Change:
    """Encode at ``rate`` Hz and decode with ffmpeg: MP3 in ``mp3``, Opus in ``ogg``.

    Raises
    ------
    DataError
        If ffmpeg is absent or lacks the codec.
    """
    raw = ("-f", "f32le", "-ac", "1")
    coded = ("-c:a", _ENCODERS[container], "-b:a", f"{kbit_s}k", "-ar", str(rate), "-f", container)

    def change(samples: Waveform, _: np.random.Generator) -> Waveform:
        packed = _ffmpeg((*raw, "-ar", str(RATE), "-i", "-", *coded, "-"), samples.tobytes())
        return np.frombuffer(_ffmpeg(("-i", "-", *raw, "-ar", str(RATE), "-"), packed), np.float32)

    return change


def _ffmpeg(arguments: Sequence[str], given: bytes) -> bytes:
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-threads", "1", *arguments]
    try:
        return subprocess.run(command, input=given, capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise DataError("ffmpeg is not installed; the codecs need it: apt install ffmpeg") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise DataError(
            f"ffmpeg could not code a clip ({last}); it must have libmp3lame and libopus"
        ) from error


def _background(recordings: Sequence[Waveform]) -> Change:
    """Return a stretch of one of the recordings, looped where it is too short."""

    def change(samples: Waveform, rng: np.random.Generator) -> Waveform:
        recording = recordings[int(rng.integers(len(recordings)))]
        begin = int(rng.integers(len(recording)))
        return np.resize(np.roll(recording, -begin), len(samples))

    return change


def coloured(slope: float) -> Change:
    """Return Gaussian noise with a power spectrum of frequency^−``slope``: 0 white, 1 pink."""

    def change(samples: Waveform, rng: np.random.Generator) -> Waveform:
        spectrum = np.fft.rfft(rng.standard_normal(len(samples)))
        falling: NDArray[np.float64] = np.maximum(np.arange(len(spectrum)), 1.0) ** (-slope / 2)
        noise: Waveform = np.fft.irfft(spectrum * falling, len(samples)).astype(np.float32)
        return noise

    return change


_FIXED = (
    *(Disturbance(f"gain{db:+d}", "gain", f"{db:+d} dB, cut off at full scale", db, (gain(db),))
      for db in (-40, -20, 12)),
    *(Disturbance(f"clipped-{db}", "clipping", f"peak cut off {db} dB below its height", db, (clipped(db),))
      for db in (6, 12, 24)),
    *(Disturbance(f"low-pass-{hertz}", "low-pass", f"nothing above {hertz} Hz", hertz, (low_pass(hertz),))
      for hertz in (6000, 4000, 2000)),
    *(Disturbance(f"mp3-{kbit}", "mp3", f"MP3, {kbit} kbit/s", kbit, (codec("mp3", kbit, rate),))
      for kbit, rate in ((128, 44_100), (64, 44_100), (32, 22_050))),
    *(Disturbance(f"opus-{kbit}", "opus", f"Opus, {kbit} kbit/s", kbit, (codec("ogg", kbit, 48_000),))
      for kbit in (64, 24, 12)),
    *(Disturbance(f"room-{rt60_s}", "room", f"room, RT60 {rt60_s} s", rt60_s, (room(rt60_s, direct_db),))
      for rt60_s, direct_db in ((0.3, 3.0), (0.6, 0.0), (1.0, -6.0))),
)  # fmt: skip


def _microphones() -> list[Disturbance]:
    """Return the microphone responses that soundscapes use too."""
    return [
        Disturbance(c.name, c.family, c.what, c.value, c.changes)
        for c in CONDITIONS
        if c.family == "microphone"
    ]
