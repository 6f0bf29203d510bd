# SPDX-License-Identifier: Apache-2.0
"""Set the address layout, start the user's command, and stay as its keeper. This runs as a file:

    python -I -S launcher.py REPORT ENDED LAYOUT CPUS LOCALE PROGRAM WORD...

REPORT is the descriptor of a pipe. The reader of that pipe gets one line that names the layout. If
PROGRAM could not be started, the reader gets a second line, the errno. ENDED is the descriptor of
another pipe, whose reader gets one line: the exit status of PROGRAM, or -n if signal n ended it.
LAYOUT is `fixed`, `random` or `any`. CPUS is the number of CPUs that PROGRAM may run on, or 0 for
all that the starter may run on. LOCALE is `1` if LC_CTYPE was set before Python started, which may
set it as well (PEP 538).

If the parent of a process ends, the kernel hands that process to the keeper, as otherwise to
process 1 (man 2 PR_SET_CHILD_SUBREAPER). So everything that the command has started is found below
the keeper, whatever session or environment it has taken. The keeper ends when none of these
processes is left. If the starter of the keeper is killed, the keeper ends them.

The keeper is a program of its own because Popen's preexec_fn is not safe with threads.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

ADDR_NO_RANDOMIZE = 0x0040000
"""linux/personality.h. What is executed from here on inherits it."""

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""linux/prctl.h."""

POLITE = 10.0
"""Seconds between SIGTERM and SIGKILL for processes that are left when the starter was killed."""


def main(
    report: int, ended: int, layout: str, cpus: int, locale: str, words: list[str]
) -> "NoReturn":
    """Start the program and stay as its keeper.

    Until the keeper is ready, SIGTERM waits, because a keeper that ends would leave processes.

    Args:
        report: the descriptor REPORT.
        ended: the descriptor ENDED.
        layout: the layout that is wanted.
        cpus: the number of CPUs that the program may run on; 0 for all.
        locale: LOCALE.
        words: the path of the program, and its arguments with its own name first.
    """
    import signal

    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:  # noqa: SIM105  this program imports as little as it can
            # What the starter holds open in here is not the program's.
            os.set_inheritable(int(name), int(name) < 3)
        except OSError:
            pass  # that of the listing itself
    if cpus:
        # The program and all that it starts inherit it.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cpus])
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    end_with_parent()
    # Now: if the starter was killed before this one asked for its signal, the pipe has no reader.
    os.write(report, f"{set_layout(layout)}\n".encode())
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(ended)
        become(report, locale, words, keeper)
    os.close(report)
    keep(child, ended)


def become(report: int, locale: str, words: list[str], keeper: int) -> "NoReturn":
    """Become the program, in a session of its own and with the signal actions Python was given.

    Args:
        report: the descriptor that gets an errno if this fails.
        locale: LOCALE.
        words: the path of the program, and its arguments with its own name first.
        keeper: the process that started this one.
    """
    os.setsid()
    end_with_parent()
    if os.getppid() != keeper:
        os._exit(127)  # the keeper was killed before its end could end this process
    environment = dict(os.environ)
    if locale != "1":
        environment.pop("LC_CTYPE", None)
    _restore_signals()
    try:
        os.execve(words[0], words[1:], environment)
    except OSError as error:
        os.write(report, f"{error.errno}\n".encode())
    os._exit(127)


def keep(child: int, ended: int) -> "NoReturn":
    """Report how the program ended, and wait for everything that it has left behind.

    Args:
        child: the process of the program.
        ended: the descriptor ENDED.
    """
    import signal

    def terminated(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not stop the ending
        raise SystemExit

    signal.signal(signal.SIGTERM, terminated)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nothing, standard)  # otherwise the pipes of the program would not end with it
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        while True:
            pid, status = os.wait()
            if pid == child:
                os.write(ended, f"{os.waitstatus_to_exitcode(status)}\n".encode())
                os.close(ended)
    except ChildProcessError:
        pass
    except SystemExit:
        end_all()
    os._exit(0)


def end_all() -> None:
    """End every process below this one: by SIGTERM first, and later by SIGKILL."""
    import signal
    import time

    until = time.monotonic() + POLITE
    number = signal.SIGTERM
    while below := descendants(os.getpid()):
        for pid in below:
            try:
                os.kill(pid, number)
                os.kill(pid, signal.SIGCONT)  # a stopped process sees no other signal
            except OSError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.2 if number == signal.SIGTERM else 0.02)
        if time.monotonic() > until:
            number = signal.SIGKILL
        if time.monotonic() > until + POLITE:
            return  # they wait for the kernel, or are another user's


def descendants(ancestor: int) -> list[int]:
    """Return the living processes below a process, as /proc shows them at this moment."""
    children: dict[int, list[int]] = {}
    dead = set()
    for entry in os.listdir("/proc"):  # noqa: PTH208
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stat:  # noqa: PTH123
                    # The name, in parentheses, may hold anything.
                    state, parent = stat.read().rpartition(b")")[2].split()[:2]
            except (OSError, ValueError):
                continue  # ended meanwhile
            children.setdefault(int(parent), []).append(int(entry))
            if state in (b"Z", b"X"):
                dead.add(int(entry))
    living, left = [], [ancestor]
    while left:
        below = children.get(left.pop(), [])
        left += below
        living += [pid for pid in below if pid not in dead]
    return living


def set_layout(layout: str) -> str:
    """Switch the randomisation of addresses off or on for every program that is executed from here.

    Returns:
        The layout that holds from now on: `fixed` or `random`.
    """
    try:
        import ctypes

        call = ctypes.CDLL(None).personality
        now = call(0xFFFFFFFF)
        if now != -1 and layout != "any":
            wanted = (now | ADDR_NO_RANDOMIZE) if layout == "fixed" else now & ~ADDR_NO_RANDOMIZE
            # Containers commonly forbid this call (Docker's default seccomp profile does).
            call(wanted)
            now = call(0xFFFFFFFF)
        return "fixed" if now != -1 and now & ADDR_NO_RANDOMIZE else "random"
    except Exception:
        return "random"


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM at the end of the thread that started this process.

    A starter that is killed cannot send a signal itself. A program that this process executes keeps
    the setting; a process that this one starts does not have it (man 2 PR_SET_PDEATHSIG).
    """
    import signal

    prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))


def prctl(option: int, value: int) -> None:
    """Change a setting of this process. If the kernel refuses, go on: the runs work without it."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except Exception:
        pass


def _restore_signals() -> None:
    """Undo what Python did to signals at its start: a new program inherits what is ignored."""
    import signal

    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


if __name__ == "__main__":
    main(
        *(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])),
        *(sys.argv[5], sys.argv[6:]),
    )
