# SPDX-License-Identifier: Apache-2.0
"""PyTorch's determinism flags: set one, read one, note where one is changed.

`startup.FLAGS` is the table of them. Most are an attribute below `torch`, which this file sets and
reads as the table names it; `SPECIAL` has those that are more than that.
"""

import sys

import torch

from seed_init.hook import callers
from seed_init.hook.determinism import ALGORITHMS, FLAGS, UNKNOWN, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MIXED = "mixed"
"""The value of CUDNN_ALLOW_TF32 where convolutions and recurrent layers have different ones."""

set_at: dict[str, str] = {}
"""Flag -> file and line where it was set last, of the flags where that can be seen."""


def put(name: str, value: str) -> None:
    """Set one flag.

    Args:
        name: the flag's variable in the contract.
        value: as the contract has it.
    """
    special = SPECIAL.get(name)
    if special is not None:
        special[0](value)
    elif FLAGS[name].operators:
        _put_unadvised(FLAGS[name], value)
    else:
        _put_attribute(FLAGS[name], value)


def now() -> dict[str, str]:
    """The value of each flag at this moment, named and written as in the contract.

    Each is read by itself: the value of one that raises is `UNKNOWN`, and the others are told.
    """
    return {name: read(name) for name in FLAGS}


def read(name: str) -> str:
    """The value of one flag at this moment; `UNKNOWN` where torch raises.

    Args:
        name: the flag's variable in the contract.
    """
    special = SPECIAL.get(name)
    try:
        return special[1]() if special is not None else _read_attribute(FLAGS[name])
    except Exception:
        return UNKNOWN


def source_of(name: str) -> str | None:
    """File and line where a flag was changed last; None where that cannot be seen, or is not."""
    return set_at.get(name)


def _owner(flag: Flag) -> "tuple[Any, str]":
    """Return the object below `torch` that has the flag, and the name of the attribute there."""
    owner: Any = torch
    *path, attribute = flag.attribute.split(".")
    for part in path:
        owner = getattr(owner, part)
    return owner, attribute


def _put_attribute(flag: Flag, value: str) -> None:
    owner, attribute = _owner(flag)
    setattr(owner, attribute, value == "1")


def _put_unadvised(flag: Flag, value: str) -> None:
    """Set a former flag of the precision, for which 2.9.0 advises the newer ones.

    Not by the newer ones: what reads a former flag later, such as a library, would raise then,
    because the two would differ (aten/src/ATen/Context.cpp, allowTF32CuBLAS).
    """
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _put_attribute(flag, value)


def _read_attribute(flag: Flag) -> str:
    """Return the value of an attribute; for a flag of the precision, the value of its operators.

    From 2.9 on every operator has a precision of its own, "tf32", "ieee" or "none", which is what
    the kernels look at, and the former flags raise where they would have to tell two at once
    (aten/src/ATen/Context.cpp, float32Precision, allowTF32CuDNN).
    """
    precision = getattr(torch._C, "_get_fp32_precision_getter", None)
    if not flag.operators or precision is None:
        return str(int(getattr(*_owner(flag))))
    allowed = {precision("cuda", operator) == "tf32" for operator in flag.operators}
    return str(int(allowed.pop())) if len(allowed) == 1 else MIXED


def _put_algorithms(value: str) -> None:
    """Do what `torch.use_deterministic_algorithms` does, with the functions below it.

    From 2.10 on that imports inductor's configuration, which doubles the import of torch, to set
    one flag of it (torch/__init__.py). A configuration that is imported later reads this flag
    from TORCHINDUCTOR_DETERMINISTIC, which `switches` exports.
    """
    torch._C._set_deterministic_algorithms(value != "0", warn_only=value == "warn")
    inductor: Any = sys.modules.get("torch._inductor.config")
    if hasattr(inductor, "deterministic"):
        inductor.deterministic = value != "0"


def _read_algorithms() -> str:
    return ("0", "warn", "1")[torch.get_deterministic_debug_mode()]


SPECIAL: "dict[str, tuple[Callable[[str], None], Callable[[], str]]]" = {
    ALGORITHMS: (_put_algorithms, _read_algorithms),
}
"""Flag that is no attribute -> how it is set, and how it is read."""

_following = False


def follow() -> None:
    """Note from now on where a flag is changed. Called again, it does nothing.

    cuDNN's flags are descriptors with a setter that can be replaced (torch/backends/__init__.py,
    ContextProp); the deterministic algorithms have a Python function.
    """
    global _following
    if _following:
        return
    _following = True
    for flag in FLAGS.values():
        if flag.attribute:
            owner, attribute = _owner(flag)
            descriptor = vars(type(owner)).get(attribute)
            if hasattr(descriptor, "setter") and not isinstance(descriptor, property):
                descriptor.setter = _noting(flag.name, descriptor.setter)
    for function in ("use_deterministic_algorithms", "set_deterministic_debug_mode"):
        original = getattr(torch, function)
        replace(function, callers.like(original)(_noting(ALGORITHMS, original)))


def _noting(flag: str, setter: "Callable[..., Any]") -> "Callable[..., Any]":
    def noting(*arguments: "Any", **keywords: "Any") -> "Any":
        before = read(flag)
        result = setter(*arguments, **keywords)
        # Not where it stays as it was: torch.compile sets flags to what they are.
        if read(flag) != before:
            set_at[flag] = callers.source(callers.caller("torch"))
        return result

    return noting


def replace(name: str, stand_in: "Callable[..., Any]") -> None:
    """Put a function in the place of torch's, in TorchScript's table of functions as well."""
    builtins: Any = sys.modules["torch.jit._builtins"]
    # Not built yet: it will have the stand-in.
    if builtins._builtin_table is not None:
        operator = builtins._find_builtin(getattr(torch, name))
        if operator is not None:
            builtins._register_builtin(stand_in, operator)
    setattr(torch, name, stand_in)
