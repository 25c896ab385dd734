"""What every source of audio offers, and how a live one says that it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from monitor.errors import AudioError
from monitor.records import AudioBlock


class Source(Protocol):
    """One stream of audio; it is read once and closed.

    rate : samples a second, Hz
    name : for people: a path, a device, a URL without its password
    """

    @property
    def rate(self) -> int: ...

    @property
    def name(self) -> str: ...

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield the audio in order; see :class:`AudioBlock` for what positions tell of gaps.

        Raises
        ------
        SourceLost : a live source ended, stalled or delivers digital silence
        AudioError : a file is damaged from here on
        """
        ...

    def close(self) -> None:
        """Give the device, file or process back, at once; may be called twice."""
        ...


class LiveSource(Source, Protocol):
    """A source that pushes: when the reader is too slow the oldest audio goes.

    dropped : samples (of one channel) that were overwritten before they were read
    overflows : times that the driver itself reported a loss, whose length it does not tell
    """

    @property
    def dropped(self) -> int: ...

    @property
    def overflows(self) -> int: ...


class SourceLost(AudioError):  # noqa: N818 — the name of a state, not of a mistake
    """A live source gives no more audio; the text is the reason in a few words."""


class SourceSilent(SourceLost):
    """It delivers, but exact zeros only."""


class DriverStuck(AudioError):  # noqa: N818 — a state that only a new process ends
    """The source cannot be opened, and its driver cannot be started anew to look for it again."""
