# SPDX-License-Identifier: Apache-2.0
"""The instrument `auditing` finds what user code does that another run may not repeat.

plan["audit"]   names of its parts; absent: all of them
"""

from seed_init.proof.observer import core, units
from seed_init.proof.observer.audit import (
    alike,
    children,
    findings,
    flags,
    generators,
    libraries,
    listings,
    operators,
    readings,
    workers,
)


def start() -> None:
    """Start each part. Where a part fails, the failure is reported and the other parts go on."""
    core.guarded(findings.start)()
    core.guarded(units.start)()
    asked = core.plan.get("audit")
    for part in (
        generators,
        libraries,
        flags,
        operators,
        listings,
        readings,
        workers,
        children,
        alike,
    ):
        if asked is None or part.__name__.rpartition(".")[2] in asked:
            core.guarded(part.start)()
