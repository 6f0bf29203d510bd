# SPDX-License-Identifier: Apache-2.0
"""Optuna: each trial has streams of its own, and what the sampler draws for it.

Several processes may work on one study, each with a sampler of its own. Samplers that draw alike
suggest the same trials (https://github.com/optuna/optuna/issues/3790). The number of a trial is the
storage's, so that no two processes have the same one.
"""

import sys
import weakref

from seed_init.engines import Engine
from seed_init.hook import callers, numbering, random_number, state, streams, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Any

    from seed_init.hook.streams import Path

_studies: "weakref.WeakKeyDictionary[Any, Path]" = weakref.WeakKeyDictionary()
_latest: "weakref.WeakKeyDictionary[Any, int]" = weakref.WeakKeyDictionary()
# The generators of samplers that the program has given no seed.
_unseeded: "weakref.WeakSet[Any]" = weakref.WeakSet()


class Optuna(Engine):
    """A trial begins where it gets its number, and its objective's streams around the objective."""

    name = "Optuna"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach` (optuna/study/_optimize.py, which optuna imports near the end)."""
        generators = sys.modules["optuna.samplers._lazy_random_state"]
        trials = sys.modules["optuna.trial._trial"]
        is_known = isinstance(generators.LazyRandomState.rng, property)
        if not is_known or not all(map(callable, (trials.Trial, vars(module)["_run_trial"]))):
            raise TypeError("its samplers and trials are made otherwise")
        _follow_generators(generators)
        _follow_trials(trials)
        _follow_objectives(module)


def _follow_generators(module: "Any") -> None:
    lazy = module.LazyRandomState
    original = lazy.__init__

    @callers.like(original)
    def __init__(self, seed=None, *more, **keywords):  # type: ignore[no-untyped-def]
        original(self, seed, *more, **keywords)
        if seed is None:
            _unseeded.add(self)

    lazy.__init__ = __init__


def _follow_trials(module: "Any") -> None:
    original = module.Trial.__init__

    @callers.like(original)
    def __init__(self, study, trial_id):  # type: ignore[no-untyped-def]
        if state.job_seed() is not None:
            _seed_sampler(study, study._storage.get_trial(trial_id).number)
        original(self, study, trial_id)

    module.Trial.__init__ = __init__


def _follow_objectives(module: "Any") -> None:
    run_trial = module._run_trial

    @callers.like(run_trial)
    def run(study, func, *more, **keywords):  # type: ignore[no-untyped-def]
        def objective(trial: "Any") -> "Any":
            unit = units.begin("Optuna", (*_path(study), trial.number), aside=True)
            try:
                return func(trial)
            finally:
                units.end(unit)

        return run_trial(study, objective, *more, **keywords)

    module._run_trial = run


def _path(study: "Any") -> "Path":
    """The path of a study: by its name, and how many of that name this process has had.

    It lies below the program, since any of its processes may run a trial of a study that lies in a
    storage. A study in memory is its process's alone, and lies below that.
    """
    path = _studies.get(study)
    if path is None:
        # Without a name a study gets a random one.
        name = study.study_name
        name = "" if name.startswith("no-name-") else name
        path = numbering.next_path("optuna", "study", name)
        if type(study._storage).__name__ != "InMemoryStorage":
            path = (*state.root(), *path[-4:])
        _studies[study] = path
    return path


def _seed_sampler(study: "Any", number: int) -> None:
    """Have what the sampler draws from now on follow the trial."""
    if number <= _latest.get(study, -1):
        return  # another object for the same trial
    _latest[study] = number
    job, path = state.job_seed(), (*_path(study), number, "sampler")
    if job is None:
        return
    seed = streams.derive(job, path)
    if state.settings.tasks == "leave":
        seed = random_number() % 2**32
    for generator in _generators(study.sampler, set()):
        generator.rng.seed(seed)


def _generators(sampler: "Any", seen: set[int]) -> "Iterator[Any]":
    """The generators without a seed of a sampler and of those that it asks."""
    if id(sampler) in seen:
        return
    seen.add(id(sampler))
    for value in list(vars(sampler).values()):
        if type(value).__name__ == "LazyRandomState":
            if value in _unseeded and id(value) not in seen:
                seen.add(id(value))
                yield value
        elif hasattr(value, "sample_independent") and hasattr(value, "__dict__"):
            yield from _generators(value, seen)


engine = Optuna()
