from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from samples import record

from monitor.delivery.mqtt.board import Board, Message
from monitor.delivery.topics import Topics
from monitor.records import EventRecord

TOPICS = Topics("b", "n", ("siren", "horn"))
DISCOVERY = Message("ha/config", "{}", 1, True)


def board(*, states: bool = True, status: bool = True, discovery: Message | None = DISCOVERY) -> Board:
    made = Board(TOPICS, states=states, status=status)
    if discovery is not None:
        made.set_retained(discovery)
    return made


def attributes(on: bool, event: EventRecord | None) -> str:
    """The state in the last event, or alone before there is one."""
    values = {} if event is None else json.loads(event.to_json())
    return json.dumps(values | {"state": "ON" if on else "OFF"}, sort_keys=True)


def due(board: Board) -> list[Message]:
    return list(iter(board.next, None))


ACTIONS = st.one_of(
    st.tuples(st.just("state"), st.sampled_from(TOPICS.labels), st.booleans()),
    st.tuples(st.just("online"), st.booleans()),
    st.tuples(st.just("connect")),
    st.tuples(st.just("disconnect")),
    st.tuples(st.just("take"), st.integers(1, 5)),
)


@given(st.lists(ACTIONS, max_size=30))
def test_whatever_happened_the_broker_ends_up_with_the_truth(actions):
    under_test = board()
    truth = {TOPICS.state(label): "OFF" for label in TOPICS.labels} | {TOPICS.status: "offline"}
    truth |= {TOPICS.attributes(label): attributes(False, None) for label in TOPICS.labels}
    broker: dict[str, str] = {}
    for seq, (action, *values) in enumerate(actions):
        if action == "state":
            under_test.set_state(values[0], values[1], record(seq, label=values[0]))
            truth[TOPICS.state(values[0])] = "ON" if values[1] else "OFF"
            truth[TOPICS.attributes(values[0])] = attributes(values[1], record(seq, label=values[0]))
        elif action == "online":
            under_test.set_online(values[0])
            truth[TOPICS.status] = "online" if values[0] else "offline"
        elif action == "take":
            taken = [under_test.next() for _ in range(values[0])]
            broker |= {message.topic: message.payload for message in taken if message}
        else:
            getattr(under_test, action)()
            broker = {}
    under_test.connect()
    broker |= {message.topic: message.payload for message in due(under_test)}
    assert broker == truth | {DISCOVERY.topic: DISCOVERY.payload}


def test_connected_every_change_is_sent_once_and_in_order():
    under_test = board()
    under_test.connect()
    due(under_test)
    for on in (True, False, True):
        under_test.set_state("siren", on, None)
    states = [message.payload for message in due(under_test) if message.topic == TOPICS.state("siren")]
    assert states == ["ON", "OFF", "ON"]
    assert due(under_test) == []


def test_attributes_come_before_the_state_that_they_explain():
    under_test = board()
    under_test.connect()
    due(under_test)
    under_test.set_state("siren", True, record(1))
    assert [message.topic for message in due(under_test)] == [
        TOPICS.attributes("siren"),
        TOPICS.state("siren"),
    ]


def test_status_comes_last_so_that_online_means_all_is_true():
    under_test = board()
    under_test.set_online(True)
    under_test.connect()
    assert [m.topic for m in due(under_test)] == [
        "ha/config",
        TOPICS.attributes("siren"),
        TOPICS.attributes("horn"),
        TOPICS.state("siren"),
        TOPICS.state("horn"),
        TOPICS.status,
    ]


def test_a_level_is_sent_now_or_never_and_only_the_newest():
    under_test = board()
    under_test.set_level("old")
    under_test.connect()
    assert under_test.next_passing() is None
    under_test.set_level("1")
    under_test.set_level("2")
    assert under_test.next_passing() == Message(TOPICS.level, "2", 0, False)
    assert under_test.next_passing() is None
    under_test.set_level("3")
    under_test.disconnect()
    under_test.connect()
    assert under_test.next_passing() is None


def test_what_came_near_is_sent_beside_the_level():
    under_test = board()
    under_test.connect()
    under_test.set_level("1")
    under_test.set_near("{}")
    passing = {under_test.next_passing(), under_test.next_passing()}
    assert passing == {Message(TOPICS.level, "1", 0, False), Message(TOPICS.near, "{}", 0, False)}
    assert under_test.next_passing() is None


def test_health_is_sent_again_at_each_connection_and_waits_for_no_acknowledgement():
    under_test = board(states=False, status=False, discovery=None)
    under_test.set_health("{}")
    for _ in range(2):
        under_test.connect()
        assert due(under_test) == []
        assert under_test.next_passing() == Message(TOPICS.health, "{}", 0, True)
        assert under_test.next_passing() is None


def test_a_board_without_states_and_status_is_silent():
    under_test = board(states=False, status=False, discovery=None)
    under_test.connect()
    under_test.set_state("siren", True, record(1))
    under_test.set_online(True)
    under_test.all_off()
    assert due(under_test) == []


def test_a_flood_of_changes_collapses_to_the_truth():
    under_test = board(discovery=None)
    under_test.connect()
    for number in range(5000):
        under_test.set_state("siren", number % 2 == 1, None)
    messages = due(under_test)
    assert len(messages) <= 1000
    assert [m.payload for m in messages if m.topic == TOPICS.state("siren")][-1] == "ON"


def test_labels_without_a_state_are_ignored():
    under_test = board(discovery=None)
    under_test.connect()
    due(under_test)
    under_test.set_state("background", True, record(1))
    assert due(under_test) == []


def test_the_newest_noise_is_retained_and_sent_again_at_each_connection() -> None:
    under_test = board()
    under_test.set_noise("1")
    under_test.connect()
    assert under_test.next_passing() == Message(TOPICS.noise, "1", 0, True)
    under_test.set_noise("2")
    assert under_test.next_passing() == Message(TOPICS.noise, "2", 0, True)
    under_test.disconnect()
    under_test.connect()
    assert under_test.next_passing() == Message(TOPICS.noise, "2", 0, True)


@given(st.lists(st.sets(st.sampled_from(TOPICS.labels)), max_size=4), st.data())
def test_only_labels_that_can_be_reported_have_a_state_and_the_others_are_cleared(steps, data):
    under_test = board()
    under_test.connect()
    broker: dict[str, str] = {}
    for seq, labels in enumerate(steps):
        under_test.set_labels(labels)
        under_test.set_state(data.draw(st.sampled_from(TOPICS.labels)), True, record(seq))
        if data.draw(st.booleans()):
            under_test.connect()
        broker |= {message.topic: message.payload for message in due(under_test)}
        for label in TOPICS.labels:
            for topic in (TOPICS.state(label), TOPICS.attributes(label)):
                assert bool(broker.get(topic)) == (label in labels)


def test_a_retained_message_is_sent_at_each_change_and_each_connection():
    under_test = board(states=False, status=False, discovery=None)
    under_test.set_retained(Message("t", "1", 1, True))
    under_test.connect()
    assert [message.payload for message in due(under_test)] == ["1"]
    for payload in ("1", "2", "2"):
        under_test.set_retained(Message("t", payload, 1, True))
    assert [message.payload for message in due(under_test)] == ["2"]
    under_test.repeat()
    assert [message.payload for message in due(under_test)] == ["2"]


def test_a_label_that_was_taught_meanwhile_gets_topics_and_loses_them_when_it_is_forgotten() -> None:
    under_test = board()
    under_test.connect()
    due(under_test)
    under_test.set_labels((*TOPICS.labels, "gate"))
    under_test.set_state("gate", True, record(1, label="gate"))
    told = {message.topic: message.payload for message in due(under_test)}
    assert told[TOPICS.state("gate")] == "ON"
    under_test.set_labels(TOPICS.labels)
    assert [(one.topic, one.payload, one.retain) for one in due(under_test)] == [
        (TOPICS.state("gate"), "", True),
        (TOPICS.attributes("gate"), "", True),
    ]
