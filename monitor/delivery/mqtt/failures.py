"""One-line explanations of why a broker cannot be used and what to do about it; pure."""

from __future__ import annotations

import errno
import socket
import ssl


def connect_failure(error: Exception, host: str, port: int) -> str:
    """Explain a connection attempt that failed with this exception before the broker responded."""
    where = f"mqtt {host}:{port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{where}: {_certificate(error, host)}"
    if isinstance(error, (ssl.SSLError, ConnectionResetError)):
        return f"{where}: {_tls(error)}"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return f"{where}: unknown host; check mqtt.host and the name server"
    if isinstance(error, ConnectionRefusedError):
        return f"{where}: connection refused; start the broker, or check mqtt.host and mqtt.port"
    if isinstance(error, TimeoutError):
        return f"{where}: no answer in time; check mqtt.host, mqtt.port and the firewall"
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"{where}: host not reachable; check the network"
    return f"{where}: {error}; check mqtt.host and mqtt.port"


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    reason = error.verify_message
    if "ostname mismatch" in reason or "IP address mismatch" in reason:
        return f"the broker's certificate is not for {host} ({reason}); set mqtt.host to the name it is for"
    if "expired" in reason or "not yet valid" in reason:
        return f"the broker's {reason}; renew it, or set this machine's clock"
    return (
        f"the broker's certificate is not trusted ({reason}); set mqtt.tls.ca_file to the CA that signed it"
    )


def _tls(error: OSError) -> str:
    reason = (getattr(error, "reason", None) or error.strerror or str(error)).lower().replace("_", " ")
    if any(words in reason for words in ("wrong version number", "record layer", "reset", "eof")):
        return f"it does not speak TLS ({reason}); check mqtt.port, or set mqtt.tls.enabled: false"
    return f"TLS failed ({reason}); check mqtt.port and mqtt.tls"


def no_answer(host: str, port: int, *, tls: bool, version: str) -> str:
    """Explain a connection that was opened but neither accepted nor refused at the MQTT level."""
    # A broker that rejects a certificate sends a TLS alert after the handshake. The alert is lost
    # if our first message is already on its way, so the cause cannot be determined.
    hints = (
        ["the client certificate (mqtt.tls.cert_file)"]
        if tls
        else ["whether it wants mqtt.tls.enabled: true"]
    )
    if version != "3.1.1":
        hints.append(f"whether it speaks MQTT {version} (mqtt.version)")
    return f"mqtt {host}:{port}: closed or silent, no MQTT answer; check {' or '.join(hints)}"


def refused(host: str, port: int, reason: str, *, username: str | None) -> str:
    """Explain a refusal by the broker; ``reason`` is in the wording of the MQTT standard."""
    where = f"mqtt {host}:{port}"
    if reason in ("Bad user name or password", "Not authorized"):
        who = f"user {username!r}" if username else "us without a user name"
        return f"{where}: the broker refused {who} ({reason.lower()}); check mqtt.username and mqtt.password"
    if reason == "Unsupported protocol version":
        return f"{where}: the broker does not speak this MQTT version; set mqtt.version to the other one"
    return f"{where}: the broker refused us ({reason.lower()}); check its log"
