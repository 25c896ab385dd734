from __future__ import annotations

import sys

import pytest

from monitor.delivery.broker.embedded import EmbeddedBroker
from monitor.errors import ConfigError


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "broker.lan"])
def test_an_open_address_without_a_password_is_refused(host):
    with pytest.raises(ConfigError, match=r"anybody in at .*mqtt\.password"):
        EmbeddedBroker(1883, host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_this_machine_needs_no_password(host):
    EmbeddedBroker(1883, host)


def test_without_amqtt_what_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)
    with pytest.raises(ConfigError, match="pip install amqtt"):
        EmbeddedBroker(1883)
