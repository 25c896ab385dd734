"""The ``run`` command: opens a node for each source, and what the nodes share.

Shared are the model, the pushed notices, the service manager and the *audience*: a queue of 1000 → terminal
or pipe; when full, it skips. The threads of a node are listed in :mod:`monitor.node.node`. The main thread
checks all of them a few times a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

from monitor.config.load import Config
from monitor.config.nodes import node_configs
from monitor.health.systemd import Systemd
from monitor.listeners import Listener
from monitor.node.node import Node, open_node
from monitor.service.audience import Audience
from monitor.service.publishing import topics
from monitor.service.push import open_push
from monitor.service.supervisor import ServiceReport
from monitor.stream.assembly import Assembly, assemble, node_name

_CHECK_S = 0.25


def assemble_nodes(config: Config) -> list[tuple[Config, Assembly]]:
    """Return the configuration of each node and what is made from it; all share one model.

    Raises
    ------
    PackageError, ConfigError
        See :func:`assemble` and :func:`node_configs`.
    """
    nodes: list[tuple[Config, Assembly]] = []
    for one in node_configs(config):
        nodes.append((one, assemble(one, nodes[0][1].model if nodes else None)))
    return nodes


def run(
    nodes: Sequence[tuple[Config, Assembly]],
    stop: threading.Event,
    listeners: Sequence[Listener] = (),
    status_sinks: Sequence[Callable[[str], None]] = (),
) -> None:
    """Listen, store events and publish them until ``stop`` is set or standard input ends.

    Parameters
    ----------
    nodes : sequence of (Config, Assembly)
        See :func:`assemble_nodes`.
    stop : threading.Event
        Ends the run when set.
    listeners, status_sinks : sequence
        Passed to :class:`Audience`.

    Raises
    ------
    UsageError
        Another process is using a history.
    ConfigError, OutboxError, PublishError
        The settings, a history or the embedded broker are unusable.
    AudioError
        The only source could never be opened, or can only be reopened by a new process.
    """
    with ExitStack() as stack:
        audience = stack.enter_context(closing(Audience(listeners, status_sinks)))
        shared = (audience, *stack.enter_context(open_push(nodes[0][0])))
        running: list[Node] = []
        names = [topics(config, node_name(config), assembly.possible_labels) for config, assembly in nodes]
        for number, (config, assembly) in enumerate(nodes):
            others = names[:number] + names[number + 1 :]
            login = running[0].login if running else None
            opening = open_node(config, assembly, shared, audience.on_status, stop, others, login)
            running.append(stack.enter_context(opening))
        report = ServiceReport([node.supervisor for node in running], Systemd())
        while not _ended(running) and not stop.wait(_CHECK_S):
            for node in running:
                node.check()
            report.check()
            audience.check()
        _ended(running)
        report.stopping()
        if not stop.is_set():
            for node in running:
                node.finish(stop)


def _ended(running: Sequence[Node]) -> bool:
    """Return whether no node listens any more; raise the exception that ended one of them, if any."""
    ended = [node.ended() for node in running]
    return all(ended)
