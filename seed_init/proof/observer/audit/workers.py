"""What generators each DataLoader worker holds when it starts, and which of them it draws from.

A state that two workers share is a clone, if it is drawn from: their "random" samples repeat. Who
reads the trace compares (`seed_init.proof.auditing`). A worker has done all that changes states
(PyTorch's seeding, ours, the user's worker_init_fn) when it makes its fetcher
(torch/utils/data/_utils/worker.py, _worker_loop).
"""

import ast
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

from seed_init.proof import observer
from seed_init.proof.observer.audit import places

DEPTH = 4
"""How deep generators are looked for below the dataset."""

ITEMS_MAX = 100
"""Items of one list or dictionary that are looked at."""

OBJECTS_MAX = 10_000

_numbers = count()


def start() -> None:
    """Watch from torch's import on."""
    observer.after_import("torch", _watch)


def _watch() -> None:
    from torch.utils.data import dataloader

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
        _made(self, sys._getframe(1))

    iterator.__init__ = __init__


@observer.guarded
def _made(iterator: Any, frame: Any) -> None:
    """Tell where the workers were started, which a spawned one has no frame of."""
    user = observer.user_frame(frame)
    if user is not None:
        place = places.describe(places.spot(user))
        observer.journal.write("loader", base_seed=iterator._base_seed, place=place)


@observer.guarded
def _started(fetcher: Any, dataset: Any) -> None:
    information = sys.modules["torch.utils.data"].get_worker_info()
    if information is None:
        return  # the loader has no workers
    held = dict(_global_generators())
    owners: dict[str, tuple[type, str]] = {}
    for name, owner, generator in _generators(dataset):
        held[name], owners[name] = generator, owner
    states = {name: digest() for name, digest in held.items()}
    loader = [os.getppid(), information.seed - information.id, next(_numbers)]
    observer.journal.write(
        "worker",
        loader=loader,
        worker=information.id,
        workers=information.num_workers,
        states=states,
        places={name: _assigned(*owner) for name, owner in owners.items()},
    )
    _watch_draws(fetcher, loader, information.id, held, states)


def _watch_draws(
    fetcher: Any,
    loader: "list[int]",
    worker: int,
    held: "dict[str, Callable[[], str]]",
    before: "dict[str, str]",
) -> None:
    """Tell, after each batch, which generators were drawn from for the first time."""
    fetch, left = fetcher.fetch, dict(held)

    def fetching(*arguments: Any) -> Any:
        try:
            return fetch(*arguments)
        finally:
            look()

    @observer.guarded
    def look() -> None:
        drawn = [name for name, digest in left.items() if digest() != before[name]]
        if drawn:
            observer.journal.write("drawn", loader=loader, worker=worker, generators=drawn)
        for name in drawn:
            del left[name]
        if not left:
            fetcher.fetch = fetch

    fetcher.fetch = fetching


def _global_generators() -> "Iterator[tuple[str, Callable[[], str]]]":
    modules: Any = sys.modules
    here: list[tuple[str, Any]] = [("torch", modules["torch"].default_generator)]
    if "random" in modules:
        here.append(("random", modules["random"]._inst))
    if "numpy.random" in modules:
        here.append(("numpy.random", modules["numpy.random"].mtrand._rand))
    for name, generator in here:
        digest = _digest_of(generator)
        if digest is not None:
            yield name, digest


def _generators(dataset: Any) -> "Iterator[tuple[str, tuple[type, str], Callable[[], str]]]":
    """The generators that a dataset holds: name, (class, attribute), and what digests each."""
    seen: set[int] = set()
    todo = [("dataset", (type(dataset), ""), dataset, 0)]
    for name, owner, one, depth in todo:
        if id(one) in seen or len(seen) > OBJECTS_MAX:
            continue
        seen.add(id(one))
        digest = _digest_of(one)
        if digest is not None:
            yield name, owner, digest
        elif depth < DEPTH:
            todo += [
                (name + part, (type(one), part[1:]) if part[0] == "." else owner, inner, depth + 1)
                for part, inner in islice(_inner(one), ITEMS_MAX)
            ]


def _inner(one: Any) -> "Iterator[tuple[str, Any]]":
    """What an object holds, without running any code of its own."""
    kind = type(one)
    if kind is dict:
        for key, value in list(one.items()):
            yield f"[{key!r}]" if type(key) in (str, int) else "[...]", value
    elif kind in (list, tuple):
        for number, value in enumerate(one[:ITEMS_MAX]):
            yield f"[{number}]", value
    elif not issubclass(kind, (type, type(sys), sys.modules["torch"].Tensor)):
        try:
            attributes = object.__getattribute__(one, "__dict__")
        except AttributeError:
            return
        for key, value in list(attributes.items()):
            yield f".{key}", value


def _digest_of(one: Any) -> "Callable[[], str] | None":
    """What digests the state of a generator; None for what is none, or on another device."""
    kinds = type(one).__mro__
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        if numpy_random.Generator in kinds:
            return lambda: _hash(_plain(one.bit_generator.state))
        if numpy_random.RandomState in kinds:
            return lambda: _hash(_plain(one._bit_generator.state))
        if numpy_random.BitGenerator in kinds:
            return lambda: _hash(_plain(one.state))
    random: Any = sys.modules.get("random")
    if random is not None and random.Random in kinds and random.SystemRandom not in kinds:
        return lambda: _hash(random.Random.getstate(one)[1])
    if sys.modules["torch"].Generator in kinds and one.device.type == "cpu":
        return lambda: _hash(one.get_state().numpy().tobytes())
    return None


def _plain(state: Any) -> Any:
    """A state of NumPy's as what its repr shows in full."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state


def _hash(state: Any) -> str:
    data = state if isinstance(state, bytes) else repr(state).encode()
    return hashlib.sha256(data).hexdigest()[:16]


def _assigned(owner: type, attribute: str) -> "dict[str, Any] | None":
    """Where the user's class sets an attribute; None where that is not to be found."""
    for kind in owner.__mro__:
        file = _file(kind)
        tree = places.tree(file) if observer.is_user_file(file) else None
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                for one in ast.walk(node):
                    if _sets(one, attribute):
                        line: int = one.lineno  # type: ignore[attr-defined]
                        return {
                            "file": places.shown_file(file),
                            "line": line,
                            "function": _function(one),
                            "text": places.text(file, line),
                        }
    return None


def _file(kind: type) -> str:
    """The file that has the code of a class: the module's would not do for a notebook's cell."""
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
    return any(isinstance(one, ast.Attribute) and one.attr == attribute for one in targets)


def _function(node: Any) -> str:
    names: list[str] = []
    while not isinstance(node, ast.Module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.insert(0, node.name)
        node = node.parent
    return ".".join(names)
