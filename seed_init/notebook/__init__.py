"""IPython extension: the first cell finds every generator as SEED gives it, and keeps it so.

ipykernel and IPython draw from `random` while they start, so a kernel's first cell would not
start where a script does. The image loads this extension through /etc/ipython, which an empty
home does not hide; elsewhere: `%load_ext seed_init.notebook`.
"""

from typing import Any

from seed_init import seeding, unseeded


def load_ipython_extension(shell: Any) -> None:
    """Start the streams over right before the first cell.

    Args:
        shell: the running `InteractiveShell`.
    """

    def start_over(_: object) -> None:
        shell.events.unregister("pre_run_cell", start_over)
        seeding.reseed_libraries()
        unseeded.start_over()

    shell.events.register("pre_run_cell", start_over)
    # A kernel makes its banner anew for every kernel_info_request, in a thread of its own too,
    # and each banner draws a tip from `random` (IPython/core/tips.py): a page that is opened
    # while cells run would shift their numbers. A terminal's banner comes before its first cell.
    if getattr(shell, "kernel", None) is not None and shell.has_trait("enable_tip"):
        shell.enable_tip = False
