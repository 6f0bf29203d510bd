# SPDX-License-Identifier: Apache-2.0
"""The magics `%seed`, `%reseed` and `%%seeded`."""

import re
from typing import Any

from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import cell_magic as ipython_cell_magic
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class

from seed_init.hook import rounds, startup, state
from seed_init.notebook.cells import Cells, part_of
from seed_init.notebook.shown import SeedInEffect


@magics_class
class SeedMagics(Magics):
    """What a notebook can ask about its seed, and do with it.

    Args:
        shell: the running `InteractiveShell`.
        cells: its cells.
    """

    shell: Any

    def __init__(self, shell: Any, cells: Cells) -> None:
        super().__init__(shell)
        self.cells = cells

    @line_magic
    def seed(self, line: str) -> SeedInEffect:
        """Show which seed is in effect, and where it comes from.

        Usage:

          %seed
        """
        if line.strip():
            raise UsageError("%seed only shows the seed; %reseed N starts over with another one")
        return SeedInEffect()

    @line_magic
    def reseed(self, line: str) -> None:
        """Start the streams of random, NumPy and torch over.

        Usage:

          %reseed        as after a restart of the kernel (SEED_INIT_NOTEBOOK=kernel), or as at
                         the start of this cell (SEED_INIT_NOTEBOOK=cell)
          %reseed N      with N, 0...4294967295, in SEED's place until the kernel restarts: what
                         follows in this cell draws as a kernel with SEED=N would
        """
        if rounds.reseed(_number("%reseed", line)) is None:
            raise UsageError(f"{_unseeded()}; give a number, as in %reseed 7")
        rounds.start_over(state.scope)

    @line_cell_magic
    def seeded(self, line: str, cell: str | None = None) -> None:
        """Run a cell from a stream of its own, and put the streams back after it.

        What the cell draws depends on the seed alone, and what other cells draw does not depend on
        whether the cell runs.

        Usage, as the first line of a cell:

          %%seeded       from a stream that follows from SEED and the cell's text
          %%seeded N     as a kernel with SEED=N would, 0...4294967295

        In a cell, `%seeded` does the same from that line to the cell's end.
        """
        number = _number("%%seeded", line)
        if number is None and state.base_seed() is None:
            raise UsageError(f"{_unseeded()}; give a number, as in %%seeded 7")
        if cell is not None:  # code that calls run_cell_magic itself
            self.shell.run_cell(f"%seeded {line}\n{cell}").raise_error()
            return
        if not self.cells.running:
            raise UsageError("%seeded works inside a cell only: it ends with the cell")
        info = self.cells.running[-1][1]
        part = part_of(info) if number is None else ()
        if not self.cells.aside or self.cells.aside[-1][0] is not info:
            self.cells.aside.append((info, rounds.Streams()))
        # A signal in the middle of it must not leave the other seed in effect.
        startup.guarded("hook.rounds", "replace", self.cells.aside[-1][1], number, part)


def seeded_cell(lines: list[str]) -> list[str]:
    """Input transform: `%%seeded N` at the top of a cell becomes `%seeded N`.

    As a cell magic, which gets the cell as a string, it would have to run the cell in the cell:
    an error in it would not be the cell's, `await` would not work, and IPython would show it twice.

    Args:
        lines: of the cell, with their ends.
    """
    match = re.match(r"%%seeded(?![\w?])(.*)", lines[0]) if lines else None
    if match is None:
        return lines
    call = f"get_ipython().run_line_magic('seeded', {match[1].strip()!r})\n"
    rest: list[str] = ipython_cell_magic(seeded_cell(lines[1:]))  # type: ignore[no-untyped-call]
    return [call, *rest]


def _number(magic: str, line: str) -> int | None:
    """Return the seed that follows a magic; None if nothing follows."""
    text = line.partition("#")[0].strip()
    if not text:
        return None
    digits = text.lstrip("0") or "0"
    if text.isascii() and text.isdecimal() and len(digits) <= 10:
        number = int(digits)
        if number <= startup.SEED_MAX:
            return number
    shown = text if len(text) <= 40 else text[:37] + "..."
    raise UsageError(
        f"{magic} {shown} is not accepted; use a whole number from 0 to {startup.SEED_MAX}"
    )


def _unseeded() -> str:
    return "no seed is in effect (neither SEED nor a defaults file gives one)"
