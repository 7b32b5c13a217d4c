"""Write the record of the outcome of each fault: ``python -m tests.faults --record tests/faults/record.json``.

Run it in an environment with Flask 1.1.4, Werkzeug 1.0.1, greenlet and blinker.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.faults.trial import record
from tests.fidelity.side import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=("flask", "schlenk"), default="flask")
    parser.add_argument("--record", type=Path, required=True, help="the file to write")
    options = parser.parse_args()
    options.record.write_text(json.dumps(record(load(options.side)), indent=1) + "\n")


if __name__ == "__main__":
    main()
