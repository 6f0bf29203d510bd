"""Which of the programs in harness/programs repeat: with nothing, by the usual means, by the hook.

Each means is used as its documentation says: lines that belong at the top of a program are put
there in a copy of it.
"""

import json
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from harness import interpreters
from harness.programs import running
from harness.programs.catalogue import PROGRAMS, Program

RUNS = 3
AT_ONCE = 2
VERSIONS = ("torch", "lightning", "transformers", "numpy")

RECIPE = """\
import random

import numpy
import torch

random.seed(7)
numpy.random.seed(7)
torch.manual_seed(7)
"""
LIGHTNING = "import lightning\n\nlightning.seed_everything(7, workers=True)\n"
HUGGING_FACE = "from transformers import enable_full_determinism\n\nenable_full_determinism(7)\n"


@dataclass(frozen=True)
class Arm:
    """One way to make programs repeat.

    Attributes:
        title: the head of its column.
        python: its interpreter.
        environment: what is set for it.
        lines: what is put at the top of each program.
    """

    title: str
    python: Path
    environment: dict[str, str] = field(default_factory=dict)
    lines: str = ""


@dataclass(frozen=True)
class Cell:
    """What became of one program in one arm: a word, and why it failed where it did."""

    word: str
    reason: str = ""


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        arms = make_arms(Path(place))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            rows = list(pool.map(lambda program: row(program, arms, Path(place)), PROGRAMS))
    print_head(arms)
    print_table(arms, rows)


def make_arms(place: Path) -> list[Arm]:
    bare = interpreters.copy_base(place / "bare")
    interpreters.see_packages(bare)
    recipe = interpreters.link_copy(bare, place / "recipe")
    next((place / "recipe").glob("lib/python3*/site-packages")).joinpath(
        "sitecustomize.py"
    ).write_text(RECIPE)
    hooked = interpreters.link_copy(bare, place / "hooked")
    interpreters.install_hook(hooked)
    return [
        Arm("no tool", bare),
        Arm("usual recipe in sitecustomize", recipe),
        Arm("Lightning `seed_everything`", bare, lines=LIGHTNING),
        Arm("HF `enable_full_determinism`", bare, lines=HUGGING_FACE),
        Arm("seed_init", hooked, {"SEED": "7", "PYTHONHASHSEED": "0"}),
    ]


def row(program: Program, arms: Sequence[Arm], place: Path) -> list[Cell]:
    """Run one program in all arms, in random order within each round."""
    sources = [source(program, arm, place / f"arm-{number}") for number, arm in enumerate(arms)]
    outcomes: list[list[running.Answer | running.Failed]] = [[] for _ in arms]
    for _ in range(RUNS):
        for number in random.sample(range(len(arms)), len(arms)):
            outcomes[number].append(outcome(program, arms[number], sources[number]))
    cells = [judge(found) for found in outcomes]
    print(program.name, *(cell.word for cell in cells), file=sys.stderr, flush=True)
    return cells


def source(program: Program, arm: Arm, place: Path) -> Path:
    """The file that an arm runs: the program's own, or a copy with the arm's lines in it."""
    original = running.SCRIPTS / program.file
    if not arm.lines:
        return original
    place.mkdir(exist_ok=True)
    copy = place / program.file
    insert: Callable[[str, str], str] = into_notebook if program.how == "notebook" else into_script
    copy.write_text(insert(original.read_text(), arm.lines))
    return copy


def into_script(text: str, lines: str) -> str:
    """Put lines after the docstring, and after gevent's patch, which has to come first."""
    patch = "monkey.patch_all()\n"
    end = text.index(patch) + len(patch) if patch in text else text.index('"""\n', 3) + 4
    return f"{text[:end]}\n{lines}{text[end:]}"


def into_notebook(text: str, lines: str) -> str:
    """Put lines into a first cell."""
    notebook = json.loads(text)
    cell = {"cell_type": "code", "id": "seeds", "source": lines, "metadata": {}}
    notebook["cells"].insert(0, {**cell, "execution_count": None, "outputs": []})
    return json.dumps(notebook)


def outcome(program: Program, arm: Arm, file: Path) -> running.Answer | running.Failed:
    environment = interpreters.environment(arm.python)
    del environment["PYTHONHASHSEED"]
    try:
        return running.run(program, arm.python, {**environment, **arm.environment}, file)
    except running.Failed as failure:
        return failure


def judge(outcomes: Sequence[running.Answer | running.Failed]) -> Cell:
    answers = [each for each in outcomes if isinstance(each, running.Answer)]
    failures = [each for each in outcomes if isinstance(each, running.Failed)]
    if failures:
        return Cell("fails", str(failures[0]).strip().splitlines()[-1])
    if len({answer.result for answer in answers}) > 1:
        return Cell("differs")
    return Cell("clones" if answers[0].has_clones else "yes")


def print_head(arms: Sequence[Arm]) -> None:
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS)
    print(f"programs that repeat: {RUNS} interleaved runs with seed 7 ({versions})")
    print(
        "yes: bit-identical, and no two workers drew the same; differs: not identical; clones:"
        " identical, but workers drew the same; fails: did not run."
    )
    print(
        "The programs have no line about seeds. The recipe's lines stand in a sitecustomize.py,"
        " Lightning's and Hugging Face's at the top of each program or in a notebook's first cell;"
        f" {arms[-1].title} adds none. PYTHONHASHSEED is unset for the others, as people run them,"
        f" and 0 for {arms[-1].title}, because its image sets it."
    )
    print()


def print_table(arms: Sequence[Arm], rows: Sequence[Sequence[Cell]]) -> None:
    print(" | ".join(["| program", *(arm.title for arm in arms)]) + " |")
    print("|---" * (len(arms) + 1) + "|")
    for program, cells in zip(PROGRAMS, rows):
        what = f"{program.what} ¹" if program.exception else program.what
        print(" | ".join([f"| {what}", *(cell.word for cell in cells)]) + " |")
    counted = [cells for program, cells in zip(PROGRAMS, rows) if not program.exception]
    scores = [sum(cells[number].word == "yes" for cells in counted) for number in range(len(arms))]
    print(" | ".join(["| **score**", *(f"{score} of {len(counted)}" for score in scores)]) + " |")
    print()
    print("¹ Not counted: no seed can make it repeat.")
    for program in PROGRAMS:
        if program.exception:
            print(f"- {program.what}: {program.exception}. Instead: {program.instead}.")
    for program, cells in zip(PROGRAMS, rows):
        for arm, cell in zip(arms, cells):
            if cell.reason:
                print(f"- {program.what}, {arm.title}: fails with `{cell.reason}`")


if __name__ == "__main__":
    main()
