"""Other monitors on the broker are known by what they keep there, whatever else stands beside it."""

from __future__ import annotations

import pytest

from monitor.delivery.mqtt.connection import Incoming
from monitor.service.nodes import Nodes
from monitor.web.facts import Node


def told(nodes: Nodes, topic: str, payload: bytes) -> bool:
    return nodes.receive(Incoming(topic, payload, True))


def test_nodes_are_listed_with_their_addresses_and_without_ourselves() -> None:
    nodes = Nodes("home/sounds", "Balcony")
    assert nodes.filters == ("home/sounds/+/status", "home/sounds/+/health")
    told(nodes, "home/sounds/kitchen/status", b"online")
    told(nodes, "home/sounds/kitchen/health", b'{"page": "http://kitchen:8099/"}')
    told(nodes, "home/sounds/balcony/status", b"online")
    told(nodes, "home/sounds/attic/status", b"offline")
    told(nodes, "home/sounds/shed/health", b'{"page": "http://shed:8099/"}')  # has no status
    assert nodes.seen() == [Node("attic", "offline"), Node("kitchen", "online", "http://kitchen:8099/")]
    told(nodes, "home/sounds/attic/status", b"")  # forgotten
    told(nodes, "home/sounds/kitchen/health", b'{"page": null}')
    assert nodes.seen() == [Node("kitchen", "online")]


def test_messages_for_somebody_else_are_left_to_them() -> None:
    nodes = Nodes("home", "balcony")
    for topic in ("home/balcony/set/profile", "homeassistant/status", "home/status", "other/kitchen/status"):
        assert not told(nodes, topic, b"online")
    assert nodes.seen() == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b"7",
        b'{"page": 7}',
        b'{"page": "javascript:alert(1)"}',
        b'{"page": "http://[x"}',
        b"[" * 60000,
    ],
)
def test_an_address_that_is_none_is_not_linked(payload: bytes) -> None:
    nodes = Nodes("home", "balcony")
    told(nodes, "home/kitchen/status", b"online")
    told(nodes, "home/kitchen/health", payload)
    assert nodes.seen() == [Node("kitchen", "online")]


def test_nodes_are_bounded() -> None:
    nodes = Nodes("home", "balcony")
    for number in range(1000):
        told(nodes, f"home/node-{number}/status", b"online")
        told(nodes, f"home/node-{number}/health", b'{"page": "http://x/"}')
    assert len(nodes.seen()) == 100
    told(nodes, "home/" + "x" * 300 + "/status", b"online")
    assert len(nodes.seen()) == 100
