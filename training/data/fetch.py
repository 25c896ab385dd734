"""Download UrbanSound8K and ESC-50 from the addresses in soundata, resuming after lost connections."""

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
"""Name of each corpus → its folder. ESC-10 is the subset of ESC-50 marked in its table."""

_LICENCES = {"urbansound8k": "CC BY-NC 3.0 (its own README; soundata's entry says 4.0)"}
_SOURCE_FILE = "SOURCE.json"
_TIMEOUT_S = 30
_CHUNK = 1 << 20
_COMPLETE = 416
"""HTTP 416: the requested range starts at the end of the file."""


@dataclass(frozen=True)
class Source:
    """Address, checksum, licence and reference of a corpus."""

    name: str
    address: str
    md5: str
    archive: str
    top: str
    """the folder inside the archive"""
    licence: str
    bibtex: str


def source_of(name: str) -> Source:
    """Return soundata's entry for ``urbansound8k`` or ``esc50``."""
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

    An interrupted download resumes; an existing corpus is left untouched. ``SOURCE.json`` in the folder
    records address, checksum, licence and reference.

    Parameters
    ----------
    source
        The corpus.
    root
        Data folder.
    tick
        Receives the number of bytes of each received chunk.

    Raises
    ------
    DataError
        If there is no connection, or the archive does not match its checksum.
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
    """Download the archive, or the rest of it."""
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
        f"retry with a working connection, or pass the --address of a copy"
    )


def _unpack(source: Source, home: Path) -> None:
    """Verify the archive's checksum and unpack it with soundata."""
    from soundata.download_utils import RemoteFileMetadata

    dataset = _dataset(source.name, home)
    dataset.remotes = {
        "all": RemoteFileMetadata(source.archive, source.address, source.md5, unpack_directories=[source.top])
    }
    # Truncated files of an interrupted unpacking would otherwise be kept.
    shutil.rmtree(home / source.top, ignore_errors=True)
    try:
        with _quiet():
            dataset.download(partial_download=["all"], cleanup=True)
    except OSError as error:
        archive = home / source.archive
        raise DataError(
            f"{archive}: not the expected archive, or it cannot be unpacked ({error}); delete it and run the "
            f"same command again; if the publisher has changed it, inspect it and pass its --md5"
        ) from error
    if not places(home):
        raise DataError(f"{home}: the archive has no table of {source.name}; check --address")


def _dataset(name: str, home: Path) -> Any:
    with _quiet():
        import soundata

        return soundata.initialize(name, data_home=str(home))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence soundata, which logs paragraphs to the root logger; errors are reported in one line of ours."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
