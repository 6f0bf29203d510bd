# SPDX-License-Identifier: Apache-2.0
"""This module writes which generators each DataLoader worker holds, and which it draws from.

A state that two workers share and draw from is a clone: their "random" samples repeat. The reader
of the trace compares the states (`auditing.clones`). A worker has done all that changes states
(PyTorch's seeding, ours, the user's worker_init_fn) when it makes its fetcher
(torch/utils/data/_utils/worker.py, _worker_loop).
"""

import ast
import os
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from seed_init.hook import callers
from seed_init.proof.observer import callbacks, core, user_code
from seed_init.proof.observer.audit import held_generators, sources

_numbers = count()


def start() -> None:
    """Watch from torch's import on."""
    callbacks.after_import("torch", _watch)


def _watch() -> None:
    dataloader: Any = sys.modules["torch.utils.data.dataloader"]
    kind: Any = dataloader._DatasetKind
    create = kind.create_fetcher

    def create_fetcher(kind: Any, dataset: Any, *arguments: Any) -> Any:
        fetcher = create(kind, dataset, *arguments)
        _started(fetcher, dataset)
        return fetcher

    kind.create_fetcher = staticmethod(create_fetcher)
    iterator: Any = dataloader._MultiProcessingDataLoaderIter
    make = iterator.__init__

    def __init__(self: Any, loader: Any) -> None:
        make(self, loader)
        _write_source(self, callers.above())

    iterator.__init__ = __init__


@core.guarded
def _write_source(iterator: Any, frame: Any) -> None:
    """Write where the workers were started: a spawned worker has no frame of that line."""
    user = user_code.user_frame(frame)
    if user is not None:
        source = sources.describe(sources.spot(user))
        core.journal.write("loader", base_seed=iterator._base_seed, place=source)


@core.guarded
def _started(fetcher: Any, dataset: Any) -> None:
    information = sys.modules["torch.utils.data"].get_worker_info()
    if information is None:
        return  # the loader has no workers
    held = {name: _digest_of(read) for name, read in held_generators.of_libraries()}
    owners: dict[str, tuple[type, str]] = {}
    for name, owner, read in held_generators.below("dataset", dataset):
        held[name], owners[name] = _digest_of(read), owner
    states = {name: digest() for name, digest in held.items()}
    loader = [os.getppid(), information.seed - information.id, next(_numbers)]
    core.journal.write(
        "worker",
        loader=loader,
        worker=information.id,
        workers=information.num_workers,
        states=states,
        places={name: _assigned(*owner) for name, owner in owners.items()},
    )
    _watch_draws(fetcher, loader, information.id, held, states)


def _digest_of(read: held_generators.Reader) -> "Callable[[], str]":
    return lambda: held_generators.digest(read())


def _watch_draws(
    fetcher: Any,
    loader: "list[int]",
    worker: int,
    held: "dict[str, Callable[[], str]]",
    before: "dict[str, str]",
) -> None:
    """Write, after each batch, which generators were drawn from for the first time."""
    fetch, left = fetcher.fetch, dict(held)

    def fetching(*arguments: Any) -> Any:
        try:
            return fetch(*arguments)
        finally:
            write_drawn()

    @core.guarded
    def write_drawn() -> None:
        drawn = [name for name, digest in left.items() if digest() != before[name]]
        if drawn:
            core.journal.write("drawn", loader=loader, worker=worker, generators=drawn)
        for name in drawn:
            del left[name]
        if not left:
            fetcher.fetch = fetch

    fetcher.fetch = fetching


def _assigned(owner: type, attribute: str) -> "dict[str, Any] | None":
    """Return where the user's class sets an attribute; None where the line is not found."""
    for kind in owner.__mro__:
        file = _file(kind)
        tree = sources.tree(file) if user_code.is_user_file(file) else None
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                for inner in ast.walk(node):
                    if _sets(inner, attribute):
                        line: int = inner.lineno  # type: ignore[attr-defined]
                        return {
                            "file": sources.shown_file(file),
                            "line": line,
                            "function": _function(inner),
                            "text": sources.text(file, line),
                        }
    return None


def _file(kind: type) -> str:
    """Return the file of a class's code, which in a notebook's cell is not the module's file."""
    for value in vars(kind).values():
        if isinstance(value, type(_file)):
            return value.__code__.co_filename
    return "<unknown>"


def _sets(node: ast.AST, attribute: str) -> bool:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return any(isinstance(target, ast.Attribute) and target.attr == attribute for target in targets)


def _function(node: Any) -> str:
    names: list[str] = []
    while not isinstance(node, ast.Module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.insert(0, node.name)
        node = node.parent
    return ".".join(names)
