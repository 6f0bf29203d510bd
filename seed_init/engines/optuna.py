# SPDX-License-Identifier: Apache-2.0
"""Optuna: each trial has streams of its own, by study and number, whichever process runs it.

Several processes may work on one study. Each of them would draw the parameters that all the others
draw, and so all would run the same trials.
"""

from weakref import WeakKeyDictionary

from seed_init.engines import Engine
from seed_init.hook import like, numbering, state, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from seed_init.hook.streams import Path

MARK = "_seed_init_derived"
"""Attribute of a generator that nobody has given a seed; copies of a sampler have it as well."""

_unnamed: "WeakKeyDictionary[Any, Path]" = WeakKeyDictionary()


def _path(study: "Any", number: int) -> "Path":
    """The path of a trial: below the job, because any of its processes may run the trial."""
    if not study.study_name.startswith("no-name-"):  # a random UUID follows
        return ("optuna", study.study_name, number)
    if study not in _unnamed:
        _unnamed[study] = numbering.next_path("optuna", "study")
    return (*_unnamed[study], number)


def _generators(sampler: "Any") -> "list[Any]":
    """The generators of a sampler, and of the sampler that it has for random parameters."""
    inner = getattr(sampler, "_random_sampler", None)
    every = [value for each in (sampler, inner) for value in getattr(each, "__dict__", {}).values()]
    return [each for each in every if type(each).__name__ == "LazyRandomState"]


def _start_sampler(study: "Any", number: int) -> None:
    """Start the generators of a study's sampler that nobody has given a seed."""
    job = state.job_seed()
    if job is None or state.settings.tasks != "distinct":
        return
    from seed_init.hook import streams

    for place, generator in enumerate(_generators(study.sampler)):
        if generator._rng is None or hasattr(generator, MARK):
            seed = streams.derive(job, (*_path(study, number), "sampler", place))
            setattr(generator, MARK, True)
            generator.rng.seed(seed)


class Optuna(Engine):
    name = "Optuna"

    def attach(self, module: "ModuleType") -> None:
        """Wrap what makes a trial, or what runs the objective of one."""
        if module.__name__ == "optuna.trial._trial":
            self._attach_to_trials(module)
        else:
            self._attach_to_objectives(module)

    def _attach_to_trials(self, module: "Any") -> None:
        make = module.Trial.__init__

        @like(make)
        def start_and_make(trial: "Any", study: "Any", trial_id: int) -> None:
            _start_sampler(study, study._storage.get_trial(trial_id).number)
            make(trial, study, trial_id)

        module.Trial.__init__ = start_and_make

    def _attach_to_objectives(self, module: "Any") -> None:
        run = module._run_trial

        @like(run)
        def run_as_unit(study: "Any", func: "Any", *arguments: "Any") -> "Any":
            @like(func)
            def objective(trial: "Any") -> "Any":
                unit = units.begin("Optuna", _path(study, trial.number), aside=True)
                try:
                    return func(trial)
                finally:
                    units.end(unit)

            return run(study, objective, *arguments)

        module._run_trial = run_as_unit


engine = Optuna()
