# SPDX-License-Identifier: Apache-2.0
"""`python -m seed_init` and `python PATH/seed_init install`: the command seed-init.

Run by path, it serves a Python that does not have the package yet.
"""

import sys
from pathlib import Path

if __package__ in (None, ""):
    # Run as a directory: that directory is sys.path[0], its parent is where we are found.
    here = Path(__file__).resolve().parent
    sys.path[0] = str(here.parent)
    # The hook of this Python may have loaded the package it was installed with; the one at
    # this path is the one that was asked for. If both are the same, the loaded modules stay: only
    # they know that the hook has run. Its start-up file lies beside its package, or in it.
    startup = getattr(sys.modules.get("seed_init.hook.startup"), "__file__", None) or ""
    if Path(startup).resolve().parent not in (here.parent, here / "hook"):
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
