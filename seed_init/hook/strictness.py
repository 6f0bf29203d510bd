# SPDX-License-Identifier: Apache-2.0
"""What level strict refuses before torch is imported: variables that contradict it."""

import os

from seed_init.hook import refusals
from seed_init.hook.startup import CUBLAS_DETERMINISTIC

SWITCHES = (
    b"NCCL_ALGO",
    b"NCCL_NVLS_ENABLE",
    b"NVTE_ALLOW_NONDETERMINISTIC_ALGO",
    b"FLASH_ATTENTION_DETERMINISTIC",
    b"MAMBA_DETERMINISTIC",
    b"CAUSAL_CONV1D_DETERMINISTIC",
)
"""The variables of `switches` that are looked at before torch is imported, whatever its release:
most processes have none of them and need not load that module. Of bytes, as `startup` has them."""


def check(values: dict[str, str], environ: "dict[bytes, bytes] | None" = None) -> None:
    """Raise Refusal where level strict meets a variable that contradicts it.

    Args:
        values: of the contract's variables, all read.
        environ: that of this process, as `startup` has it; None where a file is looked at.
    """
    if environ is not None and not environ.keys().isdisjoint(SWITCHES):
        from seed_init.hook import switches
        from seed_init.hook.settings import Settings

        switches.check(switches.contradictions(Settings(values, {}), os.environ))
    workspace = values.get("CUBLAS_WORKSPACE_CONFIG")
    if workspace and workspace not in CUBLAS_DETERMINISTIC:
        raise refusals.not_accepted(
            "under DETERMINISM=strict CUBLAS_WORKSPACE_CONFIG", workspace, CUBLAS_DETERMINISTIC
        )
