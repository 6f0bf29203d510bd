# SPDX-License-Identifier: Apache-2.0
"""The machines that are compared, this one and emulated ones, and how a part runs on one."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.portability import emulators, results
from benchmarks.portability.emulators import Emulator
from harness import interpreters
from harness.repository import REPOSITORY

LEVEL, DEFAULT = "portable", "default"
"""The two recipes: DETERMINISM=portable by the hook, and nothing."""

PARTS = ("programs", "census")

CASE_FILES = ("census.py", "digests.py", "functions.py", "larger.py", "programs.py")
"""The files that say what is computed."""

SEED = "7"

NATIVE = "native"

OTHER_THREADS = (1, 4)
"""The numbers of threads, other than the level's own, that this machine computes with."""

CONTRAST = ("Haswell", "EPYC")
"""The models that are emulated by default settings as well."""


@dataclass(frozen=True)
class Machine:
    """One way to compute all cases.

    Attributes:
        recipe: LEVEL or DEFAULT.
        name: for people, and of its folder.
        reference: the name of the machine of the same recipe that this one is compared with; "" for
            one that others are compared with.
        model: of the emulated CPU; "" for this machine.
        cpus: how many CPUs the processes may use; None for all.
        threads: SEED_INIT_THREADS; None for the level's own.
        parts: what runs here.
    """

    recipe: str
    name: str
    reference: str = NATIVE
    model: str = ""
    cpus: int | None = None
    threads: int | None = None
    parts: tuple[str, ...] = PARTS


def machines(models: Sequence[str], contrast: Sequence[str]) -> Iterator[Machine]:
    """All machines: first those that others are compared with."""
    for recipe in (LEVEL, DEFAULT):
        yield Machine(recipe, NATIVE, "")
        yield Machine(recipe, "native again")
        yield Machine(recipe, "native, 1 CPU", cpus=1)
    for threads in OTHER_THREADS:
        name = f"native, {threads} thread{'s' * (threads > 1)}"
        yield Machine(LEVEL, name, "", threads=threads)
        yield Machine(LEVEL, f"{name}, 1 CPU", name, cpus=1, threads=threads)
    for part in PARTS:  # programs of all models, and then what takes longer
        for model in models:
            yield Machine(LEVEL, model, model=model, parts=(part,))
        for model in contrast:
            yield Machine(DEFAULT, model, model=model, parts=(part,))


class Laboratory:
    """Where machines run.

    Attributes:
        folder: keeps the results.
        emulator: for the models; None where there are none.
        is_all: whether all samples of an operator are computed.
        bare: the interpreter without the hook.
        hooked: the interpreter with it.
    """

    def __init__(
        self, folder: Path, place: Path, emulator: Emulator | None, packages: str, is_all: bool
    ) -> None:
        self.folder, self.emulator, self.is_all = folder, emulator, is_all
        self._versions = {recipe: version_of(recipe) for recipe in (LEVEL, DEFAULT)}
        self.bare, self.hooked = interpreters.bare_and_hooked(place)
        for python in (self.bare, self.hooked):
            if packages:
                (site_packages,) = python.parent.parent.glob("lib/python3*/site-packages")
                (site_packages / "more.pth").write_text(f"{Path(packages).resolve()}\n")

    def file(self, machine: Machine, part: str) -> Path:
        """The file with the results of a machine."""
        recipe = f"{machine.recipe}-{self._versions[machine.recipe]}"
        ending = "-all" if part == "census" and self.is_all else ""
        name = machine.name.replace(", ", "-").replace(" ", "-")
        return self.folder / recipe / name / f"{part}{ending}.jsonl"

    def done(self, machine: Machine, part: str) -> Path:
        """The file that says that a part is complete."""
        return self.file(machine, part).with_suffix(".done")

    def run(self, machine: Machine, part: str, seconds: float) -> bool:
        """Compute what a part lacks on a machine.

        Args:
            machine: where.
            part: of PARTS.
            seconds: after which no case begins any more.

        Returns:
            Whether the part is complete now.

        Raises:
            Failed: the part ended with an error, twice without having come any further.
        """
        end = time.monotonic() + seconds
        file = self.file(machine, part)
        before = -1
        while (left := end - time.monotonic()) > 0:
            status = self._process(machine, part, file, left)
            if status == 0:
                self.done(machine, part).touch()
                return True
            if status == results.UNFINISHED:
                return False
            # A case killed the process, such as by a signal: the next process goes on after it.
            now = len(results.read(file)) if file.exists() else 0
            if now <= before or not now:
                raise emulators.Failed(
                    f"{part} on {machine.name} ({machine.recipe}) ends with status {status}; "
                    "its own words stand above"
                )
            before = now
        return False

    def _process(self, machine: Machine, part: str, file: Path, seconds: float) -> int:
        command = [
            *self._prefix(machine),
            *("-m", f"benchmarks.portability.{part}", str(file.resolve())),
            *("--seconds", f"{seconds:.0f}", "--what", f"{machine.recipe}, {machine.name}, {part}"),
        ]
        if part == "census":
            command += ["--inputs", str(self.inputs.resolve()), *["--all"] * self.is_all]
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=self._environment(machine),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # with its workers, which are ended with it
        )
        try:
            return wait(process, file)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _prefix(self, machine: Machine) -> list[str]:
        prefix = []
        if machine.cpus:
            prefix += ["taskset", "--cpu-list", some_cpus(machine.cpus)]
        if machine.model:
            assert self.emulator is not None
            prefix += self.emulator.command(machine.model)
        return [*prefix, str(self._python(machine))]

    def _python(self, machine: Machine) -> Path:
        return self.hooked if machine.recipe == LEVEL else self.bare

    def _environment(self, machine: Machine) -> dict[str, str]:
        environment = interpreters.environment(self._python(machine), HOME=str(Path.home()))
        if machine.recipe == LEVEL:
            environment |= {"SEED": SEED, "DETERMINISM": LEVEL, "SEED_INIT_LOG": "quiet"}
            if machine.threads:
                environment["SEED_INIT_THREADS"] = str(machine.threads)
        return environment

    @property
    def inputs(self) -> Path:
        """The folder with the operators' inputs, which every machine loads."""
        return self.folder / "inputs"

    def make_inputs(self) -> None:
        """Make the operators' inputs, on this machine, where they are not there yet.

        Raises:
            Failed: that ended with an error.
        """
        done = self.inputs / "done"
        if not done.exists():
            say("making the operators' inputs: takes 2 minutes")
            words = ["-m", "benchmarks.portability.census", "--make-inputs", str(self.inputs)]
            environment = interpreters.environment(self.bare, HOME=str(Path.home()))
            finished = subprocess.run(
                [str(self.bare), *words], cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL
            )
            if finished.returncode:
                raise emulators.Failed(
                    "the operators' inputs cannot be made; PyTorch's own tests need expecttest, "
                    "which can lie in a folder that --packages names"
                )
            done.touch()

    def refusals(self) -> list[tuple[str, str]]:
        """What the level says to a number of threads in the environment.

        Returns:
            The variable that was set, and the first line of the refusal; "accepted" for none.
        """
        told = []
        machine = Machine(LEVEL, NATIVE)
        for setting in ("OMP_NUM_THREADS=1", "OMP_NUM_THREADS=4", "MKL_NUM_THREADS=4"):
            name, value = setting.split("=")
            done = subprocess.run(
                [str(self.hooked), "-c", "print()"],
                env={**self._environment(machine), name: value},
                capture_output=True,
                text=True,
            )
            is_refused = done.returncode == REFUSED
            told.append((setting, done.stderr.strip() if is_refused else "accepted"))
        return told


def wait(process: "subprocess.Popen[bytes]", file: Path) -> int:
    """Wait for a process that writes into a file.

    Returns:
        The exit status of the process; -9 if it has written nothing for STALLED seconds, as
        emulated threads that wait for each other for ever.
    """
    began = time.time()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(10)
        written = file.stat().st_mtime if file.exists() else began
        if time.time() - max(began, written) > STALLED:
            say(f"nothing for {STALLED:.0f} s: the case is given up")
            return -signal.SIGKILL


STALLED = 900.0
"""Seconds after which a case is given up."""

REFUSED = 78
"""The exit status of a process whose settings the hook refuses (EX_CONFIG)."""


def some_cpus(count: int) -> str:
    """The numbers of some CPUs that this process may use, as taskset takes them.

    Raises:
        Failed: there are not so many.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < count:
        raise emulators.Failed(f"this machine has {len(usable)} CPUs, and {count} are needed")
    return ",".join(map(str, usable[:count]))


def version_of(recipe: str) -> str:
    """A name for what computes: results of another level or of other cases are never mixed with
    these."""
    files = [Path(__file__).with_name(name) for name in CASE_FILES]
    files.append(REPOSITORY / "harness/trainings.py")
    if recipe == LEVEL:
        for room in ("hook", "libraries"):
            files += sorted((REPOSITORY / "seed_init" / room).glob("*.py"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
