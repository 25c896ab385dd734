"""Drive the monitor against a real Home Assistant Core; write docs/results/home.

    python benchmarks/homeassistant/run.py --python /path/of/a/venv/bin/python

``--python`` has ``homeassistant`` installed (see README.md). Takes about ten minutes in real time.
``--only pages`` writes README.md again from the record.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Behind this folder, whose page.py is another than the one above.
sys.path[1:1] = [str(ROOT / "benchmarks"), str(ROOT), str(ROOT / "tests" / "support")]

import page  # noqa: E402
from campaign import circumstances, say  # noqa: E402
from checks import Campaign  # noqa: E402
from leaving import day, deleted, removal  # noqa: E402
from living import broker_away, killed, restarted, street  # noqa: E402
from operating import control, kept  # noqa: E402

from training.base.report import write  # noqa: E402

RESULTS = ROOT / "docs" / "results" / "home"
PARTS = (street, killed, broker_away, restarted, deleted, day, control, kept, removal)


def drive(campaign: Campaign) -> None:
    """Run all parts in order; what does not come in time fails its part alone."""
    campaign.home.start()
    campaign.home.set_up(campaign.broker.port)
    campaign.figures["version"] = campaign.home.version()
    campaign.daemon.start()
    for part in PARTS:
        say(part.__name__)
        try:
            part(campaign)
        except TimeoutError as error:
            campaign.check(part.__name__, f"in time: {error}", False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", type=Path, help="interpreter that has homeassistant")
    parser.add_argument("--only", choices=["pages"])
    options = parser.parse_args()
    if options.only is None:
        if options.python is None:
            parser.error("--python must name the interpreter that has homeassistant")
        with tempfile.TemporaryDirectory(prefix="sound-monitor-home-") as folder:
            campaign = Campaign(Path(folder), options.python)
            try:
                drive(campaign)
            finally:
                campaign.close()
        record = {**circumstances(), **campaign.figures, "checks": campaign.checks}
        RESULTS.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
        (RESULTS / "record.json").write_text(text, encoding="utf-8")
    write(page.compose(RESULTS), RESULTS)


if __name__ == "__main__":
    main()
