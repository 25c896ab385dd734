from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.delivery.topics import Topics, slug
from monitor.errors import ConfigError


@given(st.text())
@example("dog/+#bark")
@example("犬")
def test_a_slug_is_one_plain_segment_and_its_own_slug(text):
    name = slug(text)
    assert re.fullmatch(r"[a-z0-9_-]+", name)
    assert slug(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dog_bark", "dog_bark"),
        ("Police car (siren)", "police_car_siren"),
        ("Türklingel", "turklingel"),
        ("garden-2", "garden-2"),
        ("犬", "x1e82f9b0"),
    ],
)
def test_slugs_never_change(text, name):
    assert slug(text) == name


@given(st.lists(st.text(max_size=5), unique=True, max_size=8))
def test_labels_have_topics_of_their_own_or_are_refused(labels):
    try:
        topics = Topics("sound-monitor", "node", tuple(labels))
    except ConfigError:
        assert len(set(map(slug, labels))) < len(labels)
    else:
        assert len(set(map(topics.state, labels))) == len(labels)


def test_labels_that_would_share_a_topic_are_named():
    with pytest.raises(
        ConfigError, match=r"'car horn' and 'Car horn!' would share the topic .*/car_horn/state"
    ):
        Topics("sound-monitor", "node", ("car horn", "Car horn!"))


def test_topics_are_those_of_the_contract():
    topics = Topics("home/sound", "Back Yard", ("dog_bark",))
    assert topics.status == "home/sound/back_yard/status"
    assert topics.event == "home/sound/back_yard/event"
    assert topics.level == "home/sound/back_yard/level"
    assert topics.health == "home/sound/back_yard/health"
    assert topics.state("dog_bark") == "home/sound/back_yard/sound/dog_bark/state"
    assert topics.attributes("dog_bark") == "home/sound/back_yard/sound/dog_bark/attributes"
