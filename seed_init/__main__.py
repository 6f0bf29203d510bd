# SPDX-License-Identifier: Apache-2.0
"""`python -m seed_init` and `python PATH/seed_init install`: the command seed-init.

Run by path, it serves a Python that does not have the package yet.
"""

import sys
from pathlib import Path

if __package__ in (None, ""):
    # Run as a directory: that directory is sys.path[0], its parent is where we are found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    # The hook of this Python may have loaded the package it was installed with; the one at
    # this path is the one that was asked for.
    for name in [name for name in sys.modules if name.partition(".")[0] == "seed_init"]:
        del sys.modules[name]

if __name__ == "__main__":
    try:
        from seed_init.cli import main

        status = main()
    except KeyboardInterrupt:  # while the modules are imported
        print("seed-init: interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)
