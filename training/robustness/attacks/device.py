"""Where attacks compute."""

from __future__ import annotations


def device() -> str:
    """Return TensorFlow's name of the first GPU, or of the CPU where there is none.

    Without a name, foolbox asks through a function that TensorFlow no longer has.
    """
    import tensorflow as tf

    return "/GPU:0" if tf.config.list_physical_devices("GPU") else "/CPU:0"
