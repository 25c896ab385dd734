"""Wires up the page for ``run`` and ``replay``: its stream listeners and its server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from socket import socket
from typing import TYPE_CHECKING

from monitor import __version__
from monitor.config.load import Config, read_secret
from monitor.config.sections import Web
from monitor.control.control import Control
from monitor.control.state import ControlState
from monitor.delivery.store.outbox import Outbox
from monitor.errors import ConfigError
from monitor.features.logmel import pitch_share
from monitor.features.spec import MelSpec
from monitor.listeners import Listener
from monitor.model.card import Card
from monitor.service.clips import Clips
from monitor.service.delivery import Delivery
from monitor.service.publishing import subscribe_command, topics
from monitor.stream.assembly import Assembly
from monitor.web.facts import Facts, StatusNow

if TYPE_CHECKING:
    from monitor.history.keeper import MomentKeeper
    from monitor.web.guard import Rules
    from monitor.web.hub import Hub

_PITCHES = {"250 Hz": 250.0, "1 kHz": 1000.0, "4 kHz": 4000.0}

log = logging.getLogger(__name__)

WEB_PACKAGES = "starlette uvicorn wsproto prometheus-client"
"""What the extra ``web`` brings; a test compares the two. The project's own name may not be on an index."""


_HELD_S = 2.0
"""How long hops may wait for each other while nobody looks at the page."""


@dataclass(frozen=True)
class Followers:
    """What must receive the stream for a page.

    Attributes
    ----------
    together
        Returns how many hops may be passed on together: one while there are viewers.
    """

    listeners: Sequence[Listener]
    together: Callable[[], int]


@contextmanager
def open_page(
    config: Config,
    assembly: Assembly,
    delivery: Delivery,
    status: StatusNow,
    node: str,
    control: Control | None = None,
    clips: Clips | None = None,
) -> Iterator[Followers]:
    """Serve the page for the duration of the context; yield what must receive the stream.

    Parameters
    ----------
    config : Config
        The configuration.
    assembly : Assembly
        The model and what it reports.
    delivery : Delivery
        Has the history, and the other nodes on the broker.
    status : StatusNow
        Returns the current status.
    node : str
        Node name.
    control : Control or None
        Applies changes of settings; None in a replay.
    clips : Clips or None
        The recordings of events; None if none are kept.

    Raises
    ------
    ConfigError
        The server's packages are missing, its address is in use, or it would be open to everyone.
    """
    _require_server(config)
    from monitor.history.reader import HistoryReader
    from monitor.service.teaching import Teacher
    from monitor.web.backend import Backend
    from monitor.web.hub import Hub
    from monitor.web.server import PageServer

    web, rules = config.settings.web, _rules(config)
    facts = partial(_facts_now, config, assembly, node, control)
    hub = Hub(facts, status, write=web.write, nodes=delivery.nodes.seen if delivery.nodes else tuple)
    with ExitStack() as stack:
        keeper = stack.enter_context(closing(_keeper(delivery.outbox, assembly, web)))
        reader = stack.enter_context(closing(HistoryReader(delivery.outbox.path)))
        backend = Backend(
            facts=facts,
            status=status,
            reader=reader,
            notebook=keeper.notebook,
            keeper=keeper,
            hub=hub,
            rules=rules,
            clips=None if clips is None else clips.folder,
            write=web.write,
            apply=None if control is None else partial(control.apply, by="page"),
            teaching=None if control is None else Teacher(control, reader, keeper.background),
        )
        stack.enter_context(closing(PageServer(backend, _listen(config))))
        if control is not None:
            control.follow(partial(_tell, hub, keeper, config, assembly, node))
        log.info("page at %s", address(web))
        yield Followers((keeper, hub), partial(_together, hub, assembly.hop_s))


def _together(hub: Hub, hop_s: float) -> int:
    return 1 if hub.viewers else max(1, round(_HELD_S / hop_s))


def _tell(
    hub: Hub, keeper: MomentKeeper, config: Config, assembly: Assembly, node: str, state: ControlState
) -> None:
    """Pass on changed settings."""
    hub.on_facts(_facts(config, assembly, node, state))
    keeper.configure(state.assembly.classes)


def _listen(config: Config) -> socket:
    from monitor.web.server import bind

    web = config.settings.web
    return bind(web.host, web.port, config.where("web", "port"))


def _require_server(config: Config) -> None:
    """Import the server's packages.

    Raises
    ------
    ConfigError
        One of them is missing.
    """
    try:
        import monitor.web.server  # noqa: F401
    except ImportError as error:
        where = config.where("web", "enabled")
        raise ConfigError(f"{where}: {error.name} is missing; pip install {WEB_PACKAGES}") from error


def _rules(config: Config) -> Rules:
    """Return how requests are judged; raises :class:`ConfigError` as :func:`_password` does."""
    from monitor.web.guard import Rules

    web = config.settings.web
    return Rules(tuple(web.names), _password(config), frozenset(web.trusted_proxies))


def _keeper(outbox: Outbox, assembly: Assembly, web: Web) -> MomentKeeper:
    """Return what stores pictures, embeddings and score peaks of a stream."""
    from monitor.history.background import BackgroundSample, background_path
    from monitor.history.keeper import MomentKeeper
    from monitor.history.notebook import Notebook

    card = assembly.model.card
    return MomentKeeper(
        Notebook(outbox),
        BackgroundSample(background_path(outbox.path), card.title),
        assembly.classes,
        rate=card.sample_rate,
        hop_s=assembly.hop_s,
        pictures=web.pictures,
        model=card.title,
    )


def address(web: Web) -> str:
    """Return the URL of the page for a browser on this machine."""
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(web.host, web.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{web.port}/"


def _password(config: Config) -> str | None:
    """Return the page's password.

    Raises
    ------
    ConfigError
        There is no password, and the page would be open to the network.
    """
    web = config.settings.web
    password = read_secret(web.password, web.password_file, "web.password_file")
    if not password and not web.trusted_proxies and not _loopback(web.host):
        where = config.where("web", "host")
        raise ConfigError(
            f"{where} is {web.host!r}: the page would be open to everybody; set web.password, or 127.0.0.1"
        )
    return password


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _facts_now(config: Config, assembly: Assembly, node: str, control: Control | None) -> Facts:
    return _facts(config, assembly, node, None if control is None else control.state)


def _pitches(card: Card) -> dict[str, float]:
    """Return the marks of a spectrogram's frequency axis: name, and height from 0 to 1."""
    spec = card.front_end
    if not isinstance(spec, MelSpec):
        return {}
    shares = {name: pitch_share(spec, hz) for name, hz in _PITCHES.items()}
    return {name: round(share, 4) for name, share in shares.items() if 0.0 < share < 0.97}


def _facts(config: Config, assembly: Assembly, node: str, state: ControlState | None) -> Facts:
    card = assembly.model.card
    changed: tuple[str, ...] = ()
    if state is not None:
        assembly, changed = state.assembly, tuple(sorted(state.changes))
    subscribe = None
    if config.settings.mqtt.enabled:
        subscribe = subscribe_command(config, topics(config, node, assembly.event_labels))
    return Facts(
        node=node,
        version=__version__,
        model=card.name,
        model_version=card.version,
        labels=tuple(assembly.labels),
        classes=assembly.classes,
        disabled=assembly.disabled,
        hop_s=assembly.hop_s,
        subscribe=subscribe,
        adjustable=state is not None,
        changed=changed,
        listening=state is None or state.listening,
        paused_until=None if state is None else state.paused_until,
        quiet_hours=assembly.notices.quiet_hours,
        pitches=_pitches(card),
    )
