# SPDX-License-Identifier: Apache-2.0
"""seed_init: every Python process seeded from SEED before user code runs.

User code needs no import of it: the hook has done its work before the first line of a
script. `seed`, `reseed`, `generator`, `stream`, `worker`, `worker_init_fn` and `status` are
described in `seed_init.api`, which is loaded when one of them is first used: this file runs at
the start of every Python process.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from seed_init.api import generator, reseed, seed, status, stream, worker, worker_init_fn

__version__ = "0.1.0"
__all__ = ["generator", "reseed", "seed", "status", "stream", "worker", "worker_init_fn"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from seed_init import api

        return getattr(api, name)
    raise AttributeError(f"module 'seed_init' has no attribute {name!r}")


def _start() -> None:
    """Start the hook, for the .pth line of an environment into which pip has put the package.

    Not by `import seed_init.hook.startup`, which would load the state of the hook at every start.
    """
    import sys
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import spec_from_file_location

    name = "seed_init.hook.startup"
    if name not in sys.modules:
        spec = spec_from_file_location(name, f"{__path__[0]}/hook/startup.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    sys.modules[name].start()


def __dir__() -> list[str]:
    return [*globals(), *__all__]
