"""Fixtures of the integration tests; each server has a module of its own."""

from mosquitto import certificates, listener, mosquitto, retained
from pulse import pulse

__all__ = ["certificates", "listener", "mosquitto", "pulse", "retained"]
