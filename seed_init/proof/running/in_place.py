# SPDX-License-Identifier: Apache-2.0
"""Run a command in place of ourselves: its input and output are ours, and so are its signals."""

import errno
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seed_init.proof.redaction.secret_texts import without_secrets

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit statuses of a shell that has no such command, or one that it cannot execute."""

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
        status: what a shell ends with.
    """

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.status = status


@dataclass
class Ended:
    """How a command ended.

    Attributes:
        status: its exit status; 128 + n where signal n ended it.
        by_signal: whether a signal did.
        told_to: whether it, or we, got SIGTERM: whoever sent it will not wait for long.
    """

    status: int
    by_signal: bool
    told_to: bool


def run(argv: Sequence[str], environment: Mapping[str, str]) -> Ended:
    """Run a command and wait for it. SIGINT is deliverable again afterwards, SIGTERM is not.

    What a terminal sends, it sends to the command as well: only what a process sends is forwarded.

    Args:
        argv: the command; its program is looked for on PATH.
        environment: the whole of it.

    Raises:
        CannotRun: there is no such program, or it cannot be executed.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    try:
        child = os.posix_spawnp(
            argv[0], list(argv), environment, setsigmask=before, setsigdef=IGNORED_BY_PYTHON
        )
    except (OSError, ValueError) as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise _cannot_run(argv[0], error) from None
    told_to = False
    while True:
        received = signal.sigwaitinfo(WATCHED)
        if received.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended == child:
                break
        elif received.si_code <= 0:  # SI_USER, SI_QUEUE, SI_TKILL; what the kernel sends is above
            told_to |= received.si_signo == signal.SIGTERM
            os.kill(child, received.si_signo)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT} - before)
    code = os.waitstatus_to_exitcode(status)
    return Ended(128 - code if code < 0 else code, code < 0, told_to)


def _cannot_run(given: str, error: OSError | ValueError) -> CannotRun:
    name = without_secrets(given, is_word=True)
    if not name:
        return CannotRun("there is no command ''", NOT_FOUND)
    if not isinstance(error, OSError):
        return CannotRun(f"cannot run {name!a}: {error}", NOT_EXECUTABLE)
    missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
    if missing and "/" in name and Path(given).exists():
        # execve says the same of a script whose interpreter is not there.
        return CannotRun(f"cannot run {name!a}: its interpreter is not there", NOT_EXECUTABLE)
    if missing:
        return CannotRun(f"there is no command {name!a}; see PATH", NOT_FOUND)
    return CannotRun(f"cannot run {name!a}: {error.strerror}", NOT_EXECUTABLE)


def given_environment() -> dict[str, str]:
    """Our environment as we got it: without what Python puts there in the C locale (PEP 538)."""
    environment = dict(os.environ)
    try:
        given = Path("/proc/self/environ").read_bytes()
    except OSError:
        return environment
    if not any(entry.startswith(b"LC_CTYPE=") for entry in given.split(b"\0")):
        environment.pop("LC_CTYPE", None)
    return environment
