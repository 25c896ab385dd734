"""Import TensorFlow without its start-up lines, which would run through a progress bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def import_tensorflow() -> None:
    """Import TensorFlow, and print nothing on a machine without a GPU or with fewer instructions.

    Its C++ code writes to file descriptor 2 before any log level applies.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "tensorflow" in sys.modules:
        return
    with _silent_descriptor(2):
        import tensorflow

        tensorflow.config.list_physical_devices()


@contextmanager
def _silent_descriptor(number: int) -> Iterator[None]:
    kept, nowhere = os.dup(number), os.open(os.devnull, os.O_WRONLY)
    try:
        sys.stderr.flush()
        os.dup2(nowhere, number)
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)
        os.close(nowhere)
