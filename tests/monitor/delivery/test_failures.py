"""Every reason has one line that names the broker and a setting to look at."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from monitor.delivery.mqtt.failures import connect_failure, no_answer, refused

_EXCEPTIONS = [
    (socket.gaierror(-2, "Name or service not known"), "unknown host"),
    (UnicodeError("label too long"), "unknown host"),
    (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "connection refused"),
    (TimeoutError("timed out"), "no answer in time"),
    (OSError(errno.EHOSTUNREACH, "No route to host"), "not reachable"),
    (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "does not speak TLS"),
    (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "does not speak TLS"),
    (ssl.SSLError(1, "[SSL: NO_CIPHERS] no ciphers (_ssl.c:1006)"), "TLS failed"),
    (OSError(errno.EPERM, "Operation not permitted"), "Operation not permitted"),
]


@pytest.mark.parametrize(
    ("error", "words"), _EXCEPTIONS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_failed_connection_is_named(error, words):
    line = connect_failure(error, "broker.lan", 8883)
    assert line.startswith("mqtt broker.lan:8883: ")
    assert words in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Hostname mismatch, certificate is not valid for 'x'.", "not for broker.lan"),
        ("certificate has expired", "clock"),
        ("self-signed certificate in certificate chain", "mqtt.tls.ca_file"),
    ],
)
def test_a_bad_certificate_is_named(reason, words):
    error = ssl.SSLCertVerificationError()
    error.verify_message = reason
    assert words in connect_failure(error, "broker.lan", 8883)


def test_refusals_are_named():
    assert "user 'ann'" in refused("h", 1, "Not authorized", username="ann")
    assert "without a user name" in refused("h", 1, "Not authorized", username=None)
    assert "mqtt.version" in refused("h", 1, "Unsupported protocol version", username=None)
    assert "server busy" in refused("h", 1, "Server busy", username=None)


def test_silence_hints_at_what_it_may_be():
    plain = no_answer("h", 1, tls=False, version="5")
    assert "mqtt.tls.enabled" in plain
    assert "mqtt.version" in plain
    assert "mqtt.tls.cert_file" in no_answer("h", 1, tls=True, version="3.1.1")
