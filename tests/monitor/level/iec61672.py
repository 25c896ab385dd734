"""Design goals and acceptance limits of IEC 61672-1:2013, class 2."""

from __future__ import annotations

INF = float("inf")

WEIGHTINGS: dict[float, tuple[float, float, float, float]] = {
    # nominal Hz: A, C, lower and upper limit, dB
    10: (-70.4, -14.3, -INF, 5.0),
    12.5: (-63.4, -11.2, -INF, 5.0),
    16: (-56.7, -8.5, -INF, 5.0),
    20: (-50.5, -6.2, -3.0, 3.0),
    25: (-44.7, -4.4, -3.0, 3.0),
    31.5: (-39.4, -3.0, -3.0, 3.0),
    40: (-34.6, -2.0, -2.0, 2.0),
    50: (-30.2, -1.3, -2.0, 2.0),
    63: (-26.2, -0.8, -2.0, 2.0),
    80: (-22.5, -0.5, -2.0, 2.0),
    100: (-19.1, -0.3, -1.5, 1.5),
    125: (-16.1, -0.2, -1.5, 1.5),
    160: (-13.4, -0.1, -1.5, 1.5),
    200: (-10.9, 0.0, -1.5, 1.5),
    250: (-8.6, 0.0, -1.5, 1.5),
    315: (-6.6, 0.0, -1.5, 1.5),
    400: (-4.8, 0.0, -1.5, 1.5),
    500: (-3.2, 0.0, -1.5, 1.5),
    630: (-1.9, 0.0, -1.5, 1.5),
    800: (-0.8, 0.0, -1.5, 1.5),
    1000: (0.0, 0.0, -1.0, 1.0),
    1250: (0.6, 0.0, -1.5, 1.5),
    1600: (1.0, -0.1, -2.0, 2.0),
    2000: (1.2, -0.2, -2.0, 2.0),
    2500: (1.3, -0.3, -2.5, 2.5),
    3150: (1.2, -0.5, -2.5, 2.5),
    4000: (1.0, -0.8, -3.0, 3.0),
    5000: (0.5, -1.3, -3.5, 3.5),
    6300: (-0.1, -2.0, -4.5, 4.5),
    8000: (-1.1, -3.0, -5.0, 5.0),
    10000: (-2.5, -4.4, -INF, 5.0),
    12500: (-4.3, -6.2, -INF, 5.0),
    16000: (-6.6, -8.5, -INF, 5.0),
    20000: (-9.3, -11.2, -INF, 5.0),
}
"""Table 3. The limits hold for both weightings."""

BURSTS_FAST: dict[float, tuple[float, float, float]] = {
    # ms: LAFmax − LA, lower and upper limit, dB
    1000: (0.0, -1.0, 1.0),
    500: (-0.1, -1.0, 1.0),
    200: (-1.0, -1.0, 1.0),
    100: (-2.6, -1.0, 1.0),
    50: (-4.8, -1.5, 1.0),
    20: (-8.3, -2.0, 1.0),
    10: (-11.1, -2.0, 1.0),
    5: (-14.1, -2.5, 1.0),
    2: (-18.0, -2.5, 1.0),
    1: (-21.0, -3.0, 1.0),
    0.5: (-24.0, -4.0, 1.0),
    0.25: (-27.0, -5.0, 1.5),
}
"""Table 4, time weighting F, 4 kHz."""

BURSTS_SLOW: dict[float, tuple[float, float, float]] = {
    1000: (-2.0, -1.0, 1.0),
    500: (-4.1, -1.0, 1.0),
    200: (-7.4, -1.0, 1.0),
    100: (-10.2, -1.0, 1.0),
    50: (-13.1, -1.5, 1.0),
    20: (-17.0, -2.0, 1.0),
    10: (-20.0, -2.0, 1.0),
    5: (-23.0, -2.5, 1.0),
    2: (-27.0, -2.5, 1.0),
}
"""Table 4, time weighting S, 4 kHz."""

EXPOSURES: dict[float, tuple[float, float, float]] = {
    ms: (level, low, high)
    for (ms, (_, low, high)), level in zip(
        BURSTS_FAST.items(),
        (0.0, -3.0, -7.0, -10.0, -13.0, -17.0, -20.0, -23.0, -27.0, -30.0, -33.0, -36.0),
        strict=True,
    )
}
"""Table 4, sound exposure level LAE − LA; the limits are those of time weighting F."""

PEAKS: dict[tuple[float, str], tuple[float, float]] = {
    # Hz, signal: LCpeak − LC, limit either way, dB
    (31.5, "cycle"): (2.5, 3.0),
    (500.0, "cycle"): (3.5, 2.0),
    (8000.0, "cycle"): (3.4, 3.0),
    (500.0, "positive half"): (2.4, 2.0),
    (500.0, "negative half"): (2.4, 2.0),
}
"""Table 5, C-weighted peak."""

RATES = (16000, 22050, 32000, 44100, 48000)


def exact_hz(nominal: float) -> float:
    """The base-ten third-octave frequency behind a nominal one."""
    from math import log10

    return float(10 ** (round(10 * log10(nominal)) / 10))
