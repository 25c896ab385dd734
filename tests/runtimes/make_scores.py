"""Writes street_scores.csv: the scores of the shipped model on the example street.

Every runtime must give them (test_scores.py). Run this when the model or the street changes:

    python tests/runtimes/make_scores.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from replaying import COMMITTED, replay_street

if __name__ == "__main__":
    replay_street(Path(sys.executable), "--scores", COMMITTED)
    print(f"wrote {COMMITTED}")
