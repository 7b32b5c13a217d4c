"""Run random programs with and without the shortcuts, and print the seed and both traces of each difference.

``python -m tests.overrides SEED NUMBER`` runs ``NUMBER`` programs from ``SEED`` on.
"""

from __future__ import annotations

import sys

from tests.overrides.compare import differences


def main() -> int:
    first, number = map(int, sys.argv[1:])
    found = differences(first, number)
    for seed, (without, with_shortcuts) in found.items():
        print(f"seed {seed}\n  without shortcuts: {without}\n  with shortcuts:    {with_shortcuts}")
    print(f"{number} programs from seed {first}: {len(found)} differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
