"""Metrics for Prometheus, collected at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.web.facts import StatusNow
from monitor.web.hub import Hub

_P = "sound_monitor"


class _Figures(Collector):
    def __init__(self, hub: Hub, status: StatusNow, node: str) -> None:
        self._hub = hub
        self._status = status
        self._node = node

    def collect(self) -> Iterator[Metric]:
        hub, status = self._hub, self._status()
        health = status.health
        what = {"version": health.version, "model": health.model, "model_version": health.model_version}
        yield InfoMetricFamily(_P, "what runs", {"node": self._node, **what})
        gauges = {
            "microphone_listening": ("1 while audio arrives", health.microphone == "listening"),
            "healthy": ("1 unless nothing is heard, though it should be", not status.trouble),
            "microphone_off": ("1 while listening is switched off or paused", health.microphone == "off"),
            "history_writable": ("1 while events can be stored", health.history is None),
            "broker_connected": ("1 while the MQTT broker is connected", status.connected),
            "uptime_seconds": ("since the start", health.uptime_s),
            "inference_seconds": ("of late, a hop", _scaled(health.inference_ms)),
            "delay_seconds": ("of late, age of audio when it is decided on", health.delay_s),
            "queue_events": ("events that the broker has not acknowledged", health.queue),
            "page_viewers": ("open pages", hub.viewers),
        }
        if hub.latest is not None:
            gauges["level_dbfs"] = ("newest hop, RMS", hub.latest.level.rms_dbfs)
            gauges["peak_dbfs"] = ("newest hop, peak", hub.latest.level.peak_dbfs)
            gauges["background_dbfs"] = ("level without events", hub.latest.level.background_dbfs)
        for name, (text, value) in gauges.items():
            if value is not None:
                yield GaugeMetricFamily(f"{_P}_{name}", text, value=float(value))
        counters = {
            "audio_dropped_seconds": ("audio lost because the machine was too slow", health.dropped_s),
            "audio_overflows": ("losses that the driver reported", health.overflows),
            "events_dropped": ("events refused because the disk was too slow", health.dropped_events),
            "events_expired": ("events given up undelivered", health.expired),
            "clipped_samples": ("samples at full scale", hub.clipped),
            "page_messages_dropped": ("live messages that a page did not take in time", hub.dropped),
        }
        for name, (text, count) in counters.items():
            yield CounterMetricFamily(f"{_P}_{name}", text, value=float(count))
        yield from self._by_label()

    def _by_label(self) -> Iterator[Metric]:
        hub = self._hub
        events = CounterMetricFamily(f"{_P}_events", "events begun", labels=("label",))
        active = GaugeMetricFamily(f"{_P}_active", "1 while an event is on", labels=("label",))
        for label, number in tuple(hub.started.items()):
            events.add_metric((label,), number)
            active.add_metric((label,), float(label in hub.active))
        text = "hops in which a class came near, and events without a notice"
        near = CounterMetricFamily(f"{_P}_near", text, labels=("label", "reason"))
        for (label, reason), number in tuple(hub.near.items()):
            near.add_metric((label, reason), number)
        yield from (events, active, near)


def _scaled(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000.0


class Metrics:
    """The metrics page."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self, hub: Hub, status: StatusNow, node: str) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Figures(hub, status, node))
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        return generate_latest(self._registry)
