"""Listens, recognises urban sounds and publishes them as events over MQTT."""

__version__ = "0.7.0"
