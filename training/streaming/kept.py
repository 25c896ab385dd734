"""A trained network in a folder: what it is (``network.json``) and its weights (``network.npz``)."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import DataError
from training.streaming.network import StreamSpec, build

SPEC, WEIGHTS = "network.json", "network.npz"


def keep(model: Any, spec: StreamSpec, folder: Path) -> None:
    """Keep a trained whole-sequence model, of whatever length."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SPEC).write_text(json.dumps(asdict(spec), indent=1) + "\n", encoding="utf-8")
    partial = folder / f"{WEIGHTS}.part.npz"
    np.savez(partial, *model.get_weights())
    partial.replace(folder / WEIGHTS)


def kept(folder: Path) -> tuple[StreamSpec, Any]:
    """Return what :func:`keep` kept: the whole-sequence model for any length.

    Raises
    ------
    DataError : there is none, or it is damaged or of another version
    """
    try:
        values = json.loads((folder / SPEC).read_text(encoding="utf-8"))
        spec = StreamSpec(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        model = build(spec)
        with np.load(folder / WEIGHTS) as stored:
            model.set_weights([stored[f"arr_{i}"] for i in range(len(stored.files))])
    except OSError as error:
        raise DataError(
            f"{folder}: no trained network in it ({SPEC}, {WEIGHTS}); let the training finish"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{folder}: its network is damaged or of another version ({error})") from error
    return spec, model
