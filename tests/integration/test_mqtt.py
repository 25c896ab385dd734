"""The publisher against a real mosquitto: the way in, and what the broker says no to."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import threading
from contextlib import closing

import pytest
from delivering import TOPICS, broker, delivery
from mosquitto import PATIENCE_S, Certificates, Listener, Mosquitto, find, free_port
from samples import record

from monitor.delivery.broker.embedded import EmbeddedBroker
from monitor.delivery.mqtt.board import Message
from monitor.delivery.mqtt.connection import BrokerSettings
from monitor.delivery.mqtt.link import connector
from monitor.delivery.mqtt.publisher import Retained
from monitor.errors import ConfigError, PublishError

EVENTS = TOPICS.event


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_events_arrive_in_order_at_qos_1_and_are_marked(tmp_path, mosquitto, listener, version):
    with delivery(tmp_path / "history.db", broker(mosquitto.port, version=version)) as sending:
        sending.put(*range(1, 301))
        sending.wait()
        assert sending.publisher.connected
        assert sending.publisher.last_error is None
        listener.wait_for(lambda heard: sum(m.topic == EVENTS for m in heard) >= 300)
    events = listener.on(EVENTS)
    assert [event.json["seq"] for event in events] == list(range(1, 301))
    assert {(event.qos, event.retain) for event in events} == {(1, False)}
    assert events[0].payload == record(1).to_json()


@pytest.fixture
def guarded(tmp_path):
    """A broker that wants user ann with the password secret."""
    passwords = tmp_path / "passwords"
    subprocess.run([find("mosquitto_passwd"), "-b", "-c", str(passwords), "ann", "secret"], check=True)
    running = Mosquitto(tmp_path, ("allow_anonymous false", f"password_file {passwords}")).start()
    yield running
    running.stop()


def answer(settings: BrokerSettings) -> str:
    """What one connection attempt comes to."""
    waker, wake = socket.socketpair()
    link = connector(settings)(None, wake)
    try:
        link.connect()
        link.disconnect()
        return "connected"
    except PublishError as error:
        return str(error)
    finally:
        link.close()
        waker.close()
        wake.close()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_password_opens_and_a_wrong_one_is_named(guarded, version):
    ann = broker(guarded.port, version=version, username="ann", password="secret")
    assert answer(ann) == "connected"
    wrong = broker(guarded.port, version=version, username="ann", password="sesame")
    assert "the broker refused user 'ann'" in answer(wrong)
    assert "without a user name" in answer(broker(guarded.port, version=version))
    assert "sesame" not in repr(wrong)


@pytest.fixture
def encrypted(tmp_path, certificates):
    """A broker that speaks TLS and wants a client certificate."""
    lines = (
        "allow_anonymous true",
        f"cafile {certificates.ca}",
        f"certfile {certificates.server}",
        f"keyfile {certificates.server_key}",
        "require_certificate true",
    )
    running = Mosquitto(tmp_path, lines).start()
    yield running
    running.stop()


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls_with_own_ca_and_client_certificate(encrypted, certificates, host, version):
    assert answer(tls(encrypted, certificates, host=host, version=version)) == "connected"


def test_tls_failures_are_named(encrypted, certificates, mosquitto):
    wrong_ca = answer(tls(encrypted, certificates, ca_file=certificates.other_ca))
    assert "certificate is not trusted" in wrong_ca
    assert "mqtt.tls.ca_file" in wrong_ca
    no_certificate = answer(tls(encrypted, certificates, cert_file=None, key_file=None))
    assert "mqtt.tls.cert_file" in no_certificate
    assert "mqtt.tls.enabled: true" in answer(broker(encrypted.port))
    assert "does not speak TLS" in answer(tls(mosquitto, certificates))


def test_certificate_files_that_cannot_be_read_are_config_errors(certificates, tmp_path):
    def settings(**files: str) -> BrokerSettings:
        return broker(8883, tls=True, **files)

    with pytest.raises(ConfigError, match=r"mqtt\.tls\.ca_file.*absent\.pem"):
        connector(settings(ca_file="absent.pem"))
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ConfigError, match=r"mqtt\.tls\.ca_file"):
        connector(settings(ca_file=str(tmp_path / "empty.pem")))
    with pytest.raises(ConfigError, match=r"mqtt\.tls\.cert_file"):
        connector(settings(cert_file=certificates.client, key_file=certificates.server_key))
    locked = tmp_path / "locked.key"
    command = [find("openssl"), "ec", "-in", certificates.client_key, "-aes128", "-passout", "pass:long"]
    subprocess.run([*command, "-out", str(locked)], check=True, capture_output=True)
    with pytest.raises(ConfigError, match="passphrase"):
        connector(settings(cert_file=certificates.client, key_file=str(locked)))


def test_an_unknown_host_and_a_closed_port_are_named():
    assert "unknown host" in answer(broker(1883, host="no-such-host.invalid"))
    assert "connection refused" in answer(broker(free_port()))


def test_a_topic_that_may_not_be_written_is_named_and_nothing_is_lost(tmp_path):
    """MQTT 5 only: an MQTT 3.1.1 broker has no way to say so."""
    (tmp_path / "acl").write_text("topic read #\n")
    running = Mosquitto(tmp_path, ("allow_anonymous true", f"acl_file {tmp_path / 'acl'}")).start()
    quiet = Retained(lwt=False, states=False)
    try:
        with delivery(tmp_path / "history.db", broker(running.port, version="5"), quiet) as sending:
            sending.put(1)
            assert sending.writer.flush(PATIENCE_S)
            wait_until(lambda: "does not let us publish" in (sending.publisher.last_error or ""))
            assert sending.outbox.pending_count() == 1
    finally:
        running.stop()


def test_a_failure_is_logged_once_and_shown_until_it_is_over(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("monitor.delivery.mqtt.publisher._RETRY_FIRST_S", 0.01)
    monkeypatch.setattr("monitor.delivery.mqtt.publisher._RETRY_CAP_S", 0.01)
    late = Mosquitto(tmp_path)
    caplog.set_level(logging.INFO)
    attempts = threading.Semaphore(0)
    with delivery(tmp_path / "history.db", broker(late.port)) as sending:
        connect = sending.publisher._connect
        monkeypatch.setattr(sending.publisher, "_connect", lambda *a: (attempts.release(), connect(*a))[1])
        for _ in range(10):
            assert attempts.acquire(timeout=PATIENCE_S)
        assert "connection refused" in (sending.publisher.last_error or "")
        assert not sending.publisher.connected
        assert caplog.text.count("connection refused") == 1
        late.start()
        wait_until(lambda: sending.publisher.connected)
        assert sending.publisher.last_error is None
    late.stop()


def test_closing_without_a_broker_is_quick_and_keeps_the_events(tmp_path):
    with delivery(tmp_path / "history.db", broker(free_port())) as sending:
        sending.put(1)
        assert sending.writer.flush(PATIENCE_S)
        assert not sending.publisher.wait_delivered(0.05)
        assert not sending.publisher.close(timeout_s=0.5)
        assert sending.outbox.pending_count() == 1


@pytest.mark.parametrize("password", [None, "secret"])
def test_the_embedded_broker_serves_the_publisher_and_ordinary_tools(tmp_path, password):
    port = free_port()
    username = "ann" if password else None
    embedded = EmbeddedBroker(port, username=username, password=password)
    embedded.start()
    login = ["-u", "ann", "-P", password] if password else []
    tool = [find("mosquitto_sub"), "-p", str(port), *login]
    command = [*tool, "-v", "-t", "sound-monitor/#", "-W", "20"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
        assert subscriber.stdout is not None
        with delivery(tmp_path / "history.db", broker(port, username=username, password=password)) as sending:
            sending.publisher.set_online(True)
            wait_until(lambda: sending.publisher.connected)
            for line in subscriber.stdout:
                if line == f"{TOPICS.status} online\n":
                    break  # so the subscription stands
            sending.put(1)
            sending.wait()
            topic, payload = subscriber.stdout.readline().split(" ", 1)
            assert topic == EVENTS
            assert json.loads(payload)["event_id"] == "event-1"
        assert any(line == f"{TOPICS.status} offline\n" for line in subscriber.stdout)
        subscriber.terminate()
    if password:
        assert "refused user 'ann'" in answer(broker(port, username="ann", password="no"))
    with pytest.raises(PublishError, match=rf"{port}: the port is taken"):
        EmbeddedBroker(port).start()
    if not password:  # amqtt reads an MQTT 5 password wrong and waits for more
        assert "mqtt.version" in answer(broker(port, version="5"))
    embedded.stop()
    assert "connection refused" in answer(broker(port))


@pytest.mark.parametrize("attempt", range(6))  # a broker that does not wait loses some in every third
def test_the_embedded_broker_hands_on_what_it_acknowledged_before_it_stops(attempt):
    port = free_port()
    embedded = EmbeddedBroker(port)
    embedded.start()
    payloads = [str(number) for number in range(20)]
    waker, wake = socket.socketpair()
    with waker, wake, closing(Listener(port)) as heard, closing(connector(broker(port))(None, wake)) as link:
        link.connect()
        for payload in payloads:
            link.publish(Message(EVENTS, payload, 1, False))
        while link.in_flight:
            link.step(PATIENCE_S)
        embedded.stop()
        heard.wait_for(lambda messages: len(messages) == len(payloads))
        assert [message.payload for message in heard.on(EVENTS)] == payloads


def wait_until(condition) -> None:
    """Wait for something that has no event of its own."""
    ticker = threading.Event()
    for _ in range(int(PATIENCE_S / 0.02)):
        if condition():
            return
        ticker.wait(0.02)
    pytest.fail("it did not come true in time")


def tls(running: Mosquitto, certificates: Certificates, **changes: object) -> BrokerSettings:
    files = {
        "ca_file": certificates.ca,
        "cert_file": certificates.client,
        "key_file": certificates.client_key,
    }
    return broker(running.port, **{"tls": True, **files, **changes})
