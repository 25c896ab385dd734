"""Writes street_scores*.csv: the scores of the packages in models/ on the example street.

Every runtime must give them (test_scores.py). Run this when a model or the street changes:

    python tests/runtimes/make_scores.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from replaying import PACKAGES, replay_street

if __name__ == "__main__":
    for path, options in PACKAGES.items():
        replay_street(Path(sys.executable), "--scores", path, *options)
        print(f"wrote {path}")
