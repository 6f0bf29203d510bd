# SPDX-License-Identifier: Apache-2.0
"""What runs at the start of every Python process: read the settings, wait for imports.

Nothing is seeded here and no library is imported: a finder is left behind, which calls
`seeding` when one of the libraries below has been imported, and two fork callbacks.

`seed-init install` puts this file, named `_seed_init_startup`, beside the package: compiled into
sitecustomize, and as a file for the .pth line. Every process pays for it. So it is one file outside
the package, it imports only what the interpreter has loaded already, and what only an error or
only some processes need is elsewhere. docs/why/cost.md says what it costs.

The environment is read from `posix.environ`, the dictionary of bytes that `os.environ` stands on
(Lib/os.py, _createenviron): a name that is not there costs `os.environ` two exceptions. No name
here holds the module `os`: whatever this module holds when Python ends is cleared name by name
(Python/pylifecycle.c, finalize_modules), and `os` has hundreds.
"""

import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

LIBRARIES = {
    "random": "stdlib",
    "numpy.random": "numpy",
    "torch": "torch",
    "numba": "numba",
    "cupy": "cupy",
    "cv2": "opencv",
    "dgl": "dgl",
    "leidenalg": "leidenalg",
    "mlx.core": "mlx",
    "networkit": "networkit",
    "PIL.Image": "libc",
    "polars": "polars",
    "sentencepiece": "sentencepiece",
    "tensorflow": "tensorflow",
    "webdataset": "webdataset",
}
"""Module whose import is waited for -> the file in `libraries/` that knows it.

`numpy.random`, not `numpy`: `import numpy` does not import it, so waiting for `numpy` would
either force the import or come too early.
"""

UNIQUE_NAMES = (
    "uuid",
    "dask.sizeof",
    "distributed.comm.core",
    "distributed.protocol.compression",
    "distributed.scheduler",
    "distributed.utils_comm",
    "distributed.worker",
    "email.utils",
    "email.generator",
    "IPython.core.tips",
    "IPython.utils.path",
    "jupyter_client.session",
    "jupyter_server.auth.security",
    "jupyter_server.serverapp",
    "nbconvert.utils.io",
    "pyspark.shuffle",
    "ray._common.retry",
    "ray._common.utils",
    "ray._private.event.event_logger",
    "ray._private.event.export_event_logger",
    "ray._private.external_storage",
    "ray._private.gcs_pubsub",
    "ray._private.node",
    "ray._raylet",
    "torch._inductor.codegen.wrapper",
    "zmq.sugar.socket",
)
"""Modules that draw names, salts and ports from `random`: they get true entropy (`entropy`)."""

ENGINES = {
    "celery.signals": "celery",
    "dask._expr": "dask",
    "dask.delayed": "dask",
    "dask.local": "dask",
    "distributed.client": "dask",
    "distributed.threadpoolexecutor": "dask",
    "distributed.worker": "dask",
    "gunicorn.app.base": "replicas",
    "gunicorn.arbiter": "gunicorn",
    "hydra.core.utils": "hydra",
    "optuna.study._optimize": "optuna",
    "pyspark.core.context": "spark",
    "pyspark.core.rdd": "spark",
    "pyspark.rdd": "spark",
    "pyspark.worker_message": "spark",
    "ray": "ray",
    "ray.train.v2._internal.execution.worker_group.worker": "ray",
    "ray.tune.execution.tune_controller": "ray",
    "rq.job": "rq",
    "torch.distributed.distributed_c10d": "torch_distributed",
    "uvicorn.main": "replicas",
    "uvicorn.server": "replicas",
    "uvicorn.supervisors.multiprocess": "uvicorn",
}
"""Module whose import is waited for -> the file in `engines/` that knows it (`engines`)."""

POOLS = {
    "_pytest.fixtures": "pytest",
    "_pytest.runner": "pytest",
    "concurrent.futures.process": "futures",
    "concurrent.futures.thread": "futures",
    "joblib.externals.loky.process_executor": "futures",
    "joblib.parallel": "joblib",
    "loky.process_executor": "futures",
    "multiprocess.pool": "pools",
    "multiprocessing.pool": "pools",
}
"""The same for what only SEED_INIT_POOLS=item asks for."""

COPIES = ".process"
"""How the name ends of the module by which a copy of multiprocessing is known (`copies`)."""

FLAGS = {
    "CUDNN_DETERMINISTIC": (
        ("0", "1"),
        "0",
        "warn=1 strict=1 portable=1",
        "backends.cudnn.deterministic",
    ),
    "CUDNN_BENCHMARK": (
        ("0", "1"),
        "0",
        "fast=1 warn=0 strict=0 portable=0",
        "backends.cudnn.benchmark",
    ),
    "CUDNN_ALLOW_TF32": (("0", "1"), "1", "", "backends.cudnn.allow_tf32 conv rnn"),
    "TORCH_ALLOW_TF32": (("0", "1"), "0", "", "backends.cuda.matmul.allow_tf32 matmul"),
    "TORCH_DETERMINISTIC_ALGORITHMS": (
        ("0", "warn", "1"),
        "0",
        "warn=warn strict=1 portable=1",
        "",
    ),
    # Filling costs time on every torch.empty and makes no run more reproducible unless the
    # program reads memory it never wrote; filled parameters have turned losses into NaN.
    "TORCH_FILL_UNINITIALIZED_MEMORY": (
        ("0", "1"),
        "1",
        "warn=0 strict=0 portable=0",
        "utils.deterministic.fill_uninitialized_memory",
    ),
}
"""Every determinism flag of PyTorch: the variable that sets it -> its entry.

An entry has the words that the variable accepts; PyTorch's own value; what each level of
DETERMINISM sets; and the attribute below `torch` by which the flag is set and read, with the
operators of a flag that allows TF32. "" stands for a flag that is no attribute
(`libraries.torch_flags.SPECIAL`). `determinism` takes the entries apart, and all who set, show,
measure or compare flags read them there. Constants only: every start makes this table.
"""

ACCEPTED: "dict[str, tuple[str, ...]]" = {
    "SEED": (),
    "DETERMINISM": ("off", "fast", "warn", "strict", "portable"),
    **{name: entry[0] for name, entry in FLAGS.items()},
    "CUBLAS_WORKSPACE_CONFIG": (),
    "SEED_INIT_THREADS": (),
    "SEED_INIT_LOG": ("quiet", "info", "debug"),
    "SEED_INIT_UNSEEDED": ("derive", "warn", "leave"),
    "SEED_INIT_RESEED": ("honour", "mix"),
    "SEED_INIT_RANKS": ("same", "distinct"),
    "SEED_INIT_CHILDREN": ("distinct", "inherit"),
    "SEED_INIT_TASKS": ("distinct", "same", "leave"),
    "SEED_INIT_POOLS": ("worker", "item"),
    "SEED_INIT_RESTART": (),
    "SEED_INIT_WORKER": (),
    "SEED_INIT_NOTEBOOK": ("kernel", "cell"),
    "SEED_INIT_TRACE": (),
    "SEED_INIT_RECORD": (),
}
"""Every variable of the contract, with the words that it takes; () for more than words.

SEED_INIT is not among them: it holds before anything is read, and in no defaults file.
"""

SEED_MAX = 2**32 - 1
"""The largest seed that `numpy.random.seed` and PYTHONHASHSEED take as well."""

NUMBERS: "dict[str, tuple[int, int, tuple[str, ...]]]" = {
    "SEED": (0, SEED_MAX, ("random", "off", "array", "7+array")),
    "SEED_INIT_RESTART": (0, SEED_MAX, ()),
    "SEED_INIT_THREADS": (1, 1024, ()),
}
"""Variables that take a whole number: the least, the largest, and words that they take as well.
In place of 7, any number (`arrays.accept`)."""

CUBLAS_DETERMINISTIC = (":4096:8", ":16:8")
"""The two values PyTorch accepts as deterministic (aten/src/ATen/Context.cpp)."""

DEFAULTS = "/etc/seed_init/defaults"
"""The image's defaults; below `sys.prefix`, those of one virtual environment."""

DEFAULTS_MAX = 65536
"""The longest defaults file, in bytes; what is beyond must not be ignored silently."""

values: "dict[str, str]" = {}
"""What this process was asked to do: variable to accepted value, where one was given."""

origins: "dict[str, str]" = {}
"""Where each value comes from: "environment", "PATH:LINE" of the defaults file, or why."""

started = False

follows_random = False
"""Whether forked children are seen to after `random` has seen to itself (`seeding`)."""

finder: "Any" = None
"""This module, once it waits in `sys.meta_path` for the libraries that are not imported yet.

The import system asks whatever has a `find_spec`; a class for it would cost every start more.
"""

waiting: "set[str]" = set()
"""Full names of the modules that are waited for. A name leaves when `call` is called for it; a
failed import keeps it."""


def find_spec(
    name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
) -> "ModuleSpec | None":
    """Answer for a module that is waited for; None for every other one."""
    if name not in waiting and not name.endswith(COPIES):
        return None
    spec: ModuleSpec | None = part("hook.importing").find_spec(finder, name, path, target)
    return spec


def __reduce_ex__(protocol: int) -> "tuple[Any, ...]":
    """Pickle and copy this module, which is a finder, by its name, as the finders beside it are."""
    return __import__, (__name__, None, None, ("finder",))


def imported(name: str) -> None:
    """Call for a module that has just been imported, unless that was done before, and for a copy
    of multiprocessing."""
    if name in waiting:
        waiting.remove(name)
        call(name)
    # Not hasattr(): a module may import what it is asked for, and fail.
    elif name.endswith(COPIES) and "BaseProcess" in getattr(sys.modules.get(name), "__dict__", ()):
        call(name)


def call(name: str) -> None:
    """Seed a library, attach to an engine or a copy of multiprocessing, give true entropy to who
    draws names, or pin what level portable cannot reach by a variable.

    This must not raise: raising would fail the user's import.
    """
    if name in UNIQUE_NAMES:
        guarded("hook.entropy", "give_to", name)
    if name in LIBRARIES:
        guarded("hook.seeding", "imported", name)
    elif name in ENGINES or name in POOLS:
        guarded("engines", "imported", name)
    elif name.endswith(COPIES):
        guarded("hook.copies", "watch", name)
    elif name not in UNIQUE_NAMES:
        guarded("hook.portability", "imported", name)


def start() -> None:
    """Arm this process. Does nothing with SEED_INIT=0 and when called again.

    Without SEED, DETERMINISM and a defaults file nothing is read or refused either: there is
    no job to protect.

    Both the sitecustomize and the .pth file call it, because each of them can be hidden from
    an interpreter that runs the other.
    """
    global started
    if started or posix.environ.get(b"SEED_INIT", b"").strip() == b"0":
        return
    if is_asked():
        started = True
        try:
            read(values, origins)
            if "SEED" in values or "DETERMINISM" in values or is_observed():
                _arm()
        except BaseException as error:
            end(error)


def is_observed() -> bool:
    """True where this process is to write a trace or a record."""
    return "SEED_INIT_TRACE" in values or "SEED_INIT_RECORD" in values


def is_asked() -> bool:
    """True where the environment or a defaults file may ask for seeds, flags or a record."""
    environ = posix.environ
    return bool(
        environ.get(b"SEED")
        or environ.get(b"DETERMINISM")
        or environ.get(b"SEED_INIT_TRACE")
        or environ.get(b"SEED_INIT_RECORD")
        or posix.access(DEFAULTS, posix.F_OK)
        or posix.access(sys.prefix + DEFAULTS, posix.F_OK)
    )


def read(values: "dict[str, str]", origins: "dict[str, str]") -> None:
    """Read the environment and, below it, the defaults file.

    Args:
        values: gets variable to accepted value.
        origins: gets variable to where that value comes from.

    Raises:
        Refusal: a value, or a line of the defaults file, that the contract does not have.
    """
    for path in (sys.prefix + DEFAULTS, DEFAULTS):
        if posix.access(path, posix.F_OK):
            read_defaults(path, values, origins)
            break
    environ = posix.environ
    if environ.get(b"SEED_INIT", b"").strip():
        raise part("hook.refusals").not_accepted("SEED_INIT", _text(environ[b"SEED_INIT"]), ("0",))
    for name in ACCEPTED:
        # Empty counts as unset: Compose and CI systems pass variables through empty.
        value = environ.get(name.encode())
        if value and (text := _text(value).strip()):
            values[name] = accept(name, text)
            origins[name] = "environment"
    if values.get("DETERMINISM") in ("strict", "portable"):
        part("hook.strictness").check(values, environ)


def _text(value: bytes) -> str:
    from os import fsdecode

    return fsdecode(value)


def read_defaults(path: str, values: "dict[str, str]", origins: "dict[str, str]") -> None:
    """Read a defaults file: NAME=VALUE lines, blank lines and lines that start with #.

    Args:
        path: the file.
        values: as in `read`.
        origins: as in `read`.

    Raises:
        Refusal: the file cannot be read, or a line is not in the contract.
    """
    # Not open(): its text decoding costs more than the rest of this function.
    try:
        handle = posix.open(path, posix.O_RDONLY)
        text = posix.read(handle, DEFAULTS_MAX + 1)
        posix.close(handle)
        if len(text) > DEFAULTS_MAX:
            raise OSError(0, f"longer than {DEFAULTS_MAX} bytes")
    except OSError as error:
        raise part("hook.refusals").unreadable(path, error) from None
    # Not splitlines(): it splits a comment at characters that no editor takes for a line's end.
    lines = _text(text).split("\n")
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if line and line[0] != "#":
            try:
                name, value = read_line(line)
                if value:
                    values[name], origins[name] = value, f"{path}:{number}"
            except Exception as error:
                raise part("hook.refusals").bad_line(path, number, line, error) from None


def read_line(line: str, unchecked: "Sequence[str]" = ()) -> "tuple[str, str]":
    """Name and value of a line of a defaults file that is no comment; "" for no value.

    Args:
        line: its text.
        unchecked: names whose values need not be accepted.

    Raises:
        Exception: the line is not in the contract.
    """
    name, value = map(str.strip, line.split("=", 1))
    # Empty counts as unset, as in the environment.
    if name not in unchecked and (value or name not in ACCEPTED):
        value = accept(name, value)
    return name, value


def accept(name: str, value: str) -> str:
    """Return `value`, normalised, if `name` takes it.

    Raises:
        Refusal: it does not; the text names the variable, the value and what is accepted.
    """
    words = ACCEPTED[name]
    if value in words or (not words and name not in NUMBERS):
        return value
    if name in NUMBERS:
        least, most, others = NUMBERS[name]
        if value.isascii() and value.isdecimal():
            # Zeros off first: int() raises on a text of more than 4300 digits.
            value = value.lstrip("0") or "0"
            if len(value) <= 10 and least <= int(value) <= most:
                return value
        words = (f"a whole number from {least} to {most}", *others)
        if value in others:
            return value
        if name == "SEED" and value.endswith("+array"):
            accepted: str = part("hook.arrays").accept(value)
            return accepted
    raise part("hook.refusals").not_accepted(name, value, words)


def _arm() -> None:
    seed = values.get("SEED", "")
    if seed == "random":
        part("hook.draw").replace_random(values, origins)
    elif seed.endswith("array"):
        part("hook.arrays").replace(values, origins)
    _export_workspace()
    if values.get("DETERMINISM") == "portable":
        part("hook.portability").arm(values)
    elif b"ATEN_CPU_CAPABILITY" in posix.environ.get(b"SEED_INIT_EXPORTED", b""):
        part("hook.portability").disarm(values)
    watch()
    if is_observed():
        part("proof.observer.lifecycle").start(values)


def _export_workspace() -> None:
    """Set CUBLAS_WORKSPACE_CONFIG where this process is to have it.

    Now, because cuBLAS reads it when torch creates its first handle; children inherit it, and
    beside it that it is no choice of the user's (`settings.EXPORTED`).
    """
    workspace = values.get("CUBLAS_WORKSPACE_CONFIG")
    if workspace:
        from os import environ

        if environ.get("CUBLAS_WORKSPACE_CONFIG") != workspace:
            environ["CUBLAS_WORKSPACE_CONFIG"] = workspace
    elif ("SEED" in values or "DETERMINISM" in values) and needs_workspace(
        values, values.get("DETERMINISM", "warn")
    ):
        put, raw = posix.putenv, posix.environ
        names = raw.get(b"SEED_INIT_EXPORTED", b"") + b",CUBLAS_WORKSPACE_CONFIG"
        # As os.environ does, which would encode them.
        put(b"CUBLAS_WORKSPACE_CONFIG", b":4096:8")
        put(b"SEED_INIT_EXPORTED", names)
        raw[b"CUBLAS_WORKSPACE_CONFIG"], raw[b"SEED_INIT_EXPORTED"] = b":4096:8", names


def needs_workspace(values: "dict[str, str]", level: "str | None") -> bool:
    """True where torch's deterministic algorithms are on, which need CUBLAS_WORKSPACE_CONFIG.

    Args:
        values: what this process was asked to do.
        level: DETERMINISM, or what stands for it.
    """
    return values.get("TORCH_DETERMINISTIC_ALGORITHMS", level) in (
        "1",
        "warn",
        "strict",
        "portable",
    )


def watch() -> None:
    """Leave the finder and the fork callbacks behind; see to what is imported already."""
    global finder
    posix.register_at_fork(
        before=lambda: guarded("hook.children", "before_fork"),
        after_in_parent=lambda: guarded("hook.children", "after_fork_in_parent"),
        after_in_child=lambda: (
            None if follows_random else guarded("hook.children", "after_fork_in_child")
        ),
    )
    finder = sys.modules[__name__]
    waiting.update(LIBRARIES, UNIQUE_NAMES, ENGINES)
    if values.get("SEED_INIT_POOLS") == "item":
        waiting.update(POOLS)
    sys.meta_path.insert(0, finder)
    for name in list(sys.modules):
        if name in waiting or name.endswith(COPIES):
            imported(name)


def guarded(module: str, function: str, *arguments: object) -> None:
    """Call a function of the package; end the process if it fails.

    Never raise: a second `import torch` after a failed one cannot succeed, and a user's
    `except ImportError` would carry on unseeded.
    """
    try:
        # Around every fork: an import statement, even of what is loaded, touches a lot of memory,
        # and parent and child have to copy what they touch.
        loaded = sys.modules.get("seed_init." + module)
        # While another thread imports the module, an import statement waits for that thread.
        if loaded is None or getattr(loaded.__spec__, "_initializing", False):
            loaded = _load(module)
        getattr(loaded, function)(*arguments)
    except BaseException as error:
        part("hook.interruptions").end_or_finish(error, module, function, arguments)


def part(name: str) -> "Any":
    """A module of the package, which is loaded only now; ends the process if it is broken."""
    try:
        return _load(name)
    except BaseException as error:
        end(error)


def _load(name: str) -> "Any":
    """Import a module of the package that lies beside this file.

    Not through `sys.path`: a program may have a module named seed_init of its own first there.
    Where the package is not beside (an editable installation), `sys.path` has to do.
    """
    if "seed_init" not in sys.modules:
        from _frozen_importlib import module_from_spec
        from _frozen_importlib_external import PathFinder

        spec = PathFinder.find_spec("seed_init", [__file__.rpartition("/")[0]])
        if spec is not None and spec.loader is not None:
            sys.modules["seed_init"] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules["seed_init"])
    __import__(f"seed_init.{name}")
    return sys.modules[f"seed_init.{name}"]


def end(error: BaseException) -> None:
    """End this process with one line: a bad setting, or a failure to seed. Does not return.

    An exception would let user code run unseeded, with exit status 0, and SystemExit makes
    `site` print a page (Lib/site.py, execsitecustomize; Python/pylifecycle.c).
    """
    try:
        _load("hook.refusals").end(error)
    except BaseException:
        line = f"seed_init: cannot load the seeding hook ({error!r}); run 'seed-init install' "
        line += "again, or set SEED_INIT=0 to run without seeding\n"
        try:
            posix.write(2, line.encode("ascii", "backslashreplace"))
        finally:
            posix._exit(78)


if __name__ == "_seed_init_startup":
    # The package asks for `seed_init.hook.startup` and must find what is running.
    sys.modules["seed_init.hook.startup"] = sys.modules[__name__]
    start()
