"""Replays the example street in any environment, from the sources of this tree."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
COMMITTED = Path(__file__).parent / "street_scores.csv"
FREE = ROOT / "models" / "urban-sounds-free.tflite"
PACKAGES: dict[Path, tuple[str, ...]] = {
    COMMITTED: (),
    Path(__file__).parent / "street_scores_free.csv": (
        "--set", f"model.path={str(FREE)!r}", "--set", "events.sounds=[knock, 'Emergency vehicle']",
    ),
}  # fmt: skip
"""Committed scores, and the options with which each was made."""


def replay_street(python: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``sound-monitor replay street.wav`` with the tree's own config; raise if it fails."""
    done = subprocess.run(
        [python, "-m", "monitor", "replay", "street.wav", "--config", ROOT / "config.yaml", *arguments],
        cwd=EXAMPLES,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"replay failed under {python}:\n{done.stderr}")
    return done
