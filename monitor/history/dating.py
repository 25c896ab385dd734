"""Dates the hops of a stream, though they may arrive late and several at once."""

from __future__ import annotations

import math

_LATEST_S = 3.0
"""How late hops may come; what is later tells of a clock that was set forward."""

_DRIFT = 1e-3
"""How much faster UTC may run than the stream's clock, seconds a second."""


class Dating:
    """Follows one stream: the hops that came soonest after their end date the others."""

    def __init__(self) -> None:
        self._offset = -math.inf
        self._newest_s = 0.0

    def date(self, time_s: float, now: float) -> float:
        """Return the UTC at which a hop ended.

        Parameters
        ----------
        time_s
            End of the hop on the stream's clock, seconds.
        now
            UTC at which the hop arrived, seconds since 1970.
        """
        offset = now - time_s
        soonest = self._offset + _DRIFT * (time_s - self._newest_s)
        self._newest_s = time_s
        self._offset = offset if offset - soonest > _LATEST_S else min(offset, soonest)
        return self._offset + time_s
