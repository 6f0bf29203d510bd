# SPDX-License-Identifier: Apache-2.0
"""This module writes which generators each child of multiprocessing holds and draws from.

The children of every copy of multiprocessing (`hook.copies`), by each start method; those of
a DataLoader are `workers`' part. Looked at are the generators of libraries, those in the arguments
of the child's target (and of a pool's initializer, or the process object itself), and the global
variables of the main module and of the two functions' modules. When it begins to run its target is
the first time; a pool's worker is looked at again after its initializer. Whoever reads the trace
compares (`seed_init.proof.auditing.clones`).

What a target seeds by itself is not looked at: ranks that make their models alike do so on purpose,
and so does a task that is to repeat.
"""

import os
import sys
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from seed_init.hook import callers, copies
from seed_init.proof.observer import core, user_code
from seed_init.proof.observer.audit import held_generators, sources

ATTRIBUTE = "_seed_init_audit"
"""Of a process object: what its parent tells the child. A fork server has it by pickle only."""

LOADER = "torch.utils.data._utils.worker"
"""The module of a DataLoader's target."""

_numbers = count()
_pools: "WeakKeyDictionary[Any, tuple[int, Any]]" = WeakKeyDictionary()
"""A pool's queue of tasks -> its number, and where its first worker was started."""

_watched: set[str] = set()
"""The copies whose connections tell before they send."""

_child: "_Child | None" = None


def start() -> None:
    """Watch each copy of multiprocessing from its import on."""
    watch = copies.watch

    def watched(name: str) -> None:
        # Before the hook's own part, so that in the child this is called after that.
        if copies._is_copy(sys.modules[name]):
            _watch(name)
        watch(name)

    copies.watch = watched
    for name in list(sys.modules):
        if name.endswith(".process") and copies._is_copy(sys.modules[name]):
            _watch(name)


def _watch(name: str) -> None:
    package = name.rpartition(".")[0]
    base: Any = sys.modules[name].BaseProcess
    begin, bootstrap = base.start, base._bootstrap

    def start(self: Any) -> Any:
        _tell_child(self, callers.above())
        return begin(self)

    def _bootstrap(self: Any, *arguments: Any, **keywords: Any) -> Any:
        _begin(self, package)
        try:
            return bootstrap(self, *arguments, **keywords)
        finally:
            _write_drawn()

    base.start, base._bootstrap = start, _bootstrap


@core.guarded
def _tell_child(process: Any, frame: Any) -> None:
    """In the parent, tell the child which process has started the child, and where."""
    user = user_code.user_frame(frame)
    source = None if user is None else sources.describe(sources.spot(user))
    pool, queue = None, _queue(process)
    if queue is not None:
        # A thread of the pool's starts a worker in the place of one that has ended.
        pool, source = _pools.setdefault(queue, (next(_numbers), source))
    setattr(process, ATTRIBUTE, {"parent": os.getpid(), "place": source, "pool": pool})


@core.guarded
def _begin(process: Any, package: str) -> None:
    """In the child, before the target runs, write which generators the process holds."""
    global _child
    _child = None
    from_parent = vars(process).pop(ATTRIBUTE, None)
    if from_parent is not None and getattr(process._target, "__module__", None) != LOADER:
        _child = _Child(process, {**from_parent, "package": package})
        _child.see()
        _tell_before_sending(package)


@core.guarded
def _write_drawn() -> None:
    if _child is not None and _child.pid == os.getpid():
        _child.write_drawn()


def _tell_before_sending(package: str) -> None:
    """Look before each message: a parent that has its answers may end the child by a signal."""
    kind = getattr(sys.modules.get(f"{package}.connection"), "Connection", None)
    if kind is None or package in _watched:
        return
    _watched.add(package)
    send = kind._send_bytes

    def _send_bytes(self: Any, *arguments: Any, **keywords: Any) -> Any:
        _write_drawn()
        return send(self, *arguments, **keywords)

    kind._send_bytes = _send_bytes


class _Child:
    """This process is a child of multiprocessing, and has these generators.

    Args:
        process: its object.
        from_parent: what its parent has told it, and the package.
    """

    def __init__(self, process: Any, from_parent: "dict[str, Any]") -> None:
        self.pid = os.getpid()
        self._from_parent = from_parent
        self._roots = dict(_roots(process))
        self._scopes = [vars(sys.modules["__main__"])]
        self._add_scope(_unwrapped(process)[0])
        self._initialized = False
        self._left: dict[str, tuple[held_generators.Reader, Any]] = {}
        self._drawn: set[str] = set()
        if from_parent["pool"] is not None:
            self._follow_initializer(process)

    def _follow_initializer(self, process: Any) -> None:
        owner, key = _initializer(process)
        original = owner[key]
        self._add_scope(original)

        def initializer(*arguments: Any) -> Any:
            result = original(*arguments)
            self._see_again()
            return result

        if callable(original):
            owner[key] = initializer
            if type(owner) is list:
                process._args = tuple(owner)

    def _add_scope(self, function: Any) -> None:
        """Look at a function's global variables as well.

        In a spawned child those of a function of the main module are not in that module: runpy
        gives a copy of them (multiprocessing/spawn.py, _fixup_main_from_path).
        """
        function = getattr(function, "__func__", function)
        variables = getattr(function, "__globals__", None)
        if type(variables) is dict and all(variables is not scope for scope in self._scopes):
            self._scopes.append(variables)

    @core.guarded
    def _see_again(self) -> None:
        self.write_drawn()
        self._initialized = True
        self.see()

    def see(self) -> None:
        """Write the states of the generators that are new, or were seeded, since the last time."""
        seen = {name: (read, read()) for name, read in self._held() if name not in self._drawn}
        new = {
            name: reading
            for name, reading in seen.items()
            if name not in self._left or self._left[name][1] != reading[1]
        }
        self._left.update(new)
        states = {name: held_generators.digest(state) for name, (_, state) in new.items()}
        self._write("child", **self._from_parent, initialized=self._initialized, states=states)

    def _held(self) -> "Iterator[tuple[str, held_generators.Reader]]":
        yield from held_generators.of_libraries()
        seen = held_generators.ids_of_libraries()
        for root, root_object in self._roots.items():
            for name, _, read in held_generators.below(root, root_object, seen):
                yield name, read
        for variables in self._scopes:
            # The main module of a spawned child (multiprocessing/spawn.py).
            module = str(variables.get("__name__")).replace("__mp_main__", "__main__")
            yield from held_generators.of_globals(module, variables, seen)

    def write_drawn(self) -> None:
        """Write which generators were drawn from, each once."""
        drawn = {}
        for name, (read, before) in list(self._left.items()):
            state = read()
            if state == before or self._left.pop(name, None) is None:
                continue
            # Otherwise it was seeded: what comes of it is no longer of the state at the start.
            if held_generators.is_drawn(before, state):
                drawn[name] = held_generators.digest(before)
        if drawn:
            self._drawn.update(drawn)
            self._write("child_drawn", states=drawn)

    def _write(self, event: str, **fields: Any) -> None:
        # A process may outlive the command, and the trace.
        if core.journal.directory.is_dir():
            core.journal.write(event, **fields)


def _unwrapped(process: Any) -> "tuple[Any, tuple[Any, ...], dict[str, Any]]":
    """Return the target of a process and its arguments, without functools.partial."""
    target, arguments, keywords = process._target, process._args, process._kwargs
    while type(target) is partial:
        arguments, keywords = (*target.args, *arguments), {**target.keywords, **keywords}
        target = target.func
    return target, arguments, keywords


def _roots(process: Any) -> "Iterator[tuple[str, Any]]":
    """Yield name and value of each object below which generators are looked for."""
    target, arguments, keywords = _unwrapped(process)
    names = _parameters(target)
    for number, value in enumerate(arguments):
        yield f"argument {names[number] if number < len(names) else number}", value
    for name, value in keywords.items():
        yield f"argument {name}", value
    # A method has its object; an object that is called is one.
    yield "self", getattr(target, "__self__", None if hasattr(target, "__code__") else target)
    own = {key: value for key, value in vars(process).items() if key[:1] != "_"}
    for name, value in own.items():
        yield f"self.{name}", value


def _parameters(target: Any) -> "tuple[str, ...]":
    """Return the names of a function's positional parameters; () for an object that is called."""
    code = getattr(target, "__code__", None)
    if code is None:
        return ()
    return tuple(code.co_varnames[hasattr(target, "__self__") : code.co_argcount])


def _queue(process: Any) -> Any:
    """Return the queue that only this worker's pool has; None for a process of no pool."""
    target = process._target
    code = getattr(target, "__code__", None)
    queue = getattr(target, "inq", None)  # billiard's worker is an object that is called
    if code is not None and not user_code.is_user_file(code.co_filename):
        names = _parameters(target)
        # multiprocessing/pool.py, worker; concurrent/futures/process.py, _process_worker
        if "initializer" in names and names.index("initializer") < len(process._args):
            queue = process._args[0]
    # An object that can be a key and goes away: nothing that would be the same in another pool.
    kind: Any = type(queue)
    return queue if hasattr(queue, "__weakref__") and kind.__eq__ is object.__eq__ else None


def _initializer(process: Any) -> "tuple[Any, Any]":
    """Return where a pool's worker has its initializer: a list or dictionary, and the key there."""
    target = process._target
    if hasattr(target, "inq"):
        return vars(target), "initializer"
    return list(process._args), _parameters(target).index("initializer")
