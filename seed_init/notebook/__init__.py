"""IPython extension: the first cell finds every generator as SEED gives it.

ipykernel and IPython draw from `random` while they start, so a kernel's first cell would not
start where a script does. The image loads this extension through /etc/ipython, which an empty
home does not hide; elsewhere: `%load_ext seed_init.notebook`.
"""

from typing import Any

from seed_init import seeding


def load_ipython_extension(shell: Any) -> None:
    """Start the streams over right before the first cell.

    Args:
        shell: the running `InteractiveShell`.
    """

    def start_over(_: object) -> None:
        shell.events.unregister("pre_run_cell", start_over)
        seeding.reseed_libraries()

    shell.events.register("pre_run_cell", start_over)
