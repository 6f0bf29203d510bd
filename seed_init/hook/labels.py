# SPDX-License-Identifier: Apache-2.0
"""Names of threads and modules without what is another in every run.

Streams go by these names. Some libraries put a process number or a random number into them, such
as Dask: `Dask-Default-Threads-4711-0`. What is left out here is known to change, by its form or
because it is this very process's. Whatever may be a number of the user's stays.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from types import FrameType

CHANGING = "#"
"""Stands in a name for what was left out."""

FIRST_NUMBER = 300
"""The smallest process number that is looked for in a name.

Smaller ones are counters most of the time. Linux gives them once, to the first processes of a
machine or container, and never again (kernel/pid.c, RESERVED_PIDS).
"""

BY_PROCESS = "Dask"
"""What a name has that ends with process number and counter (distributed/threadpoolexecutor.py)."""

EPHEMERAL_PORT = 32768
"""The smallest port that Linux gives to who asks for any (net.ipv4.ip_local_port_range)."""

# What `threading` and `concurrent.futures` count by themselves, whatever the numbers are.
_COUNTED = r"(?:Thread|Dummy)-\d+(?: \(.*\))?|ThreadPoolExecutor-\d+_\d+"

# Of the UUIDs those with a time or random numbers in them; versions 3 and 5 are made from a name.
# Without dashes, only version 4: many other things are 32 digits long.
_FORMS = (
    r"(?<![0-9a-f])(?:"
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1467][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    r"|[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}"
    r")(?![0-9a-f])"
    r"|(?<= at )0x[0-9a-f]+|0x[0-9a-f]{9,16}(?![0-9a-f])"
)

_PORT = r"(://[^\s/]*:)(\d{1,5})(?!\d)"


def of_thread(name: str, *numbers: int | None) -> str:
    """The name of a thread, without what changes from run to run.

    Args:
        name: as `threading` has it.
        numbers: of this thread and of those that it may be named after.
    """
    if not _has_digits(name):
        return name
    import re

    if re.fullmatch(_COUNTED, name, re.DOTALL):
        return name
    if BY_PROCESS in name:
        name = re.sub(rf"-{os.getpid()}(?=-\d+$)", f"-{CHANGING}", name)
    numbers = (os.getpid(), os.getppid(), *numbers)
    own = {str(number) for number in numbers if number is not None and number >= FIRST_NUMBER}
    name = re.sub(_FORMS, CHANGING, name, flags=re.IGNORECASE)
    name = re.sub(_PORT, _without_ephemeral, name)
    return re.sub(r"\d+", lambda match: CHANGING if match[0] in own else match[0], name)


def _without_ephemeral(address: "re.Match[str]") -> str:
    return address[1] + (CHANGING if int(address[2]) >= EPHEMERAL_PORT else address[2])


def of_module(frame: "FrameType | None", name: str) -> str:
    """The name of the module that a frame runs in, without what changes from run to run.

    Args:
        frame: whose module it is.
        name: the module's.
    """
    if "tmp" in name:
        name = ".".join(
            CHANGING if _is_temporary(part, frame) else part for part in name.split(".")
        )
    return of_thread(name) if _has_digits(name) else name


def _has_digits(name: str) -> bool:
    return any(map(str.isdigit, name))


def _is_temporary(part: str, frame: "FrameType | None") -> bool:
    """True for a name by `tempfile`, of a file that lies where such files do."""
    if len(part) != 11 or not part.startswith("tmp"):
        return False
    file = frame.f_globals.get("__file__") if frame is not None else None
    places = (os.environ.get("TMPDIR") or "/tmp", "/tmp", "/var/tmp")
    return isinstance(file, str) and part in file and file.startswith(places)
