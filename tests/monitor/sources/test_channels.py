"""Channels that make a recording sound other than it is are named."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.sources.channels import ChannelCheck

RNG = np.random.default_rng(5)
A, B = RNG.normal(0.0, 0.1, (2, 8000)).astype(np.float32)
ZERO = np.zeros_like(A)


def findings(*channels: np.ndarray, block: int = 1000) -> str:
    samples = np.stack(channels, axis=1) if len(channels) > 1 else channels[0]
    check = ChannelCheck()
    for start in range(0, len(samples), block):
        check.push(samples[start : start + block])
    return "; ".join(check.findings())


@pytest.mark.parametrize(
    "channels",
    [(A,), (A, A), (A, B), (A, 0.5 * A), (A, -B), (A, -0.7 * A), (ZERO, ZERO), (ZERO,), (A, B, A, B, A, B)],
)
def test_usual_channels_are_not_remarked_on(channels: tuple[np.ndarray, ...]) -> None:
    assert findings(*channels) == ""


@pytest.mark.parametrize("other", [-A, -0.9 * A, -A + 0.05 * B])
def test_an_inverted_channel_is_named(other: np.ndarray) -> None:
    assert "one is inverted" in findings(A, other)


def test_a_dead_channel_of_six_is_named() -> None:
    assert "channel 4 of 6 is silent" in findings(A, B, A, 1e-5 * A, B, A)
    assert "channel 2, 3 of 3 is silent" in findings(A, ZERO, ZERO)


@pytest.mark.parametrize("block", [1, 3])
def test_samples_far_over_full_scale_are_named(block: int) -> None:
    loud = np.array([0.0, 16000.0, np.nan], np.float32)
    assert "samples reach 1.6e+04 times full scale and are cut at 4" in findings(loud, block=block)
    assert "samples reach inf" in findings(np.array([np.inf], np.float32), block=block)
    assert findings(np.array([0.0, 3.9, np.nan], np.float32), block=block) == ""
    assert findings(np.array([np.nan], np.float32), block=block) == ""
