# SPDX-License-Identifier: Apache-2.0
"""The golden file: digests of a run, as text that is kept in a repository.

    seed-init golden 1

    environment
      SEED: 7
      torch: 2.6.0+cu118
      told commit: 0123abc
    process main
      start of optimizer 0: parameters 00112233445566ff
      step 1 of optimizer 0: draws ... losses ... gradients ... parameters ... (loss 0.6931)
      step 2 of optimizer 0: ...
      end: generators ... weights ...
    output: 4 lines 00112233445566ff
    file out/model.pt: 00112233445566ff

A file has a section for each environment. Each line of a step stands for all steps since the one
before: each of the first ten steps has a line, then every tenth up to 100, every hundredth up to
1000, and so on. Facts behind `told` explain, and decide nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from seed_init.proof.comparing.difference import Difference
from seed_init.proof.comparing.steps import ORDER
from seed_init.proof.comparing.values import counted
from seed_init.proof.trace import units
from seed_init.proof.trace.journal import Process
from seed_init.proof.trace.steps import Loss, Moment, Start, Step, end_of, training_of

HEADLINE = "seed-init golden 1"
"""The first line, with the number of the format. Another number: another meaning of the digests."""

COMMENT = (
    "# Digests of a run that seed-init verify --golden FILE -- CMD compares with.\n"
    "# seed-init verify --golden FILE --update -- CMD writes them anew. One section for each\n"
    "# environment, one line for each checkpoint of steps.\n"
)

MOST = 1 << 24
"""Bytes of the largest file that is read as a golden one."""

NONE = "-" * 16
"""In place of a digest where there is nothing, such as the losses of a step without backward()."""

LEVELS = {"draws": "draw", "losses": "loss", "gradients": "gradient", "parameters": "parameter"}
"""Digests of a step, in the order in which one follows from the other -> level of a difference."""

assert tuple(LEVELS.values()) == ORDER


class NotGolden(Exception):
    """A file is no golden one. The text is one line for the user."""


@dataclass
class Series:
    """The digests of one optimizer of one process.

    Attributes:
        start: of the parameters before the first step.
        steps: number of a checkpoint, from 1 -> digests by name, and the loss as text.
    """

    start: str = NONE
    steps: dict[int, dict[str, str]] = field(default_factory=dict)


@dataclass
class Training:
    """The digests of one process.

    Attributes:
        series: by optimizer.
        end: name -> digest at the end; empty where the process did not come to its end.
    """

    series: dict[int, Series] = field(default_factory=dict)
    end: dict[str, str] = field(default_factory=dict)


@dataclass
class Section:
    """A golden run, and the environment that it holds for.

    Attributes:
        facts: name -> value of what decides bits.
        told: name -> value of what only explains.
        processes: name of a process -> its digests.
        output: lines and digest of standard output.
        files: name -> digest of a file that was compared.
    """

    facts: dict[str, str] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Training] = field(default_factory=dict)
    output: tuple[int, str] = (0, NONE)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def checkpoints(self) -> int:
        """How many lines of steps there are."""
        return sum(
            len(series.steps)
            for training in self.processes.values()
            for series in training.series.values()
        )

    @property
    def last(self) -> int:
        """The number of the last step of the optimizer that has made most."""
        return max(
            (
                max(series.steps, default=0)
                for training in self.processes.values()
                for series in training.series.values()
            ),
            default=0,
        )


# --- A run becomes digests ----------------------------------------------------------------------


def digest(*parts: str) -> str:
    """Return 16 hexadecimal digits of texts."""
    content = blake2b(digest_size=8)
    for part in parts:
        content.update(len(part).to_bytes(8, "big") + part.encode(errors="surrogateescape"))
    return content.hexdigest()


def is_checkpoint(number: int) -> bool:
    """Return whether a step has a line of its own: 1 to 10, 20 to 100, 200 to 1000, and so on.

    Args:
        number: of the step, from 1.
    """
    return number % int("1".ljust(len(str(number)), "0")) == 0


def trained(processes: Sequence[Process], like: Mapping[str, Training] | None = None) -> Any:
    """Return the digests of the processes of a run: name -> `Training`.

    Args:
        processes: of the run. Those that train count, and the program itself.
        like: digests whose checkpoints are taken; those of `is_checkpoint` and the last if None.
    """
    found: dict[str, Training] = {}
    for name, process in _named(processes):
        wanted = like.get(name) if like is not None else None
        found[name] = _training(process, wanted)
    return found


def _named(processes: Sequence[Process]) -> Iterator[tuple[str, Process]]:
    taken: set[str] = set()
    for process in units.parted(processes):
        path = [str(part) for part in process.header["path"]]
        if not process.of("step", "start") and (path or not process.of("end")):
            continue
        words = [] if process.rank is None else [f"rank {process.rank}"]
        name = plain = " ".join([*words, *path]) or "main"
        number = 1
        while name in taken:
            number += 1
            name = f"{plain} #{number}"
        taken.add(name)
        yield name, process


def _training(process: Process, like: Training | None) -> Training:
    found = Training()
    by_optimizer: dict[int, list[Moment]] = {}
    for moment in training_of(process):
        by_optimizer.setdefault(moment.optimizer, []).append(moment)
    for optimizer, moments in sorted(by_optimizer.items()):
        there = like.series.get(optimizer) if like is not None else None
        found.series[optimizer] = _series(moments, there)
    end = end_of(process)
    if end is not None:
        generators = (f"{name}={where}" for name, where in sorted(end.generators.items()))
        weights = [
            f"{optimizer} {' '.join(digests)}" for optimizer, digests in sorted(end.finals.items())
        ]
        found.end = {"generators": digest(*generators), "weights": _or_none(weights)}
    return found


def _series(moments: Sequence[Moment], like: Series | None) -> Series:
    found = Series()
    parts: dict[str, list[str]] = {name: [] for name in LEVELS}
    steps = [moment for moment in moments if isinstance(moment, Step)]
    for moment in moments:
        if isinstance(moment, Start) and moment.parameters is not None:
            found.start = digest(moment.parameters.vector or "")
    for number, step in enumerate(steps, 1):
        for name, text in _texts(step).items():
            if text is not None:
                parts[name].append(text)
        is_one = number in like.steps if like is not None else is_checkpoint(number)
        if is_one or number == len(steps):
            found.steps[number] = {name: _or_none(texts) for name, texts in parts.items()}
            found.steps[number]["loss"] = _loss(step.losses)
            parts = {name: [] for name in LEVELS}
    return found


def _texts(step: Step) -> dict[str, str | None]:
    """Return what a step gave, by the names of `LEVELS`; None for what it does not have."""
    generators = ",".join(f"{name}={where}" for name, where in sorted(step.generators.items()))
    losses = ",".join(loss.bits for loss in step.losses)
    gradients, parameters = step.gradients, step.parameters
    return {
        "draws": generators or None,
        "losses": losses or None,
        "gradients": None if gradients is None else gradients.vector,
        "parameters": None if parameters is None else parameters.vector,
    }


def _or_none(texts: Sequence[str]) -> str:
    return digest(*texts) if texts else NONE


def _loss(losses: Sequence[Loss]) -> str:
    value = losses[0].value if losses else None
    return "" if value is None else f"{float(value):.6g}"


# --- Text -----------------------------------------------------------------------------------------


def as_text(sections: Iterable[Section]) -> str:
    """Return golden runs as the text of a file."""
    lines = [HEADLINE, COMMENT]
    for section in sections:
        lines += [*_lines(section), ""]
    return "\n".join(lines)


def _lines(section: Section) -> Iterator[str]:
    yield "environment"
    for name, value in section.facts.items():
        yield f"  {name}: {value}"
    for name, value in section.told.items():
        yield f"  told {name}: {value}"
    for name, training in section.processes.items():
        yield f"process {name}"
        for optimizer, series in training.series.items():
            yield f"  start of optimizer {optimizer}: parameters {series.start}"
            for number, digests in series.steps.items():
                words = " ".join(f"{level} {digests[level]}" for level in LEVELS)
                loss = f" (loss {digests['loss']})" if digests["loss"] else ""
                yield f"  step {number} of optimizer {optimizer}: {words}{loss}"
        if training.end:
            words = " ".join(f"{name} {value}" for name, value in training.end.items())
            yield f"  end: {words}"
    yield f"output: {counted(section.output[0], 'line')} {section.output[1]}"
    for name, value in section.files.items():
        yield f"file {name}: {value}"


_DIGEST = r"([0-9a-f]{16}|-{16})"
_FACT = re.compile(r"  (told )?([^:]+): (.*)")
_PROCESS = re.compile(r"process (.+)")
_START = re.compile(rf"  start of optimizer (\d{{1,9}}): parameters {_DIGEST}")
_STEP = re.compile(
    r"  step (\d{1,12}) of optimizer (\d{1,9}): "
    + " ".join(rf"{level} {_DIGEST}" for level in LEVELS)
    + r"(?: \(loss ([\w.+-]+)\))?"
)
_END = re.compile(rf"  end: generators {_DIGEST} weights {_DIGEST}")
_OUTPUT = re.compile(rf"output: ([\d,]{{1,15}}) lines? {_DIGEST}")
_FILE = re.compile(rf"file (.+): {_DIGEST}")


def read(path: Path) -> list[Section]:
    """Read a golden file.

    Raises:
        NotGolden: there is none at the path, or something else is.
    """
    advice = "give a file that --update has written"
    try:
        if path.is_file() and path.stat().st_size > MOST:
            raise NotGolden(
                f"{path} is no golden file: it has more than {MOST >> 20} MiB; {advice}"
            )
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotGolden(f"there is no golden file {path}; --update writes it") from None
    except OSError as error:
        raise NotGolden(f"cannot read {path}: {error.strerror}; {advice}") from None
    except UnicodeDecodeError:
        raise NotGolden(f"{path} is no golden file: it is no text; {advice}") from None
    lines = text.splitlines()
    if not lines or not lines[0].startswith("seed-init golden "):
        raise NotGolden(f"{path} is no golden file: its first line is not {HEADLINE!r}; {advice}")
    if lines[0] != HEADLINE:
        raise NotGolden(
            f"{path} is of another format than {HEADLINE!r}; use the version of seed-init that "
            "wrote it, or --update with another file"
        )
    reader = _Reader()
    for number, line in enumerate(lines[1:], 2):
        if line.strip() and not line.startswith("#") and not reader.take(line):
            raise NotGolden(f"{path} is no golden file: line {number} is not understood; {advice}")
    return reader.sections


class _Reader:
    """Puts the lines of a file into sections."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self._training: Training | None = None

    def take(self, line: str) -> bool:
        """Take a line; False if it is not understood where it stands."""
        if line == "environment":
            self.sections.append(Section())
            self._training = None
            return True
        if not self.sections:
            return False
        section = self.sections[-1]
        if found := _PROCESS.fullmatch(line):
            self._training = section.processes.setdefault(found[1], Training())
        elif found := _OUTPUT.fullmatch(line):
            section.output = int(found[1].replace(",", "") or 0), found[2]
        elif found := _FILE.fullmatch(line):
            section.files[found[1]] = found[2]
        elif self._training is not None:
            return self._of_a_process(line, self._training)
        elif found := _FACT.fullmatch(line):
            (section.told if found[1] else section.facts)[found[2]] = found[3]
        else:
            return False
        return True

    def _of_a_process(self, line: str, training: Training) -> bool:
        if found := _STEP.fullmatch(line):
            number, optimizer, *digests, loss = found.groups()
            series = training.series.setdefault(int(optimizer), Series())
            series.steps[int(number)] = {**dict(zip(LEVELS, digests)), "loss": loss or ""}
        elif found := _START.fullmatch(line):
            training.series.setdefault(int(found[1]), Series()).start = found[2]
        elif found := _END.fullmatch(line):
            training.end = {"generators": found[1], "weights": found[2]}
        else:
            return False
        return True


# --- Two runs -------------------------------------------------------------------------------------


def unlike(golden: Section, facts: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return in which facts an environment is not that of a golden run: name, golden, here.

    A CPU of another kind decides nothing where both compute the same.

    Args:
        golden: the golden run.
        facts: of the environment.
    """
    names = dict.fromkeys((*golden.facts, *facts))
    if golden.facts.get(ARITHMETIC) == facts.get(ARITHMETIC) != UNKNOWN:
        names.pop(CPU, None)
    return [
        (name, golden.facts.get(name, ABSENT), facts.get(name, ABSENT))
        for name in names
        if golden.facts.get(name) != facts.get(name)
    ]


ARITHMETIC, CPU = "arithmetic of the machine", "CPU"
"""Facts that belong together."""

UNKNOWN, ABSENT = "not known", "not set"


def first_difference(golden: Section, run: Section) -> Difference | None:
    """Return what was first observed to differ between a golden run and a run.

    Args:
        golden: the golden run.
        run: the run, with the checkpoints of the golden one (`trained`).
    """
    found = [
        difference
        for name, training in golden.processes.items()
        if (difference := _in_process(name, training, run.processes.get(name))) is not None
    ]
    more = [name for name in run.processes if name not in golden.processes]
    if more and not found:
        found.append(Difference("trace", f"the golden run has no process {more[0]}"))
    if found:
        return min(found, key=_precedence)
    return _in_results(golden, run)


def _precedence(difference: Difference) -> tuple[float, int]:
    step = difference.step if difference.step is not None else float("inf")
    return step, ORDER.index(difference.level) if difference.level in ORDER else len(ORDER)


def _in_process(name: str, golden: Training, run: Training | None) -> Difference | None:
    if run is None:
        return Difference("trace", f"only the golden run has the process {name}")
    who = name if name != "main" else None
    for optimizer, series in golden.series.items():
        there = run.series.get(optimizer)
        if there is None:
            text = f"only the golden run has optimizer {optimizer}"
            return Difference("trace", text, who=who)
        difference = _in_series(series, there)
        if difference is not None:
            difference.optimizer, difference.who = optimizer, who
            return difference
    if run.series.keys() - golden.series.keys():
        return Difference("trace", "the golden run has fewer optimizers", who=who)
    for what, level in (("weights", "parameter"), ("generators", "generator")):
        if golden.end and run.end and golden.end[what] != run.end[what]:
            text = "final parameters differ" if what == "weights" else "generators stand elsewhere"
            return Difference(level, f"{text} at the end", who=who)
    return None


def _in_series(golden: Series, run: Series) -> Difference | None:
    if golden.start != run.start:
        text = "the parameters before the first step differ"
        return Difference("parameter", text, step=0)
    before = 0
    for number, digests in golden.steps.items():
        there = run.steps.get(number)
        if there is None:
            made = max(run.steps, default=0)
            text = f"the run ended after {made} steps, and the golden run after {max(golden.steps)}"
            return Difference("trace", text, step=made)
        unequal = [name for name in LEVELS if digests[name] != there[name]]
        if unequal:
            return _at(unequal, before, number, (digests["loss"], there["loss"]))
        before = number
    if max(run.steps, default=0) > before:
        text = f"the golden run ended after {before} steps, and this one goes on"
        return Difference("trace", text, step=before)
    return None


WORDS = {"draws": "positions of generators"}
"""Digests of a step that a reader knows by other words."""


def _at(names: Sequence[str], before: int, number: int, losses: tuple[str, str]) -> Difference:
    """Return the difference at a checkpoint.

    Args:
        names: of the digests that differ, in the order of `LEVELS`.
        before: the number of the checkpoint before, from 1; 0 for none.
        number: of this one.
        losses: the last of the golden run and of this one.
    """
    if before + 1 == number:
        # The others follow from the first.
        names, where = names[:1], "differ"
    else:
        # Steps are numbered by their calls, from 0, as everywhere but in the file. Which of these
        # steps was the first is not known, and so not what follows from what.
        where = f"differ in one of steps {before} to {number - 1}"
    words = [f"the {WORDS.get(name, name)}" for name in names]
    listed = " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
    shown = f" (loss {losses[0]} and {losses[1]})" if losses[0] != losses[1] else ""
    return Difference(LEVELS[names[0]], f"{listed} {where}{shown}", step=before)


def _in_results(golden: Section, run: Section) -> Difference | None:
    if golden.output != run.output:
        lines = f"{golden.output[0]} lines and {run.output[0]}"
        return Difference("output", f"standard output differs ({lines})")
    for name in dict.fromkeys((*golden.files, *run.files)):
        if golden.files.get(name) != run.files.get(name):
            return Difference("file", f"{name} differs")
    return None
