"""Import what a conversion needs, without TensorFlow's messages at start-up.

The server process of :func:`training.base.child.run_forked` imports this module.
"""

from __future__ import annotations

import os

_stderr, _nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
os.dup2(_nowhere, 2)
try:
    import keras  # noqa: F401
    import tensorflow as tf  # noqa: F401
finally:
    os.dup2(_stderr, 2)
    os.close(_stderr)
    os.close(_nowhere)
