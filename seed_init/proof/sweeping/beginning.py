# SPDX-License-Identifier: Apache-2.0
"""Begin a sweep in its folder, or go on where it was ended, if nothing that counts has changed."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from seed_init.proof.sweeping import code_state, words
from seed_init.proof.sweeping import plan as plans
from seed_init.proof.sweeping.ledger import Folder
from seed_init.proof.sweeping.plan import NotASweep, Plan, Task


@dataclass(frozen=True)
class Begun:
    """A sweep whose folder is held.

    Attributes:
        plan: the plan that is in the folder.
        missing: the runs that are to be made.
        before: what the former folder was renamed to; None where it was not.
    """

    plan: Plan
    missing: list[Task]
    before: Path | None


@contextlib.contextmanager
def begun(folder: Folder, plan: Plan, *, fresh: bool = False) -> Iterator[Begun]:
    """Hold the folder of a sweep, and write the plan into it.

    Args:
        folder: the folder.
        plan: what the user asks for.
        fresh: rename the folder of a former sweep, and make every run.

    Raises:
        NotASweep: the folder has something else, or runs of another state.
        ledger.Busy: another sweep is at work in it.
        OSError: it cannot be written.
    """
    before = None
    with contextlib.ExitStack() as stack:
        if folder.state() == "other":
            raise NotASweep(f"{folder.path} is there and is no sweep; give another --to or --name")
        stack.enter_context(folder.locked())
        if fresh and folder.state() == "sweep":
            before = folder.set_all_aside()
            stack.enter_context(folder.locked())
        elif folder.state() == "sweep":
            plan = _gone_on_with(folder, plan)
        folder.write_plan(plan)
        yield Begun(plan, folder.missing(plan), before)


def _gone_on_with(folder: Folder, plan: Plan) -> Plan:
    """Return the plan with which a sweep goes on.

    Raises:
        NotASweep: what was run is not what would be run now.
    """
    before = folder.plan()
    used: dict[str, str | None] = {}
    is_any = bool(before.engine)  # whose jobs may be on their way
    for _, row in folder.rows(before):
        if row is not None and row.is_well:
            is_any = True
            used |= row.content.get("modules", {})
    if not is_any:
        # What has failed is made again in any case, perhaps because the program was mended.
        return plan
    written = folder.written(before)
    files = {**used, **before.code["files"]}
    now = {**code_state.digests(map(Path, files)), **plan.code["files"]}
    why = plans.differences(
        replace(before, code={**before.code, "files": files}),
        replace(plan, code={**plan.code, "files": now}),
        written,
    )
    if why:
        raise NotASweep(
            f"{folder.path} has runs of another state: {'; '.join(why)}; give another --name, or "
            "--fresh to make every run again"
        )
    every_word = [*plan.command, *(plan.against or ())]
    first = before.seeds[0], plan.seeds[0]
    inputs = words.inputs_of_another_seed(every_word, before.inputs, *first)
    return replace(plan, inputs=tuple(inputs), engine=before.engine, code=before.code)
