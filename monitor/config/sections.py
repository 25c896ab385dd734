"""The settings of the daemon: every key of config.yaml, its type, range, unit and default."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from monitor.config.base import FilePath, Section, without_tilde
from monitor.config.clips import Clips
from monitor.config.listening import Audio, Events, Source, check_sources
from monitor.config.notice_sections import Notices
from monitor.settings import MqttVersion


def _topic(text: str) -> str:
    if any(
        not level or set(level) & set("+#\0") or level != "".join(level.split()) for level in text.split("/")
    ):
        raise ValueError("must be topic levels joined by /; none empty, without +, # and spaces")
    return text


def _broker(text: str) -> str:
    """Return the name or address of a broker; what people paste there is refused with the right form."""
    host = text.strip()
    if _ADDRESS.fullmatch(host) or (host.count(":") > 1 and not set(host) & set("/[]@ ")):
        return host.strip("[]")
    parts = _URL.fullmatch(host)
    if parts is None:
        raise ValueError("must be the name or the address of the broker, such as broker.lan or 192.168.1.5")
    right = [f"host: {parts['host'].strip('[]')}"]
    if parts["port"]:
        right.append(f"port: {parts['port']}")
    if parts["user"]:
        right.append("username and password of their own")
    if (parts["scheme"] or "").lower() in ("mqtts", "ssl", "tls"):
        right.append("tls: {enabled: true}")
    raise ValueError(f"must be a name or an address alone; write {', '.join(right)}")


_ADDRESS = re.compile(r"[^\s:/@\[\]]+|\[[0-9A-Fa-f:.%\w]+\]")
_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?:(?P<user>[^/]*)@)?"
    r"(?P<host>[^\s:/@\[\]]+|\[[0-9A-Fa-f:.%\w]+\])(?::(?P<port>\d+))?(?:/.*)?"
)

Topic = Annotated[str, AfterValidator(_topic)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Model(Section):
    path: str | None = Field(None, description="a .tflite package; null = the one that ships")
    threads: Annotated[int, Field(ge=1, le=16)] = Field(1, description="interpreter threads")
    runtime: Literal["auto", "ai_edge_litert", "tflite_runtime", "tensorflow"] = "auto"
    adapter: str | None = Field(
        None, description="an .npz head of ours on a third-party model; no other key below is needed"
    )
    input: Literal["waveform"] | None = Field(None, description="models without a card: what they take")
    sample_rate: Annotated[int, Field(ge=1000, le=384000)] | None = Field(
        None, description="models without a card: Hz"
    )
    hop_s: Annotated[float, Field(gt=0, le=60)] | None = Field(
        None, description="models without a card: seconds between windows; null = half a window"
    )
    output: Literal["logits", "sigmoid", "softmax"] = Field(
        "sigmoid", description="models without a card: what their outputs are"
    )
    labels: str | list[str] | None = Field(
        None, description="labels in output order, or a text file of them; null = those in the model"
    )
    select: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        default_factory=dict, description="your label: [labels of the model]; empty = all as they are"
    )


class Tls(Section):
    enabled: bool = False
    ca_file: str | None = Field(None, description="PEM of the CA; null = the system's")
    cert_file: str | None = Field(None, description="PEM of our client certificate")
    key_file: str | None = Field(None, description="PEM of its key")

    @model_validator(mode="after")
    def _pair(self) -> Tls:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together")
        return self


class Mqtt(Section):
    enabled: bool = Field(True, description="run publishes; replay publishes only with --mqtt")
    broker: Literal["external", "embedded"] = Field(
        "external", description="embedded starts a small broker in this process (extra: broker)"
    )
    host: Annotated[str, Field(min_length=1), AfterValidator(_broker)] = "localhost"
    port: Port = 1883
    username: str | None = None
    password: str | None = Field(None, description="prefer ${ENV} or password_file", repr=False)
    password_file: str | None = Field(None, description="a file whose first line is the password")
    version: MqttVersion = "3.1.1"
    client_id: str | None = Field(None, description="null = sound-monitor-<node>")
    base_topic: Topic = "sound-monitor"
    keepalive_s: Annotated[int, Field(ge=5, le=3600)] = 30
    timeout_s: Annotated[float, Field(ge=1, le=3600)] = Field(
        30.0, description="replay: seconds to wait for the broker's acknowledgements; then exit 4"
    )
    level_interval_s: Annotated[float, Field(ge=0, le=3600)] = Field(
        60.0, description="seconds that a level message covers, at least 1; 0 = none, nor near messages"
    )
    commands: bool = Field(
        False, description="take commands over MQTT: listen or not, pause, profile, classes, thresholds"
    )
    discovery: bool = Field(True, description="announce the entities to Home Assistant")
    discovery_prefix: Topic = "homeassistant"
    area: str | None = Field(None, description="where Home Assistant is to suggest that the device stands")
    tls: Tls = Tls()

    @field_validator("version", mode="before")
    @classmethod
    def _without_quotes(cls, value: Any) -> Any:
        return str(value) if type(value) is int else value

    @field_validator("level_interval_s")
    @classmethod
    def _at_most_one_a_second(cls, value: float) -> float:
        if 0 < value < 1:
            raise ValueError("must be 0 (off) or 1 second or more")
        return value

    @model_validator(mode="after")
    def _credentials(self) -> Mqtt:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give password or password_file, not both")
        if (self.password or self.password_file) and self.username is None:
            raise ValueError("a password needs a username")
        return self


class Web(Section):
    enabled: bool = Field(False, description="serve the page (extra: web)")
    host: Annotated[str, Field(min_length=1)] = Field(
        "127.0.0.1", description="address to serve at; 0.0.0.0 = all, which needs a password"
    )
    port: Port = 8099
    password: str | None = Field(None, description="prefer ${ENV} or password_file", repr=False)
    password_file: str | None = Field(None, description="a file whose first line is the password")
    names: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=list, description="further host names that lead here, for example behind a proxy"
    )
    trusted_proxies: list[Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+$")]] = Field(
        default_factory=list, description="addresses of proxies that log people in themselves"
    )
    write: bool = Field(False, description="the page may judge alerts, teach sounds and change settings")
    pictures: bool = Field(True, description="keep a small spectrogram with each event; never audio")

    @model_validator(mode="after")
    def _one_password(self) -> Web:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give password or password_file, not both")
        return self


class History(Section):
    path: FilePath | None = Field(None, description="SQLite file; null = history.db in the state directory")
    days: Annotated[float, Field(ge=1, le=36500)] = Field(
        365, description="days that events and noise levels are kept"
    )
    waiting_days: Annotated[float, Field(ge=0.01, le=36500)] = Field(
        30, description="days that an event waits for the broker before it is given up (`expired`)"
    )
    max_mb: Annotated[float, Field(ge=10, le=1_000_000)] = Field(
        1000, description="size beyond which the oldest events go, MB"
    )

    @model_validator(mode="after")
    def _waiting_is_kept(self) -> History:
        if self.waiting_days > self.days:
            raise ValueError(f"waiting_days {self.waiting_days:g} is above days {self.days:g}")
        return self


class Settings(Section):
    """The complete contents of config.yaml."""

    node: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="name of this listener in topics; null = host name"
    )
    audio: Audio = Audio()
    sources: Annotated[list[Source], Field(min_length=1)] | None = Field(
        None, description="several sources instead of one, each with `node` and the keys of `audio`"
    )
    model: Model = Model()
    events: Events = Events()
    mqtt: Mqtt = Mqtt()
    web: Web = Web()
    notices: Notices = Notices()
    history: History = History()
    clips: Clips = Clips()

    @field_validator("sources")
    @classmethod
    def _instead_of_one(cls, sources: list[Source] | None, info: ValidationInfo) -> list[Source] | None:
        if sources is None:
            return None
        check_sources(sources)
        audio = info.data.get("audio")
        given = {
            "audio.source": audio is not None and audio.source != "microphone",
            "audio.device": audio is not None and audio.device is not None,
            "node": info.data.get("node") is not None,
        }
        for key in (key for key, is_given in given.items() if is_given):
            raise ValueError(f"{key} is given too; each of the sources has its own, so delete it")
        return sources

    @property
    def history_path(self) -> Path:
        """Path of the database: as configured, else in systemd's, XDG's or the user's state directory."""
        if self.history.path is not None:
            return without_tilde(self.history.path, "history.path")
        state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
        if not state:
            base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
            state = f"{base}/sound-monitor"
        return without_tilde(state, "history.path") / "history.db"
