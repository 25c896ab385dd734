"""Frequency weightings A and C of IEC 61672-1:2013, as digital filters for any sample rate.

The standard defines both by analogue poles (Annex E): C has a double pole at 20.6 Hz and one at
12.2 kHz, A adds single poles at 107.7 Hz and 737.9 Hz. The bilinear transform would bend the upper
pole towards the Nyquist frequency, by 10 dB and more at 16 kHz. Here

- the low poles become first-order high-passes with matched poles (e^−ωT), and
- the upper double pole becomes a biquad with matched poles whose zeros make its magnitude exact at
  0 Hz, half the Nyquist frequency and the Nyquist frequency (M. Vicanek, "Matched second order
  digital filters", 2016).

Both weightings are outputs of one linear system with six states, so that C costs A nothing extra.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Weighting = Literal["A", "C"]
Array = NDArray[np.float64]

F1, F2, F3, F4 = 20.598997, 107.652649, 737.862231, 12194.217148
"""Pole frequencies of IEC 61672-1:2013 Annex E, Hz."""

REFERENCE_HZ = 1000.0
"""Where every weighting is 0 dB."""


@dataclass(frozen=True)
class System:
    """A linear system with one input and the outputs A and C.

    Each step: ``y = output @ state + direct * x``, then ``state = step @ state + enter * x``.

    Parameters
    ----------
    step : ndarray, shape (6, 6)
    enter : ndarray, shape (6,)
    output : ndarray, shape (2, 6), rows A and C
    direct : ndarray, shape (2,)
    """

    step: Array
    enter: Array
    output: Array
    direct: Array

    def response(self, hz: Array, rate: int) -> NDArray[np.complex128]:
        """Return the frequency responses of A and C, shape (2, len(hz))."""
        z = np.exp(2j * np.pi * np.asarray(hz) / rate)
        resolvent = z[:, None, None] * np.eye(len(self.step)) - self.step
        states = np.linalg.solve(resolvent, np.broadcast_to(self.enter, (len(z), len(self.step)))[..., None])
        response: NDArray[np.complex128] = (self.output @ states)[..., 0].T + self.direct[:, None]
        return response


def analogue_db(hz: Array, weighting: Weighting) -> Array:
    """Return the weighting that the standard defines (Annex E, E.1 and E.6), in dB.

    Parameters
    ----------
    hz : ndarray
        Frequencies above 0 Hz.
    """
    return _unscaled_db(np.asarray(hz, np.float64), weighting) - _unscaled_db(
        np.array(REFERENCE_HZ), weighting
    )


def design(rate: int) -> System:
    """Return the weighting filters for a sample rate in Hz."""
    chain = _Chain()
    chain.low_pass_pair(F4, rate)
    chain.high_pass(F1, rate)
    chain.high_pass(F1, rate)
    c_output = chain.end()
    chain.high_pass(F2, rate)
    chain.high_pass(F3, rate)
    system = chain.system(chain.end(), c_output)
    # Below a rate of 2 kHz there is no 1 kHz; a quarter of the rate stands in, where the curves are flat.
    reference = np.array([min(REFERENCE_HZ, rate / 4)])
    wanted = np.array([10 ** (analogue_db(reference, name)[0] / 20) for name in ("A", "C")])
    gain = wanted / np.abs(system.response(reference, rate)[:, 0])
    return System(system.step, system.enter, gain[:, None] * system.output, gain * system.direct)


def _unscaled_db(hz: Array, weighting: Weighting) -> Array:
    square = hz**2
    gain = F4**2 * square / ((square + F1**2) * (square + F4**2))
    if weighting == "A":
        gain = gain * square / np.sqrt((square + F2**2) * (square + F3**2))
    decibels: Array = 20 * np.log10(gain)
    return decibels


class _Chain:
    """Sections one after the other; the signal between two is a row over states and the input."""

    def __init__(self) -> None:
        self._rows: list[Array] = []  # the next value of each state
        self._signal = np.zeros(7)
        self._signal[6] = 1.0

    def low_pass_pair(self, hz: float, rate: int) -> None:
        """Append ``(b0 + b1/z + b2/z²) / (1 − p/z)²``, in transposed direct form II."""
        pole = math.exp(-2 * math.pi * hz / rate)
        b0, b1, b2 = _matched_zeros(hz, rate, pole)
        first, second, entering = len(self._rows), len(self._rows) + 1, self._signal
        out = b0 * entering
        out[first] += 1.0
        after_first = b1 * entering + 2 * pole * out
        after_first[second] += 1.0
        self._rows += [after_first, b2 * entering - pole**2 * out]
        self._signal = out

    def high_pass(self, hz: float, rate: int) -> None:
        """Append ``1 − (1 − p)/(z − p)``: the input less its mean, a state no larger than the input."""
        pole = math.exp(-2 * math.pi * hz / rate)
        state = len(self._rows)
        mean = (1 - pole) * self._signal
        mean[state] += pole
        self._rows.append(mean)
        self._signal = self._signal.copy()
        self._signal[state] -= 1.0

    def end(self) -> Array:
        return self._signal

    def system(self, a_output: Array, c_output: Array) -> System:
        rows, outputs = np.array(self._rows), np.array([a_output, c_output])
        return System(rows[:, :6], rows[:, 6], outputs[:, :6], outputs[:, 6])


def _matched_zeros(hz: float, rate: int, pole: float) -> tuple[float, float, float]:
    """Numerator whose magnitude over ``(1 − p/z)²`` equals the analogue pole pair at three frequencies."""

    def power(share: float) -> float:
        """The numerator's |B|² that is wanted at a share of the Nyquist frequency."""
        omega = math.pi * share
        denominator = (1 + pole**2 - 2 * pole * math.cos(omega)) ** 2
        return denominator / (1 + (share * rate / 2 / hz) ** 2) ** 2

    at_zero, at_nyquist = power(0.0), power(1.0)
    # |B|² = B0 φ0 + B1 φ1 + B2 φ2 with φ1 = sin²(ω/2), φ0 = 1 − φ1, φ2 = 4 φ0 φ1; φ = ½, ½, 1 at half.
    bend = power(0.5) - (at_zero + at_nyquist) / 2
    total = (math.sqrt(at_zero) + math.sqrt(at_nyquist)) / 2
    b0 = (total + math.sqrt(total**2 + bend)) / 2
    b1 = (math.sqrt(at_zero) - math.sqrt(at_nyquist)) / 2
    return b0, b1, -bend / (4 * b0)
