# SPDX-License-Identifier: Apache-2.0
"""PyTorch's compiler, inductor, under level `portable`: the same code on every x86-64 CPU.

`torch.compile` writes C++ for the CPU. By itself inductor takes the widest vectors and the
instructions that this CPU has, and chooses among kernels by a benchmark under `max_autotune`. Under
the level the vectors are those of AVX2, the compiler makes code for Haswell, and there is nothing
to choose from. Both, and the number of threads, are in inductor's configuration, so that they are
part of the key of its cache (torch/_inductor/codecache.py, FxGraphHashDetails): code that another
level has left in the cache is not taken.
"""

import sys

from seed_init.hook import debug, portability, state
from seed_init.hook.callers import like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BITS = 256
"""The width of AVX2's vectors (torch/_inductor/cpu_vec_isa.py, pick_vec_isa)."""

NATIVE, COMMON = "march=native", "march=haswell"
"""The compiler's flag for the instructions of this CPU, and that for what every CPU with AVX2 and
FMA has. Each g++ and clang++ that can compile PyTorch's headers knows the second one."""

FLAGS = "_get_optimization_cflags"
"""The function of torch._inductor.cpp_builder that gives the compiler's flags."""


def imported(name: str) -> None:
    """Pin what has just been imported.

    Args:
        name: torch._inductor.config or torch._inductor.cpp_builder.
    """
    module = sys.modules[name]
    if name.endswith("config"):
        pin_choices(module)
    else:
        pin_flags(module)


def pin_choices(config: "Any") -> None:
    """Set the width of the vectors and the number of threads, and leave nothing to a benchmark.

    Args:
        config: the module torch._inductor.config.
    """
    threads = portability.threads(state.settings.values)
    config.cpp.simdlen, config.cpp.threads = BITS, threads
    config.max_autotune_gemm_backends = config.max_autotune_conv_backends = "ATEN"
    debug(f"inductor: {BITS} bits, {threads} threads, ATEN (DETERMINISM=portable)")


def pin_flags(builder: "Any") -> None:
    """Have C++ compiled for every CPU with AVX2 and FMA.

    Where the release of PyTorch has no function for that, a compilation for the CPU raises
    RuntimeError.

    Args:
        builder: the module torch._inductor.cpp_builder.
    """
    original = getattr(builder, FLAGS, None)
    if original is None:
        _refuse(builder)
        return

    @like(original)
    def stand_in(*arguments: "Any", **named: "Any") -> "Any":
        return _common(original(*arguments, **named))

    setattr(builder, FLAGS, stand_in)
    debug(f"inductor: -{COMMON} (DETERMINISM=portable)")


def _common(flags: "Any") -> "Any":
    """The same flags, or tuple of lists of flags, for every CPU with AVX2 and FMA."""
    if isinstance(flags, (list, tuple)):
        return type(flags)(map(_common, flags))
    return COMMON if flags == NATIVE else flags


def _refuse(builder: "Any") -> None:
    """Have a compilation for the CPU fail, in a release of PyTorch that cannot be pinned."""

    def refuse(*arguments: "Any", **named: "Any") -> "Any":
        raise RuntimeError(
            "torch.compile is not accepted under DETERMINISM=portable with this release of "
            f"PyTorch, because torch._inductor.cpp_builder has no {FLAGS}; "
            'use backend="eager", or leave torch.compile out'
        )

    builder.CppBuilder = refuse
