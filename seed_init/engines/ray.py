# SPDX-License-Identifier: Apache-2.0
"""Ray: tasks, actors and their calls, Tune's trials and Train's workers.

Who submits a unit numbers it, and sends its identity along with its arguments: one more pair in
the list that Ray makes of them (`ray/_common/signature.py`, flatten_args), which each worker takes
out again (`ray_units`) before it calls the user's function. So no function, class, signature, name
or option of the user's is another one than without us, a task that Ray tries again has its first
identity, and the submitter's seed reaches workers that run already.

- A task's path is below its submitter's: the n-th of its function.
- An actor's is below its creator's: the n-th of its class. The constructor starts there.
- A call's is below that of whoever calls: the n-th of its method, on whichever actor. So a pool of
  actors gives the same numbers, whoever of them is free first.
- A trial of Tune is the n-th of its experiment. Its actor draws at that path from beginning to end.
- A worker of Train draws where the program that trains draws, until its rank is known: a training
  job's ranks follow SEED_INIT_RANKS.

A worker that does not know the pair would pass it to the user's function. So what the workers load
of a function or class tells them first (`ray_exports`), and nothing is sent where it was loaded
from elsewhere.
"""

import json
import os
import sys

from seed_init.engines import Engine, ray_exports, ray_units, trace_variables
from seed_init.hook import numbering, random_number, state, units
from seed_init.hook.callers import like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any

    from seed_init.hook.streams import Path

TUNE = "ray.tune.execution.tune_controller"
TRAIN = "ray.train.v2._internal.execution.worker_group.worker"

TRIAL_INFO = "__trial_info__"
"""In the configuration that Tune passes to an actor: which trial it is for (ray/tune/result.py)."""

INJECTED = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Has the configuration of a job that was submitted to a cluster, of which the program is part."""

UNNUMBERED = ("__ray_ready__", "__ray_terminate__")
"""Methods of each actor that are Ray's and run nothing of the user's."""

_trials: "dict[str, Path]" = {}  # identity of a trial, which is random -> its path


class Arguments(list):  # type: ignore[type-arg]
    """Positional arguments on their way to a worker, and what goes with them.

    True also when it is empty: Ray makes no list of the arguments where there are none.
    """

    __slots__ = ("sent",)

    def __init__(self, arguments: "Iterable[Any]", sent: bytes) -> None:
        super().__init__(arguments)
        self.sent = sent

    def __bool__(self) -> bool:
        return True

    def __reduce_ex__(self, protocol: "Any") -> "tuple[Any, ...]":
        return list, (list(self),)


class Ray(Engine):
    """See `Engine`."""

    name = "Ray"

    def attach(self, module: "ModuleType") -> None:
        """Wrap where Ray submits and where its workers begin; in Tune and Train what they number.

        Args:
            module: as in `Engine.attach`.

        Raises:
            AttributeError: this release has other names.
        """
        {"ray": _attach, TUNE: _attach_to_tune, TRAIN: ray_units.attach_to_train}[module.__name__](
            module
        )


engine = Ray()


def _attach(ray: "Any") -> None:
    """See `Ray.attach`. A worker that nobody has asked for a seed calls this before the hook."""
    if ray_units.is_attached(ray):
        return
    signature = ray._common.signature
    function, actor_class = ray.remote_function.RemoteFunction, ray.actor.ActorClass
    handle = ray.actor.ActorHandle
    flatten, submit = signature.flatten_args, function._remote
    create, call = actor_class._remote, handle._actor_method_call
    ray_units.check(ray)
    _ = ray.init, ray._private.services.find_bootstrap_address
    ray_exports.attach(ray)
    ray_units.attach(ray)
    if trace_variables():
        ray.init = _init_with_trace(ray)

    @like(flatten)
    def flatten_args(signature_parameters: "Any", args: "Any", kwargs: "Any") -> "Any":
        flat = flatten(signature_parameters, args, kwargs)
        if type(args) is Arguments:
            flat += [ray_units.KEY, args.sent]
        return flat

    @like(submit)
    def submit_task(
        self: "Any", args: "Any" = None, kwargs: "Any" = None, *rest: "Any", **options: "Any"
    ) -> "Any":
        if not self._is_cross_language and _is_sent(ray):
            name = self._function_name.rpartition(".")[2]
            args = _with(args, ray_units.TASK, numbering.next_path("ray", "task", name))
        return submit(self, args, kwargs, *rest, **options)

    @like(create)
    def create_actor(
        self: "Any", args: "Any" = None, kwargs: "Any" = None, **options: "Any"
    ) -> "Any":
        meta = self.__ray_metadata__
        # It calls itself where an actor of that name may be there already.
        if type(args) is not Arguments and not meta.is_cross_language and _is_sent(ray):
            args = _with(args, *_actor(meta.modified_class, meta.class_name, kwargs))
        return create(self, args, kwargs, **options)

    @like(call)
    def call_actor(
        self: "Any",
        method_name: str,
        args: "Any" = None,
        kwargs: "Any" = None,
        *rest: "Any",
        **options: "Any",
    ) -> "Any":
        made_by = self._ray_actor_creation_function_descriptor
        if (
            method_name not in UNNUMBERED
            and not self._ray_is_cross_language
            and _is_sent(ray)
            and ray_exports.is_ours(ray, self)
        ):
            trial = _trial(args[0]) if args and method_name == "reset" else None
            label = f"{made_by.class_name}.{method_name}"
            if trial is not None:
                args = _with(args, ray_units.WHOLE, trial)
            else:
                args = _with(args, ray_units.CALL, numbering.next_path("ray", "call", label))
        return call(self, method_name, args, kwargs, *rest, **options)

    signature.flatten_args = flatten_args
    function._remote = submit_task
    actor_class._remote = create_actor
    handle._actor_method_call = call_actor


def _init_with_trace(ray: "Any") -> "Any":
    """`ray.init` that has the workers of a cluster write to the trace of this run.

    The workers of a cluster that the program starts have its environment anyway.
    """
    init = ray.init

    @like(init)
    def init_with_trace(*arguments: "Any", **keywords: "Any") -> "Any":
        given = keywords.get("runtime_env") or {}
        # What is in a configuration of the job, a runtime environment would take the place of.
        is_free = not keywords.get("job_config") and INJECTED not in os.environ
        if is_free and isinstance(given, dict) and _joins(ray, arguments, keywords):
            variables = {**trace_variables(), **(given.get("env_vars") or {})}
            keywords["runtime_env"] = {**given, "env_vars": variables}
        return init(*arguments, **keywords)

    return init_with_trace


def _joins(ray: "Any", arguments: "tuple[Any, ...]", keywords: "dict[str, Any]") -> bool:
    """Whether `ray.init` joins a cluster that runs already (services.py, canonicalize_...)."""
    address = os.environ.get("RAY_ADDRESS") or keywords.get("address", None)
    address = address or next(iter(arguments), None)
    if address is not None:
        return bool(address != "local")
    return ray._private.services.find_bootstrap_address(keywords.get("_temp_dir")) is not None


def arrived() -> None:
    """In a worker: see to it that what is sent along is understood here, whatever SEED is."""
    _attach(sys.modules["ray"])


def _is_sent(ray: "Any") -> bool:
    """Whether what is submitted here reaches workers that know what is sent along."""
    # A client's server submits in its place. What workers load from their own files is no export.
    worker = ray._private.worker.global_worker
    is_sent = not (ray._private.client_mode_hook.client_mode_should_convert()) and not getattr(
        worker, "load_code_from_local", False
    )
    if not is_sent:
        units.submitted(ray_units.ENGINE, 0)
    return is_sent


def _with(args: "Any", kind: str, path: "Path") -> Arguments:
    """Arguments, and with them what a worker is to begin.

    Args:
        args: the positional arguments, or None.
        kind: one of those in `ray_units`.
        path: where its streams start.
    """
    if kind != ray_units.CALL:  # how many calls of an actor are units, only the actor knows
        units.submitted(ray_units.ENGINE, 1)
    if state.settings.tasks == "leave":
        path = (*units.LEAVE, random_number())
    return Arguments(args or (), json.dumps([kind, state.job_seed(), path]).encode())


def _actor(cls: type, name: str, kwargs: "Any") -> "tuple[str, Path]":
    """Which kind of an actor a class makes, and the path of the next one."""
    trial = _trial((kwargs or {}).get("config"))
    if trial is not None:
        return ray_units.WHOLE, trial
    original = getattr(cls, "__ray_actor_class__", cls)
    if original.__module__.startswith("ray.train."):
        kind = ray_units.RANKS if ray_units.has_distinct_ranks() else ray_units.WHOLE
        return kind, state.place()
    return ray_units.CALLED, numbering.next_path("ray", "actor", name)


def _trial(config: "Any") -> "Path | None":
    """The path of the trial that a configuration is for; None if it is no trial's."""
    info = config.get(TRIAL_INFO) if isinstance(config, dict) else None
    return None if info is None else _trials.get(info.trial_id)


def _attach_to_tune(module: "Any") -> None:
    controller = module.TuneController
    add = controller.add_trial

    @like(add)
    def add_trial(self: "Any", trial: "Any") -> None:
        experiment: Path | None = getattr(self, "_seed_init_path", None)
        if experiment is None:
            experiment = self._seed_init_path = numbering.next_path("ray", "experiment", "tune")
        _trials[trial.trial_id] = (*experiment, "trial", len(self._trials) + 1)
        add(self, trial)

    controller.add_trial = add_trial
