# SPDX-License-Identifier: Apache-2.0
"""Number what a process makes or submits, so that each has a path of its own: from 1 in each round.

Threads count for themselves, so that no thread's numbers depend on how far another one is. A
thread goes by its name, which `threading` gives in the order in which threads are constructed,
less what changes from run to run (`labels`). If several threads have one name, each is numbered
when it counts for the first time. The main thread, and a thread that runs a unit of work
(`units`), have no name: their numbers lie directly below the process, or the unit.
"""

import sys
from _thread import _local, get_ident
from itertools import count

from seed_init.hook import labels, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from seed_init.hook import Origin
    from seed_init.hook.streams import Path

_threads: "dict[tuple[Origin, str], count[int]]" = {}  # with the name: to number threads
_count_by_label: "dict[tuple[Origin, str, str], int]" = {}  # with kind and first part of the label


class _Counts(_local):
    """What this thread has numbered, by origin: as which thread, and how many under each label."""

    def __init__(self) -> None:
        self.by_origin: dict[Origin, tuple[Path, dict[tuple[str, ...], int]]] = {}


_counts = _Counts()


def next_path(kind: str, *label: str) -> "Path":
    """The path of the next of its kind: origin, thread, kind, label and number.

    Args:
        kind: what is numbered; a part of the path.
        label: what it is, at least one text; each label is numbered by itself.
    """
    origin = state.origin()
    if origin not in _counts.by_origin:
        _forget_ended_rounds()
        _counts.by_origin[origin] = _thread(origin), {}
    thread, counts = _counts.by_origin[origin]
    key = kind, *label
    number = counts[key] = counts.get(key, 0) + 1
    total = origin, kind, label[0]
    _count_by_label[total] = _count_by_label.get(total, 0) + 1
    return (*origin[0], *thread, kind, *label, number)


def count_by_label(kind: str) -> dict[str, int]:
    """First part of the label -> how many of a kind were numbered here, by all threads."""
    origin = state.origin()
    return {
        label: number
        for (of, its_kind, label), number in list(_count_by_label.items())
        if of == origin and its_kind == kind
    }


def labels_here(kind: str) -> "list[tuple[str, ...]]":
    """The labels of a kind that this thread has numbered where it is now.

    Args:
        kind: what was numbered.
    """
    _, counts = _counts.by_origin.get(state.origin(), ((), {}))
    return [key[1:] for key in counts if key[0] == kind]


def _forget_ended_rounds() -> None:
    """A notebook may begin a round with every cell, for weeks, and a worker one with every task."""
    for origin in [origin for origin in _counts.by_origin if not state.is_running(origin[1])]:
        del _counts.by_origin[origin]
    every: tuple[dict[Any, Any], ...] = (_threads, _count_by_label)
    for counts in every:
        for key in list(counts):
            if not state.is_running(key[0][1]):
                counts.pop(key, None)


def _thread(origin: "Origin") -> "Path":
    """("thread", name, k) for the k-th thread of that name; empty where it needs no name."""
    threading = sys.modules.get("threading")
    number = get_ident()
    if threading is None or number in state.units or number == threading.main_thread().ident:
        return ()
    # Not current_thread(): it would register threads that `threading` did not start.
    threads = threading.enumerate()
    thread = next((thread for thread in threads if thread.ident == number), None)
    name = ""
    if thread is not None:
        # It may be named after the thread that started it.
        numbers = (getattr(thread, "native_id", None), *(alive.ident for alive in threads))
        name = labels.of_thread(_name_of(thread), *numbers)
    # One step each under the interpreter's lock: two threads never get one number.
    return ("thread", name, next(_threads.setdefault((origin, name), count(1))))


def _name_of(thread: "Any") -> str:
    # A class of the user's may have an attribute or a property of that name.
    try:
        return str(thread.name)
    except Exception:
        return ""
