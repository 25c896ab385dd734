"""Read YAML in bounded time and memory: no expansion of nested aliases, no depth, no large text."""

from __future__ import annotations

import re
from typing import Any

import yaml

from monitor.errors import ConfigError

MOST_BYTES = 256 << 10
"""A config of every key is a tenth of this."""
_MOST_VALUES = 10_000
_DEEPEST = 30
_LONGEST = 80
"""Characters of a value that a message quotes."""


class Loader(yaml.SafeLoader):
    """A safe loader that counts the values, those of an alias once more at each use."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._values = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        before = self._values
        self._values += 1
        self._depth += 1
        if self._values > _MOST_VALUES or self._depth > _DEEPEST:
            self._refuse(f"holds more than {_MOST_VALUES} values, or more than {_DEEPEST} levels", event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self._sizes:
                self._refuse("an alias stands within what it refers to", event)
            self._values += self._sizes[id(node)]
        else:
            self._sizes[id(node)] = self._values - before
        return node

    def _refuse(self, problem: str, event: Any) -> None:
        raise yaml.composer.ComposerError(None, None, problem, event.start_mark)


def parse(text: str, where: str) -> tuple[yaml.Node | None, Any]:
    """Return the nodes and the values of a document.

    Parameters
    ----------
    where : str
        Name of the text, for error messages.

    Raises
    ------
    ConfigError
        If the text is not YAML, or too large.
    """
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{where}: larger than {MOST_BYTES >> 10} KiB; that is no config of sound-monitor")
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{where}:{line}: not valid YAML ({_problem(error)})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not valid YAML ({_one_line(error)})") from error
    # What looks like a date, a number or a truth value may be none.
    except ValueError as error:
        raise ConfigError(f"{where}: not valid YAML ({_one_line(error)})") from error
    except (AttributeError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{where}: not valid YAML (a value is not of the type that its tag says)"
        ) from error


def _problem(error: yaml.MarkedYAMLError) -> str:
    """Return what is wrong, without words of the text: they may be part of a password."""
    problem = str(error.problem)
    if "alias" in problem or "tag" in problem:
        hidden = re.sub(r" '.*", "", problem)
        return f"{hidden}; put text that begins with * or ! in quotes" if hidden != problem else problem
    return problem


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def short(value: object) -> str:
    """Return a value as it may stand in a message."""
    try:
        text = repr(value)
    except ValueError:
        return "too large a number"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
