# SPDX-License-Identifier: Apache-2.0
"""Which cell runs, and where its streams start."""

from _thread import get_ident
from typing import Any

from seed_init.hook import announcing, rounds, seeding, startup, state


class Cells:
    """The cells of one shell.

    Attributes:
        running: thread and IPython's `ExecutionInfo` of each cell that runs, the innermost last: a
            cell may run others (`%%capture` does, and code that calls `run_cell`), and a
            kernel's subshells run theirs beside it.
        aside: streams that a cell has put aside until its end, with its `ExecutionInfo`.
        begun: whether a cell has begun at all, and one that goes into the history.
    """

    def __init__(self) -> None:
        self.running: list[tuple[int, Any]] = []
        self.aside: list[tuple[Any, rounds.Streams]] = []
        self.begun = (False, False)

    def before(self, info: Any) -> None:
        """IPython's event `pre_run_cell`."""
        # IPython prints what a callback raises and runs the cell all the same: unseeded.
        startup.guarded("notebook.cells", "begin", self, info)

    def after(self, result: Any) -> None:
        """IPython's event `post_run_cell`."""
        startup.guarded("notebook.cells", "end", self, result)


def begin(cells: Cells, info: Any) -> None:
    """Start the streams over where the policy says so. May be called twice for a cell.

    Under `kernel` that is before the first cell. Front ends and configuration files
    (`exec_lines`) run cells of their own before, which do not go into the history and which
    the user does not know of: so once more before the first one that does.

    Args:
        cells: of the shell.
        info: of the cell that is about to run.
    """
    if not any(running is info for _, running in cells.running):
        cells.running.append((get_ident(), info))
    if len(cells.running) > 1:
        return
    if state.settings.notebook == "cell":
        rounds.start_over(part_of(info))
    elif not cells.begun[0] or (info.store_history and not cells.begun[1]):
        rounds.start_over(())
    if info.store_history and not cells.begun[1]:
        announcing.announce_again([name for name, _ in seeding.imported_libraries()])
    cells.begun = (True, cells.begun[1] or info.store_history)


def end(cells: Cells, result: Any) -> None:
    """Take up again what the cell has put aside. May be called twice for a cell.

    Args:
        cells: of the shell.
        result: IPython's `ExecutionResult`; None for a cell that was cancelled.
    """
    info = result.info if result is not None else None
    if info is not None and (not info.raw_cell or info.raw_cell.isspace()):
        return  # an empty cell ends without having begun (IPython, run_cell_async)
    here = [running for thread, running in cells.running if thread == get_ident()]
    # After an exception from outside the cell, IPython makes another info for the same cell.
    first = next((number for number, running in enumerate(here) if running is info), len(here) - 1)
    ended = here[max(first, 0) :]
    while cells.aside and any(cells.aside[-1][0] is ended_info for ended_info in ended):
        cells.aside[-1][1].resume()
        cells.aside.pop()
    cells.running = [
        entry for entry in cells.running if not any(entry[1] is ended_info for ended_info in ended)
    ]


def end_all(cells: Cells) -> None:
    """Take up again whatever a running cell has put aside."""
    while cells.aside:
        cells.aside.pop()[1].resume()


def part_of(info: Any) -> tuple[str, str]:
    """The part of the job that a cell is, by its text.

    White space at the ends of lines and of the cell does not count: front ends differ in it, and
    nobody sees it.

    Args:
        info: of the cell.
    """
    return "cell", "\n".join(line.rstrip() for line in info.raw_cell.strip().splitlines())
