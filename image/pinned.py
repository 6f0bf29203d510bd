"""Fail the build if an installation moved what must stay as it is in the base.

Usage: pinned.py list > BEFORE; (install); pinned.py check BEFORE
"""

import json
import sys
from importlib.metadata import distributions
from pathlib import Path


def pinned() -> dict[str, str]:
    """Name to version of torch, numpy and every nvidia package."""
    # A leftover folder without METADATA has no name; pip passes over it, too.
    named = ((d.metadata["Name"], d) for d in distributions())
    names = {name.lower(): d.version for name, d in named if name}
    return {
        name: version
        for name, version in sorted(names.items())
        if name in ("torch", "numpy") or name.startswith("nvidia")
    }


def main() -> int:
    now = pinned()
    if sys.argv[1] == "list":
        print(json.dumps(now))
        return 0
    before: dict[str, str] = json.loads(Path(sys.argv[2]).read_text())
    moved = [
        f"{name} {before.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if moved:
        print(
            f"seed-init build: the lock would move {', '.join(moved)}; keep what the base has",
            file=sys.stderr,
        )
    return int(bool(moved))


if __name__ == "__main__":
    sys.exit(main())
