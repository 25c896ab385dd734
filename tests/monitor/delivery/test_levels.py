"""A level message stands for all hops since the last one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.delivery.mqtt.levels import LevelSpan
from monitor.records import Level

levels = st.builds(
    Level,
    rms_dbfs=st.floats(-120, 0),
    peak_dbfs=st.floats(-120, 0),
    background_dbfs=st.floats(-120, 0),
    clipped=st.integers(0, 100),
)


@given(st.lists(levels, min_size=1))
def test_a_span_has_the_mean_power_the_highest_peak_and_all_clipped_samples(hops: list[Level]) -> None:
    span = LevelSpan()
    for hop in hops:
        span.push(hop)
    taken = span.take()
    power = sum(10 ** (hop.rms_dbfs / 10) for hop in hops) / len(hops)
    assert taken.rms_dbfs == pytest.approx(10 * math.log10(power))
    assert taken.peak_dbfs == max(hop.peak_dbfs for hop in hops)
    assert (taken.background_dbfs, taken.clipped) == (hops[-1].background_dbfs, sum(h.clipped for h in hops))
    with pytest.raises(ValueError, match="no hop"):
        span.take()
