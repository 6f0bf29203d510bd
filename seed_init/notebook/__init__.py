# SPDX-License-Identifier: Apache-2.0
"""IPython extension: the first cell finds every generator as SEED gives it; the magics on seeds.

ipykernel and IPython draw from `random` while they start, so a kernel's first cell would not
start where a script does. The image loads this extension through /etc/ipython, which an empty
home does not hide; elsewhere: `%load_ext seed_init.notebook`.
"""

from typing import TYPE_CHECKING, Any

# The rest in the functions: the Jupyter server asks for `seed_init.notebook.server` alone, and has
# no use for IPython's shell.
if TYPE_CHECKING:
    from seed_init.notebook.cells import Cells

_cells: "Cells | None" = None
_had_tip = False


def load_ipython_extension(shell: Any) -> None:
    """Watch the cells, and add `%seed`, `%reseed` and `%seeded`.

    Args:
        shell: the running `InteractiveShell`.
    """
    from seed_init.notebook.cells import Cells
    from seed_init.notebook.magics import SeedMagics, seeded_cell

    global _cells, _had_tip
    _cells = Cells()
    shell.events.register("pre_run_cell", _cells.before)
    shell.events.register("post_run_cell", _cells.after)
    shell.register_magics(SeedMagics(shell, _cells))
    # Before IPython's own transform, which would make a call with the cell as a string of it.
    shell.input_transformer_manager.line_transforms.insert(0, seeded_cell)
    # A kernel makes its banner anew for every kernel_info_request, in a thread of its own too,
    # and each banner draws a tip from `random` (IPython/core/tips.py): a page that is opened
    # while cells run would shift their numbers. A terminal's banner comes before its first cell.
    if getattr(shell, "kernel", None) is not None and shell.has_trait("enable_tip"):
        _had_tip, shell.enable_tip = shell.enable_tip, False


def unload_ipython_extension(shell: Any) -> None:
    """Take away what `load_ipython_extension` has added.

    Args:
        shell: the running `InteractiveShell`.
    """
    from seed_init.notebook.cells import end_all
    from seed_init.notebook.magics import SeedMagics, seeded_cell

    global _cells
    if _cells is None:
        return
    end_all(_cells)
    shell.events.unregister("pre_run_cell", _cells.before)
    shell.events.unregister("post_run_cell", _cells.after)
    shell.input_transformer_manager.line_transforms.remove(seeded_cell)
    for kind in ("line", "cell"):
        for name in SeedMagics.magics[kind]:
            shell.magics_manager.magics[kind].pop(name, None)
    if _had_tip:
        shell.enable_tip = True
    _cells = None
