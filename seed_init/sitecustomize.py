"""Installed as `sitecustomize`: seed this process, then run the sitecustomize we hide.

`site` imports exactly one module of this name. Ours sits first, so it owes the others
their turn: the one that `seed-init install` found in this directory and kept, or else the
next one on `sys.path`.
"""

import os
import sys

# A Python that has nothing to seed is spared the import of the package.
if os.environ.get("SEED_INIT", "").strip() != "0" and (
    os.environ.get("SEED")
    or os.environ.get("DETERMINISM")
    or os.path.exists("/etc/seed_init/defaults")
    or os.path.exists(sys.prefix + "/etc/seed_init/defaults")
):
    try:
        from seed_init import startup
    except Exception as error:
        # An exception that leaves this file would let user code run unseeded, with exit
        # status 0 (Lib/site.py, execsitecustomize); SystemExit would print a page.
        os.write(
            2,
            f"seed_init: cannot load the seeding hook ({error!r}); run 'seed-init install' "
            "again, or set SEED_INIT=0 to run without seeding\n".encode(),
        )
        os._exit(78)
    startup.start()

_here = os.path.dirname(__file__)
_kept = os.path.join(_here, "_seed_init_kept_sitecustomize")


def _run_hidden_sitecustomize():  # type: ignore[no-untyped-def]
    """Run the sitecustomize that this file hides, as if it had been found itself.

    What it raises goes on to `site`, which reports it as it reports any sitecustomize's
    error; the module that ran is what `sys.modules` holds afterwards.
    """
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder, spec_from_file_location

    if os.path.isdir(_kept):
        spec = spec_from_file_location(
            __name__, os.path.join(_kept, "__init__.py"), submodule_search_locations=[_kept]
        )
    elif os.path.isfile(_kept + ".py"):
        spec = spec_from_file_location(__name__, _kept + ".py")
    else:
        spec = PathFinder.find_spec(__name__, _behind())
    if spec is None or not hasattr(spec.loader, "exec_module") or not spec.has_location:
        return
    module = module_from_spec(spec)
    sys.modules[__name__] = module
    spec.loader.exec_module(module)


def _behind():  # type: ignore[no-untyped-def]
    """The entries of sys.path behind this file's directory."""
    entries = sys.path
    return entries[entries.index(_here) + 1 :] if _here in entries else []


# Every Python start passes here, and hardly any hides another sitecustomize: look for the
# file before paying for the import system. What is neither directory nor absent (a zip)
# is left to the import system.
for _entry in [_here, *_behind()]:
    _name = _kept if _entry is _here else os.path.join(_entry, "sitecustomize")
    if os.path.exists(_name + ".py") or os.path.exists(_name) or os.path.isfile(_entry):
        _run_hidden_sitecustomize()
        break
