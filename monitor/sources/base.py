"""The interface of audio sources, and the errors of live ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from monitor.errors import AudioError
from monitor.records import AudioBlock


class Source(Protocol):
    """One stream of audio, read once and closed.

    Attributes
    ----------
    rate : int
        Sample rate, Hz.
    name : str
        Name to display: a path, a device, or a URL without its password.
    """

    @property
    def rate(self) -> int: ...

    @property
    def name(self) -> str: ...

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the audio in order; positions show gaps, see :class:`AudioBlock`.

        Raises
        ------
        SourceLost
            If a live source ended, stalled or delivers digital silence.
        AudioError
            If a file is damaged from here on.
        """
        ...

    def close(self) -> None:
        """Release the device, file or process without waiting; may be called twice."""
        ...


class LiveSource(Source, Protocol):
    """A source that pushes: if the reader is too slow, the oldest audio is dropped.

    Attributes
    ----------
    dropped : int
        Samples of one channel that were overwritten before they were read.
    overflows : int
        Number of losses that the driver reported; it does not report their length.
    """

    @property
    def dropped(self) -> int: ...

    @property
    def overflows(self) -> int: ...


class SourceLost(AudioError):  # noqa: N818 — the name of a state, not of a mistake
    """A live source delivers no more audio; the message is the reason in a few words."""


class SourceSilent(SourceLost):
    """A live source delivers exact zeros only."""


class SourceUnusable(AudioError):  # noqa: N818 — a state, like the others
    """The source cannot deliver audio however long one waits, such as a URL of an unknown protocol."""


class DriverStuck(AudioError):  # noqa: N818 — a state that only a new process ends
    """The source cannot be opened, and its driver cannot be restarted within this process."""
