# SPDX-License-Identifier: Apache-2.0
"""Celery: each task has streams of its own, in whichever worker of whichever node it runs.

Whoever publishes a task numbers it, by the name of the task, and sends the path and the seed along
in a header of the message. Celery keeps the headers where it delivers a message again, and a task
that is tried again keeps its path. A body of a chord is published by whichever task of the header
ends last, so the path of the body travels with them.

A message without our header (its producer has no hook, or speaks protocol 1) has the task's id for
a path. Mostly that is a random number: then no two tasks are alike, but no run is like another one.

What a node draws outside tasks, and in a pool of threads from the global generators, starts at the
name of the node: every node is a program of its own, and all of them would draw alike.

Only public signals are used: `before_task_publish`, `celeryd_init`, `task_prerun`, `task_postrun`
(https://docs.celeryq.dev/en/stable/userguide/signals.html).
"""

import sys
from _thread import get_ident

from seed_init.engines import Engine, messages
from seed_init.hook import children, numbering, say, seeding, startup, state, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from seed_init.hook.streams import Path

HEADER = "seed_init"
"""In the headers of a message: the task's id, its path and the producer's seed, as JSON."""

GREENLETS = ("celery.concurrency.gevent", "celery.concurrency.eventlet")
"""The pools whose tasks take turns in one thread, so that no stream could follow them."""

# Thread -> the units of the tasks that run there, the innermost last. A task that is called within
# a task (`apply`, and a retry of such a one) has the same thread.
_units: "dict[int, list[units.Unit | None]]" = {}

# Thread -> id and path of the last task there that was called and not published, for its retries.
_called: "dict[int, tuple[str, Path]]" = {}


class Celery(Engine):
    """Tasks of every pool that runs one task a thread, and those that the program calls."""

    name = "Celery"
    _told = False

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach`."""
        names = vars(module)
        pairs = [(names[name], receiver) for name, receiver in _RECEIVERS.items()]
        for signal, receiver in pairs:
            # Each has one sender for all; a weak reference is for methods of objects that may go.
            signal.connect(receiver, weak=False, dispatch_uid=f"seed_init.{receiver.__name__}")

    def has_greenlets(self) -> bool:
        """Whether tasks take turns in this thread. Says so once."""
        if sys.modules.keys().isdisjoint(GREENLETS):
            return False
        if not self._told:
            self._told = True
            say(
                "the tasks of Celery's gevent and eventlet pools share one thread, and so the "
                "streams of their worker; use --pool=prefork, solo or threads for a stream each"
            )
        return True


engine = Celery()


# --- the producer ---


def _before_publish(  # type: ignore[no-untyped-def]
    sender=None, headers=None, body=None, **_
):
    """Number a task that is published, unless it has been numbered: that is a retry, or a body."""
    seed = state.job_seed()
    if seed is None or headers is None or "id" not in headers:  # protocol 1
        return
    name = str(sender)
    if _told(headers, headers["id"]) is None:
        again = _of_retry(headers, name, seed)
        headers[HEADER] = again or _header(headers["id"], _next(name), seed)
    units.submitted("Celery", 1)
    # (args, kwargs, {"chord": ..}) in protocol 2 (celery/app/amqp.py, as_task_v2)
    chord = body[2].get("chord") if isinstance(body, tuple) and len(body) == 3 else None
    if chord:
        _number_body(chord, seed)


def _number_body(chord: "Any", seed: int) -> None:
    """Number the body of a chord once: all tasks of the header have the same one."""
    options = chord.get("options")
    identity = options.get("task_id") if isinstance(options, dict) else None
    if identity is None:
        return
    headers = options.get("headers") or {}
    if _told(headers, identity) is None:
        path = _next(str(chord.get("task")))
        options["headers"] = {**headers, HEADER: _header(identity, path, seed)}


def _of_retry(headers: "dict[str, Any]", name: str, seed: int) -> "str | None":
    """The header of the task that runs here, where it is the one that is published again."""
    request = _request(sys.modules["celery"].current_task)
    if not headers.get("retries") or request.get("id") != headers["id"]:
        return None
    path, its_seed = _identity(request, name, headers["id"])
    return _header(headers["id"], path, seed if its_seed is None else its_seed)


def _next(name: str) -> "Path":
    return numbering.next_path("celery", name)


def _header(identity: str, path: "Path", seed: int) -> str:
    from json import dumps

    # Text, which every broker carries as it is.
    return dumps({"id": identity, "path": path, "seed": seed})


def _told(headers: "dict[str, Any]", identity: str) -> "tuple[Path, int] | None":
    """Path and seed, if the headers have them for this task and not for another one.

    Programs pass the headers of a task on to what it publishes.
    """
    from json import loads

    try:
        told = loads(headers[HEADER])
        if told["id"] == identity:
            return messages.path_and_seed(told)
    except (KeyError, TypeError, ValueError, RecursionError):
        pass  # nobody has told, or what has come is not ours
    return None


# --- the worker ---


def _node_init(sender=None, **_):  # type: ignore[no-untyped-def]
    """Start the streams of a node that is about to start its pool at its name, NAME@HOST."""
    if state.job_seed() is not None and state.is_main():
        startup.guarded("engines.celery", "start_node", str(sender))


def start_node(name: str) -> None:
    """Start the streams of this process at the name of the node that it is.

    Args:
        name: as `celery worker -n` has made it: no two nodes of a broker have the same one.
    """
    state.move_to((*state.path, "celery", "node", name))
    children.forget_prepared()
    seeding.reseed_libraries()


def _prerun(task_id=None, task=None, **_):  # type: ignore[no-untyped-def]
    """Begin the unit of a task that is about to run."""
    # Not before every other message of the worker: whoever runs a pool has set it up by now.
    if engine.has_greenlets():
        return
    request = _request(task)
    is_called = bool(request.get("is_eager"))
    if is_called:
        path, seed = _path_of_called(task.name, task_id, request), None
    else:
        path, seed = _identity(request, task.name, task_id)
    # A child of the prefork pool does nothing but run tasks.
    unit = units.begin("Celery", path, seed=seed, aside=is_called or state.is_main())
    _units.setdefault(get_ident(), []).append(unit)


def _identity(request: "dict[str, Any]", name: str, identity: str) -> "tuple[Path, int | None]":
    """Path and seed of a task that has come in a message."""
    return _told(request, identity) or (("celery", name, "id", str(identity)), None)


def _path_of_called(name: str, identity: str, request: "dict[str, Any]") -> "Path":
    """The number among those that the program has called or published; a retry has its first."""
    thread = get_ident()
    former, path = _called.get(thread, ("", ()))
    if former != identity or not request.get("retries"):
        path = _next(name)
        _called[thread] = identity, path
    return path


def _postrun(**_):  # type: ignore[no-untyped-def]
    """End the unit of a task that has run, and has published what follows it."""
    running = _units.get(get_ident())
    if running:
        units.end(running.pop())
        if not running:
            del _units[get_ident()]


def _request(task: "Any") -> "dict[str, Any]":
    """What is known of the run of a task: the headers of its message and more."""
    return getattr(getattr(task, "request", None), "__dict__", {})


_RECEIVERS = {
    "before_task_publish": _before_publish,
    "celeryd_init": _node_init,
    "task_prerun": _prerun,
    "task_postrun": _postrun,
}
