"""The flow of ``examples/node-red.json`` in a real Node-RED.

    npm install --prefix /tmp/node-red node-red@5.0.7    # Node.js 22.9 or newer
    python benchmarks/flow.py --command /tmp/node-red/node_modules/.bin/node-red \\
      --output docs/results/home/node-red.json

Imports the flow over the admin interface, sets the broker's port, publishes event records and compares the
notices in the debug panel with those expected. Exits with 1 if they differ.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path

from campaign import ROOT, circumstances, say

sys.path[1:1] = [str(ROOT)]
from mosquitto import Mosquitto  # noqa: E402
from node_red import NodeRed, cases  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--command", required=True, help="of Node-RED")
    parser.add_argument("--output", type=Path, help="write the record there, as JSON")
    options = parser.parse_args()
    sent = cases()
    with tempfile.TemporaryDirectory(prefix="sound-monitor-node-red-") as folder:
        broker = Mosquitto(Path(folder)).start()
        running = NodeRed(shlex.split(options.command), Path(folder), broker)
        try:
            version, made = running.version(), running.notices(sent)
        finally:
            running.close()
            broker.stop()
    wanted = [case.notice for case in sent if case.notice is not None]
    say(f"Node-RED {version}: {made}")
    if options.output is not None:
        given = [{"what": case.what, "notice": case.notice} for case in sent]
        record = circumstances(version=version, holds=made == wanted, given=given, made=made)
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    sys.exit(int(made != wanted))


if __name__ == "__main__":
    main()
