# SPDX-License-Identifier: Apache-2.0
"""Run the user's command once, in one condition, and keep what it left behind.

    run("python train.py".split(), conditions.base(), Path("run-1"), plan=journal.DEFAULT_PLAN)

Each run is a fresh process in the user's working directory, with a session, a temporary directory
and a trace of its own. When it is over, nothing of it is left running.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from seed_init.proof.redaction import redaction
from seed_init.proof.running import commands, conditions, launcher, notebooks, signals, workspace
from seed_init.proof.running.busy_cpus import Load
from seed_init.proof.running.commands import CannotStart
from seed_init.proof.running.conditions import Condition
from seed_init.proof.running.signals import Ended, ending_on_signals
from seed_init.proof.trace import journal
from seed_init.system import writing
from seed_init.system.terminal import shown

__all__ = ["CannotStart", "Ended", "Run", "ending_on_signals", "run"]

TIMED_OUT = 124
"""The status of a run that took too long, as the command `timeout` gives it."""

LINGER = 5.0
"""Seconds that processes have which the command left running, to end by themselves."""

POLITE = 10.0
"""Seconds between SIGTERM and SIGKILL. torchrun passes SIGTERM on to its ranks."""

TICK = 0.25
"""Seconds between two looks at the time and at signals."""


@dataclass
class Run:
    """What one run left behind.

    Attributes:
        condition: how it was run.
        command: the words that were started.
        status: the exit status; 128 + n for signal n, as shells show it; 124 where it took too
            long.
        seconds: from its start to the end of its first process.
        directory: of its own: `stdout`, `stderr`, `trace/`, and `executed.ipynb` of a notebook.
        layout: "fixed" or "random": the addresses of its processes.
        notes: one line each about what a reader should know of this run.
        failures: one line each about what could not be kept or seen of it, and should have been.
        signal: the number of the one that killed its first process; None where none did.
        timeout: the seconds after which it was ended; None where it ended before.
    """

    condition: Condition
    command: tuple[str, ...]
    status: int
    seconds: float
    directory: Path
    layout: str
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    signal: int | None = None
    timeout: float | None = None

    @property
    def stdout_file(self) -> Path:
        """The file with its standard output; of a notebook, with the outputs of its cells."""
        return self.directory / "stdout"

    @property
    def stdout(self) -> bytes:
        return self.stdout_file.read_bytes()

    @property
    def stderr_file(self) -> Path:
        return self.directory / "stderr"

    @property
    def trace(self) -> Path:
        """The trace directory."""
        return self.directory / "trace"

    def processes(self) -> list[journal.Process]:
        """What its processes wrote into the trace."""
        return journal.read(self.trace)

    def cut_short(self) -> str | None:
        """What ended it before its own end, as far as is known; None where nothing did."""
        if self.timeout is not None:
            return f"it took longer than --timeout ({self.timeout:g} s), and was ended"
        if self.signal is not None:
            return f"it was killed by {_signal(self.signal)}"
        number = self.status - 128
        if number in signal.valid_signals():
            return (
                f"exit status {self.status}, which is a shell's word for a process that was "
                f"killed by {_signal(number)}"
            )
        return None

    def last_errors(self, most: int = 20) -> list[str]:
        """The last lines of its stderr.

        Args:
            most: how many.
        """
        with self.stderr_file.open("rb") as content:
            content.seek(max(0, content.seek(0, os.SEEK_END) - 65536))
            lines = content.read().decode(errors="backslashreplace").splitlines()
        return lines[-most:]


def run(
    command: Sequence[str],
    condition: Condition,
    directory: Path,
    *,
    plan: Mapping[str, Any],
    stdin: Path | None = None,
    show: Collection[str] = (),
    environment: Mapping[str, str] | None = None,
    place: Path | None = None,
    timeout: float | None = None,
    layout: str | None = None,
    linger: float = LINGER,
    progress: Callable[[float, Path], None] | None = None,
) -> Run:
    """Run a command to its end.

    May be called by several threads at once. A signal to this process ends the run: at once where
    `run` is called in the main thread, else where the main thread is in `ending_on_signals`.

    Args:
        command: its words, as the user gave them.
        condition: how to run it.
        directory: of this run's own, made here; what it keeps is written there.
        plan: what is observed (`journal.write_plan`); of an condition without hooks, only the end.
        stdin: a file that it reads, from its beginning; /dev/null if None.
        show: "stdout" and "stderr": what is passed through as well.
        environment: what the run's is made from; this process's if None.
        place: its working directory; this process's if None.
        timeout: seconds after which it is ended.
        layout: of its addresses: `fixed`, `random` or `any`; the condition's if None.
        linger: seconds that processes have which it left running, to end by themselves.
        progress: called a few times a second with the seconds since the start, and the directory in
            which the trace is being written.

    Raises:
        CannotStart: no such command, or it cannot be executed.
        Ended: a signal came.
        FileExistsError: another run has written into the directory.
    """
    given = dict(os.environ if environment is None else environment)
    place = (place or Path.cwd()).absolute()
    directory = directory.absolute()
    resolved = commands.resolve(command, given, place, directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "trace").mkdir()
    lost: list[str] = []
    with ending_on_signals(), contextlib.ExitStack() as stack:
        own = stack.enter_context(workspace.directory())
        conditions.temporary_of(condition, own).mkdir()
        trace = conditions.trace_of(own)
        journal.write_plan(trace, conditions.plan_of(condition, dict(plan)))
        stack.callback(_keep, trace, directory / "trace", lost)
        variables = conditions.environment_of(condition, given, own)
        if conditions.LOAD in condition.changed:
            stack.enter_context(Load())
        with signals.held():
            addresses = layout or conditions.layout_of(condition)
            job = _Job(resolved, addresses, variables, place, directory, stdin, show)
            stack.callback(job.end)
        job.started()
        timed_out = job.wait(timeout, progress and (lambda passed: progress(passed, trace)))
        if not timed_out:
            job.let_linger(linger)
        job.end()
        done = job.result(condition, timeout if timed_out else None)
    done.failures += lost
    return done


def _signal(number: int) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else "a real-time signal"
    why = ", as the kernel does where memory runs out" if number == signal.SIGKILL else ""
    return f"signal {number} ({name}{why})"


def _keep(trace: Path, kept: Path, lost: list[str]) -> None:
    """Move a trace from where every run writes it to where this one's belongs."""
    with signals.held():
        try:
            for file in trace.iterdir():
                shutil.move(file, kept / file.name)
        except FileNotFoundError:
            lost.append("the trace is lost: the command removed the directory TMPDIR is in")


class _Job:
    """The processes of one run."""

    def __init__(
        self,
        command: commands.Command,
        layout: str,
        environment: dict[str, str],
        place: Path,
        directory: Path,
        stdin: Path | None,
        show: Collection[str],
    ) -> None:
        self.command = command
        self.directory = directory
        self.layout = layout
        self.notes = [command.note] if command.note else []
        self._marker = f"SEED_INIT_TRACE={environment['SEED_INIT_TRACE']}".encode()
        self._ended = False
        self._over = threading.Event()
        self._status = 0
        self._signal: int | None = None
        # Before the process: a full disk must not leave one behind.
        kept = [(directory / name).open("wb") for name in ("stdout", "stderr")]
        reader, writer = os.pipe()
        ended, ends = os.pipe()
        try:
            had_locale = str(int("LC_CTYPE" in environment))
            starter = (sys.executable, "-I", "-S", launcher.__file__, str(writer), str(ends))
            with _opened(stdin) as source:
                self._began = time.perf_counter()
                self.process = subprocess.Popen(
                    [*starter, layout, had_locale, command.program, *command.words],
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment,
                    cwd=place,
                    pass_fds=(writer, ends),
                    # Out of reach of the terminal's Ctrl-C.
                    start_new_session=True,
                )
        except OSError as error:
            os.close(reader)
            os.close(ended)
            raise commands.not_executed(command, error.errno or 0) from None
        finally:
            os.close(writer)
            os.close(ends)
        self._report, self._ended_pipe = reader, ended
        self._ends_at = self._began
        self._pumps = [
            _Pump(self.process.stdout, kept[0], "stdout" in show, sys.stdout),
            _Pump(self.process.stderr, kept[1], "stderr" in show, sys.stderr),
        ]
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        with open(self._ended_pipe, "rb") as ended:  # noqa: PTH123
            told = ended.readline()
        self._ends_at = time.perf_counter()
        # Nothing is told where the keeper itself was killed, which ends the command as well.
        code = int(told) if told.strip() else -signal.SIGKILL
        self._signal = -code if code < 0 else None
        self._status = code if code >= 0 else 128 - code
        self._over.set()

    def started(self) -> None:
        """Wait until the program has been executed.

        Raises:
            CannotStart: it could not be.
        """
        with open(self._report, "rb", closefd=True) as report:  # noqa: PTH123
            lines = report.read().split()
        if not lines:
            self._over.wait(POLITE)
            last = b" ".join(self._pumps[1].wait().splitlines()[-1:]).decode(errors="replace")
            raise CannotStart(f"{sys.executable} could not start {self.command.program}: {last}")
        self.layout = lines[0].decode()
        if len(lines) > 1:
            raise commands.not_executed(self.command, int(lines[1]))

    def wait(self, timeout: float | None, progress: Callable[[float], None] | None) -> bool:
        """Wait for the end of the command's first process.

        Returns:
            True where it took longer than the timeout.
        """
        while not self._over.wait(TICK):
            signals.check()
            passed = time.perf_counter() - self._began
            if timeout is not None and passed > timeout:
                return True
            if progress is not None:
                progress(passed)
        return False

    def let_linger(self, patience: float) -> None:
        """Give what the command left running a while to end by itself, as at a shell's prompt."""
        until = time.monotonic() + patience
        while (left := list(self._members())) and time.monotonic() < until:
            signals.check()
            time.sleep(0.05)
        if left:
            what = "1 process was" if len(left) == 1 else f"{len(left)} processes were"
            self.notes.append(
                f"{what} still running {patience:g} s after it, and ended: {_named(left)}"
            )

    def end(self) -> None:
        """End all of its processes that there still are. Harmless when called again."""
        if self._ended:
            return
        with signals.held():
            self._ended = True
            until = time.monotonic() + POLITE
            number = signal.SIGTERM
            while members := list(self._members()):
                for pid in members:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
                        # A stopped process sees no other signal.
                        os.kill(pid, signal.SIGCONT)
                if number == signal.SIGKILL and time.monotonic() > until + POLITE:
                    # In the kernel, or somebody else's.
                    self.notes.append(f"could not be ended, and may run on: {_named(members)}")
                    self.process.kill()
                    break
                patience = time.monotonic() + 0.5
                while members and time.monotonic() < min(until, patience):
                    time.sleep(0.02)
                    members = list(self._members())
                if time.monotonic() > until:
                    number = signal.SIGKILL
                    time.sleep(0.02)
            self.process.wait()
            for pump in self._pumps:
                pump.close()

    def _members(self) -> Iterator[int]:
        """The living processes of this run, but for their keeper.

        They are below it, whatever session and environment they have taken; where the kernel gives
        a keeper nothing, the variable that most have inherited tells them.
        """
        below = set(launcher.descendants(self.process.pid))
        yield from below
        for entry in os.listdir("/proc"):  # noqa: PTH208
            is_other = entry.isdecimal() and int(entry) not in {*below, self.process.pid}
            if is_other and self._has_marker(entry):
                yield int(entry)

    def _has_marker(self, pid: str) -> bool:
        try:
            # Of a zombie the kernel shows none.
            return self._marker in Path("/proc", pid, "environ").read_bytes().split(b"\0")
        except OSError:
            return False  # ended meanwhile, or another user's

    def result(self, condition: Condition, timeout: float | None) -> Run:
        """What is left of it.

        Args:
            condition: how it was run.
            timeout: the seconds after which it was ended; None where it ended before.
        """
        status = self._status if timeout is None else TIMED_OUT
        seconds = self._ends_at - self._began
        command = self.command
        done = Run(
            condition, command.words, status, seconds, self.directory, self.layout, self.notes
        )
        done.timeout = timeout
        done.signal = self._signal if timeout is None else None
        done.failures += [pump.lost for pump in self._pumps if pump.lost]
        if command.notebook is not None:
            if command.notebook.is_file():
                writing.replace(done.stdout_file, notebooks.outputs(command.notebook))
            elif status == 0:
                done.failures.append(
                    "jupyter execute wrote no notebook, so that the outputs of its cells are not "
                    "compared; install nbclient 0.10 or later"
                )
        return done


MOST_NAMED = 5
"""Processes that a note names."""


def _named(pids: Sequence[int]) -> str:
    """Some processes by number and command line, of which secrets are left out."""
    told = [f"{pid} ({_command_line(pid)})" for pid in pids[:MOST_NAMED]]
    more = f" and {len(pids) - MOST_NAMED} more" if len(pids) > MOST_NAMED else ""
    return ", ".join(told) + more


def _command_line(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return "ended meanwhile"
    plain = redaction.words([word.decode(errors="backslashreplace") for word in words])
    return shown(shlex.join(plain).encode(), 80) or "a process without a command line"


def _opened(stdin: Path | None) -> IO[bytes]:
    try:
        return Path(stdin or os.devnull).open("rb")
    except OSError as error:
        raise CannotStart(
            f"{stdin} cannot be read as standard input: {error.strerror}; give a file"
        ) from None


class _Pump:
    """Reads a pipe to its end, into a file, and passes it through if that is wanted."""

    def __init__(
        self, pipe: "IO[bytes] | None", kept: "IO[bytes]", shown: bool, stream: "IO[str] | None"
    ) -> None:
        assert pipe is not None
        self.lost: str | None = None
        self._pipe = pipe
        self._kept = kept
        self._shown = getattr(stream, "buffer", None) if shown else None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while piece := os.read(self._pipe.fileno(), 1 << 16):
            if self.lost is None:
                try:
                    self._kept.write(piece)
                    self._kept.flush()
                except OSError as error:
                    # Read on: the command must not wait for a reader.
                    self.lost = f"{self._kept.name} is not complete: {error.strerror}"
            if self._shown is not None:
                try:
                    self._shown.write(piece)
                    self._shown.flush()
                except (OSError, ValueError):
                    self._shown = None  # nobody reads any more

    def wait(self) -> bytes:
        """All that was read, up to the end of the pipe."""
        self._thread.join(POLITE)
        return Path(self._kept.name).read_bytes()

    def close(self) -> None:
        """Stop, when no process of the run is left to write."""
        self._thread.join(1)
        if not self._thread.is_alive():
            with contextlib.suppress(OSError):
                self._kept.close()
            self._pipe.close()
