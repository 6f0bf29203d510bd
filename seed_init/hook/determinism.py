# SPDX-License-Identifier: Apache-2.0
"""The four levels of DETERMINISM, as the torch flags they stand for.

A new flag is one variable in `startup.ACCEPTED`, one line in `LEVELS` where a level sets it,
and one setter and one reader in `libraries/torch.py`.
"""

from seed_init.hook.settings import Settings

REPRODUCIBLE = {
    "CUDNN_DETERMINISTIC": "1",
    "CUDNN_BENCHMARK": "0",
    "TORCH_DETERMINISTIC_ALGORITHMS": "warn",
    # Filling costs time on every torch.empty and makes no run more reproducible unless the
    # program reads memory it never wrote; filled parameters have turned losses into NaN.
    "TORCH_FILL_UNINITIALIZED_MEMORY": "0",
}

LEVELS: dict[str, dict[str, str]] = {
    "off": {},
    "fast": {"CUDNN_BENCHMARK": "1"},
    "warn": REPRODUCIBLE,
    "strict": REPRODUCIBLE | {"TORCH_DETERMINISTIC_ALGORITHMS": "1"},
}
"""Level to the flags it sets, named by the variable that overrides each of them."""

FLAGS = (
    "CUDNN_DETERMINISTIC",
    "CUDNN_BENCHMARK",
    "CUDNN_ALLOW_TF32",
    "TORCH_ALLOW_TF32",
    "TORCH_DETERMINISTIC_ALGORITHMS",
    "TORCH_FILL_UNINITIALIZED_MEMORY",
)
"""Every variable that stands for one torch flag."""

UNKNOWN = "unknown"
"""The value of a flag that torch does not tell."""


def flags(settings: Settings) -> dict[str, tuple[str, str]]:
    """The flags to set: the level's, with the overrides over them.

    Args:
        settings: what this process was asked to do.

    Returns:
        Variable name to (value, origin). A flag that neither the level nor an override
        names is absent: PyTorch's own default stays.
    """
    level = settings.determinism
    wanted = {
        name: (value, f"DETERMINISM={level}") for name, value in LEVELS.get(level or "", {}).items()
    }
    for name in FLAGS:
        if name in settings.values:
            wanted[name] = (settings.values[name], settings.origins[name])
    return wanted
