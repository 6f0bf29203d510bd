# SPDX-License-Identifier: Apache-2.0
"""Spark: each partition of a stage has streams of its own, in whichever worker process it runs.

Spark numbers the stages of an application in the order in which they are submitted, and the
partitions of each stage. A task that is tried again has both numbers again. One task may run
several Python functions, each in a worker of its own: a mapped RDD that is cached and mapped again,
two UDFs one after the other. So two more things are in the path:

- For an RDD, the number that the driver has given to its function. It travels behind the pickled
  function, where `pickle` does not look (Doc: "bytes past the pickled representation are ignored"),
  so that a worker without the hook reads what it would read.
- For UDFs, the ids by which Spark knows their results (`resultId` of PythonUDF). The driver numbers
  nothing there, because Spark compares plans by the bytes of their functions.

What is pickled is no part of the path: it has the paths of source files in it, and the classes of
the program have random ids in there (cloudpickle, `_get_or_create_tracker_id`).

The seed of the driver goes to the workers as PYTHONHASHSEED does: in `SparkContext.environment`.
"""

import sys

from seed_init.engines import Engine, trace_variables
from seed_init.hook import callers, numbering, startup, state, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from seed_init.hook.streams import Path

MARK = b"\0seed_init"
"""Ends what travels behind a pickled function: the number's text, two bytes of length, this."""

NOT_PASSED_ON = ("SEED_INIT_TRACE", "SEED_INIT_RECORD", "SEED_INIT_RESTART")
"""What belongs to the driver's process alone, and the restart, which the passed seed has in it."""


class Spark(Engine):
    """Python functions of RDDs, Python and pandas UDFs, and table functions."""

    name = "Spark"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach`."""
        _ATTACH[module.__name__](module)


engine = Spark()

_unit: units.Unit | None = None  # of the task that this worker runs, or ran last


# --- in the driver ---


def _number_functions(module: "Any") -> None:
    """Number the functions of RDDs (pyspark/core/rdd.py)."""
    _check_worker()
    prepare = module._prepare_for_python_RDD

    @callers.like(prepare)
    def _prepare_for_python_RDD(sc, command):  # type: ignore[no-untyped-def]
        pickled, *rest = prepare(sc, command)
        units.submitted("Spark", 0)  # the query decides how many partitions there are
        # The function of an RDD comes with a profiler and two serializers, a UDF with its type.
        if state.job_seed() is not None and isinstance(command, tuple) and len(command) == 4:
            pickled += _trailer(numbering.next_path("spark", "rdd"))
        return (pickled, *rest)

    module._prepare_for_python_RDD = _prepare_for_python_RDD


def _pass_settings(module: "Any") -> None:
    """Pass what this job was asked to do to the workers (pyspark/core/context.py)."""
    if not _knows_worker():
        return  # which has been said: that module imports pyspark.core.rdd
    do_init = module.SparkContext._do_init

    @callers.like(do_init)
    def _do_init(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        do_init(self, *args, **kwargs)
        for name, value in {**_settings(), **trace_variables()}.items():
            # What the program has given to its workers holds.
            self.environment.setdefault(name, value)

    module.SparkContext._do_init = _do_init


def _settings() -> dict[str, str]:
    """The variables of the contract for a program that this process starts anywhere."""
    # The driver may be one of several, which its place tells apart, but not a worker's.
    seed = state.process_seed()
    if seed is None:
        return {}
    given = {name: value for name, value in startup.values.items() if name not in NOT_PASSED_ON}
    return {**given, "SEED": str(seed), "SEED_INIT_RESTART": "0"}


def _check_worker() -> None:
    """Raise where this release's workers are not made as `_see_tasks` knows them.

    The driver says so. Its workers, which Spark starts by `python -m pyspark.daemon`, need not.
    """
    if not _knows_worker() and not {"pyspark.daemon", "pyspark.worker"} & set(sys.orig_argv):
        raise LookupError("it has no module pyspark.worker_message")


def _knows_worker() -> bool:
    from importlib.util import find_spec

    return find_spec("pyspark.worker_message") is not None


def _trailer(path: "Path") -> bytes:
    from json import dumps

    text = dumps(path).encode()
    return text + len(text).to_bytes(2, "little") + MARK


# --- in the workers ---


def _see_tasks(module: "Any") -> None:
    """Begin a unit with each task (pyspark/worker_message.py).

    What the JVM says of a task is read at once, before anything of the program is unpickled.
    """
    read = module.WorkerInitInfo.from_stream.__func__
    if not {"stage_id", "partition_id"} <= module.TaskContextInfo.__dataclass_fields__.keys():
        raise LookupError("a task does not tell its stage and partition")
    told = module.WorkerInitInfo.__dataclass_fields__.keys()
    if not {"task_context", "eval_type", "udf_info"} <= told:
        raise LookupError("a task does not tell its functions")

    @callers.like(read)
    def from_stream(cls, stream):  # type: ignore[no-untyped-def]
        global _unit
        told = read(cls, stream)
        if units.watch is not None:
            _tell_of_returns()
        units.end(_unit)  # the task before, in a worker that is used again
        _unit = units.begin("Spark", _path(told))
        return told

    module.WorkerInitInfo.from_stream = classmethod(from_stream)


def _tell_of_returns() -> None:
    """Tell whoever observes this run when a task's code has returned: the worker may be killed."""
    for name in ("pyspark.worker", "__main__"):
        module: Any = sys.modules.get(name)
        report = getattr(module, "report_times", None)
        if report is not None and not hasattr(report, "seed_init"):
            module.report_times = _telling(report)


def _telling(report: "Any") -> "Any":
    @callers.like(report)
    def report_times(*args, **kwargs):  # type: ignore[no-untyped-def]
        units.returned(_unit)
        return report(*args, **kwargs)

    report_times.seed_init = True  # type: ignore[attr-defined]
    return report_times


def _path(told: "Any") -> "Path":
    """The identity of a task's function; see above."""
    task, functions = told.task_context, told.udf_info
    place = "stage", task.stage_id, task.partition_id
    if isinstance(functions, list):
        return ("spark", "udf", *place, told.eval_type, *(each.result_id for each in functions))
    if hasattr(functions, "handler"):  # a table function, of which a query knows the name
        columns = *functions.args, *functions.kwargs
        return ("spark", "udtf", *place, told.eval_type, functions.name, *columns)
    return (*(_number(functions) or _unnumbered(functions)), *place)


def _number(pickled: "Any") -> "Path | None":
    """What the driver has put behind a pickled function."""
    end = len(pickled) - len(MARK)
    if bytes(pickled[end:]) != MARK:
        return None
    from json import loads

    length = int.from_bytes(pickled[end - 2 : end], "little")
    return tuple(loads(bytes(pickled[end - 2 - length : end - 2])))


def _unnumbered(pickled: "Any") -> "Path":
    """A driver without the hook: at least no two functions of one task are alike."""
    from zlib import crc32

    return "spark", "function", crc32(pickled)


def _unknown(module: "ModuleType") -> None:
    """Releases before 4 (pyspark/rdd.py), whose workers are made differently."""
    _check_worker()


_ATTACH = {
    "pyspark.core.rdd": _number_functions,
    "pyspark.core.context": _pass_settings,
    "pyspark.worker_message": _see_tasks,
    "pyspark.rdd": _unknown,
}
