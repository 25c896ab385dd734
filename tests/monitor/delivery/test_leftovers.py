"""What an earlier run left on the broker is found, whatever names it used."""

from __future__ import annotations

import pytest

from monitor.delivery.mqtt.leftovers import Leftovers
from monitor.delivery.topics import Topics

TOPICS = Topics("home/sound", "group", ("siren", "Dog bark"))


@pytest.fixture
def leftovers() -> Leftovers:
    made = Leftovers(TOPICS)
    made.groups_in_use(["emergency"])
    return made


def test_what_this_run_announces_is_not_left_over(leftovers: Leftovers) -> None:
    for label in TOPICS.labels:
        assert not any(leftovers.found(topic) for topic in TOPICS.of_label(label))
    assert not leftovers.found(TOPICS.group("emergency"))
    assert not leftovers.complete()


def test_other_labels_and_groups_are_found_by_name(leftovers: Leftovers) -> None:
    for label in ("horn", "group", "sound"):
        assert all(leftovers.found(topic) for topic in TOPICS.of_label(label))
    for name in ("state", "siren"):
        assert leftovers.found(TOPICS.group(name))
    assert leftovers.labels == ("horn", "group", "sound")
    assert leftovers.groups == ("state", "siren")
    assert leftovers.complete()
    assert not leftovers.complete()


def test_what_is_remembered_is_bounded(leftovers: Leftovers) -> None:
    assert all(leftovers.found(TOPICS.state(f"label-{number}")) for number in range(5000))
    assert len(leftovers.labels) == 2000
