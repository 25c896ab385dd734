"""The history is kept within its bounds from a thread that no disk error ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from monitor.errors import OutboxError
from monitor.service.housekeeping import Housekeeper

PATIENCE_S = 20.0


class Retention:
    """Fails in its first two passes, and never comes to an end in its third."""

    def __init__(self) -> None:
        self.passes = 0
        self.third = threading.Event()

    def steps(self) -> Iterator[None]:
        self.passes += 1
        if self.passes < 3:
            raise OutboxError("history: disk full")
        while True:
            self.third.set()
            yield


def test_a_disk_error_is_logged_once_and_a_pass_can_be_cut_short(caplog: pytest.LogCaptureFixture) -> None:
    retention = Retention()
    with closing(Housekeeper(retention, every_s=0.001)) as keeper:  # type: ignore[arg-type]
        assert retention.third.wait(PATIENCE_S)
        assert keeper.alive
    assert not keeper.alive
    assert caplog.messages == ["history: disk full; old events are not deleted"]
