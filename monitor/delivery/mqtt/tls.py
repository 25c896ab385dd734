"""TLS for broker connections."""

from __future__ import annotations

import ssl

from monitor.delivery.mqtt.connection import BrokerSettings
from monitor.errors import ConfigError


class _ClosingSocket(ssl.SSLSocket):
    """A socket that closes itself if the handshake fails; paho would leave that to garbage collection."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"mqtt.tls.ca_file: cannot read {settings.ca_file} ({_short(error)})") from error
    if settings.cert_file is not None:
        try:
            # A daemon cannot prompt for a passphrase, so an encrypted key is an error.
            context.load_cert_chain(settings.cert_file, settings.key_file, password="")
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"mqtt.tls.cert_file: cannot use {settings.cert_file} with {settings.key_file}"
                f" ({_short(error)}); both must be PEM, the key without a passphrase"
            ) from error
    context.sslsocket_class = _ClosingSocket
    return context


def _short(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return (reason or str(error)).lower().replace("_", " ")
