# SPDX-License-Identifier: Apache-2.0
"""Installed as `sitecustomize`: start seeding, then run the sitecustomize that this one hides.

`site` imports exactly one module of this name. Ours sits first, so it owes the others their
turn: the one that `seed-init install` found in this directory and kept, or else the next one
on `sys.path`.
"""

import posix
import sys

_STARTUP = b"startup.py"
"""In the compiled file, `seed-init install` puts the code of startup.py in place of these bytes
(placement.py). A Python that has something to seed is spared a second file; one that has nothing
to seed is spared to unpack the code."""

_here = __file__.rpartition("/")[0]

# As startup.is_asked, so that a Python that has nothing to seed need not load that file. Where the
# .pth line came first, all is done.
if "seed_init.hook.startup" not in sys.modules and (
    posix.environ.get(b"SEED")
    or posix.environ.get(b"DETERMINISM")
    or posix.environ.get(b"SEED_INIT_TRACE")
    or posix.environ.get(b"SEED_INIT_RECORD")
    or posix.access("/etc/seed_init/defaults", posix.F_OK)
    or posix.access(sys.prefix + "/etc/seed_init/defaults", posix.F_OK)
):
    try:
        if len(_STARTUP) == len("startup.py"):  # another Python's, or PYTHONOPTIMIZE, compiled this
            import _seed_init_startup
        else:
            from marshal import loads

            _startup = type(sys)("_seed_init_startup")
            _startup.__file__ = _here + "/_seed_init_startup.py"
            sys.modules["_seed_init_startup"] = _startup
            exec(loads(_STARTUP), _startup.__dict__)
    except Exception as error:
        # An exception that leaves this file would let user code run unseeded, with exit
        # status 0 (Lib/site.py, execsitecustomize); SystemExit would print a page.
        if posix.environ.get(b"SEED_INIT", b"").strip() != b"0":
            try:
                posix.write(
                    2,
                    f"seed_init: cannot load the seeding hook ({error!r}); run 'seed-init install' "
                    "again, or set SEED_INIT=0 to run without seeding\n".encode(
                        "ascii", "backslashreplace"
                    ),
                )
            finally:
                posix._exit(78)

_kept = _here + "/_seed_init_kept_sitecustomize"
_behind = sys.path[sys.path.index(_here) + 1 :] if _here in sys.path else []
# Hardly any Python hides another one: look for a file before paying for the import system.
# What is inside an archive the import system has to find.
for _entry in [_here, *_behind]:
    _path = _kept if _entry is _here else _entry + "/sitecustomize"
    if (
        posix.access(_path + ".py", posix.F_OK)
        or posix.access(_path, posix.F_OK)
        or posix.access(_path + ".pyc", posix.F_OK)
        or (not posix.access(_entry + "/.", posix.F_OK) and posix.access(_entry, posix.F_OK))
    ):
        if "seed_init.hook.startup" not in sys.modules:
            import _seed_init_startup  # noqa: F401
        sys.modules["seed_init.hook.startup"].part("hook.chaining").run_hidden(_kept, _behind)
        break
