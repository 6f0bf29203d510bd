# SPDX-License-Identifier: Apache-2.0
"""CPUs of other models on this machine: qemu-user, and whether its arithmetic can be trusted.

An emulator whose arithmetic is not that of IEEE 754 would make findings that no machine has.
Therefore `check` compares it with this CPU, bit by bit, before anything else is computed there.
"""

import re
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import interpreters

SOURCE = Path(__file__).with_name("arithmetic.c")
FLAGS = ("-O1", "-mavx2", "-mfma", "-mf16c", "-ffp-contract=off")

LEAST_LINES = 70
"""How many instructions the check has at least, each kind of exponents counted."""

MAKERS = {
    "Haswell": "Intel",
    "Broadwell": "Intel",
    "Skylake-Client": "Intel",
    "EPYC": "AMD",
    "EPYC-Milan": "AMD",
    "Dhyana": "Hygon",
    "YongFeng": "Zhaoxin",
}
"""The models that are emulated by default, of those that the emulator has -> their maker."""


class Failed(Exception):
    """There is no emulator that can be used; the text is one line for the user."""


@dataclass(frozen=True)
class Emulator:
    """A qemu-user.

    Attributes:
        path: of its executable.
        version: what it says of itself, such as "7.2.22".
        models: the names of the CPUs that it knows.
    """

    path: Path
    version: str
    models: frozenset[str]

    def command(self, model: str) -> list[str]:
        """What to put before a command that runs on a CPU of this model."""
        return [str(self.path), "-cpu", model]

    def has(self, model: str) -> bool:
        """Whether the emulator has a model; "Haswell-v4" or "EPYC,-avx2" go by their first name."""
        return model.split(",")[0] in self.models


def find(given: str = "") -> Emulator:
    """The emulator.

    Args:
        given: the path of its executable; looked for on PATH otherwise.

    Raises:
        Failed: there is none, or it does not answer.
    """
    path = shutil.which(given or "qemu-x86_64") or shutil.which("qemu-x86_64-static")
    if path is None or (given and path != shutil.which(given)):
        raise Failed(
            f"no emulator {given or 'qemu-x86_64'}; install qemu-user, or give --qemu PATH, "
            "or --models '' --contrast '' to compare this machine with itself"
        )
    first = _output([path, "--version"])
    version = re.search(r"version (\S+)", first)
    # Up to qemu 8 the lines begin with "x86"; newer ones end this with status 1.
    listed = _output([path, "-cpu", "help"], {0, 1}).partition("Recognized CPUID flags")[0]
    models = re.findall(r"^(?:x86)?\s+([\w.+-]+)", listed, re.MULTILINE)
    if version is None or not models:
        raise Failed(f"{path} does not name its version and models as qemu-x86_64 does")
    return Emulator(Path(path), version[1], frozenset(models))


def compile_check(place: Path) -> Path:
    """Compile the check of the arithmetic.

    Args:
        place: a directory for the executable.

    Raises:
        Failed: there is no C compiler, or it cannot compile the check.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Failed("no C compiler, with which the emulator is checked; install gcc")
    program = place / "arithmetic"
    _output([compiler, *FLAGS, str(SOURCE), "-o", str(program)])
    return program


def check(emulator: Emulator, model: str, program: Path) -> int:
    """Compare the arithmetic of an emulated CPU with that of this one.

    Args:
        emulator: what emulates.
        model: the CPU's name.
        program: `compile_check` has made it.

    Returns:
        How many instructions agree.

    Raises:
        Failed: one of them does not, or too few were looked at.
    """
    native = _output([str(program)]).splitlines()
    emulated = _output([*emulator.command(model), str(program)]).splitlines()
    wrong = wrong_instructions(native, emulated)
    if wrong:
        raise Failed(
            f"qemu {emulator.version} computes {', '.join(wrong[:5])} of {model} otherwise than "
            "this CPU, so what it says about programs means nothing; use another version of qemu"
        )
    return len(native)


def check_functions(emulator: Emulator, model: str, python: Path) -> None:
    """Compare NumPy's functions on an emulated CPU with those of Python's math.

    qemu 7.2 has each instruction of `arithmetic.c` right and NumPy's tanh wrong, by far.

    Args:
        emulator: what emulates.
        model: the CPU's name.
        python: an interpreter that sees NumPy.

    Raises:
        Failed: a function is wrong, or the interpreter cannot run there.
    """
    command = [*emulator.command(model), str(python), "-c", FUNCTIONS]
    told = _output(command, environment=interpreters.environment(python)).split()
    if told != ["right"]:
        raise Failed(
            f"qemu {emulator.version} computes NumPy's {', '.join(told)} of {model} wrongly, so "
            "what it says about programs means nothing; use another version of qemu"
        )


FUNCTIONS = """
import math
import numpy
values = numpy.linspace(0.01, 4, 4001)
pairs = {name: name for name in "exp expm1 log log2 log1p sin cos tan sinh cosh tanh sqrt".split()}
pairs |= {"arctan": "atan", "arcsinh": "asinh"}
wrong = []
for name, of in pairs.items():
    found, right = getattr(numpy, name)(values), [getattr(math, of)(x) for x in values]
    if not numpy.allclose(found, right, rtol=1e-9, atol=1e-12):
        wrong.append(name)
print(*wrong or ["right"])
"""


def wrong_instructions(native: list[str], emulated: list[str]) -> list[str]:
    """The instructions whose lines differ, or why the lines cannot be compared."""
    if len(native) < LEAST_LINES or len(native) != len(emulated):
        return [f"{len(emulated)} of {max(len(native), LEAST_LINES)} instructions"]
    return [one.rpartition(" ")[0] for one, other in zip(native, emulated) if one != other]


def _output(
    command: list[str],
    accepted: Collection[int] = (0,),
    environment: Mapping[str, str] | None = None,
) -> str:
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]} cannot be run: {error}") from None
    if done.returncode not in accepted:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise Failed(f"{' '.join(command[:4])} ends with status {done.returncode}: {last}")
    return done.stdout
