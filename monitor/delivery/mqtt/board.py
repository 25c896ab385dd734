"""The current content of the retained topics, and which changes still have to be sent to the broker."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from monitor.delivery.topics import Topics
from monitor.records import EventRecord

_CHANGES = 1000
"""Maximum number of queued changes; on a slower connection only the current state is sent."""


@dataclass(frozen=True)
class Message:
    """One MQTT PUBLISH message."""

    topic: str
    payload: str
    qos: int
    retain: bool


class Board:
    """The current content of all retained topics. Thread-safe; never blocks for long.

    Between :meth:`connect` and :meth:`disconnect` each change is queued once, in order. A new
    connection queues the complete content, because the broker may have lost everything or may
    hold messages left by an earlier run.

    Parameters
    ----------
    topics : Topics
        Topics of the node, with all labels known at the start; initially, each has a state.
    states : bool
        Whether ON/OFF states and attributes are published.
    status : bool
        Whether ``online``/``offline`` is published.
    """

    def __init__(self, topics: Topics, *, states: bool, status: bool) -> None:
        self._topics = topics
        self._labels = dict.fromkeys(topics.labels)
        self._retained: dict[str, Message] = {}
        self._cleared: dict[str, Message] = {}
        self._status = "offline" if status else None
        self._on: dict[str, bool] = dict.fromkeys(topics.labels, False) if states else {}
        self._events: dict[str, EventRecord] = {}
        self._states = states
        self._groups: dict[str, frozenset[str]] = {}
        self._health: str | None = None
        self._noise: str | None = None
        self._passing: dict[str, Message] = {}
        self._due: deque[Message] | None = None
        self._lock = threading.RLock()

    @property
    def event_topic(self) -> str:
        return self._topics.event

    def connect(self) -> None:
        with self._lock:
            self._due = deque()
            self.repeat()

    def repeat(self) -> None:
        """Queue the complete content again, if there is a connection."""
        with self._lock:
            if self._due is not None:
                self._due = deque(self._truth())
                for message in self._unacknowledged():
                    self._pass(message)

    def clear(self, topic: str) -> None:
        """Clear a retained topic that an earlier run left behind."""
        with self._lock:
            self._add(Message(topic, "", 1, True))

    def set_retained(self, message: Message) -> None:
        """Add or replace a further retained message, which is sent before the states."""
        with self._lock:
            if self._retained.get(message.topic) != message:
                self._retained[message.topic] = message
                self._add(message)

    def set_groups(self, groups: Mapping[str, Collection[str]]) -> None:
        """Set the groups of labels that have a state of their own: ON while any of their labels is."""
        if not self._states:
            return
        with self._lock:
            self._groups = {name: frozenset(labels) for name, labels in groups.items()}
            for name in self._groups:
                self._add(self._group(name))

    def set_labels(self, labels: Collection[str]) -> None:
        """Set the labels that have a state, initially OFF, and clear the retained topics of all others.

        Labels may be new: sounds are taught while the monitor runs.
        """
        if not self._states:
            return
        with self._lock:
            self._labels |= dict.fromkeys(labels)
            for label in self._labels:
                topics = self._topics.of_label(label)
                if label in labels and label not in self._on:
                    for topic in topics:
                        self._cleared.pop(topic, None)
                    self._on[label] = False
                    self._tell_state(label)
                elif label not in labels and topics[0] not in self._cleared:
                    self._on.pop(label, None)
                    self._events.pop(label, None)
                    for topic in topics:
                        self._cleared[topic] = Message(topic, "", 1, True)
                        self._add(self._cleared[topic])

    def disconnect(self) -> None:
        with self._lock:
            self._due = None
            self._passing.clear()

    def set_state(self, label: str, on: bool, record: EventRecord | None) -> None:
        with self._lock:
            if label not in self._on:
                return
            if record is not None:
                self._events[label] = record
            self._on[label] = on
            self._tell_state(label)

    def _tell_state(self, label: str) -> None:
        self._add(self._attributes_of(label))
        self._add(self._state_of(label))
        for name, labels in self._groups.items():
            if label in labels:
                self._add(self._group(name))

    def set_online(self, online: bool) -> None:
        if self._status is None:
            return
        with self._lock:
            self._status = "online" if online else "offline"
            self._add(Message(self._topics.status, self._status, 1, True))

    def set_health(self, payload: str) -> None:
        with self._lock:
            self._health = payload
            self._pass(self._health_of(payload))

    def set_noise(self, payload: str) -> None:
        with self._lock:
            self._noise = payload
            self._pass(self._noise_of(payload))

    def set_level(self, payload: str) -> None:
        """Set the newest level; it is sent at once or dropped."""
        self._pass(Message(self._topics.level, payload, 0, False))

    def set_near(self, payload: str) -> None:
        """Set the recent near misses; they are sent at once or dropped."""
        self._pass(Message(self._topics.near, payload, 0, False))

    def all_off(self) -> None:
        """Set every state to OFF and the status to offline, because listening has ended."""
        with self._lock:
            for label in self._on:
                self.set_state(label, False, None)
            self.set_online(False)

    def next(self) -> Message | None:
        """Remove and return the next message that must be sent."""
        with self._lock:
            return self._due.popleft() if self._due else None

    def next_passing(self) -> Message | None:
        """Remove and return the next message at QoS 0, which waits for no acknowledgement of others."""
        with self._lock:
            return self._passing.popitem()[1] if self._passing else None

    @property
    def empty(self) -> bool:
        return not self._due

    def _pass(self, message: Message) -> None:
        with self._lock:
            if self._due is not None:
                self._passing[message.topic] = message

    def _add(self, message: Message) -> None:
        if self._due is None:
            return
        if len(self._due) >= _CHANGES:
            self._due = deque(self._truth())
        else:
            self._due.append(message)

    def _truth(self) -> list[Message]:
        truth = [*self._cleared.values(), *self._retained.values()]
        truth += [self._attributes_of(label) for label in self._on]
        truth += [self._state_of(label) for label in self._on]
        truth += [self._group(name) for name in self._groups]
        if self._status is not None:
            truth.append(Message(self._topics.status, self._status, 1, True))
        return truth

    def _unacknowledged(self) -> list[Message]:
        """Return the retained messages at QoS 0."""
        messages = []
        if self._health is not None:
            messages.append(self._health_of(self._health))
        if self._noise is not None:
            messages.append(self._noise_of(self._noise))
        return messages

    def _state_of(self, label: str) -> Message:
        return Message(self._topics.state(label), self._word(label), 1, True)

    def _attributes_of(self, label: str) -> Message:
        record = self._events.get(label)
        # Including the state lets a reader that uses both see one change instead of two.
        values = {} if record is None else asdict(record)
        payload = json.dumps(values | {"state": self._word(label)}, sort_keys=True, ensure_ascii=False)
        return Message(self._topics.attributes(label), payload, 1, True)

    def _group(self, name: str) -> Message:
        labels = self._groups[name]
        events = [self._events[label] for label in labels if label in self._events]
        values = asdict(max(events, key=lambda record: record.seq)) if events else {}
        state = "ON" if any(self._on.get(label, False) for label in labels) else "OFF"
        payload = json.dumps(values | {"state": state}, sort_keys=True, ensure_ascii=False)
        return Message(self._topics.group(name), payload, 1, True)

    def _word(self, label: str) -> str:
        return "ON" if self._on[label] else "OFF"

    def _health_of(self, payload: str) -> Message:
        return Message(self._topics.health, payload, 0, True)

    def _noise_of(self, payload: str) -> Message:
        return Message(self._topics.noise, payload, 0, True)
