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
    or os.environ.get("SEED_INIT_TRACE")
    or os.environ.get("SEED_INIT_RECORD")
    or os.access("/etc/seed_init/defaults", os.F_OK)
    or os.access(sys.prefix + "/etc/seed_init/defaults", os.F_OK)
):
    try:
        import _seed_init_startup
    except Exception as error:
        # An exception that leaves this file would let user code run unseeded, with exit
        # status 0 (Lib/site.py, execsitecustomize); SystemExit would print a page.
        if os.environ.get("SEED_INIT", "").strip() != "0":
            try:
                os.write(
                    2,
                    f"seed_init: cannot load the seeding hook ({error!r}); run 'seed-init install' "
                    "again, or set SEED_INIT=0 to run without seeding\n".encode(
                        "ascii", "backslashreplace"
                    ),
                )
            finally:
                os._exit(78)

_here = os.path.dirname(__file__)
_kept = _here + "/_seed_init_kept_sitecustomize"
_behind = sys.path[sys.path.index(_here) + 1 :] if _here in sys.path else []
# Hardly any Python hides another one: look for a file before paying for the import system.
# What is inside an archive the import system has to find.
for _entry in [_here, *_behind]:
    _path = _kept if _entry is _here else _entry + "/sitecustomize"
    if (
        os.access(_path + ".py", os.F_OK)
        or os.access(_path, os.F_OK)
        or os.access(_path + ".pyc", os.F_OK)
        or os.path.isfile(_entry)
    ):
        import _seed_init_startup

        _seed_init_startup.part("chaining").run_hidden(_kept, _behind)
        break
