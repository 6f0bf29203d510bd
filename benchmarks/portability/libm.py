# SPDX-License-Identifier: Apache-2.0
"""Arguments by which glibc's functions with and without FMA are told apart.

For each function, the program prints how many of the results differ between the two variants, and
the shortest arguments for which the variant with FMA rounds correctly and the other one does not:
the table of seed_init/hook/libm.py. It needs a CPU with FMA and AVX2, glibc and mpmath.

    python -m benchmarks.portability.libm
"""

import json
import math
import os
import platform
import random
import subprocess
import sys

import mpmath

HOW_MANY = 1_000_000
FUNCTIONS = {
    "exp": ((-20, 20),),
    "log": ((0.5, 2),),
    "pow": ((0.1, 9), (-9, 9)),
    "sin": ((-50, 50),),
    "cos": ((-50, 50),),
    "tan": ((-1.5, 1.5),),
    "asin": ((-1, 1),),
    "acos": ((-1, 1),),
    "atan": ((-8, 8),),
    "atan2": ((-5, 5), (-5, 5)),
}
"""Function of `math` -> the range of each argument."""

HIDDEN = "glibc.cpu.hwcaps=-FMA,-AVX2"


def main() -> None:
    if sys.argv[1:]:
        # An argument is told by its place among those that the seed gives.
        print(json.dumps([result.hex() for _, result in results(sys.argv[1])]))
        return
    print(f"{platform.libc_ver()}, Python {platform.python_version()}, {HOW_MANY} of each")
    for name in FUNCTIONS:
        with_fma, without = list(results(name)), ask(name)
        differing = [
            (arguments, result)
            for (arguments, result), other in zip(with_fma, without, strict=True)
            if result.hex() != other
        ]
        rounded = [entry for entry in differing if entry[1] == correctly_rounded(name, entry[0])]
        shortest = min(rounded, key=lambda entry: len(repr(entry[0])), default=None)
        line = f"{name}: {len(differing)} differ, {len(rounded)} rounded by FMA's variant only"
        print(line, *(() if shortest is None else (shortest[0], shortest[1].hex())))


def results(name: str) -> "list[tuple[tuple[float, ...], float]]":
    """Arguments and result of each call; the same arguments in each process."""
    numbers = random.Random(name)
    function = getattr(math, name)
    # Half of the arguments are short, for the sake of the table.
    given = [
        tuple(round(numbers.uniform(*limits), 17 if i % 2 else 3) for limits in FUNCTIONS[name])
        for i in range(HOW_MANY)
    ]
    return [(arguments, function(*arguments)) for arguments in given if 0 not in arguments]


def ask(name: str) -> "list[str]":
    """The same results, in hexadecimal digits, of a process from which FMA is hidden."""
    command = [sys.executable, "-m", "benchmarks.portability.libm", name]
    environment = os.environ | {"SEED_INIT": "0", "GLIBC_TUNABLES": HIDDEN}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    answer: list[str] = json.loads(done.stdout)
    return answer


def correctly_rounded(name: str, arguments: tuple[float, ...]) -> float:
    """The double that is nearest to the true value."""
    with mpmath.workprec(200):
        function = {"pow": mpmath.power}.get(name) or getattr(mpmath, name)
        return float(function(*map(mpmath.mpf, arguments)))


if __name__ == "__main__":
    main()
