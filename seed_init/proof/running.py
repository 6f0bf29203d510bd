"""Run the user's command once, in one arm, and keep what it left behind.

    run("python train.py".split(), arms.base_arm(), Path("run-1"), plan=journal.DEFAULT_PLAN)

Each run is a fresh process in the user's working directory, with a session, a temporary directory
and a trace of its own. When it is over, nothing of it is left running.
"""

import contextlib
import os
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

from seed_init import writing
from seed_init.proof import arms, commands, interrupting, journal, launching, notebooks, temporary
from seed_init.proof.arms import Arm
from seed_init.proof.commands import CannotStart
from seed_init.proof.interrupting import Ended, ending_on_signals
from seed_init.proof.load import Load

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
        arm: how it was run.
        command: the words that were started.
        status: the exit status; 128 + n for signal n, as shells show it; 124 where it took too
            long.
        seconds: from its start to the end of its first process.
        directory: of its own: `stdout`, `stderr`, `trace/`, and `executed.ipynb` of a notebook.
        layout: "fixed" or "random": the addresses of its processes.
        notes: one line each about what a reader should know of this run.
    """

    arm: Arm
    command: tuple[str, ...]
    status: int
    seconds: float
    directory: Path
    layout: str
    notes: list[str] = field(default_factory=list)

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
    arm: Arm,
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
        arm: how to run it.
        directory: of this run's own, made here; what it keeps is written there.
        plan: what is observed (`journal.write_plan`); of an arm without hooks, only the end.
        stdin: a file that it reads, from its beginning; /dev/null if None.
        show: "stdout" and "stderr": what is passed through as well.
        environment: what the run's is made from; this process's if None.
        place: its working directory; this process's if None.
        timeout: seconds after which it is ended.
        layout: of its addresses: `fixed`, `random` or `any`; the arm's if None.
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
        own = stack.enter_context(temporary.directory())
        arms.temporary_of(arm, own).mkdir()
        trace = arms.trace_of(own)
        journal.write_plan(trace, arms.plan_of(arm, dict(plan)))
        stack.callback(_keep, trace, directory / "trace", lost)
        variables = arms.environment_of(arm, given, own)
        if arms.LOAD in arm.changed:
            stack.enter_context(Load())
        with interrupting.held():
            addresses = layout or arms.layout_of(arm)
            job = _Job(resolved, addresses, variables, place, directory, stdin, show)
            stack.callback(job.end)
        job.started()
        timed_out = job.wait(timeout, progress and (lambda passed: progress(passed, trace)))
        if not timed_out:
            job.let_linger(linger)
        job.end()
        done = job.result(arm, timed_out)
    done.notes += lost
    return done


def _keep(trace: Path, kept: Path, lost: list[str]) -> None:
    """Move a trace from where every run writes it to where this one's belongs."""
    with interrupting.held():
        try:
            for file in trace.iterdir():
                shutil.move(file, kept / file.name)
        except FileNotFoundError:
            lost.append("its trace: the command removed the directory that TMPDIR is in")


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
        # Before the process: a full disk must not leave one behind.
        kept = [(directory / name).open("wb") for name in ("stdout", "stderr")]
        reader, writer = os.pipe()
        try:
            had_locale = str(int("LC_CTYPE" in environment))
            launcher = (sys.executable, "-I", "-S", launching.__file__, str(writer), layout)
            with _opened(stdin) as source:
                self._began = time.perf_counter()
                self.process = subprocess.Popen(
                    [*launcher, had_locale, command.program, *command.words],
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment,
                    cwd=place,
                    pass_fds=(writer,),
                    # A group of its own, so that it can be ended as a whole.
                    start_new_session=True,
                )
        except OSError as error:
            os.close(reader)
            raise commands.not_executed(command, error.errno or 0) from None
        finally:
            os.close(writer)
        self._report = reader
        self._ends_at = self._began
        self._pumps = [
            _Pump(self.process.stdout, kept[0], "stdout" in show, sys.stdout),
            _Pump(self.process.stderr, kept[1], "stderr" in show, sys.stderr),
        ]
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        # Seen but not reaped: as long as it is a zombie, its process group's number is not
        # given to others.
        seen = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        self._ends_at = time.perf_counter()
        if seen is not None:
            by_signal = seen.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
            self._status = seen.si_status + 128 * by_signal
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
            raise CannotStart(f"{sys.executable} could not start {self.command.words[0]}: {last}")
        self.layout = lines[0].decode()
        if len(lines) > 1:
            raise commands.not_executed(self.command, int(lines[1]))

    def wait(self, timeout: float | None, progress: Callable[[float], None] | None) -> bool:
        """Wait for the end of the command's first process.

        Returns:
            True where it took longer than the timeout.
        """
        while not self._over.wait(TICK):
            interrupting.check()
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
            interrupting.check()
            time.sleep(0.05)
        if left:
            count = len(left)
            what = "1 process was" if count == 1 else f"{count} processes were"
            self.notes.append(f"{what} still running {patience:g} s after it, and ended")

    def end(self) -> None:
        """End all of its processes that there still are. Harmless when called again."""
        if self._ended:
            return
        with interrupting.held():
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
                    break  # in the kernel, or somebody else's: cannot be ended from here
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
        """The living processes of this run, those included that have made a session of their own.

        torchrun's ranks have; what tells them is the variable that they have inherited.
        """
        for entry in os.listdir("/proc"):  # noqa: PTH208
            if entry.isdecimal() and self._is_member(entry):
                yield int(entry)

    def _is_member(self, pid: str) -> bool:
        try:
            # The name, in parentheses, may hold anything.
            stat = Path("/proc", pid, "stat").read_bytes().rpartition(b")")[2].split()
            if stat[0] in (b"Z", b"X"):
                return False
            if self.process.pid in (int(stat[2]), int(stat[3])):
                return True
            return self._marker in Path("/proc", pid, "environ").read_bytes().split(b"\0")
        except (OSError, IndexError):
            return False  # ended meanwhile, or another user's

    def result(self, arm: Arm, timed_out: bool) -> Run:
        """What is left of it."""
        status = TIMED_OUT if timed_out else self._status
        seconds = self._ends_at - self._began
        command = self.command
        self.notes += [pump.lost for pump in self._pumps if pump.lost]
        done = Run(arm, command.words, status, seconds, self.directory, self.layout, self.notes)
        if command.notebook is not None:
            if command.notebook.is_file():
                writing.replace(done.stdout_file, notebooks.outputs(command.notebook))
            elif status == 0:
                self.notes.append(
                    "jupyter execute wrote no notebook, so that the outputs of its cells are not "
                    "compared; install nbclient 0.10 or later"
                )
        return done


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
