"""Metrics for Prometheus, collected at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.web.facts import StatusNow
from monitor.web.hub import Hub

_P = "sound_monitor"


class _Figures(Collector):
    def __init__(self, hub: Hub, status: StatusNow) -> None:
        self._hub = hub
        self._status = status

    def collect(self) -> Iterator[Metric]:
        hub, status = self._hub, self._status()
        health = status.health
        info = {"version": health.version, "model": health.model, "model_version": health.model_version}
        yield InfoMetricFamily(_P, "what runs", info)
        gauges = {
            "microphone_listening": ("1 while audio arrives", health.microphone == "listening"),
            "broker_connected": ("1 while the MQTT broker is connected", status.connected),
            "uptime_seconds": ("since the start", health.uptime_s),
            "inference_seconds": ("of late, a hop", _scaled(health.inference_ms)),
            "delay_seconds": ("of late, age of audio when it is decided on", health.delay_s),
            "queue_events": ("events that the broker has not acknowledged", health.queue),
            "page_viewers": ("open pages", hub.viewers),
        }
        if hub.latest is not None:
            gauges["level_dbfs"] = ("newest hop, RMS", hub.latest.level.rms_dbfs)
            gauges["background_dbfs"] = ("level without events", hub.latest.level.background_dbfs)
        for name, (text, value) in gauges.items():
            if value is not None:
                yield GaugeMetricFamily(f"{_P}_{name}", text, value=float(value))
        counters = {
            "audio_dropped_seconds": ("audio lost because the machine was too slow", health.dropped_s),
            "events_dropped": ("events refused because the disk was too slow", health.dropped_events),
            "page_messages_dropped": ("live messages that a page did not take in time", hub.dropped),
        }
        for name, (text, count) in counters.items():
            yield CounterMetricFamily(f"{_P}_{name}", text, value=float(count))
        events = CounterMetricFamily(f"{_P}_events", "events begun", labels=("label",))
        for label, number in tuple(hub.started.items()):
            events.add_metric((label,), number)
        yield events


def _scaled(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000.0


class Metrics:
    """The metrics page."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, hub: Hub, status: StatusNow) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Figures(hub, status))

    def text(self) -> bytes:
        return generate_latest(self._registry)
