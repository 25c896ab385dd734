"""The settings of a front end, as stored in a model's card."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator


class Frozen(BaseModel):
    """Base of the card's sections: unknown keys are refused, values are finite and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Normalisation(Frozen):
    """Subtract ``mean`` and divide by ``std`` (in the log's unit); one value, or one per mel band."""

    mean: tuple[float, ...] = (0.0,)
    std: tuple[PositiveFloat, ...] = (1.0,)


class MelSpec(Frozen):
    """Settings common to all log-mel front ends, in the order of their keys in a card.

    Lengths are samples at the model's rate. ``frames`` counts the frames of one model
    window. Frame *t* ends at sample ``(t + 1)·hop``: it looks back, never ahead.
    """

    kind: str
    n_fft: PositiveInt
    win_length: PositiveInt
    window: str
    hop: PositiveInt
    frames: PositiveInt
    power: Annotated[float, Field(ge=2, le=2)] = 2.0
    n_mels: PositiveInt
    fmin: Annotated[float, Field(ge=0)] = 0.0
    fmax: PositiveFloat
    scale: str
    norm: str
    matrix_sha256: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> MelSpec:
        if not self.hop <= self.win_length <= self.n_fft:
            raise ValueError(f"hop {self.hop} ≤ win_length {self.win_length} ≤ n_fft {self.n_fft} must hold")
        if not self.fmin < self.fmax:
            raise ValueError(f"fmin {self.fmin} Hz must be below fmax {self.fmax} Hz")
        return self

    def _check_normalisation(self, normalisation: Normalisation) -> None:
        for name in ("mean", "std"):
            values = getattr(normalisation, name)
            if len(values) not in (1, self.n_mels):
                raise ValueError(f"normalisation.{name} has {len(values)} values; 1 or {self.n_mels} fit")


class LogMelSpec(MelSpec):
    """Log-mel in dB: ``10·log10(max(mel power, floor) / reference)``, then normalisation.

    A frame is ``n_fft`` samples; the window, periodic, stands in its middle.
    """

    kind: Literal["log-mel"] = "log-mel"
    window: Literal["hann"] = "hann"
    scale: Literal["slaney", "htk"] = "slaney"
    norm: Literal["slaney", "none"] = "slaney"
    floor: PositiveFloat = 1e-10
    reference: PositiveFloat = 1.0
    normalisation: Normalisation = Normalisation()

    @model_validator(mode="after")
    def _fits(self) -> LogMelSpec:
        self._check_normalisation(self.normalisation)
        return self


class KaldiLogMelSpec(MelSpec):
    """Natural log-mel as Kaldi and EfficientAT compute it: ``ln(mel power + offset)``, then normalisation.

    The signal is pre-emphasised, ``y[n] = x[n] − pre_emphasis·x[n − 1]``. A frame is
    ``win_length`` samples, zeros fill it to ``n_fft``; the window is symmetric. The mel
    triangles are linear in mel, not in Hz, and of height one.

    Unlike EfficientAT, each frame's constant offset is removed, as Kaldi does: a microphone's offset
    would otherwise leak into the lowest bands, and the weighted mean of a windowed frame is zero.
    """

    kind: Literal["kaldi-log-mel"] = "kaldi-log-mel"
    window: Literal["hann-symmetric"] = "hann-symmetric"
    scale: Literal["kaldi"] = "kaldi"
    norm: Literal["none"] = "none"
    pre_emphasis: Annotated[float, Field(ge=0, lt=1)] = 0.97
    offset: PositiveFloat = 1e-5
    normalisation: Normalisation = Normalisation()

    @model_validator(mode="after")
    def _fits(self) -> KaldiLogMelSpec:
        self._check_normalisation(self.normalisation)
        return self


class WaveformSpec(Frozen):
    """The model takes raw samples, full scale ±1, and has its front end inside."""

    kind: Literal["waveform"] = "waveform"


FrontEndSpec = Annotated[LogMelSpec | KaldiLogMelSpec | WaveformSpec, Field(discriminator="kind")]
