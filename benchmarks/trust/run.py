"""Attack the daemon with random faults, let it run for a day, and write docs/results/trust.

    python benchmarks/trust/run.py                  # 200 faults, 45 minutes; a day of audio, 15 minutes
    python benchmarks/trust/run.py --only campaign --faults 20 --scratch DIR

Needs root (a small file system that fills up), mosquitto, PulseAudio and a C compiler. ``--only pages``
writes README.md again from the records; matplotlib comes with the extra ``training``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Behind this folder, whose page.py is another than the one above.
sys.path[1:1] = [str(ROOT / "benchmarks"), str(ROOT), str(ROOT / "tests" / "support")]

import page  # noqa: E402
from campaign import circumstances, say  # noqa: E402
from episodes import Campaign  # noqa: E402
from faults import Fault, plan  # noqa: E402
from rig import Rig  # noqa: E402
from soak import soak  # noqa: E402

from training.base.report import write  # noqa: E402

RESULTS = ROOT / "docs" / "results" / "trust"
PARTS = ("campaign", "soak", "pages")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument(
        "--rigs", type=int, default=4, help="at a time: a daemon, broker and sound server each"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of faults, their order and durations, and of the sounds"
    )
    parser.add_argument("--hours", type=float, default=24.0, help="of audio of the soak")
    parser.add_argument("--scratch", type=Path, help="leave logs and histories in this folder")
    parser.add_argument("--only", choices=PARTS, action="append", help="leave out the other parts")
    options = parser.parse_args()
    wanted = options.only or PARTS
    RESULTS.mkdir(parents=True, exist_ok=True)
    folder = options.scratch or Path(tempfile.mkdtemp(prefix="sound-monitor-trust-"))
    try:
        if "campaign" in wanted:
            about = circumstances(seed=options.seed, rigs=options.rigs)
            _write("campaign", {**about, **_campaign(options, folder)})
        if "soak" in wanted:
            about = circumstances()
            place = folder / "soak"
            place.mkdir(parents=True)
            _write("soak", {**about, **soak(place, options.hours, RESULTS / "soak.csv")})
    finally:
        if not options.scratch:
            shutil.rmtree(folder)
    write(page.compose(RESULTS), RESULTS)


def deal(episodes: list[tuple[Fault, ...]], rigs: int) -> list[list[tuple[Fault, ...]]]:
    """Distribute the episodes, in order, so that all rigs end at about the same time."""
    shares: list[list[tuple[Fault, ...]]] = [[] for _ in range(rigs)]
    for episode in episodes:
        min(shares, key=_length_s).append(episode)
    return shares


def _length_s(share: list[tuple[Fault, ...]]) -> float:
    return sum(fault.duration_s + 10.0 for episode in share for fault in episode)


def _campaign(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    shares = deal(plan(options.seed, options.faults), options.rigs)
    with ThreadPoolExecutor(options.rigs) as pool:
        parts = [
            pool.submit(_one_rig, folder / f"rig{i}", options.seed + i, share)
            for i, share in enumerate(shares)
        ]
        results = [part.result() for part in parts]
    return {
        "results": [result for result, _ in results],
        "episodes": [episode for _, episodes in results for episode in episodes],
    }


def _one_rig(
    folder: Path, seed: int, episodes: list[tuple[Fault, ...]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    rig = Rig(folder, seed)
    campaign = Campaign(rig, lambda line: say(f"{time.strftime('%H:%M:%S')} {folder.name} {line}"))
    try:
        rig.start()
        result = campaign.run(episodes)
        say(f"{folder.name} {result}")
        return result, [episode.row() for episode in campaign.episodes]
    except BaseException:
        say(traceback.format_exc())
        raise
    finally:
        rig.close()


def _write(name: str, record: dict[str, Any]) -> None:
    """Write a record with an episode a line."""
    lines = [
        f' "{key}": {_rows(value) if isinstance(value, list) else json.dumps(value, ensure_ascii=False)}'
        for key, value in record.items()
    ]
    (RESULTS / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _rows(values: list[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(f"  {json.dumps(value, ensure_ascii=False)}" for value in values) + "\n ]"


if __name__ == "__main__":
    main()
