# SPDX-License-Identifier: Apache-2.0
"""Run a Python under qemu-user, which computes as another x86-64 CPU does.

qemu-user translates the instructions of one process and hands its system calls to the kernel. What
the process forks stays in the emulator. What it executes (`exec`) runs on this machine's own CPU.
"""

import difflib
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seed_init.hook.portability import WAITING
from seed_init.proof.redaction.secret_texts import without_secrets
from seed_init.proof.running import commands, machines
from seed_init.proof.running.machines import Machine

OLDEST = (10, 0)
"""The oldest release that was seen to compute as real CPUs do. 7.2 (Debian 12) does not: NumPy's
`tanh` and `argsort`, and PyTorch's LSTM, are wrong there."""

_RELEASE = re.compile(r"version (\d+)\.(\d+)")

PROGRAMS = ("qemu-x86_64", "qemu-x86_64-static")

_PYTHON = re.compile(r"python[\d.]*")

_MODEL = re.compile(r"(?:x86 +)?([\w.+-]+)(?: |$)")

_VERSIONED = re.compile(r"-v\d+$")

WARNING = re.compile(r"^qemu-x86_64\S*: warning: ")
"""How a line of the emulator's on stderr begins that is not the program's."""

PATIENCE = 120.0
"""Seconds that the emulator has to compute what it is checked with."""

EXACT = """
import ctypes, hashlib, math, os, random, struct
draw, digest = random.Random(20), hashlib.sha256()
try:
    fma, fmaf = ctypes.CDLL(None).fma, ctypes.CDLL(None).fmaf
    fma.restype, fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
    fmaf.restype, fmaf.argtypes = ctypes.c_float, [ctypes.c_float] * 3
except (OSError, AttributeError):
    fma = fmaf = lambda x, y, z: 0.0
def number(bits):
    scale = draw.choice((1, 8, 60, 1000))
    return math.ldexp(draw.getrandbits(bits) | 1, draw.randint(-scale, scale) - bits - 6)
for _ in range(2000):
    x, y, z = number(53), -number(53), number(53)
    u, v, w = (ctypes.c_float(each % 1e9).value for each in (x, y, z))
    for each in (x + y, x * y, x / y, math.sqrt(x), fma(x, y, z), fmaf(u, v, w), float(x) // 1,
                 u * v, ctypes.c_float(u * v).value, float(int(x % 1e18)), math.fmod(x, y)):
        digest.update(struct.pack("d", each))
inside = os.readlink("/proc/thread-self/exe") != os.readlink("/proc/self/exe")
print(digest.hexdigest(), int(inside))
"""
"""Operations whose results IEEE 754 gives to the bit, on 2,000 triples of numbers of all sizes."""


class CannotEmulate(commands.CannotStart):
    """The command cannot be run under the emulator. The text is one line for the user."""


@dataclass(frozen=True)
class Emulator:
    """The emulator of this machine.

    Attributes:
        program: its path.
        version: as the program tells it.
        models: the names of the CPUs that it knows.
    """

    program: str
    version: str
    models: tuple[str, ...]

    def machine(self, model: str, environment: Mapping[str, str]) -> Machine:
        """Return the machine with a CPU of a model.

        Args:
            model: one of `models`.
            environment: of the runs.
        """
        # Threads that wait must not spin in the emulator. That changes no bits.
        waiting = {} if environment.get(WAITING, "").strip() else {WAITING: "PASSIVE"}
        return Machine(
            f"emulated {model}",
            machines.EMULATOR,
            variables=waiting,
            model=model,
            emulator=self.program,
        )

    def fault(self, model: str, python: str) -> str | None:
        """Return why the emulator cannot be relied upon for a model; None where it can.

        What IEEE 754 gives to the bit (sums, products, quotients, roots, FMA, conversions) must be
        the same under the emulator and without it.

        Args:
            model: one of `models`.
            python: the interpreter that computes.
        """
        words = [python, "-I", "-S", "-c", EXACT]
        try:
            here, there = (_said([*before, *words]) for before in ((), self.words(model)))
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{self.version} could not be checked: {error}"
        if len(here) != 2:
            return f"{self.version} could not be checked: {python} computes nothing here"
        if len(there) != 2:
            return f"{self.version} cannot run {python} as {model}"
        if here[0] != there[0]:
            return (
                f"{self.version} computes what IEEE 754 gives to the bit otherwise than this "
                "machine; use another version of qemu"
            )
        if there[1] != "1":
            return f"in {self.version} a process cannot tell whether it has left the emulator"
        return None

    def words(self, model: str) -> tuple[str, ...]:
        """Return the words that come before the path of a program.

        Args:
            model: of the CPU.
        """
        return self.program, "-cpu", model


def find(models: tuple[str, ...], environment: Mapping[str, str]) -> Emulator:
    """Return the emulator.

    Args:
        models: of the CPUs that are wanted.
        environment: of the runs, in whose PATH the emulator is looked for.

    Raises:
        CannotEmulate: there is none, it is too old, or it does not know a model.
    """
    if platform.machine() != "x86_64":
        raise CannotEmulate(
            f"--emulate works on x86-64 machines, and this is {platform.machine()}; leave it out"
        )
    path = environment.get("PATH", os.defpath)
    program = next(filter(None, (shutil.which(name, path=path) for name in PROGRAMS)), None)
    if program is None:
        raise CannotEmulate(
            "--emulate needs qemu-x86_64, which PATH does not have; install qemu-user "
            "(apt-get install qemu-user; Debian 13 has a release that is new enough)"
        )
    try:
        version = " ".join(_said([program, "--version"])[:3]).removesuffix(",")
        known = tuple(_models(_text([program, "-cpu", "help"])))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotEmulate(f"{program} cannot be asked for its CPUs: {error}") from None
    release = _RELEASE.search(version)
    if release is None or (int(release[1]), int(release[2])) < OLDEST:
        raise CannotEmulate(
            f"--emulate needs qemu {OLDEST[0]}.{OLDEST[1]} or newer, and {program} is "
            f"{version or 'of a release that it does not tell'}, which may compute wrongly; "
            "install qemu-user of Debian 13 or newer"
        )
    if not known:
        raise CannotEmulate(
            f"{program} -cpu help names no CPU, so that --emulate cannot be used; install "
            "qemu-user of Debian 13 or newer"
        )
    for model in models:
        if model not in known:
            raise CannotEmulate(_unknown(model, known, version))
    return Emulator(program, version, known)


def _unknown(model: str, known: tuple[str, ...], version: str) -> str:
    close = difflib.get_close_matches(model, known, 3, 0.5)
    most = [name for name in known if not _VERSIONED.search(name)]
    instead = f"use {' or '.join(close)}" if close else f"known are {', '.join(most)}"
    return (
        f"{without_secrets(model)!r} is no CPU of {version}; {instead}; "
        "qemu-x86_64 -cpu help lists all"
    )


def _models(text: str) -> list[str]:
    """Return the names of the CPUs in what `-cpu help` prints."""
    lines = text.partition("Available CPUs:")[2].partition("Recognized")[0].splitlines()
    # Indented from qemu 9 on, and after the word x86 before.
    names = [match[1] for line in lines if (match := _MODEL.match(line.strip()))]
    return [name for name in names if name not in ("base", "host", "x86")]


def _said(words: list[str]) -> list[str]:
    return _text(words).split()


def _text(words: list[str]) -> str:
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=PATIENCE,
    )
    return done.stdout.decode(errors="replace")


def python_of(command: commands.Command, environment: Mapping[str, str], cwd: Path) -> list[str]:
    """Return the words of a command with the path of its Python first.

    Args:
        command: as `commands.resolve` gives it.
        environment: of the run, with its PATH.
        cwd: the working directory of the run.

    Raises:
        CannotEmulate: the program of the command is no Python.
    """
    if command.notebook is not None:
        raise _no_python("a notebook, whose kernel is a process of its own,")
    program = Path(command.program)
    try:
        with program.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise CannotEmulate(f"{command.words[0]} cannot be read: {error.strerror}") from None
    name = command.words[0]
    if start.startswith(b"\x7fELF"):
        if not any(_PYTHON.fullmatch(path.name) for path in (program, program.resolve())):
            raise _no_python(without_secrets(name, is_word=True))
        return [str(program), *command.words[1:]]
    if start.startswith(b"#!"):
        line = os.fsdecode(start[2:].partition(b"\n")[0]).strip()
        words = shlex.split(line) if line else []
        if words and Path(words[0]).name == "env":
            words = [word for word in words[1:] if word != "-S"]
        if words and _PYTHON.fullmatch(Path(words[0]).name):
            python = commands.program_of(words[0], environment, cwd)
            return [python, *words[1:], str(program), *command.words[1:]]
    raise _no_python(without_secrets(name, is_word=True))


def _no_python(what: str) -> CannotEmulate:
    return CannotEmulate(
        f"--emulate cannot run {what} under qemu, because only a command that begins with a "
        "Python, or with a script whose #! line names one, stays in the emulator; give python "
        "FILE or python -m MODULE, or leave --emulate out"
    )


def wrapped(
    command: commands.Command, machine: Machine, environment: Mapping[str, str], cwd: Path
) -> commands.Command:
    """Return the command as it is run on a machine: unchanged unless a CPU is emulated.

    Args:
        command: as `commands.resolve` gives it.
        machine: the machine.
        environment: of the run, with its PATH.
        cwd: the working directory of the run.

    Raises:
        CannotEmulate: the program of the command is no Python.
    """
    if machine.model is None or machine.emulator is None:
        return command
    python, *arguments = python_of(command, environment, cwd)
    words = ("qemu-x86_64", "-cpu", machine.model, python, *arguments)
    return commands.Command(machine.emulator, words, command.note)
