# SPDX-License-Identifier: Apache-2.0
"""Run a command in this process's place: with its input, its output, and the signals sent to it."""

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seed_init.proof.running import commands

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit statuses of a shell for a command that is not there, and for one that is no program."""

FORWARDED = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH),
)
WATCHED = {*FORWARDED, signal.SIGCHLD}

# What Python ignores for itself at its start (Python/pylifecycle.c, init_signals).
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class CannotRun(Exception):
    """A command cannot be started. The text is one line for the user.

    Attributes:
        status: the exit status of a shell that is given the same command.
    """

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.status = status


@dataclass
class Ended:
    """How a command ended.

    Attributes:
        status: the exit status; 128 + n if signal n ended the command.
        by_signal: whether a signal ended the command.
        told_to: whether this process got SIGTERM: the sender will not wait for long.
    """

    status: int
    by_signal: bool
    told_to: bool


def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    *,
    program: str | None = None,
    stdout: int | None = None,
) -> Ended:
    """Run a command and wait for its end. SIGINT is deliverable again afterwards, SIGTERM is not.

    A terminal sends its signals to the command as well. So only a signal that a process has sent
    to this one is forwarded.

    Args:
        argv: the command's words.
        environment: the whole environment of the command.
        program: the path of the program; if None, `argv[0]`, which is looked for on PATH.
        stdout: the descriptor that the command gets as its standard output; this process's if
            None.

    Raises:
        OSError: there is no such program, or it cannot be executed.
        ValueError: a word has a null character.
    """
    # If SIGCHLD is ignored, which a program inherits from its starter, the kernel tells nobody of
    # the command's end.
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    try:
        child = os.posix_spawnp(
            program or argv[0],
            list(argv),
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, stdout, 1)] if stdout is not None else [],
            setsigmask=before,
            setsigdef=IGNORED_BY_PYTHON,
        )
    except (OSError, ValueError):
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    code, told_to = _wait(child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT} - before)
    return Ended(128 - code if code < 0 else code, code < 0, told_to)


def _wait(child: int) -> tuple[int, bool]:
    """Forward signals until the child has ended; its exit code, and whether SIGTERM came."""
    told_to = False
    while True:
        received = signal.sigwaitinfo(WATCHED)
        if received.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended == child:
                return os.waitstatus_to_exitcode(status), told_to
        elif received.si_code <= 0:  # SI_USER, SI_QUEUE, SI_TKILL; what the kernel sends is above
            told_to |= received.si_signo == signal.SIGTERM
            os.kill(child, received.si_signo)


def run_as_a_shell(argv: Sequence[str], environment: Mapping[str, str]) -> Ended:
    """Run a command as `run` does; a command that cannot be started has a shell's exit status.

    Args:
        argv: the command's words.
        environment: the whole environment of the command.

    Raises:
        CannotRun: there is no such program, or it cannot be executed.
    """
    if not argv[0]:  # which posix_spawnp does not take
        raise CannotRun(commands.NOT_GIVEN, NOT_FOUND)
    try:
        return run(argv, environment)
    except OSError as error:
        raise _cannot_run(argv[0], environment, error.errno or 0) from None


def _cannot_run(word: str, environment: Mapping[str, str], number: int) -> CannotRun:
    """Say what `verify` and `audit` say of the same command, with a shell's exit status."""
    is_missing = number in (errno.ENOENT, errno.ENOTDIR)
    if is_missing or "/" in word:
        try:
            commands.program_of(word, environment, _here())
        except commands.CannotStart as error:
            return CannotRun(str(error), NOT_FOUND if is_missing else NOT_EXECUTABLE)
        except OSError as error:
            number = error.errno or number
    # execve says of a script whose interpreter is not there that the script is not.
    return CannotRun(str(commands.not_executed(word, number)), NOT_EXECUTABLE)


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:  # somebody has removed it
        return Path()


def given_environment() -> dict[str, str]:
    """Return the environment that this process was given.

    In the C locale Python sets LC_CTYPE for itself (PEP 538). Here that variable is left out.
    """
    environment = dict(os.environ)
    try:
        entries = Path("/proc/self/environ").read_bytes()
    except OSError:
        return environment
    if not any(entry.startswith(b"LC_CTYPE=") for entry in entries.split(b"\0")):
        environment.pop("LC_CTYPE", None)
    return environment
