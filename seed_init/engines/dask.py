# SPDX-License-Identifier: Apache-2.0
"""Dask: each task has streams of its own, wherever it runs.

The identity of a task is its key. Dask makes the key from the function and its arguments, so that
it is the same in each run, or with `uuid.uuid4`, where a task is not to be the same as another one:
`pure=False`, `dask.delayed`, actors. There half of the UUID's digits become a digest of the number
that the client gives the task. The other half stays random, so that no two clients of a scheduler
share a result, and the streams go by the digest.

A client sends its seed and its path with each submission, as an annotation: a worker that is
started as a program knows neither.
"""

import re
import sys
import threading
from hashlib import blake2s
from types import FunctionType
from weakref import WeakKeyDictionary

from seed_init.engines import Engine, expect
from seed_init.hook import like, numbering, random_number, seeding, startup, state, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from seed_init.hook.streams import Path

    Sender = tuple[int, Path]
    """Who submits: the seed of the job, and the path that the paths of the tasks go from."""

ANNOTATION = "seed_init"
"""The annotation of each task that tells its sender, as (seed, *path)."""

UUID = re.compile(
    "([0-9a-f]{8}(-?)[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab])([0-9a-f]{3}-?[0-9a-f]{12})(?![0-9a-f])"
)
"""A random UUID as text (RFC 9562, version 4): what stays, its hyphen, what `_numbered` replaces.

One of 64 of Dask's digests of arguments looks alike. Then the path goes by 60 bits of it.
"""


class _Thread(threading.local):
    """What this thread knows.

    Attributes:
        task: path and sender of the task that runs.
        graph: sender, and whether the tasks run beside a program, of the graph whose tasks one of
            Dask's own schedulers runs here.
    """

    task: "tuple[Path, Sender] | None" = None
    graph: "tuple[Sender, bool] | None" = None


_thread = _Thread()


# --- who submits ----------------------------------------------------------------------------------


def _sender() -> "Sender | None":
    """Who submits from this thread; None where nothing is seeded.

    A task that submits others passes its own sender on, and not its path: a key is one task for
    all who submit it, and which of them was first must not matter.
    """
    place = state.place()
    if _thread.task is not None and _thread.task[0] == place:
        return _thread.task[1]
    seed = state.job_seed()
    return None if seed is None else (seed, place)


def _numbered(text: str, label: str) -> str:
    """A text in which the last UUID has a digest of the next number of this process in it.

    Args:
        text: a key or a UUID; one without a UUID stays as it is.
        label: what gets the number.
    """
    found = list(UUID.finditer(text))
    if not found or state.settings.tasks != "distinct" or state.job_seed() is None:
        return text
    uuid = found[-1]
    path = numbering.next_path("dask", label)
    digest = blake2s(repr(path).encode()).hexdigest()
    own = f"{uuid[1]}{digest[:3]}{uuid[2]}{digest[3:15]}"
    return text[: uuid.start()] + own + text[uuid.end() :]


def _path(key: "Any", sender: "Sender | None") -> "Path":
    """The path of the task of a key."""
    text = key if isinstance(key, str) else repr(key)
    base = state.root() if sender is None else sender[1]
    return (*base, "dask", UUID.sub(r"\3", text))


def _begin(path: "Path", sender: "Sender | None", aside: bool) -> "units.Unit | None":
    unit = units.begin("Dask", path, seed=None if sender is None else sender[0], aside=aside)
    if unit is not None and sender is not None:
        _thread.task = unit.path, sender
    return unit


# --- clients --------------------------------------------------------------------------------------


def _attach_to_delayed(module: "Any") -> None:
    tokenize = module.tokenize

    @like(tokenize)
    def named(*arguments: "Any", **keywords: "Any") -> str:
        token: str = tokenize(*arguments, **keywords)
        # A digest of the arguments, with pure=True, has no hyphen.
        return _numbered(token, "delayed") if "-" in token else token

    module.tokenize = named


def _attach_to_graphs(module: "Any") -> None:
    graph = module.HLGExpr
    token = graph.deterministic_token.fget

    @like(token)
    def numbered_token(self: "Any") -> "Any":
        if not self._determ_token:
            self._determ_token = _numbered(token(self), "graph")
        return self._determ_token

    graph.deterministic_token = property(numbered_token)


def _attach_to_client(module: "Any") -> None:
    client, graph = module.Client, module._MapExpr
    submit, send, keys = client.submit, client._graph_to_futures, graph.keys.fget
    annotate, funcname, uuid4 = module.dask.annotate, module.funcname, module.uuid.uuid4
    expect(submit, "self", "func")
    expect(send, "self", "expr", "keys")

    def numbered_submit(self: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        is_pure = keywords.get("pure", True)
        is_actor = keywords.get("actor") or keywords.get("actors")
        function = arguments[0] if arguments else keywords.get("func")
        if keywords.get("key") is None and (is_actor or not is_pure) and callable(function):
            name = funcname(function)
            keywords["key"] = f"{name}-{_numbered(str(uuid4()), name)}"
        return submit(self, *arguments, **keywords)

    def numbered_keys(self: "Any") -> "Any":
        if self.pure or self._cached_keys is not None or not isinstance(self.key, str):
            return keys(self)
        made = keys(self)
        found = UUID.search(made[0], len(self.key)) if made else None
        if found is None:
            return made
        uuid = _numbered(found[0], self.key)
        self.operands[-1] = [key.replace(found[0], uuid) for key in made]
        return self.operands[-1]

    def annotated(self: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        sender = _sender()
        if sender is None:
            return send(self, *arguments, **keywords)
        units.submitted("Dask", 0)  # the scheduler decides which of them run
        with annotate(**{ANNOTATION: (sender[0], *sender[1])}):
            return send(self, *arguments, **keywords)

    client.submit = _as_if_in(module, submit, numbered_submit)
    graph.keys = property(_as_if_in(module, keys, numbered_keys))
    client._graph_to_futures = _as_if_in(module, send, annotated)


# --- workers --------------------------------------------------------------------------------------


def _attach_to_worker(module: "Any") -> None:
    worker = module.Worker
    run, call, make = module._run_task_simple, module._run_actor, worker.__init__
    expect(run, "task", "data")
    expect(call, "func", "args", "kwargs", "execution_state")
    states = module.thread_state

    @like(run)
    def run_as_unit(task: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        worker = getattr(states, "execution_state", {}).get("worker")
        sender = _told(worker, task.key)
        unit = _begin(_path(task.key, sender), sender, _is_in_a_program(worker))
        try:
            return run(task, *arguments, **keywords)
        finally:
            units.end(unit)

    @like(call)
    def call_as_unit(
        func: "Any", args: "Any", kwargs: "Any", execution_state: "Any", *others: "Any"
    ) -> "Any":
        worker = execution_state["worker"]
        unit = _begin_call(worker, getattr(func, "__self__", None))
        try:
            return call(func, args, kwargs, execution_state, *others)
        finally:
            units.end(unit)

    @like(make)
    def make_with_stream(self: "Any", *arguments: "Any", **keywords: "Any") -> None:
        make(self, *arguments, **keywords)
        if not _is_in_a_program(self):
            startup.guarded("engines.dask", "take_worker", self.name)

    module._run_task_simple, module._run_actor = run_as_unit, call_as_unit
    worker.__init__ = make_with_stream


def _attach_to_threads(module: "Any") -> None:
    secede, rejoin = module.secede, module.rejoin

    @like(secede)
    def secede_as_unit(*arguments: "Any", **keywords: "Any") -> "Any":
        units.wait()
        return secede(*arguments, **keywords)

    @like(rejoin)
    def rejoin_as_unit() -> "Any":
        rejoin()  # waits until this thread has a place
        units.go_on()

    module.secede, module.rejoin = secede_as_unit, rejoin_as_unit


def _told(worker: "Any", key: "Any") -> "Sender | None":
    """Who has submitted a task that a worker has; None where nobody has told that."""
    tasks = {} if worker is None else worker.state.tasks
    annotations = getattr(tasks.get(key), "annotations", None) or {}
    told = annotations.get(ANNOTATION)
    return (told[0], tuple(told[1:])) if told else None


# Worker -> key of an actor -> how many of its calls have begun there.
_calls: "WeakKeyDictionary[Any, dict[Any, int]]" = WeakKeyDictionary()


def _begin_call(worker: "Any", actor: "Any") -> "units.Unit | None":
    """Begin the next call of an actor: its path is below that of the actor, with a number."""
    actors, calls = worker.state.actors, _calls.setdefault(worker, {})
    for gone in [key for key in calls if key not in actors]:
        del calls[gone]
    for key, each in list(actors.items()):
        if each is actor:
            number = calls[key] = calls.get(key, 0) + 1
            sender = _told(worker, key)
            path = (*_path(key, sender), "call", number)
            return _begin(path, sender, _is_in_a_program(worker))
    return None


def _is_in_a_program(worker: "Any") -> bool:
    """Whether a worker is in a process that does something else as well.

    Such is LocalCluster(processes=False): the scheduler is there as well.
    """
    scheduler = sys.modules.get("distributed.scheduler")
    return worker is not None and bool(scheduler and scheduler.Scheduler._instances)


def take_worker(name: object) -> None:
    """Give a worker's process streams of its own, for what is no task: `Client.run`, coroutines.

    Args:
        name: the name that somebody has given the worker; None where nobody has. Then it gets other
            streams in each run, as it does without us.
    """
    if state.job_seed() is None:
        return
    own = random_number() if name is None else str(name)
    state.move_to((*state.root(), "dask", "worker", own))
    state.begin_round()
    seeding.reseed_libraries()


# --- the schedulers that need no cluster ----------------------------------------------------------


def _attach_to_local(module: "Any") -> None:
    schedule, execute = module.get_async, module.execute_task
    expect(schedule, "submit", "num_workers", "dsk", "result")
    expect(execute, "key", "task_info")

    @like(schedule)
    def schedule_as_units(submit: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        sender = _sender()
        if sender is None:
            return schedule(submit, *arguments, **keywords)

        def submit_batch(function: "Any", batch: "Any") -> "Any":
            return submit(Batch(function, sender, not _has_processes(submit)), batch)

        return schedule(submit_batch, *arguments, **keywords)

    @like(execute)
    def execute_as_unit(key: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        if _thread.graph is None:
            return execute(key, *arguments, **keywords)
        sender, aside = _thread.graph
        unit = _begin(_path(key, sender), sender, aside)
        try:
            return execute(key, *arguments, **keywords)
        finally:
            units.end(unit)

    module.get_async = schedule_as_units
    module.execute_task = execute_as_unit


def _has_processes(submit: "Any") -> bool:
    """Whether the tasks run in processes that are there for nothing else."""
    executor = getattr(submit, "__self__", None)
    if _is_of(executor, "concurrent.futures.process", "ProcessPoolExecutor"):
        return True
    pool = getattr(executor, "pool", None)  # of multiprocessing's, in Dask's own executor
    module = "multiprocessing.pool"
    return _is_of(pool, module, "Pool") and not _is_of(pool, module, "ThreadPool")


def _is_of(value: object, module: str, name: str) -> bool:
    """Whether a value is of a class whose module need not be loaded."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(value, kind)


class Batch:
    """Some tasks of a graph, to be run together in a thread or process.

    Public, because it is pickled.
    """

    def __init__(self, function: "Callable[[Any], Any]", sender: "Sender", aside: bool) -> None:
        self.function, self.sender, self.aside = function, sender, aside

    def __call__(self, batch: "Any") -> "Any":
        """Run the tasks as units of work of who has sent them."""
        former, _thread.graph = _thread.graph, (self.sender, self.aside)
        try:
            return self.function(batch)
        finally:
            _thread.graph = former


# --- attaching ------------------------------------------------------------------------------------


def _as_if_in(module: "Any", original: "Any", function: "Any") -> "Any":
    """A stand-in for a function that Dask takes for one of its own module's.

    A client shows the code that has submitted a task on the dashboard: it goes up the stack, to the
    first frame whose module is not named like Dask's (distributed/client.py,
    _get_computation_code).
    """
    names = {**function.__globals__, "__name__": module.__name__}
    made = FunctionType(function.__code__, names, function.__name__, None, function.__closure__)
    return like(original)(made)


ATTACH: "dict[str, Callable[[Any], None]]" = {
    "dask._expr": _attach_to_graphs,
    "dask.delayed": _attach_to_delayed,
    "dask.local": _attach_to_local,
    "distributed.client": _attach_to_client,
    "distributed.threadpoolexecutor": _attach_to_threads,
    "distributed.worker": _attach_to_worker,
}


class Dask(Engine):
    name = "Dask"

    def attach(self, module: "ModuleType") -> None:
        """Wrap the functions of one of Dask's modules."""
        ATTACH[module.__name__](module)


engine = Dask()
