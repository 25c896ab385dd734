"""Two clients of one id are told from a broker that is away or restarts."""

from __future__ import annotations

from monitor.delivery.mqtt.connection import CutError
from monitor.delivery.mqtt.cuts import STABLE_S, ShortConnections
from monitor.errors import PublishError

CUT = CutError("closed by the broker", client_id="monitor", taken_over=False)


def after(*losses: tuple[float | None, Exception]) -> ShortConnections:
    """What is known after connections that lasted so long (None: never connected)."""
    cuts, now = ShortConnections(), 0.0
    for lasted_s, error in losses:
        if lasted_s is not None:
            cuts.connected(now)
            now += lasted_s
        cuts.lost(now, error)
    return cuts


def test_two_short_connections_in_a_row_tell_of_a_clash() -> None:
    assert not after((1.0, CUT)).clash
    assert after((1.0, CUT), (2.0, CUT)).clash


def test_a_long_connection_or_a_broker_that_is_away_between_them_does_not() -> None:
    assert not after((1.0, CUT), (STABLE_S, CUT)).clash
    assert not after((1.0, CUT), (None, PublishError("refused")), (1.0, CUT)).clash
    assert not after((1.0, PublishError("no keepalive")), (1.0, PublishError("no keepalive"))).clash


def test_mqtt_5_says_it_at_once() -> None:
    assert after((60.0, CutError("taken over", client_id="monitor", taken_over=True))).clash


def test_a_clash_is_over_once_a_connection_lasts() -> None:
    cuts = after((1.0, CUT), (1.0, CUT))
    cuts.connected(100.0)
    assert not cuts.over(100.0 + STABLE_S - 0.1)
    assert cuts.over(100.0 + STABLE_S)
    assert not cuts.clash
    assert not cuts.over(300.0)
