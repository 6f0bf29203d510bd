# SPDX-License-Identifier: Apache-2.0
"""PyTorch under level `portable`: what its variables do not reach, and whether they were obeyed."""

import torch

from seed_init.hook import portability, refusals
from seed_init.libraries import torch_mkl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from seed_init.hook.settings import Settings


def install(settings: "Settings") -> list[str]:
    """Choose MKL's branch, and refuse a PyTorch that has not taken the level's variables.

    Args:
        settings: what this process was asked to do.

    Returns:
        One line for each thing that was set.

    Raises:
        Refusal: the level cannot be kept in this process.
    """
    mkl = torch_mkl.choose()
    _check(settings, mkl)
    return [f"MKL_CBWR={mkl} (DETERMINISM=portable)"] if mkl else []


def _check(settings: "Settings", mkl: str) -> None:
    capability = torch.backends.cpu.get_cpu_capability()
    count, threads = torch.get_num_threads(), portability.threads(settings.values)
    for what, now, needed in (
        ("PyTorch's instruction set", capability, "AVX2"),
        ("the number of PyTorch's threads", count, threads),
        ("MKL's branch", mkl or "AVX2", "AVX2" if mkl != "COMPATIBLE" else mkl),
    ):
        if now != needed:
            raise refusals.Refusal(
                f"DETERMINISM=portable cannot be kept: {what} is {now} and not {needed}; "
                "use a CPU with AVX2 and FMA, and import torch after the hook"
            )
