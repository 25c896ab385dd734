"""Float arrays stored in an archive, read without pickle and without trusting their headers."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.errors import PackageError
from monitor.model.archive import DAMAGE, read_entry


def read_arrays(path: Path, data: bytes, *names: str) -> list[NDArray[np.float32]]:
    """Read float32 arrays from the zip archive ``data``.

    Raises
    ------
    PackageError
        An array is missing, damaged, incomplete or not float32.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [_array(read_entry(archive, name)) for name in names]
    except (KeyError, ValueError, *DAMAGE) as error:
        raise PackageError(f"{path}: its weights cannot be read ({' '.join(str(error).split())})") from error


def npy(array: NDArray[Any]) -> bytes:
    """Return the bytes of a .npy file that :func:`read_arrays` accepts."""
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array, np.float32), allow_pickle=False)
    return stream.getvalue()


def _array(data: bytes) -> NDArray[np.float32]:
    """Return the array of a .npy file, which must be float32."""
    stream = io.BytesIO(data)
    npy: Any = np.lib.format  # typed in some releases of numpy only
    # A header may claim more than the file holds, so the size is checked before allocating.
    if npy.read_magic(stream) != (1, 0):
        raise ValueError("an array must be a .npy of version 1.0")
    shape, fortran, dtype = npy.read_array_header_1_0(stream)
    if dtype != np.float32 or fortran or 4 * math.prod(shape) != len(data) - stream.tell():
        raise ValueError("an array must be float32, in C order and complete")
    array: NDArray[np.float32] = np.frombuffer(data, np.float32, offset=stream.tell()).reshape(shape)
    return array
