"""Fetching UrbanSound8K and ESC-50: what soundata knows of them, over a connection that may break."""

from __future__ import annotations

import json
import logging
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from training.base.progress import Tick
from training.data.corpora import places
from training.errors import DataError

NAMES = {"urbansound8k": "UrbanSound8K", "esc50": "ESC-50"}
"""What can be fetched → its folder. ESC-10 is the part of ESC-50 that its table marks."""

_LICENCES = {"urbansound8k": "CC BY-NC 3.0 (its own README; soundata's entry says 4.0)"}
_SOURCE_FILE = "SOURCE.json"
_TIMEOUT_S = 30
_CHUNK = 1 << 20
_COMPLETE = 416
"""HTTP: the range asked for begins at the end of the file."""


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from and under which terms."""

    name: str
    address: str
    md5: str
    archive: str
    top: str
    """the folder inside the archive"""
    licence: str
    bibtex: str


def source_of(name: str) -> Source:
    """Return what soundata says of ``urbansound8k`` or ``esc50``."""
    dataset = _dataset(name, Path())
    remote = dataset.remotes["all"]
    licence = _LICENCES.get(name) or str(dataset._license_info).strip()
    return Source(
        name=name,
        address=remote.url,
        md5=remote.checksum,
        archive=remote.filename,
        top=remote.unpack_directories[0],
        licence=licence,
        bibtex=dataset.bibtex.strip(),
    )


def fetch(source: Source, root: Path, tick: Tick = lambda count: None) -> Path:
    """Download, verify and unpack a corpus into ``root``; return its folder.

    A download that was interrupted goes on where it stopped; a corpus that is there is left alone.
    ``tick`` is told of each stretch of bytes. ``SOURCE.json`` in the folder keeps address, checksum,
    licence and reference.

    Raises
    ------
    DataError : no connection, or the archive is not the one that the checksum names
    """
    home = root / NAMES[source.name]
    if home.is_dir() and places(home):
        return home
    home.mkdir(parents=True, exist_ok=True)
    download(source, home / source.archive, tick)
    _unpack(source, home)
    (home / _SOURCE_FILE).write_text(json.dumps(asdict(source), indent=1) + "\n", encoding="utf-8")
    return home


def download(source: Source, archive: Path, tick: Tick) -> None:
    """Bring the archive, or the rest of it."""
    if archive.exists():
        return
    part = archive.with_name(archive.name + ".part")
    try:
        _append(source.address, part, tick)
    except HTTPError as error:
        error.close()
        if error.code != _COMPLETE:
            raise _unreachable(source, f"HTTP {error.code}") from error
    except (OSError, ValueError) as error:
        raise _unreachable(source, str(getattr(error, "reason", error))) from error
    part.replace(archive)


def _append(address: str, part: Path, tick: Tick) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        resumed = answer.status == 206
        expected = int(answer.headers.get("Content-Length") or 0)
        received = 0
        if resumed:
            tick(have)
        with part.open("ab" if resumed else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                received += len(chunk)
                tick(len(chunk))
    if received < expected:
        raise OSError(f"the connection ended after {received} of {expected} bytes")


def _unreachable(source: Source, why: str) -> DataError:
    host = urlsplit(source.address).netloc or source.address
    return DataError(
        f"{source.name}: cannot be fetched from {host} ({why}); "
        f"run the same command again with a connection, or give --address of a copy"
    )


def _unpack(source: Source, home: Path) -> None:
    """Let soundata verify and unpack the archive; only a verified one is opened."""
    from soundata.download_utils import RemoteFileMetadata

    dataset = _dataset(source.name, home)
    dataset.remotes = {
        "all": RemoteFileMetadata(source.archive, source.address, source.md5, unpack_directories=[source.top])
    }
    # A leftover of an interrupted unpacking would keep its half-written files.
    shutil.rmtree(home / source.top, ignore_errors=True)
    try:
        with _quiet():
            dataset.download(partial_download=["all"], cleanup=True)
    except OSError as error:
        archive = home / source.archive
        raise DataError(
            f"{archive}: not the archive expected or it cannot be unpacked ({error}); delete it and run the "
            f"same command again; if the publisher has changed it, look at it and give its --md5"
        ) from error
    if not places(home):
        raise DataError(f"{home}: the archive has no table of {source.name}; was --address right?")


def _dataset(name: str, home: Path) -> Any:
    with _quiet():
        import soundata

        return soundata.initialize(name, data_home=str(home))


@contextmanager
def _quiet() -> Iterator[None]:
    """soundata talks through the root logger, in paragraphs; what matters is said in our own line."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
