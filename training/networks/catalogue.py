"""Every network of the study by name: how it is built, and its frame period."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from training.features.spec import presets
from training.networks import proper, published
from training.networks.compact import NetworkSpec, build

WIDE = NetworkSpec(blocks=(24, 56, 120), top=192)


@dataclass(frozen=True)
class Architecture:
    """``build`` takes the number of outputs and returns a Keras model of (frames, columns)."""

    name: str
    about: str
    features: str
    build: Callable[[int], Any]

    @property
    def frame_s(self) -> float:
        """Frame period of its input in seconds."""
        spec = presets[self.features]
        return spec.hop / spec.rate


_ALL = (
    Architecture("rnn", "the seed's RNN", "seed-frames", published.rnn),
    Architecture("lstm", "the seed's LSTM", "seed-frames", published.lstm),
    Architecture("gru", "the seed's GRU", "seed-frames", published.gru),
    Architecture("clstm", "the seed's CLSTM", "seed-frames", published.clstm),
    Architecture("cnn", "the seed's CNN", "seed-mel", published.cnn),
    Architecture("rnn-proper", "the RNN, mended", "log-mel", proper.rnn),
    Architecture("lstm-proper", "the LSTM, mended", "log-mel", proper.lstm),
    Architecture("gru-proper", "the GRU, mended", "log-mel", proper.gru),
    Architecture("clstm-proper", "the CLSTM, mended", "log-mel", proper.clstm),
    Architecture("cnn-proper", "the CNN, mended", "log-mel", proper.cnn),
    Architecture("crnn", "convolutions, GRU both ways, attention pool", "log-mel", proper.crnn),
    Architecture("transformer", "attention over patches", "log-mel", proper.transformer),
    Architecture("compact", "residual CNN", "log-mel", lambda n: build(NetworkSpec(), n)),
    Architecture("compact-wide", "the same, twice the weights", "log-mel", lambda n: build(WIDE, n)),
)

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType({a.name: a for a in _ALL})
