# SPDX-License-Identifier: Apache-2.0
"""The plan of a sweep: what is run, how often, and under what. It lies in the sweep's folder.

Whoever runs a part of a sweep, on whatever machine, reads this plan and nothing else.
"""

import json
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from seed_init.hook import state
from seed_init.hook.settings import EXPORTED
from seed_init.proof.redaction import redaction
from seed_init.proof.redaction.secret_words import words_without_secrets
from seed_init.proof.running import commands
from seed_init.proof.sweeping import code_state, words
from seed_init.proof.sweeping.metrics import Metric
from seed_init.system import writing

FORMAT = 1
KIND = "sweep-plan"
FILE = "plan.json"

RUN, AGAINST = "run", "against"
"""The arms of a sweep: the command, and the command that it is compared with."""

NOT_OF_A_SWEEP = frozenset(
    {
        *("SEED", "SEED_INIT_DRAWN", "SEED_INIT_EXPORTED", "SEED_INIT_LOG", "SEED_INIT_TRACE"),
        *("SEED_INIT_RECORD", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "RANK"),
        *("LOCAL_RANK", "GROUP_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "PMI_RANK", "PMI_SIZE"),
        *("TORCHELASTIC_RESTART_COUNT", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    }
)
"""Recorded variables that may differ from run to run of one sweep."""

GIVEN_BY_SLURM = "SLURM_"


class NotASweep(Exception):
    """A folder has no plan that can be read, or not that of this sweep. The text is one line."""


@dataclass(frozen=True, order=True)
class Task:
    """One run of a sweep.

    Attributes:
        index: the place of the run in the plan, from 0.
        arm: `RUN` or `AGAINST`.
        seed: SEED of the run.
        again: True for the second run of the first seed.
    """

    index: int
    arm: str
    seed: int
    again: bool = False

    @property
    def name(self) -> str:
        """The directory of the run, relative to the sweep's folder."""
        return f"{self.arm}/seed-{self.seed}{'-again' if self.again else ''}"

    def __str__(self) -> str:
        arm = "" if self.arm == RUN else f" {self.arm}"
        return f"seed {self.seed}{arm}{' again' if self.again else ''}"


@dataclass(frozen=True)
class Plan:
    """What a sweep runs.

    Attributes:
        name: what a reader calls the sweep.
        cwd: the working directory of the runs, an absolute path.
        command: the words of the command, with `{seed}` and `{dir}` as the user wrote them.
        against: the words of the command that it is compared with; None where there is none.
        seeds: the seeds, each once.
        metrics: what is read from each run.
        repeat: whether the first seed is run twice.
        records: whether each run gets a record.
        steps: whether each record has a fingerprint of every training step.
        stdin: a file that every run reads; None for /dev/null.
        timeout: seconds after which a run is ended; None for no limit.
        environment: the recorded variables that every run has.
        programs: arm -> the path of the program that its words name.
        code: the state of the code (`code_state.of`).
        inputs: names with a seed in them that were there before the first run.
        engine: what an engine notes about its jobs.
    """

    name: str
    cwd: str
    command: tuple[str, ...]
    seeds: tuple[int, ...]
    against: tuple[str, ...] | None = None
    metrics: tuple[Metric, ...] = ()
    repeat: bool = True
    records: bool = True
    steps: bool = False
    stdin: str | None = None
    timeout: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    engine: Mapping[str, Any] = field(default_factory=dict)

    def words_of(self, arm: str) -> tuple[str, ...]:
        """Return the words of an arm, as the user wrote them."""
        return self.command if arm == RUN else self.against or ()

    def tasks(self) -> list[Task]:
        """Return every run, in order: a sweep that stops early has pairs with equal seeds."""
        runs: list[tuple[str, int, bool]] = []
        for number, seed in enumerate(self.seeds):
            runs.append((RUN, seed, False))
            if number == 0 and self.repeat:
                runs.append((RUN, seed, True))
            if self.against is not None:
                runs.append((AGAINST, seed, False))
        return [Task(index, *run) for index, run in enumerate(runs)]

    def to_json(self) -> dict[str, Any]:
        """Return what `plan.json` has."""
        return {"format": FORMAT, "kind": KIND, **asdict(self)}


def made(plan: Plan) -> Plan:
    """Complete a plan by what this machine says at present: programs, environment, code, inputs.

    Args:
        plan: what the user asked for.

    Raises:
        commands.CannotStart: there is no such command.
        NotASweep: two runs would write to the same file.
    """
    cwd = Path(plan.cwd)
    arms = [RUN] if plan.against is None else [RUN, AGAINST]
    inputs = tuple(words.inputs([*plan.command, *(plan.against or ())], plan.seeds[0], cwd))
    shared = words.common_names(plan.command, plan.against or (), plan.seeds[0], inputs)
    if shared:
        raise NotASweep(
            f"{shared[0]} is in both commands, so that two runs of one seed would write to the "
            "same file; give each command a name of its own, or {dir}, the directory of the run"
        )
    return replace(
        plan,
        environment=contract(os.environ),
        programs={arm: _program(plan.words_of(arm), plan.seeds[0], cwd) for arm in arms},
        code=code_state.of([*map(plan.words_of, arms), (plan.stdin or "",)], cwd),
        inputs=inputs,
    )


def _program(command: Sequence[str], seed: int, cwd: Path) -> str:
    if words.SEED in command[0]:
        command = words.filled(command, seed, cwd, inputs=())
    # The directory is asked for only where a notebook is executed.
    return commands.resolve(command, os.environ, cwd, cwd).program


def moved(plan: Plan, cwd: Path) -> Plan:
    """Return a plan for another working directory, such as that of a container.

    Args:
        plan: the plan.
        cwd: the directory that has there what the plan's own has here.
    """

    def there(digests: Mapping[str, Any]) -> dict[str, Any]:
        before = f"{plan.cwd}{os.sep}"
        return {
            str(cwd / path.removeprefix(before)): digest
            for path, digest in digests.items()
            if path.startswith(before)
        }

    code = {**plan.code, **{name: there(plan.code.get(name, {})) for name in ("changed", "files")}}
    return replace(plan, cwd=str(cwd), code=code)


def one_for_all(plan: Plan) -> list[str]:
    """Return the files of metrics that every run writes to. Runs at one time would spoil them."""
    files = dict.fromkeys(metric.file for metric in plan.metrics if metric.file is not None)
    return [name for name in files if words.SEED not in name and words.DIRECTORY not in name]


def contract(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that every run of a sweep has alike.

    Values of a defaults file count as well, because they hold where the environment says nothing.
    """
    settings = state.settings
    of_a_file = {
        name: value
        for name, value in settings.values.items()
        if settings.origins.get(name, "").startswith("/")
    }
    # What the hook has exported in this process it exports in each run as well.
    exported = environment.get(EXPORTED, "").split(",")
    return {
        name: value
        for name, value in {**of_a_file, **redaction.variables(environment)}.items()
        if name not in NOT_OF_A_SWEEP
        and name not in exported
        and not name.startswith(GIVEN_BY_SLURM)
    }


def differences(before: Plan, now: Plan, written: Container[str] = ()) -> list[str]:
    """Return why runs of one plan are not those of another one, one clause each; none if they are.

    Seeds and metrics may differ: more seeds are more runs, and metrics are read from what is kept.

    Args:
        before: the plan in the folder.
        now: the plan that the user asks for.
        written: paths that runs of the sweep have written.
    """
    lines = []
    if before.command != now.command:
        lines.append("the command is another one")
    if before.against is not None and before.against != now.against:
        what = "another one" if now.against else "not given any more"
        lines.append(f"the command of --against is {what}")
    if before.cwd != now.cwd:
        lines.append(f"the working directory was {before.cwd}")
    for arm, program in before.programs.items():
        if before.words_of(arm) == now.words_of(arm) and now.programs.get(arm, program) != program:
            lines.append(f"{now.words_of(arm)[0]} is {now.programs[arm]} and was {program}")
    if before.stdin != now.stdin:
        lines.append(f"--stdin was {before.stdin or 'not given'}")
    lines += _variables(before.environment, now.environment)
    if before.command == now.command:
        lines += code_state.differences(before.code, now.code, written)
    return lines


def _variables(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    names = sorted(name for name in {**before, **now} if before.get(name) != now.get(name))
    return [
        f"{name} is {now.get(name, 'not set')} and was {before.get(name, 'not set')}"
        for name in names
    ]


def write(folder: Path, plan: Plan) -> None:
    """Write a plan into a folder.

    Raises:
        OSError: the plan cannot be written.
    """
    text = json.dumps(plan.to_json(), indent=1, allow_nan=False) + "\n"
    writing.replace(folder / FILE, text, mode=mode_of(plan), durable=True)


def mode_of(plan: Plan) -> int | None:
    """Return the mode of a file that has a plan: one with a secret is its user's; None for others.

    Args:
        plan: the plan.
    """
    every_word = [*plan.command, *(plan.against or ())]
    return None if words_without_secrets(every_word) == every_word else 0o600


def is_plan(file: Path) -> bool:
    """Return whether a file is a plan of a sweep, perhaps a damaged one; other programs have plans.

    Args:
        file: the file, which need not be there.
    """
    try:
        return f'"kind": "{KIND}"' in file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def read(folder: Path) -> Plan:
    """Read the plan of a folder.

    Raises:
        NotASweep: there is none, or it is not of this version.
    """
    file = folder / FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotASweep(
            f"{folder} has no sweep in it: {FILE}: {error.strerror}; give the folder of a sweep"
        ) from None
    except ValueError:
        raise NotASweep(f"{file} is damaged: it is not JSON; give another folder") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise NotASweep(f"{file} is no plan of a sweep; give the folder of a sweep")
    if content.get("format") != FORMAT:
        raise NotASweep(f"{file} has another format; use the version of seed-init that wrote it")
    try:
        return _from_json(content)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NotASweep(f"{file} is damaged; give another folder, or --fresh") from None


def _from_json(content: Mapping[str, Any]) -> Plan:
    known = {name: content[name] for name in Plan.__dataclass_fields__}
    for name in ("command", "seeds", "inputs"):
        known[name] = tuple(known[name])
    if known["against"] is not None:
        known["against"] = tuple(known["against"])
    known["metrics"] = tuple(Metric(**metric) for metric in known["metrics"])
    plan = Plan(**known)
    if not (plan.seeds and all(isinstance(seed, int) for seed in plan.seeds)):
        raise ValueError("no seeds")
    if not all(isinstance(word, str) for word in (*plan.command, *(plan.against or ()))):
        raise ValueError("no words")
    return plan
