# SPDX-License-Identifier: Apache-2.0
"""seed_init: every Python process seeded from SEED before user code runs.

User code needs no import of it: the hook has done its work before the first line of a
script. `seed`, `reseed`, `generator`, `worker_init_fn` and `status` are described in
`seed_init.api`, which is loaded when one of them is first used: this file runs at the start
of every Python process.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from seed_init.api import generator, reseed, seed, status, worker_init_fn

__version__ = "0.1.0"
__all__ = ["generator", "reseed", "seed", "status", "worker_init_fn"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from seed_init import api

        return getattr(api, name)
    raise AttributeError(f"module 'seed_init' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
