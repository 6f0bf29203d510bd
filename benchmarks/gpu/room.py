"""Interpreters with and without the hook, and programs that run in them within the time left."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.repository import REPOSITORY

PROGRAMS = Path(__file__).parent / "programs"
GPU_PROGRAMS = REPOSITORY / "tests/gpu/programs"
MODELS = REPOSITORY / "benchmarks/cost"

SEED = "7"
LEAST_TIMEOUT = 5.0

PASSED_ON = (
    *("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "CC", "CXX"),
    *("CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_MODULE_LOADING"),
)
"""Of the caller's environment: where the driver and a compiler are, and which GPU. Nothing that
seeds or sets a flag."""


RAISED = re.compile(r"[\w.]+(Error|Exception|Warning): ")
"""The line of a traceback that says what was raised; PyTorch's go on for lines after that."""


class Failed(Exception):
    """Nothing can be measured here. The text is one line for the user."""


@dataclass(frozen=True)
class Ended:
    """What a program came to.

    Attributes:
        status: its exit status; negative for a signal.
        out: what it printed.
        err: its stderr.
        late: "" if it ended by itself; else why it was ended.
        cut: whether it was ended because the whole run's time was over.
    """

    status: int
    out: str
    err: str
    late: str = ""
    cut: bool = False

    @property
    def well(self) -> bool:
        return self.status == 0 and not self.late

    def last_line(self) -> Any:
        """The JSON in the last line; None where there is none."""
        lines = self.lines()
        return lines[-1] if lines else None

    def lines(self) -> list[Any]:
        """The lines of JSON that were printed; of a program that died, those it got to."""
        found = []
        for line in self.out.splitlines():
            if line.startswith("{"):
                try:
                    found.append(json.loads(line))
                except ValueError:
                    continue
        return found

    def why(self) -> str:
        """What went wrong, in a few words."""
        if self.late:
            return self.late
        raised = [line for line in self.err.splitlines() if RAISED.match(line)]
        last = short(raised[-1] if raised else self.err or self.out)
        if self.status < 0:
            try:
                return f"killed by {signal.Signals(-self.status).name}: {last}"
            except ValueError:
                pass
        return f"status {self.status}: {last}"


def short(text: str, length: int = 160) -> str:
    """The end of a text, in one line."""
    return " ".join(text.split())[-length:]


@dataclass
class Room:
    """Where the checks run.

    Attributes:
        place: a directory that is removed afterwards.
        out: gets the texts that are worth keeping.
        hooked: the interpreter with the hook.
        bare: the one without.
        seconds: for the whole run.
        extra: variables of every program, such as those of a runtime that computes nothing.
        rehearsal: nothing computes here: the answers are worth nothing, the ends of programs are.
        started: by the clock of time.monotonic.
        running: the groups of processes that run now.
        stopped: nothing is started any more.
    """

    place: Path
    out: Path
    hooked: Path
    bare: Path
    seconds: float
    extra: Mapping[str, str] = field(default_factory=dict)
    rehearsal: bool = False
    started: float = field(default_factory=time.monotonic)
    running: set[int] = field(default_factory=set)
    stopped: bool = False

    def passed(self) -> float:
        return time.monotonic() - self.started

    def left(self) -> float:
        """Seconds until the run has to be over."""
        return self.seconds - self.passed()

    def stop(self) -> None:
        """End what runs, and start nothing more: for a run that is interrupted."""
        self.stopped = True
        for group in list(self.running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def environment(self, **variables: str | None) -> dict[str, str]:
        """A program's environment: the machine's, and `variables`; None takes one away."""
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        found: dict[str, str | None] = {
            **{"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"},
            **{"SEED": SEED, "SEED_INIT_LOG": "info"},
            **passed_on,
            **self.extra,
            **({"GPU_REHEARSAL": "1"} if self.rehearsal else {}),
            **variables,
        }
        return {name: value for name, value in found.items() if value is not None}

    def folder(self, name: str) -> Path:
        """A new directory."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.place))

    def program(
        self,
        program: Path | str,
        *arguments: object,
        timeout: float = 100,
        python: Path | None = None,
        **variables: str | None,
    ) -> Ended:
        """Run a program of `programs`, or one that is given by its path, under the hook."""
        path = PROGRAMS / f"{program}.py" if isinstance(program, str) else program
        words = [python or self.hooked, path, *arguments]
        return self.command(words, timeout=timeout, **variables)

    def command(
        self, words: Sequence[object], timeout: float = 100, **variables: str | None
    ) -> Ended:
        """Run a command; it is ended after `timeout` seconds or when the whole run is over.

        All that it has started ends with it.
        """
        folder = self.folder("run")
        environment = self.environment(**{"TMPDIR": str(folder), **variables})
        left = max(LEAST_TIMEOUT, self.left())
        if self.stopped:
            return Ended(1, "", "", "the run was interrupted", cut=True)
        with subprocess.Popen(
            [str(word) for word in words],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            self.running.add(process.pid)
            if self.stopped:  # meanwhile
                self.stop()
            try:
                out, err = process.communicate(timeout=min(timeout, left))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                cut = left < timeout
                why = "the time of the run was over" if cut else f"no end within {timeout:.0f} s"
                return Ended(process.returncode, out, err, why, cut)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            finally:
                self.running.discard(process.pid)
        return Ended(process.returncode, out.strip(), err.strip())


def packages() -> list[str]:
    """Every directory with packages of the Python that runs this, torch's own among them.

    Raises:
        Failed: there is no torch.
    """
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        raise Failed(f"no torch in {sys.executable}; give a Python that has it: make gpu PYTHON=…")
    own = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    more = [each for each in sys.path if each.rstrip("/").endswith("-packages")]
    return list(dict.fromkeys([*own, *more, str(Path(torch.origin).parent.parent)]))


def interpreter(place: Path, hook: bool) -> Path:
    """Make a virtual environment that sees this Python's packages.

    Args:
        place: for it.
        hook: whether the hook of this repository is installed in it.

    Raises:
        Failed: it cannot be made.
    """
    venv.create(place, symlinks=True, with_pip=False)
    python = place / "bin/python3"
    (site,) = place.glob("lib/python3*/site-packages")
    # Its name sorts before that of the hook, which finds torch through it.
    (site / "aa_packages.pth").write_text("".join(f"{each}\n" for each in packages()))
    if hook:
        done = subprocess.run(
            [sys.executable, "-m", "seed_init", "install", "--python", str(python)],
            cwd=REPOSITORY,
            env={**os.environ, "SEED_INIT": "0"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Failed(f"the hook cannot be installed: {short(done.stderr)}")
    return python


def events(trace: Path, kind: str) -> list[dict[str, Any]]:
    """The events of a kind in the files of a trace."""
    lines = [
        json.loads(line) for file in trace.glob("*.jsonl") for line in file.read_text().splitlines()
    ]
    return [each for each in lines if each["event"] == kind]
