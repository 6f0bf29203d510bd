# SPDX-License-Identifier: Apache-2.0
"""Ray's workers: begin what a submitter has sent along with the arguments (see `ray`).

A worker runs one task at a time, and nothing draws between two of them. So a unit begins when Ray
has unpacked its arguments, which is right before the user's code, and lasts until the next one
begins: that holds for generators as well, whose code runs after the function has returned.
"""

import json
import sys
from _thread import get_ident

from seed_init.hook import reseeding, say, state, units
from seed_init.hook.callers import like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Thread
    from typing import Any

    from seed_init.hook.streams import Path

KEY = b"seed_init"
"""The name of what is sent along. Bytes, and so no keyword of any function."""

ENGINE = "Ray"

TASK, CALL = "task", "call"
CALLED, WHOLE, RANKS = "actor", "whole", "ranks"
"""What is sent: a task, a call of an actor, or an actor. An actor of the kind `CALLED` has a unit
for each call; the others are one unit each: a trial, or part of a training job, whose ranks are to
be distinct if the kind is `RANKS`."""

SEEDING = {"random.": "random", "numpy.": "numpy.random", "torch.": "torch"}
"""How the function is named by which a program seeds a library -> the library (`reseeding`)."""

_last: "units.Unit | None" = None  # that runs, or has run
_beside: "dict[int, units.Unit]" = {}  # thread -> the same, where several run at once


class Actor:
    """This process, where it is an actor.

    Attributes:
        kind: `CALLED`, or another one if its calls are no units of their own.
        threads: those that were there before its constructor.
        seeded: how often the program had seeded each library before.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.threads = frozenset(_threads())
        self.seeded = _seeded()

    def is_shared(self, core: "Any") -> bool:
        """Whether the actor runs several calls at once, or threads of its own."""
        return core.current_actor_max_concurrency() > 1 or any(
            thread not in self.threads and thread.ident != get_ident() for thread in _threads()
        )

    def keep(self) -> frozenset[str]:
        """Libraries that the program has seeded by itself since the actor began."""
        return frozenset(
            library for library, times in _seeded().items() if times != self.seeded.get(library, 0)
        )


_actor: Actor | None = None


def check(ray: "Any") -> None:
    """Look for what is needed of Ray in a worker.

    Raises:
        AttributeError: this release has other names.
    """
    core = ray._raylet.CoreWorker
    _ = core.current_actor_is_asyncio, core.current_actor_max_concurrency
    _ = ray._common.signature.recover_args, ray._private.worker.global_worker.mode
    _ = ray.WORKER_MODE


def is_attached(ray: "Any") -> bool:
    """Whether `attach` has been called."""
    return hasattr(ray._common.signature.recover_args, "seed_init")


def attach(ray: "Any") -> None:
    """Take out of unpacked arguments what was sent along, and begin it."""
    signature = ray._common.signature
    recover = signature.recover_args

    @like(recover)
    def recover_args(flattened_args: "Any") -> "Any":
        args, kwargs = recover(flattened_args)
        sent = kwargs.pop(KEY, None)
        worker = ray._private.worker.global_worker
        # A program in local mode is its own worker: its streams go on.
        if sent is not None and worker.mode == ray.WORKER_MODE:
            kind, seed, path = json.loads(sent)
            _begin(kind, seed, tuple(path), worker.core_worker)
        return args, kwargs

    recover_args.seed_init = True  # type: ignore[attr-defined]
    signature.recover_args = recover_args
    if units.watch is not None:
        _tell_of_returns(ray._private.function_manager.FunctionActorManager)


def _tell_of_returns(manager: "Any") -> None:
    """Tell whoever observes this run when a unit's code has returned: Ray kills its workers.

    A generator or coroutine has only begun by then, and ends when the next unit begins.
    """
    get = manager.get_execution_info

    @like(get)
    def get_execution_info(self: "Any", *arguments: "Any") -> "Any":
        info = get(self, *arguments)
        return info._replace(function=_telling(info.function, info.function_name))

    manager.get_execution_info = get_execution_info


def _telling(function: "Any", name: str) -> "Any":
    from inspect import iscoroutinefunction, isgeneratorfunction

    code = getattr(function, "method", function)
    if hasattr(function, "seed_init") or iscoroutinefunction(code) or isgeneratorfunction(code):
        return function

    @like(function)
    def call(*arguments: "Any", **keywords: "Any") -> "Any":
        try:
            return function(*arguments, **keywords)
        finally:
            units.returned(_returned(name))

    call.__dict__.update({**vars(function), "seed_init": True})
    return call


def _returned(name: str) -> "units.Unit | None":
    """The unit whose code has returned: a task, a call, or all that the process is for."""
    unit = _beside.get(get_ident(), _last)
    if unit is None and _actor is not None and (_actor.kind != CALLED or name == "__init__"):
        return units.lasting()
    return unit


def _begin(kind: str, seed: int | None, path: "Path", core: "Any") -> None:
    if kind == CALL:
        _begin_call(seed, path, core)
    elif kind == TASK:
        _next(path, seed)
    else:
        _become(path, seed, kind)


def _next(path: "Path", seed: int | None, keep: frozenset[str] = frozenset()) -> None:
    global _last
    units.end(_last)
    _last = units.begin(ENGINE, path, seed=seed, keep=keep)


def _become(path: "Path", seed: int | None, kind: str) -> None:
    """Be an actor from now on, or another trial's."""
    global _actor, _last
    _actor = Actor(kind)
    _next(path, seed)
    units.stay(_last)
    _last = None


def _begin_call(seed: int | None, path: "Path", core: "Any") -> None:
    # The calls of an asynchronous actor take turns in one thread. Its streams go on.
    if _actor is None or _actor.kind != CALLED or core.current_actor_is_asyncio():
        return
    if not _actor.is_shared(core):
        _next(path, seed, _actor.keep())
        return
    thread = get_ident()
    units.end(_beside.pop(thread, None))
    unit = units.begin(ENGINE, path, seed=seed, shared=True)
    if unit is not None:
        _beside[thread] = unit


def attach_to_train(module: "Any") -> None:
    """Give each worker of a training job the stream of its rank, where ranks are distinct.

    Raises:
        AttributeError: this release has other names.
    """
    original = module.set_train_context

    @like(original)
    def set_train_context(context: "Any") -> "Any":
        done = original(context)
        lasting = units.lasting()
        if units.watch is not None and lasting is not None:
            lasting.rank = _rank(context)
        if _actor is not None and has_distinct_ranks():
            try:
                rank = int(context.get_world_rank())
            except Exception as error:
                say(f"Ray Train does not tell the rank ({error}): its workers draw alike")
            else:
                _become((*state.place(), "rank", rank), None, RANKS)
        return done

    module.set_train_context = set_train_context


def _rank(context: "Any") -> int | None:
    try:
        return int(context.get_world_rank())
    except Exception:
        return None  # only whoever observes the run asks


def has_distinct_ranks() -> bool:
    """Whether the ranks of a training job that begins here are to be distinct."""
    return state.settings.ranks == "distinct" or (_actor is not None and _actor.kind == RANKS)


def _threads() -> "list[Thread]":
    """Threads that Python code has started."""
    threading: Any = sys.modules["threading"]
    # A thread of Ray's own that has run Python code is there as a dummy.
    return [each for each in threading.enumerate() if type(each) is not threading._DummyThread]


def _seeded() -> dict[str, int]:
    """Library -> how often the program has seeded it by itself."""
    times: dict[str, int] = {}
    for (function, _), note in list(reseeding.notes.items()):
        for start, library in SEEDING.items():
            if function.startswith(start):
                times[library] = times.get(library, 0) + note["count"]
    return times
