"""Synthesise ``street.wav``: a street in which a siren, a horn, shots, a jackhammer and a dog are heard.

Nothing here is a recording. Each sound is built from what makes it in the world (a vibrating
diaphragm, an expanding gas, a chisel on rock) plus the street's echo, and the script writes the true
onsets and offsets beside the audio as a label track that Audacity opens.

Sounds are float64 arrays at ``RATE``; their absolute level means nothing until :func:`scene` sets
it against the traffic.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

Sound = NDArray[np.float64]
# The legacy generator: its streams are frozen for ever, so any numpy writes the same street.
Random = np.random.RandomState

RATE = 16_000  # Hz
DURATION_S = 44.0
SEED = 9
BACKGROUND_DBFS = -39.0  # RMS of the traffic
SHOTS_S = (0.0, 0.9, 1.9)  # s after the first shot
TOP_HZ = 7_400.0  # nothing is synthesised above: room for a filter below half the rate


def times(seconds: float) -> Sound:
    """Return the instants, in s, of ``seconds`` of samples."""
    return np.arange(round(seconds * RATE)) / RATE


def shaped(sound: Sound, gain: Callable[[Sound], Sound]) -> Sound:
    """Filter ``sound`` with ``gain``, a function of the frequency in Hz (zero phase)."""
    padded = len(sound) + RATE // 4  # the filters ring for less, so nothing wraps around
    spectrum = np.fft.rfft(sound, padded) * gain(np.fft.rfftfreq(padded, 1 / RATE))
    return np.fft.irfft(spectrum, padded)[: len(sound)]


def bump(frequency: Sound, centre: float, octaves: float) -> Sound:
    """Return a bell, 1 at ``centre`` Hz, with a standard deviation of ``octaves``."""
    distance = np.log2(np.maximum(frequency, 1.0) / centre)
    return np.exp(-0.5 * (distance / octaves) ** 2)


def unit(sound: Sound) -> Sound:
    """Scale ``sound`` to an RMS of 1."""
    return sound / np.sqrt(np.mean(sound**2))


def faded(sound: Sound, attack_s: float, release_s: float) -> Sound:
    """Let ``sound`` begin and end along half cosines, without clicks."""
    out = sound.copy()
    rise, fall = round(attack_s * RATE), round(release_s * RATE)
    out[:rise] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)
    out[-fall:] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(fall) / fall)
    return out


def convolved(sound: Sound, response: Sound) -> Sound:
    """Return the full linear convolution of ``sound`` and ``response``."""
    length = len(sound) + len(response) - 1
    return np.fft.irfft(np.fft.rfft(sound, length) * np.fft.rfft(response, length), length)


def street_echo(sound: Sound, rng: Random, *, wet: float, decay_s: float) -> Sound:
    """Add what the house fronts return: diffuse noise that darkens as it decays.

    ``decay_s`` is the time to -60 dB at low frequencies; air and walls make it three times
    shorter at 5 kHz. ``wet`` is the energy of the echo relative to the direct sound.
    """
    t = times(decay_s)
    tail = np.zeros(len(t))
    for centre in (125.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0):
        band = shaped(rng.standard_normal(len(t)), lambda f, c=centre: bump(f, c, 0.45))
        tail += band * np.exp(-6.9 * t / decay_s * (1.0 + centre / 2_500.0))
    tail *= 1.0 - np.exp(-t / 0.012)  # the nearest wall is some metres away
    tail *= np.sqrt(wet / np.sum(tail**2))
    tail[0] += 1.0
    return convolved(sound, tail)


def harmonics(f0: Sound, amplitude: Callable[[int, Sound], Sound], top_hz: float = TOP_HZ) -> Sound:
    """Sum the harmonics of the moving pitch ``f0`` (Hz), each at ``amplitude(number, Hz)``, to ``top_hz``."""
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    out = np.zeros(len(f0))
    for number in range(1, int(top_hz / f0.min()) + 1):
        heard = number * f0 < top_hz
        out += heard * amplitude(number, number * f0) * np.sin(number * phase)
    return out


def car(rng: Random, *, pitch_hz: float, side_s: float) -> Sound:
    """Return 12 s of a car that passes at 6 s, with an RMS near 1 in the second around it.

    Tyres make noise around 900 Hz and air noise above, the exhaust a comb of low orders with a
    slightly unsteady pitch; level follows the inverse square of the distance (``side_s``: lateral
    distance / speed, s), pitch a Doppler shift of 4 %.
    """
    t = times(12.0) - 6.0
    nearness = 1.0 / (1.0 + (t / side_s) ** 2)
    hiss = rng.standard_normal(len(t))
    tyres = shaped(hiss, lambda f: bump(f, 900.0, 0.7) + bump(f, 150.0, 1.0))
    air = shaped(hiss, lambda f: bump(f, 2_500.0, 0.7))
    drift = 1.0 + 2.5e-5 * np.cumsum(rng.standard_normal(len(t)))
    engine = harmonics(
        pitch_hz * drift * (1.0 - 0.04 * t / np.hypot(t, side_s)),
        lambda number, f: (1.0 + 0.5 * (number % 2)) * (f / 60.0) ** -1.3,
        top_hz=2_000.0,
    )
    passing = unit(tyres) + 0.4 * nearness * unit(air) + 0.4 * unit(engine)
    return faded(nearness * passing, 1.0, 1.0)


def traffic(rng: Random) -> Sound:
    """Return the background: the roar of a city, dulled by distance, and cars passing near."""
    noise = rng.standard_normal(len(times(DURATION_S)))
    out = unit(shaped(noise, lambda f: (f > 60.0) / (1.0 + (f / 400.0) ** 2) + 0.012))
    for middle_s in (2.0, 6.5, 10.0, 13.2, 17.8, 22.5, 25.2, 30.5, 34.0, 37.6, 42.0):
        passing = car(rng, pitch_hz=rng.uniform(38.0, 60.0), side_s=rng.uniform(1.1, 1.7))
        add(out, passing * rng.uniform(1.3, 2.2), middle_s - 6.0)
    return out


def siren(rng: Random) -> Sound:
    """Return 7.5 s of an electronic siren that drives by: a slow wail, then yelp.

    A capacitor charges and discharges, so pitch rises and falls exponentially between 560 and
    1500 Hz. The square-like drive is coloured by a horn loudspeaker (little below 450 Hz, a broad
    resonance at 1.5 kHz); the pass at 5 s drops the pitch by some 6 %.
    """
    t = times(7.5)
    wail = np.interp((t + 0.4) % 4.6, [0.0, 1.9, 4.6], [0.0, 1.0, 0.0])
    yelp = np.interp(t % 0.36, [0.0, 0.20, 0.36], [0.0, 1.0, 0.0])
    sweep = np.where(t < 4.2, wail, yelp)
    bent = (1.0 - np.exp(-2.3 * sweep)) / (1.0 - np.exp(-2.3))
    doppler = 1.0 - 0.03 * (t - 5.0) / np.hypot(t - 5.0, 1.0)
    f0 = 560.0 * (1500.0 / 560.0) ** bent * doppler

    def horn(number: int, f: Sound) -> Sound:
        drive = number**-1.1 * (1.0 if number % 2 else 0.45)
        return drive * (f / 450.0) ** 2 / (1.0 + (f / 450.0) ** 2) * (0.3 + bump(f, 1_500.0, 0.9))

    near = 0.45 + 0.55 / (1.0 + ((t - 5.0) / 2.5) ** 2)
    return street_echo(faded(harmonics(f0, horn) * near, 0.5, 0.3), rng, wet=0.35, decay_s=0.9)


def car_horn(rng: Random) -> Sound:
    """Return a short and a long honk of a two-tone disc horn (420 and 516 Hz).

    An electromagnet slams each diaphragm against a stop: a train of sharp pulses, hence dozens of
    harmonics, strongest where the tone disc resonates, between 1.5 and 4 kHz.
    """

    def disc(number: int, f: Sound) -> Sound:
        return number**-0.3 * (0.25 + bump(f, 2_600.0, 0.6)) / np.hypot(1.0, (f / 5_000.0) ** 2)

    out = np.zeros(round(1.9 * RATE))
    for at_s, seconds in ((0.0, 0.32), (0.55, 1.2)):
        t = times(seconds)
        honk = np.zeros(len(t))
        for pitch in (420.0, 516.0):
            flutter = 1.0 + 0.0015 * np.sin(2 * np.pi * 23.0 * t + pitch)
            settle = 1.0 - 0.03 * np.exp(-t / 0.02)  # the diaphragm speeds up as it gets going
            honk += harmonics(pitch * flutter * settle, disc)
        add(out, faded(honk, 0.015, 0.03), at_s)
    return street_echo(out, rng, wet=0.15, decay_s=0.7)


def gun_shots(rng: Random) -> Sound:
    """Return three pistol shots between house fronts.

    A shot is Friedlander's blast wave and a crack of noise; reflections from all around hold the
    level for an eighth of a second, then it decays, the treble faster (air, masonry): -60 dB
    after 0.75 s at low and 0.3 s at high frequencies. The microphone's amplifier saturates.
    """
    out = np.zeros(round((SHOTS_S[-1] + 1.2) * RATE))
    t = times(1.2)
    for at_s, force in zip(SHOTS_S, (1.0, 0.85, 0.95), strict=True):
        shot = np.zeros(len(t))
        for octave in range(8):
            centre = 62.5 * 2.0**octave
            decay_s = 0.75 * (0.29 / 0.75) ** np.clip((octave - 2) / 5, 0.0, 1.0)
            band = unit(shaped(rng.standard_normal(len(t)), lambda f, c=centre: bump(f, c, 0.4)))
            tilt_db = -2.1 * abs(np.log2(centre / 1_700.0))
            shot += band * 10 ** (tilt_db / 20 - 3.0 * np.maximum(t - 0.13, 0.0) / decay_s)
        shot *= 1.0 + 4.0 * np.exp(-t / 0.012)
        shot += 6.0 * (1.0 - t / 0.0008) * np.exp(-t / 0.0008)
        shot = faded(shot, 0.003, 0.2)
        add(out, force * np.tanh(2.5 * shot / np.max(np.abs(shot))), at_s)
    return out


def jackhammer(rng: Random, seconds: float) -> Sound:
    """Return a burst of a pneumatic hammer on concrete, about 18 blows a second.

    A blow is the crack of the rock (30 ms of noise, coloured by chisel and slab), the ring of the
    steel and a thump of the ground; under the blows hiss the exhaust and a compressor. The valve is
    opened and closed by hand, so the blows gain and lose their force over some tenths of a second.
    """

    def colour(f: Sound) -> Sound:
        steel = bump(f, 1_830.0, 0.25) + 0.8 * bump(f, 3_120.0, 0.2) + 0.7 * bump(f, 5_480.0, 0.15)
        return 0.33 + steel + 2.0 * bump(f, 350.0, 0.8)

    out = np.zeros(round((seconds + 0.1) * RATE))
    t = times(0.14)
    at_s = 0.0
    while at_s < seconds - 0.06:
        blow = unit(shaped(rng.standard_normal(len(t)), colour)) * np.exp(-t / 0.03)
        for f, gain, decay_s in ((1_830.0, 0.10, 0.020), (3_120.0, 0.12, 0.016), (5_480.0, 0.10, 0.012)):
            pitch = f * (1.0 + 0.01 * rng.standard_normal())  # the chisel turns, so its modes wander
            blow += gain * np.sin(2 * np.pi * pitch * t + rng.uniform(0.0, 6.28)) * np.exp(-t / decay_s)
        for f in (110.0, 230.0):
            blow += 0.12 * np.sin(2 * np.pi * f * t) * np.exp(-t / 0.03)
        add(out, faded(blow, 0.001, 0.03) * rng.uniform(0.75, 1.15), at_s)
        at_s += (1.0 + 0.08 * rng.standard_normal()) / 18.0
    compressor = harmonics(np.full(len(out), 33.0), lambda number, f: bump(f, 130.0, 1.0), 2_000.0)
    exhaust = shaped(rng.standard_normal(len(out)), lambda f: 0.12 + 1.0 / np.hypot(1.0, f / 600.0))
    out += np.std(out) * (0.08 * unit(compressor) + 0.6 * unit(exhaust))
    return street_echo(faded(out, 0.12, 0.4), rng, wet=0.12, decay_s=0.5)


def dog_bark(rng: Random) -> Sound:
    """Return four barks of a middle-sized dog: a rough voice through an opening and closing mouth."""
    out = np.zeros(round(2.2 * RATE))
    for at_s, pitch in ((0.0, 1.0), (0.45, 1.05), (1.10, 0.97), (1.60, 1.02)):
        t = times(0.19)
        u = t / t[-1]
        f0 = pitch * (420.0 + 330.0 * np.sin(np.pi * u**0.7)) * (1.0 + 0.02 * rng.standard_normal(len(t)))
        opening = np.sin(np.pi * u**0.6)

        def mouth(number: int, f: Sound, opening: Sound = opening) -> Sound:
            first = np.exp(-0.5 * ((f - 700.0 - 500.0 * opening) / 320.0) ** 2)
            second = 0.5 * np.exp(-0.5 * ((f - 1_900.0) / 400.0) ** 2)
            return number**-0.3 * (first + second + 0.06)

        breath = shaped(rng.standard_normal(len(t)), lambda f: bump(f, 1_600.0, 0.8))
        voice = harmonics(f0, mouth)
        bark = (voice + 0.2 * np.std(voice) * unit(breath)) * opening**1.5
        add(out, faded(bark, 0.008, 0.03), at_s)
    return street_echo(out, rng, wet=0.25, decay_s=0.8)


def add(track: Sound, sound: Sound, at_s: float) -> None:
    """Mix ``sound`` into ``track`` in place; what lies outside the track is lost."""
    start = round(at_s * RATE)
    first, last = max(start, 0), min(start + len(sound), len(track))
    track[first:last] += sound[first - start : last - start]


def scene(seed: int) -> tuple[Sound, list[tuple[float, float, str]]]:
    """Return the street in [-1, 1] and its events (onset s, offset s, label), in order of time."""
    rng = Random(seed)
    # onset s, length s without echo, RMS over the traffic in dB, label
    script: list[tuple[float, float, float, str, Callable[[Random], Sound]]] = [
        (4.0, 7.5, 18.0, "siren", siren),
        (15.0, 1.75, 19.0, "car_horn", car_horn),
        (20.0, 2.4, 19.0, "gun_shot", gun_shots),
        (26.0, 3.4, 18.0, "jackhammer", lambda r: jackhammer(r, 3.4)),
        (32.4, 3.8, 18.0, "jackhammer", lambda r: jackhammer(r, 3.8)),
        (39.4, 1.8, 19.0, "dog_bark", dog_bark),
    ]
    track = traffic(rng)
    track *= 10 ** (BACKGROUND_DBFS / 20) / np.std(track)
    for onset_s, length_s, over_db, _, make in script:
        sound = make(rng)
        rms = np.sqrt(np.mean(sound[: round(length_s * RATE)] ** 2))
        add(track, sound * 10 ** ((BACKGROUND_DBFS + over_db) / 20) / rms, onset_s)
    return track, [(onset, onset + length, label) for onset, length, _, label, _ in script]


def write(folder: Path, seed: int) -> None:
    """Write ``street.wav`` (16 kHz, mono, 16 bits) and ``street.labels.tsv`` into ``folder``."""
    track, events = scene(seed)
    sf.write(folder / "street.wav", track, RATE, subtype="PCM_16")
    lines = [f"{onset:.3f}\t{offset:.3f}\t{label}\n" for onset, offset, label in events]
    (folder / "street.labels.tsv").write_text("".join(lines), encoding="utf-8")


def main() -> None:
    """Parse the command line and write the street."""
    parser = argparse.ArgumentParser(
        description="Synthesise the example street: audio and its true events.",
        epilog="example: python examples/make_street.py --out examples",
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write into")
    parser.add_argument("--seed", type=int, default=SEED, help="of all chance (default %(default)s)")
    options = parser.parse_args()
    write(options.out, options.seed)


if __name__ == "__main__":
    main()
