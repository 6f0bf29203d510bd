"""Installed as `sitecustomize`: start seeding, then run the sitecustomize that this one hides.

`site` imports exactly one module of this name. Ours sits first, so it owes the others their
turn: the one that `seed-init install` found in this directory and kept, or else the next one
on `sys.path`.
"""

import os
import sys

# A Python that has nothing to seed is spared the rest.
if (
    os.environ.get("SEED")
    or os.environ.get("DETERMINISM")
    or os.access("/etc/seed_init/defaults", os.F_OK)
    or os.access(sys.prefix + "/etc/seed_init/defaults", os.F_OK)
):
    try:
        import _seed_init_startup  # noqa: F401
    except Exception as error:
        # An exception that leaves this file would let user code run unseeded, with exit
        # status 0 (Lib/site.py, execsitecustomize); SystemExit would print a page.
        if os.environ.get("SEED_INIT", "").strip() != "0":
            os.write(
                2,
                f"seed_init: cannot load the seeding hook ({error!r}); run 'seed-init install' "
                "again, or set SEED_INIT=0 to run without seeding\n".encode(),
            )
            os._exit(78)

_here = os.path.dirname(__file__)
_paths = [_here + "/_seed_init_kept_sitecustomize"]
if _here in sys.path:
    _paths += [entry + "/sitecustomize" for entry in sys.path[sys.path.index(_here) + 1 :]]
# Hardly any Python hides another one: look for a file before paying for the import system.
# What is inside a zip the import system has to find.
for _path in _paths:
    if os.access(_path + ".py", os.F_OK) or os.access(_path, os.F_OK) or ".zip/" in _path:
        from seed_init import chaining

        chaining.run_hidden(_paths[0], _paths[1:])
        break
