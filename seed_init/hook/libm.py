# SPDX-License-Identifier: Apache-2.0
"""Level `portable`: whether the C library computes as it does on a CPU with FMA and AVX2.

glibc has several variants of most of its mathematical functions, and chooses among them by the CPU
when a program is loaded (sysdeps/x86_64/fpu/multiarch/ifunc-fma.h). The variants differ in the last
bit of some results. Python's `math` and `random`, NumPy and PyTorch call these functions. The
choice is made before Python starts, so that the hook can only check it.
"""

import math
import os

from seed_init.hook import refusals

MACHINES = ("x86_64", "AMD64")
"""The machines, as uname(1) names them, for which the level is kept."""

TUNABLES = "GLIBC_TUNABLES"
"""Variable by which glibc can be told that the CPU has less than it has (`glibc.cpu.hwcaps`)."""

TABLE = (
    ("exp", (-0.6,), "0x1.18fdd6b9604e3p-1"),
    ("log", (1.21860293387708,), "0x1.94e664d3db31bp-3"),
    ("pow", (3.53, 1.2), "0x1.22be44bd70505p+2"),
    ("sin", (7.889,), "0x1.ffafa4701c691p-1"),
    ("cos", (3.809,), "-0x1.9223c1052efefp-1"),
    ("tan", (0.03899965323897514,), "0x1.3fa5b1213214fp-5"),
    ("asin", (0.273,), "0x1.1b2577bc8f38fp-2"),
    ("acos", (0.956,), "0x1.30e479681445fp-2"),
    ("atan", (5.90668326820631,), "0x1.6730b2ce9684fp+0"),
    ("atan2", (0.29, 3.82), "0x1.365b8992110aap-4"),
)
"""Function of `math`, its arguments, and the correctly rounded result.

The functions are those that every glibc since 2.28 has in variants. For these arguments the variant
with FMA rounds correctly and the one without does not (benchmarks/portability/libm.py finds such
arguments). So a C library that rounds better than glibc 2.36 passes as well.
"""


def check() -> None:
    """Raise Refusal where `math` gives other bits than on a CPU with FMA and AVX2."""
    machine = os.uname().machine if hasattr(os, "uname") else MACHINES[0]
    if machine not in MACHINES:
        raise refusals.Refusal(
            f"DETERMINISM=portable is kept on x86-64 CPUs only, and this machine is {machine}; "
            "use DETERMINISM=strict, or an x86-64 machine"
        )
    for name, arguments, result in TABLE:
        if getattr(math, name)(*arguments).hex() != result:
            raise _refusal(f"math.{name}({', '.join(map(repr, arguments))})")


def _refusal(call: str) -> refusals.Refusal:
    tunables = os.environ.get(TUNABLES, "")
    why = "this CPU has no FMA or no AVX2, or the C library is not glibc"
    instead = "use a CPU with FMA and AVX2, and glibc 2.28 or later"
    if "hwcaps" in tunables:
        why = f"{TUNABLES}={refusals.shown(tunables)} hides FMA or AVX2 from the C library"
        instead = f"take glibc.cpu.hwcaps out of {TUNABLES}"
    return refusals.Refusal(
        f"DETERMINISM=portable cannot be kept: {call} has not the bits that it has elsewhere, "
        f"because {why}; {instead}"
    )
