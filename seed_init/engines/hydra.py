# SPDX-License-Identifier: Apache-2.0
"""Hydra: a job draws the same alone and in a multirun, with whichever launcher.

All launchers end up in `run_job` (hydra/core/utils.py): the basic one runs the jobs one after the
other in the program, others each in a worker, which may have run another job before. All jobs have
one path, which is not that of the program: what the program has drawn before, at its imports, the
job must not draw again.
"""

from seed_init.engines import Engine, expect
from seed_init.hook import callers, state, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class Hydra(Engine):
    """A job is a unit of work, which begins before its configuration is set up."""

    name = "Hydra"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach` (hydra/core/utils.py)."""
        names: Any = vars(module)
        run = names["run_job"]
        expect(run, "task_function", "config")

        @callers.like(run)
        def run_job(*arguments: "Any", **keywords: "Any") -> "Any":
            unit = units.begin("Hydra", (*state.root(), "hydra", "job"), aside=True)
            try:
                return run(*arguments, **keywords)
            finally:
                units.end(unit)

        names["run_job"] = run_job


engine = Hydra()
