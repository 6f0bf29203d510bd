# SPDX-License-Identifier: Apache-2.0
"""What levels strict and portable refuse before torch is imported: variables against them."""

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
    """Raise Refusal where level strict or portable meets a variable that contradicts the level.

    Args:
        values: of the contract's variables, all read.
        environ: that of this process, as `startup` has it; None where a file is looked at.
    """
    if environ is not None and not environ.keys().isdisjoint(SWITCHES):
        from seed_init.hook import switches
        from seed_init.hook.settings import Settings

        settings = Settings(values, {})
        switches.check(settings, switches.contradictions(settings, os.environ))
    workspace = values.get("CUBLAS_WORKSPACE_CONFIG")
    if workspace and workspace not in CUBLAS_DETERMINISTIC:
        raise refusals.not_accepted(
            f"under DETERMINISM={values['DETERMINISM']} CUBLAS_WORKSPACE_CONFIG",
            workspace,
            CUBLAS_DETERMINISTIC,
        )
    if values["DETERMINISM"] == "portable":
        from seed_init.hook import portability

        portability.check(values, None if environ is None else os.environ)
