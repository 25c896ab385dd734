"""The embedded broker: its node's topics are its own, and what it takes is bounded."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing

import paho.mqtt.client as paho
import pytest
from delivering import TOPICS, broker
from mosquitto import PATIENCE_S, Listener, find, free_port
from paho.mqtt.enums import CallbackAPIVersion

from monitor.delivery.broker.embedded import EmbeddedBroker
from monitor.delivery.broker.embedded_rules import MOST_BYTES, MOST_RETAINED
from monitor.delivery.mqtt.board import Message
from monitor.delivery.mqtt.link import connector

DISCOVERY = "homeassistant/device/sound-monitor-balcony/config"
LAST = "other/last"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def embedded(port: int) -> Iterator[EmbeddedBroker]:
    made = EmbeddedBroker(port, topics=[TOPICS], discovery=[DISCOVERY])
    made.start()
    yield made
    made.stop()


@pytest.fixture
def listener(embedded: EmbeddedBroker, port: int) -> Iterator[Listener]:
    with closing(Listener(port)) as listener:
        yield listener


def publish(port: int, *messages: tuple[str, bytes], retain: bool = True) -> None:
    """Publish as another client, in order, and wait for the acknowledgements."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in messages:
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def test_only_the_monitor_publishes_on_its_topics(
    embedded: EmbeddedBroker, listener: Listener, port: int
) -> None:
    own = (TOPICS.status, TOPICS.event, TOPICS.state("siren"), TOPICS.health, DISCOVERY)
    free = (f"{TOPICS.commands}pause", "sound-monitor/attic/status", "sound-monitor/balcony2/status", "mine")
    publish(port, *((topic, b"forged") for topic in (*own, *free)), (LAST, b"x"))
    listener.wait_message(LAST)
    assert [message.topic for message in listener.heard] == [*free, LAST]
    waker, wake = socket.socketpair()
    login = {"username": embedded.login.username, "password": embedded.login.password}
    with waker, wake, closing(connector(broker(port, **login))(None, wake)) as link:
        link.connect()
        for topic in own:
            link.publish(Message(topic, "true", 1, True))
        while link.in_flight:
            link.step(PATIENCE_S)
        for topic in own:
            listener.wait_message(topic, "true")


def test_a_will_on_the_monitors_topics_is_not_published(
    embedded: EmbeddedBroker, listener: Listener, port: int
) -> None:
    for topic in (TOPICS.status, LAST):
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.will_set(topic, "gone", 1, True)
        client.connect("127.0.0.1", port)
        while not client.is_connected():
            client.loop(0.1)
        sock = client.socket()
        assert sock is not None
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()
    listener.wait_message(LAST, "gone")
    assert listener.on(TOPICS.status) == []


def test_its_own_login_cannot_be_guessed(embedded: EmbeddedBroker, port: int) -> None:
    command = [find("mosquitto_pub"), "-p", str(port), "-t", TOPICS.status, "-m", "x"]
    login = ["-u", embedded.login.username, "-P", "guessed"]
    assert subprocess.run([*command, *login], capture_output=True, timeout=PATIENCE_S).returncode != 0


def test_a_message_that_is_too_large_ends_its_connection_alone(
    embedded: EmbeddedBroker, listener: Listener, port: int
) -> None:
    command = [find("mosquitto_pub"), "-p", str(port), "-t", "big", "-q", "1", "-s"]
    large = subprocess.run(command, input=b"x" * (2 * MOST_BYTES), capture_output=True, timeout=PATIENCE_S)
    assert large.returncode != 0
    publish(port, ("fits", b"x" * (MOST_BYTES // 2)), (LAST, b"x"))
    listener.wait_message(LAST)
    assert [message.topic for message in listener.heard] == ["fits", LAST]


def test_retained_messages_are_bounded_in_number_and_size(embedded: EmbeddedBroker, port: int) -> None:
    publish(port, *((f"small/{number}", b"x") for number in range(MOST_RETAINED + 50)))
    with closing(Listener(port, "small/#")) as newcomer:
        newcomer.wait_for(lambda heard: len(heard) == MOST_RETAINED)
    publish(port, *((f"small/{number}", b"") for number in range(MOST_RETAINED)))
    publish(port, *((f"large/{number}", b"x" * (MOST_BYTES - 100)) for number in range(20)))
    with closing(Listener(port, "large/#")) as newcomer:
        newcomer.wait_for(lambda heard: len(heard) >= 16)
        publish(port, ("large/last", b"x"), retain=False)
        newcomer.wait_message("large/last")
    assert len(newcomer.heard) == 16 + 1


def test_it_listens_at_an_ipv6_address(port: int) -> None:
    embedded = EmbeddedBroker(port, "::1")
    embedded.start()
    waker, wake = socket.socketpair()
    with waker, wake, closing(connector(broker(port, host="::1"))(None, wake)) as link:
        link.connect()
        link.disconnect()
    embedded.stop()
