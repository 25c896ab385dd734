"""The embeddings of recordings, computed by the live path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monitor.errors import AudioError, PackageError
from monitor.records import SOUNDING_DB
from monitor.sources.files import FileSource, shown_path
from monitor.stream.assembly import Assembly


@dataclass(frozen=True)
class Embedded:
    """One recording, hop by hop.

    rows : embeddings, shape (hops, n)
    level_dbfs : RMS of each hop, shape (hops,)
    """

    path: Path
    rows: NDArray[np.float32]
    level_dbfs: NDArray[np.float32]

    @property
    def sounding(self) -> NDArray[np.float32]:
        """The rows at which the recording is near to its loudest."""
        near = self.level_dbfs >= self.level_dbfs.max() - SOUNDING_DB
        rows: NDArray[np.float32] = self.rows[near]
        return rows


def embed(assembly: Assembly, path: Path) -> Embedded:
    """Return the embeddings of one recording.

    Raises
    ------
    AudioError
        It cannot be read to its end, or holds no audio.
    PackageError
        The model gives no embedding.
    """
    source = FileSource(path)
    try:
        pipeline = assembly.new_pipeline(source.rate)
        hops = [hop for block in source.blocks() for hop in pipeline.push(block)]
        hops += pipeline.flush()
    finally:
        source.close()
    if not hops:
        raise AudioError(f"{shown_path(path)}: holds no audio")
    rows = [hop.embedding for hop in hops if hop.embedding is not None]
    if len(rows) < len(hops):
        card = assembly.model.card
        raise PackageError(
            f"model {card.name} {card.version} gives no embedding, so nothing can be taught on it; "
            "set model.path to a package that has one (docs/models.md)"
        )
    levels = np.array([hop.level.rms_dbfs for hop in hops], np.float32)
    return Embedded(path, np.stack(rows).astype(np.float32), levels)
