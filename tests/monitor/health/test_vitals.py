"""The figures of the audio path."""

from __future__ import annotations

import pytest

from monitor.health.vitals import Vitals


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_idle_time_counts_from_the_last_sign_of_life() -> None:
    clock = Clock()
    vitals = Vitals(clock)
    clock.now += 3
    assert vitals.idle_s == 3
    vitals.on_hop(0.1)
    clock.now += 1
    assert (vitals.idle_s, vitals.uptime_s) == (1, 4)


def test_figures_of_late_follow_the_newest_within_some_hops() -> None:
    vitals = Vitals()
    assert (vitals.inference_s, vitals.delay_s) == (None, None)
    vitals.on_inference(0.5)
    vitals.on_hop(2.0)
    assert (vitals.inference_s, vitals.delay_s) == (0.5, 2.0)
    for _ in range(32):
        vitals.on_inference(0.001)
        vitals.on_hop(0.3)
    assert vitals.inference_s == pytest.approx(0.001, abs=0.01)
    assert vitals.delay_s == pytest.approx(0.3, abs=0.05)
