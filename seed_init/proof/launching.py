"""Run as a file: put the address layout right, tell the starter, become the user's command.

    python -I -S launching.py REPORT LAYOUT LOCALE PROGRAM WORD...

REPORT is the descriptor of a pipe. Its reader gets one line of what became of the layout, and a
second one, an errno, only where PROGRAM could not be started. LAYOUT is `fixed`, `random` or
`any`. LOCALE is `1` where LC_CTYPE was set before Python came and may have set it (PEP 538).

A program between the two because Popen's preexec_fn is not safe with threads.
"""

import os
import sys

ADDR_NO_RANDOMIZE = 0x0040000
"""linux/personality.h. What is executed from here on inherits it."""


def main(report: int, layout: str, locale: str, words: list[str]) -> None:
    """Become the program. Returns only where that fails.

    Args:
        report: the descriptor.
        layout: what is wanted.
        locale: as above.
        words: the path of the program, and its arguments with its own name first.
    """
    os.set_inheritable(report, False)
    os.write(report, f"{set_layout(layout)}\n".encode())
    end_with_starter()
    environment = dict(os.environ)
    if locale != "1":
        environment.pop("LC_CTYPE", None)
    _restore_signals()
    try:
        os.execve(words[0], words[1:], environment)
    except OSError as error:
        os.write(report, f"{error.errno}\n".encode())
        os._exit(127)


def set_layout(layout: str) -> str:
    """Switch the randomisation of addresses off or on for what is executed from here.

    Returns:
        `fixed` or `random`: what holds from now on.
    """
    try:
        import ctypes

        call = ctypes.CDLL(None).personality
        now = call(0xFFFFFFFF)
        if now != -1 and layout != "any":
            wanted = (now | ADDR_NO_RANDOMIZE) if layout == "fixed" else now & ~ADDR_NO_RANDOMIZE
            # Containers commonly forbid it (Docker's default seccomp profile does).
            call(wanted)
            now = call(0xFFFFFFFF)
        return "fixed" if now != -1 and now & ADDR_NO_RANDOMIZE else "random"
    except Exception:
        return "random"


def end_with_starter() -> None:
    """Let the program get SIGTERM when the thread that started it is gone: killed, it ends nothing.

    A program that is executed keeps this, what it starts does not have it (man 2 PR_SET_PDEATHSIG).
    """
    import signal

    try:
        import ctypes

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    except Exception:
        pass  # only a comfort


def _restore_signals() -> None:
    """Undo what Python did to them at its start: what is ignored stays ignored in a new program."""
    import signal

    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
