"""Read config.yaml and ``--set``; each error names file, line and what is allowed."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.base import without_tilde
from monitor.config.bounded import MOST_BYTES, parse, short
from monitor.config.listening import Source
from monitor.config.sections import Settings
from monitor.errors import ConfigError

KeyPath = tuple[str, ...]

SHIPPED_CONFIG = Path(__file__).parent.parent / "shipped" / "config.yaml"
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class Config:
    """Validated settings and where each key was written."""

    settings: Settings
    file: Path
    lines: dict[KeyPath, str]

    def where(self, *key: str) -> str:
        """Return ``file:line: a.b.c`` of a key, or of the nearest enclosing section in the file."""
        return _where(key, self.lines, self.file)


def find_config(explicit: Path | None) -> Path:
    """Return the file to read: the given one, ./config.yaml, the user's, the system's or the shipped one."""
    if explicit is not None:
        return explicit
    places = [Path("config.yaml"), Path("/etc/sound-monitor/config.yaml")]
    # Without a home there is no config of the user's.
    with suppress(RuntimeError):
        user = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
        places.insert(1, user / "sound-monitor/config.yaml")
    return next((place for place in places if os.path.isfile(place)), SHIPPED_CONFIG)


def load_config(explicit: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read the config file and apply ``section.key=value`` overrides.

    Raises
    ------
    ConfigError
        If the file is unreadable or not YAML, or has an unknown key, a value out of range or a missing
        variable.
    """
    path = find_config(explicit)
    lines: dict[KeyPath, str] = {}
    values = _read_yaml(path, lines)
    for override in overrides:
        _apply(values, lines, override)
    values = _substitute(values, (), lines, path)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, lines, path)) from error
    return Config(settings, path, lines)


def override(config: Config, values: Mapping[KeyPath, Any], where: str) -> Config:
    """Return the configuration with other values.

    Parameters
    ----------
    where : str
        The text that :meth:`Config.where` returns for the replaced keys.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """
    if not values:
        return config
    whole, lines = config.settings.model_dump(exclude_unset=True, by_alias=True), dict(config.lines)
    for key, value in values.items():
        _put(whole, lines, key, value, where)
    try:
        return Config(Settings.model_validate(whole), config.file, lines)
    except ValidationError as error:
        raise ConfigError(_explain(error, lines, config.file)) from error


def read_secret(value: str | None, file: str | None, key: str) -> str | None:
    """Return a secret: the value itself, or the first line of the file.

    Raises
    ------
    ConfigError
        If the file is unreadable, not UTF-8 text, or its first line is empty.
    """
    if file is None:
        return value
    secret = read_text(file, key).split("\n", 1)[0].removesuffix("\r")
    if not secret:
        raise ConfigError(f"{key}: {file}: the first line is empty; write the secret there")
    return secret


def read_text(file: str, key: str) -> str:
    """Return the text of a file named by a setting, without a byte order mark.

    Raises
    ------
    ConfigError
        If the file is unreadable or not UTF-8.
    """
    try:
        return without_tilde(file, key).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{key}: cannot read {file} ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{key}: {file} is not UTF-8 text; save it as UTF-8") from error


def _read_yaml(path: Path, lines: dict[KeyPath, str]) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the config ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text") from error
    except ValueError as error:
        raise ConfigError(f"{str(path)!r}: no file has such a name ({error})") from error
    node, values = parse(text, str(path))
    _collect_lines(node, (), lines, path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: the config must be a mapping of sections")
    return values


def _collect_lines(node: yaml.Node | None, key: KeyPath, lines: dict[KeyPath, str], path: Path) -> None:
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            if isinstance(item, yaml.MappingNode):  # of a list of words, no word has a line
                child = (*key, str(number))
                lines[child] = f"{path}:{item.start_mark.line + 1}"
                _collect_lines(item, child, lines, path)
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        child = (*key, str(name.value))
        where = f"{path}:{name.start_mark.line + 1}"
        if child in lines:
            raise ConfigError(f"{where}: {'.'.join(child)} is written twice; delete one")
        lines[child] = where
        _collect_lines(value, child, lines, path)


def _apply(values: dict[str, Any], lines: dict[KeyPath, str], override: str) -> None:
    try:
        override.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"--set {override!a}: is not UTF-8 text") from None
    name, equals, text = override.partition("=")
    key = tuple(name.strip().split("."))
    if not equals or not all(key):
        shown = name if "password" in override else override
        raise ConfigError(f"--set {shown}: write section.key=value, for example mqtt.host=broker.lan")
    try:
        _, value = parse(text, f"--set {name}") if text.strip() else (None, None)
    except ConfigError as error:
        reason = re.sub(r"(:1)?: not valid", ": the value is not valid", str(error), count=1)
        raise ConfigError(f"{reason}; put text in quotes") from error
    _put(values, lines, key, value, "--set")


def _put(values: dict[str, Any], lines: dict[KeyPath, str], key: KeyPath, value: Any, where: str) -> None:
    """Replace a value and record where it came from."""
    section = values
    for part in key[:-1]:
        if not isinstance(section.get(part), dict):
            section[part] = {}
        section = section[part]
    section[key[-1]] = value
    for replaced in [known for known in lines if known[: len(key)] == key]:
        del lines[replaced]
    for length in range(1, len(key)):
        lines.setdefault(key[:length], where)
    _mark_set(value, key, lines, where)


def _mark_set(value: Any, key: KeyPath, lines: dict[KeyPath, str], where: str) -> None:
    lines[key] = where
    if isinstance(value, dict):
        for name, item in value.items():
            _mark_set(item, (*key, str(name)), lines, where)


def _substitute(value: Any, key: KeyPath, lines: dict[KeyPath, str], path: Path) -> Any:
    """Replace ``${NAME}`` in every string by the environment variable."""
    if isinstance(value, dict):
        return {name: _substitute(item, (*key, str(name)), lines, path) for name, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, key, lines, path) for item in value]
    if not isinstance(value, str):
        return value
    if "\0" in value:
        raise ConfigError(f"{_where(key, lines, path)}: holds a NUL character; remove it")

    def lookup(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise ConfigError(f"{_where(key, lines, path)}: the environment has no variable {name}; set it")
        return os.environ[name]

    return _ENV.sub(lookup, value)


def _where(key: KeyPath, lines: dict[KeyPath, str], path: Path) -> str:
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return f"{lines[key[:length]]}: {'.'.join(key)}"
    return f"{path}: {'.'.join(key)}"


def _explain(error: ValidationError, lines: dict[KeyPath, str], path: Path) -> str:
    errors = error.errors(include_url=False)
    first = errors[0]
    loc = tuple(str(part) for part in first["loc"])
    if not loc or first["type"] == "invalid_key":
        where = _where(loc[:-1], lines, path).removesuffix(": ")
        return f"{where}: the key {' '.join(loc[-1:])} must be text; put it in quotes"
    if first["type"] == "extra_forbidden":
        return f"{_where(loc, lines, path)} is no known key{nearest(loc[-1], _siblings(loc))}"
    key = _written(loc, lines)
    # Each branch of a union says what it would take.
    branches = [e for e in errors if _written(tuple(map(str, e["loc"])), lines) == key]
    message = " or ".join(dict.fromkeys(_message(branch) for branch in branches))
    hidden = isinstance(first["input"], dict | Settings) or "password" in key[-1] or "urls" in key
    # URLs with a password
    hidden |= key == ("sources",) or (key[-1] == "host" and "@" in str(first["input"]))
    shown = "" if hidden else f" is {short(first['input'])}"
    return f"{_where(key, lines, path)}{shown}: {message}"


def _written(loc: KeyPath, lines: dict[KeyPath, str]) -> KeyPath:
    """Return the key as written, without the names of union branches that pydantic appends."""
    while len(loc) > 1 and loc not in lines:
        loc = loc[:-1]
    return loc


_WORDS = {
    "string_type": "must be text, in quotes if it looks like a number or a date",
    "model_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "missing": "needs the key {}",
}
"""Messages that replace pydantic's, which use Python's terms."""


def _message(details: ErrorDetails) -> str:
    if details["type"] in _WORDS:
        return _WORDS[details["type"]].format(details["loc"][-1])
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "must", 1)
    return message[0].lower() + message[1:]


def nearest(word: str, known: Sequence[str], describe: Callable[[str], str] = str) -> str:
    """Return a hint for a misspelt word: the nearest known word, else the list."""
    near = difflib.get_close_matches(word, known, 1, 0.5)
    if near:
        return f"; did you mean {describe(near[0])}?"
    return f"; known are: {', '.join(sorted(known))}" if known else ""


def _siblings(key: KeyPath) -> list[str]:
    """Return the valid names at the level of the last part of ``key``."""
    model: type[BaseModel] = Settings
    for part in key[:-1]:
        field = model.model_fields.get(part)
        annotation = Source if part == "sources" else field.annotation if field else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
        elif part == "classes":
            model = type(Settings().events.defaults)
    return list(model.model_fields)
