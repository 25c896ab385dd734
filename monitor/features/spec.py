"""The settings of a front end, as a model's card carries them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator


class Frozen(BaseModel):
    """Base of card and config sections: unknown keys are refused, values are finite and cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Normalisation(Frozen):
    """Subtract ``mean`` and divide by ``std`` (dB); one value, or one per mel band."""

    mean: tuple[float, ...] = (0.0,)
    std: tuple[PositiveFloat, ...] = (1.0,)


class LogMelSpec(Frozen):
    """Log-mel spectrogram: ``10·log10(max(mel power, floor) / reference)``, then normalisation.

    Lengths are samples at the model's rate. ``frames`` counts the frames of one model
    window. Frame *t* ends at sample ``(t + 1)·hop``: it looks back, never ahead.
    """

    kind: Literal["log-mel"] = "log-mel"
    n_fft: PositiveInt
    win_length: PositiveInt
    window: Literal["hann"] = "hann"
    hop: PositiveInt
    frames: PositiveInt
    power: Annotated[float, Field(ge=2, le=2)] = 2.0
    n_mels: PositiveInt
    fmin: Annotated[float, Field(ge=0)] = 0.0
    fmax: PositiveFloat
    scale: Literal["slaney", "htk"] = "slaney"
    norm: Literal["slaney", "none"] = "slaney"
    matrix_sha256: str | None = None
    floor: PositiveFloat = 1e-10
    reference: PositiveFloat = 1.0
    normalisation: Normalisation = Normalisation()

    @model_validator(mode="after")
    def _consistent(self) -> LogMelSpec:
        if not self.hop <= self.win_length <= self.n_fft:
            raise ValueError(f"hop {self.hop} ≤ win_length {self.win_length} ≤ n_fft {self.n_fft} must hold")
        if not self.fmin < self.fmax:
            raise ValueError(f"fmin {self.fmin} Hz must be below fmax {self.fmax} Hz")
        for name in ("mean", "std"):
            values = getattr(self.normalisation, name)
            if len(values) not in (1, self.n_mels):
                raise ValueError(f"normalisation.{name} has {len(values)} values; 1 or {self.n_mels} fit")
        return self


class WaveformSpec(Frozen):
    """The model takes raw samples, full scale ±1, and has its front end inside."""

    kind: Literal["waveform"] = "waveform"


FrontEndSpec = Annotated[LogMelSpec | WaveformSpec, Field(discriminator="kind")]
