# SPDX-License-Identifier: Apache-2.0
"""The processes of one run: starts them, waits for them, and ends those that are left.

A keeper (`launcher`) stands between this process and the user's command. Everything that the
command starts is found below the keeper, whatever session or environment it has taken.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from seed_init.proof.redaction import redaction
from seed_init.proof.running import commands, launcher, signals
from seed_init.proof.running.commands import CannotStart
from seed_init.system.terminal import shown

POLITE = 10.0
"""Seconds between SIGTERM and SIGKILL. torchrun passes SIGTERM on to its ranks."""

TICK = 0.25
"""Seconds between two looks at the time and at signals."""

MOST_NAMED = 5
"""How many processes a note names."""


@dataclass(frozen=True)
class Start:
    """What a job is started with.

    Attributes:
        command: the program and its words.
        layout: the addresses of the processes: `fixed`, `random` or `any`.
        environment: the whole environment; its SEED_INIT_TRACE is that of no other run.
        cwd: the working directory.
        stdin: the file that is the standard input; /dev/null if None.
        directory: the directory that gets the files `stdout` and `stderr`.
        cpus: how many CPUs the processes may use; 0 for all that this one may use.
        suffix: what follows the names of these files.
        held: descriptors that the keeper holds open until the last process has ended, such as that
            of a lock. The command does not get them.
    """

    command: commands.Command
    layout: str
    environment: dict[str, str]
    cwd: Path
    stdin: Path | None
    directory: Path
    cpus: int = 0
    suffix: str = ""
    held: tuple[int, ...] = ()


class Job:
    """The processes of one run, from the first one's start to the last one's end.

    Attributes:
        layout: the addresses of the processes: what was asked for, and after `started` what holds.
        notes: one line each about what a reader should know.
        status: the exit status of the command's first process; 128 + n if signal n killed it.
        signal: the number of the signal that killed the first process; None if none did.
    """

    def __init__(self, start: Start) -> None:
        """Start the keeper, which starts the command.

        Raises:
            CannotStart: the standard input cannot be read, or the keeper not be started.
        """
        self.layout = start.layout
        self.notes = [start.command.note] if start.command.note else []
        self.status = 0
        self.signal: int | None = None
        self._command = start.command
        self._marker = f"SEED_INIT_TRACE={start.environment['SEED_INIT_TRACE']}".encode()
        self._are_ended = False
        self._over = threading.Event()
        # The files come before the process, because a full disk must not leave a process behind.
        kept = [
            (start.directory / f"{name}{start.suffix}").open("wb") for name in ("stdout", "stderr")
        ]
        self._began = self._ends_at = time.perf_counter()
        self._keeper, self._report, self._end = _keeper(start)
        outputs = (self._keeper.stdout, self._keeper.stderr)
        self._pumps = [_Pump(pipe, file) for pipe, file in zip(outputs, kept)]
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def seconds(self) -> float:
        """Seconds from the start to the end of the command's first process."""
        return self._ends_at - self._began

    @property
    def lost(self) -> list[str]:
        """What of the output could not be kept, one line each."""
        return [pump.lost for pump in self._pumps if pump.lost]

    def _watch(self) -> None:
        with open(self._end, "rb") as end:  # noqa: PTH123
            line = end.readline()
        self._ends_at = time.perf_counter()
        # If the keeper itself was killed, which kills the command as well, there is no line.
        code = int(line) if line.strip() else -signal.SIGKILL
        self.signal = -code if code < 0 else None
        self.status = code if code >= 0 else 128 - code
        self._over.set()

    def started(self) -> None:
        """Wait until the program has been executed.

        Raises:
            CannotStart: the program could not be executed.
        """
        with open(self._report, "rb") as report:  # noqa: PTH123
            lines = report.read().split()
        if not lines:
            self._over.wait(POLITE)
            last = b" ".join(self._pumps[1].wait().splitlines()[-1:]).decode(errors="replace")
            raise CannotStart(f"{sys.executable} could not start {self._command.program}: {last}")
        self.layout = lines[0].decode()
        if len(lines) > 1:
            raise commands.not_executed(self._command.words[0], int(lines[1]))

    def wait(
        self,
        timeout: float | None,
        progress: Callable[[float], None] | None,
        until: Callable[[], bool] | None = None,
    ) -> bool:
        """Wait for the end of the command's first process.

        Args:
            timeout: seconds after which nobody waits any longer; None for no limit.
            progress: called a few times a second with the seconds since the start.
            until: asked a few times a second whether all processes are to be killed now.

        Returns:
            True if the process takes longer than the timeout.

        Raises:
            signals.Ended: a signal came.
        """
        while not self._over.wait(TICK):
            signals.check()
            passed = time.perf_counter() - self._began
            if timeout is not None and passed > timeout:
                return True
            if progress is not None:
                progress(passed)
            if until is not None and until():
                break
        if until is not None and until():
            # As where a machine is gone: nobody gets a chance to write anything more.
            self.end(signal.SIGKILL)
            self._over.wait(POLITE)
        return False

    def let_linger(self, patience: float) -> None:
        """Let what the command left running end by itself, as at a shell's prompt.

        Args:
            patience: seconds that the processes have.

        Raises:
            signals.Ended: a signal came.
        """
        until = time.monotonic() + patience
        while (left := list(self._members())) and time.monotonic() < until:
            signals.check()
            time.sleep(0.05)
        if left:
            what = "1 process was" if len(left) == 1 else f"{len(left)} processes were"
            self.notes.append(
                f"{what} still running {patience:g} s after it, and ended: {_named(left)}"
            )

    def end(self, number: int = signal.SIGTERM) -> None:
        """End every process of the job that is left. A second call does nothing.

        Args:
            number: the signal by which they are ended; SIGKILL follows where that does not do.
        """
        if self._are_ended:
            return
        with signals.held():
            self._are_ended = True
            self._end_members(number)
            self._keeper.wait()
            for pump in self._pumps:
                pump.close()

    def _end_members(self, number: int) -> None:
        until = time.monotonic() + POLITE
        # If the signal comes early, the keeper has not started the command yet, and will do so.
        while (members := list(self._members())) or self._keeper.poll() is None:
            if not members:
                if time.monotonic() > until:
                    self._keeper.kill()
                    return
                time.sleep(0.02)
                continue
            for pid in members:
                _send(pid, number)
            if number == signal.SIGKILL and time.monotonic() > until + POLITE:
                # They wait for the kernel, or are another user's.
                self.notes.append(f"could not be ended, and may run on: {_named(members)}")
                self._keeper.kill()
                return
            patience = time.monotonic() + 0.5
            while members and time.monotonic() < min(until, patience):
                time.sleep(0.02)
                members = list(self._members())
            if time.monotonic() > until:
                number = signal.SIGKILL
                time.sleep(0.02)

    def _members(self) -> Iterator[int]:
        """Yield the living processes of this run, except the keeper.

        They are below the keeper, whatever session and environment they have taken. If the kernel
        hands no orphan to a keeper, the trace's variable, which most of them inherit, shows them.
        """
        below = set(launcher.descendants(self._keeper.pid))
        yield from below
        for entry in os.listdir("/proc"):  # noqa: PTH208
            is_other = entry.isdecimal() and int(entry) not in {*below, self._keeper.pid}
            if is_other and self._has_marker(entry):
                yield int(entry)

    def _has_marker(self, pid: str) -> bool:
        try:
            # The kernel shows no environment of a zombie.
            return self._marker in Path("/proc", pid, "environ").read_bytes().split(b"\0")
        except OSError:
            return False  # ended meanwhile, or another user's


def _keeper(start: Start) -> "tuple[subprocess.Popen[bytes], int, int]":
    """Start the keeper; its process, and the pipes for its report and for the program's end."""
    report, to_report = os.pipe()
    end, to_end = os.pipe()
    command = start.command
    words = [sys.executable, "-I", "-S", launcher.__file__, str(to_report), str(to_end)]
    words += [
        start.layout,
        str(start.cpus),
        str(int("LC_CTYPE" in start.environment)),
        command.program,
    ]
    try:
        with _opened(start.stdin) as source:
            process = subprocess.Popen(
                [*words, *command.words],
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=start.environment,
                cwd=start.cwd,
                pass_fds=(to_report, to_end, *start.held),
                # Out of reach of the terminal's Ctrl-C.
                start_new_session=True,
            )
    except OSError as error:
        os.close(report)
        os.close(end)
        raise commands.not_executed(command.words[0], error.errno or 0) from None
    finally:
        os.close(to_report)
        os.close(to_end)
    return process, report, end


def _opened(stdin: Path | None) -> IO[bytes]:
    try:
        return Path(stdin or os.devnull).open("rb")
    except OSError as error:
        raise CannotStart(
            f"{stdin} cannot be read as standard input: {error.strerror}; give a file"
        ) from None


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
        # A stopped process sees no other signal.
        os.kill(pid, signal.SIGCONT)


def _named(pids: Sequence[int]) -> str:
    """Some processes by number and command line, of which secrets are left out."""
    names = [f"{pid} ({_command_line(pid)})" for pid in pids[:MOST_NAMED]]
    more = f" and {len(pids) - MOST_NAMED} more" if len(pids) > MOST_NAMED else ""
    return ", ".join(names) + more


def _command_line(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return "ended meanwhile"
    plain = redaction.words([word.decode(errors="backslashreplace") for word in words])
    return shown(shlex.join(plain).encode(), 80) or "a process without a command line"


class _Pump:
    """Reads a pipe to its end into a file.

    Attributes:
        lost: one line that says why the file is not complete; None if it is.
    """

    def __init__(self, pipe: "IO[bytes] | None", kept: "IO[bytes]") -> None:
        assert pipe is not None
        self.lost: str | None = None
        self._pipe = pipe
        self._kept = kept
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

    def wait(self) -> bytes:
        """Return everything that was read, up to the end of the pipe."""
        self._thread.join(POLITE)
        return Path(self._kept.name).read_bytes()

    def close(self) -> None:
        """Stop, when no process of the run is left to write."""
        self._thread.join(1)
        if not self._thread.is_alive():
            with contextlib.suppress(OSError):
                self._kept.close()
            self._pipe.close()
