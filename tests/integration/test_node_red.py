"""The example flow in a real Node-RED, where one is installed; ``benchmarks/node_red.py`` demands it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import node_red
import pytest
from mosquitto import Mosquitto


@pytest.fixture
def command() -> Sequence[str]:
    found = node_red.find()
    if found is None:
        pytest.skip("no Node-RED: npm install node-red, or name its command in NODE_RED")
    return found


def test_the_flow_makes_a_notice_of_what_is_worth_one_and_no_other(
    tmp_path: Path, mosquitto: Mosquitto, command: Sequence[str]
) -> None:
    sent = node_red.cases()
    running = node_red.NodeRed(command, tmp_path, mosquitto)
    try:
        assert running.notices(sent) == [case.notice for case in sent if case.notice is not None]
    finally:
        running.close()
