# SPDX-License-Identifier: Apache-2.0
"""Other machines that `verify --portable` imitates on this one.

An arm is one run of the command as it would be on another machine: one with fewer or more CPUs, or
one whose CPU has other instructions. An arm changes only what such a machine changes. A variable
that the user has set goes to the other machine as well, and what level `portable` sets is the same
on every machine, so that an arm leaves both alone.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seed_init.hook import portability, state

CPUS, INSTRUCTIONS, EMULATOR = "CPUs", "instructions", "emulator"
"""The kinds of arms."""

THREADS = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"),
    *("POLARS_MAX_THREADS", "RAYON_NUM_THREADS"),
)
"""Variables by which libraries are told how many threads to use. Without them they count CPUs."""

FOLLOWING = {"MKL_NUM_THREADS": "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS": "OMP_NUM_THREADS"}
"""A library that reads the first variable reads the second one where the first is not set."""

_NO_AVX512 = next(
    variable.value for variable in portability.TABLE if variable.name == "NPY_DISABLE_CPU_FEATURES"
)

AVX2: dict[str, str] = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": _NO_AVX512,
    "NUMBA_CPU_NAME": "haswell",
    "ARROW_USER_SIMD_LEVEL": "AVX2",
    "OPENCV_CPU_DISABLE": "AVX512_SKX",
}
"""Switches of libraries, for a CPU with AVX2 and without AVX-512. MKL reads its own on an Intel CPU
only."""

SSE: dict[str, str] = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_VML_DEBUG_CPU_TYPE": "1",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": f"AVX F16C FMA3 AVX2 {_NO_AVX512}",
    "NUMBA_CPU_NAME": "nehalem",
    "ARROW_USER_SIMD_LEVEL": "SSE4_2",
    "OPENCV_CPU_DISABLE": "AVX512_SKX,AVX2,FP16",
    # glibc's functions of mathematics have variants with FMA (sysdeps/x86_64/fpu/multiarch). The
    # names ending in _Usable are those of glibc before 2.33.
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,"
    "-AVX2_Usable,-FMA_Usable,-FMA4_Usable",
}
"""Switches of libraries, for a CPU without AVX. The next best imitation of a CPU with AVX-512 on
one that has AVX2 alone: what depends on the instructions differs in both."""


@dataclass(frozen=True)
class Machine:
    """Another machine, and how it is imitated.

    Attributes:
        name: what a reader calls it: "one CPU".
        kind: CPUS, INSTRUCTIONS or EMULATOR.
        affinity: the number of CPUs that the command may run on; None for all of this machine's.
        cpus: the number of CPUs that `os.cpu_count` tells; None for this machine's.
        variables: of the environment, with their values.
        model: the CPU that qemu emulates; None where the command runs on this machine's own.
        emulator: the path of qemu; None likewise.
        part: what alone was changed, where the machine is imitated in part only; None otherwise.
            That such an arm is the same as the base proves little.
        note: what a reader should know of the imitation; None for nothing.
    """

    name: str
    kind: str
    affinity: int | None = None
    cpus: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    model: str | None = None
    emulator: str | None = None
    part: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Arms:
    """What can be imitated here, and what cannot.

    Attributes:
        machines: to imitate, in order.
        left_out: one line for each machine that cannot be imitated.
    """

    machines: tuple[Machine, ...]
    left_out: tuple[str, ...]


def is_portable(environment: Mapping[str, str]) -> bool:
    """Return whether runs have level `portable`, by their environment or the defaults file.

    Args:
        environment: of the runs.
    """
    if environment.get("SEED_INIT", "").strip() == "0":
        return False  # then no hook sets anything
    given = environment.get("DETERMINISM", "").strip()
    return (given or state.settings.values.get("DETERMINISM", "")).lower() == "portable"


def imitated(
    environment: Mapping[str, str], cpus: int | None = None, features: frozenset[str] | None = None
) -> Arms:
    """Return the machines that can be imitated without an emulator.

    Args:
        environment: of the runs.
        cpus: how many CPUs a process may use; None for as many as this one may.
        features: of the CPU, as /proc/cpuinfo names its flags; None for this machine's.
    """
    cpus = usable_cpus() if cpus is None else cpus
    features = cpu_features() if features is None else features
    machines: list[Machine] = []
    left_out: list[str] = []
    if cpus > 1:
        machines.append(Machine("one CPU", CPUS, affinity=1, cpus=1))
    else:
        left_out.append("one CPU: this machine has no more, so that every run shows it")
    if cpus > 4:
        machines.append(Machine(f"{cpus // 2} CPUs", CPUS, affinity=cpus // 2, cpus=cpus // 2))
    else:
        machines.append(_more_cpus(environment, max(4, 2 * cpus)))
    if not features:
        left_out.append("other instructions: /proc/cpuinfo does not name those of this CPU")
        return Arms(tuple(machines), tuple(left_out))
    for name, switches, needed, why in (
        ("AVX2", AVX2, "avx512f", "this CPU has no AVX-512 that could be left out"),
        ("no AVX", SSE, "avx", "this CPU has none that could be left out"),
    ):
        if needed not in features:
            left_out.append(f"{name}: {why}")
            continue
        if switches is SSE and is_portable(environment):
            left_out.append(
                f"{name}: DETERMINISM=portable is made for CPUs with AVX2; --emulate shows others"
            )
            continue
        machine = _switched(name, switches, environment)
        if isinstance(machine, str):
            left_out.append(machine)
        else:
            machines.append(machine)
    if "avx512f" not in features:
        left_out.append("AVX-512: this CPU does not have it, and qemu emulates none that has it")
    return Arms(tuple(machines), tuple(left_out))


def _more_cpus(environment: Mapping[str, str], count: int) -> Machine:
    """Return a machine with more CPUs: Python and the libraries are told so."""
    free, _ = _changeable(dict.fromkeys(THREADS, str(count)), environment)
    free = {
        name: value
        for name, value in free.items()
        if not environment.get(FOLLOWING.get(name, ""), "").strip()
    }
    through = ", ".join(("os.cpu_count()", *free))
    return Machine(
        f"{count} CPUs",
        CPUS,
        cpus=count,
        variables=free,
        note=f"{count} CPUs: told by {through} alone; os.sched_getaffinity() tells the truth, and "
        "OpenBLAS starts no more threads than there are CPUs",
    )


def _switched(
    name: str, switches: Mapping[str, str], environment: Mapping[str, str]
) -> Machine | str:
    """Return a machine with other instructions; why there is none as one line."""
    free, kept = _changeable(switches, environment)
    if not kept:
        return Machine(name, INSTRUCTIONS, variables=free)
    where = (
        "by DETERMINISM=portable, which refuses other values"
        if is_portable(environment)
        else "in the environment, which goes to other machines as well"
    )
    reason = f"{name}: {', '.join(kept)} {'is' if len(kept) == 1 else 'are'} set {where}"
    if not free:
        return f"{reason}; only --emulate shows another CPU"
    return Machine(
        f"{name} in part",
        INSTRUCTIONS,
        variables=free,
        part=f"only {', '.join(free)} changed",
        note=f"{reason}; only --emulate shows another CPU in full",
    )


def _changeable(
    wanted: Mapping[str, str], environment: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the variables that another machine changes, and the names of those it does not."""
    ours: set[str] = set()
    if is_portable(environment):
        ours = {variable.name for variable in portability.TABLE} | set(portability.UNSET)
    free = {
        name: value
        for name, value in wanted.items()
        if name not in ours and not environment.get(name, "").strip()
    }
    return free, [name for name in wanted if name not in free]


def usable_cpus() -> int:
    """Return how many CPUs a process that this one starts may run on."""
    return len(os.sched_getaffinity(0))


def cpu_features() -> frozenset[str]:
    """Return the flags of this machine's CPU; none where the kernel does not name any."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())
