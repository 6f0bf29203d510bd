"""Jobs that are interrupted and resumed: real runs of examples/resume, which seeds nothing."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from harness.processes import output, run
from harness.repository import REPOSITORY
from harness.sharing import once

EPOCHS = 4
FIRST_ATTEMPT = 2
"""Epochs until it is interrupted."""


@dataclass(frozen=True)
class Run:
    """What a run printed.

    Attributes:
        epochs: the lines of its epochs: number, loss, and a hash of the order of the data.
        end: the lines after them: accuracy and a hash of the weights, if it came to its end.
        checkpoint: the file that it left.
    """

    epochs: list[str]
    end: list[str]
    checkpoint: str

    def orders(self) -> list[str]:
        return [line.rpartition(" ")[2] for line in self.epochs]


def start(python: Path, arguments: tuple[str, ...], found: str, env: str, kept: Path) -> object:
    with NamedTemporaryFile(dir=kept, suffix=".pt", delete=False) as file:
        file.write(Path(found).read_bytes() if found else b"")
    checkpoint = Path(file.name)
    if not found:
        checkpoint.unlink()
    variables = {"SEED": "7", "OMP_NUM_THREADS": "1"}
    variables |= dict(one.split("=") for one in env.split())
    example = REPOSITORY / "examples/resume/train.py"
    options = (f"--epochs={EPOCHS}", f"--checkpoint={checkpoint}", *arguments)
    lines = output(python, example, *options, env=variables).splitlines()
    if found:
        assert lines.pop(0) == f"resumed after epoch {FIRST_ATTEMPT} of {EPOCHS}"
    epochs = [line for line in lines if line.startswith("epoch ")]
    return {"epochs": epochs, "end": lines[len(epochs) :], "checkpoint": str(checkpoint)}


class Job:
    """The example, with or without `--no-rng-states`; no run is made twice."""

    def __init__(self, python: Path, kept: Path, *arguments: str) -> None:
        self.python = python
        self.kept = kept
        self.arguments = arguments

    def run(self, *arguments: str, found: str = "", env: str = "") -> Run:
        """Run it.

        Args:
            arguments: more of them.
            found: the checkpoint that it finds.
            env: NAME=VALUE, separated by spaces.
        """
        arguments = (*self.arguments, *arguments)
        return Run(**once(self.kept, start, self.python, arguments, found, env, self.kept))

    def interrupted(self) -> Run:
        """The first attempt."""
        first = self.run(f"--stop-after={FIRST_ATTEMPT}")
        assert len(first.epochs) == FIRST_ATTEMPT
        assert first.end == [f"stopped after epoch {FIRST_ATTEMPT} of {EPOCHS}"]
        return first

    def resumed(self, env: str = "") -> Run:
        """The second attempt, which finds the checkpoint of the first."""
        second = self.run(found=self.interrupted().checkpoint, env=env)
        assert len(second.epochs) == EPOCHS - FIRST_ATTEMPT
        return second


@pytest.fixture
def with_states(python: Path, kept: Path) -> Job:
    return Job(python, kept)


@pytest.fixture
def without(python: Path, kept: Path) -> Job:
    return Job(python, kept, "--no-rng-states")


@pytest.mark.torch
class TestWithTheStatesOfTheGenerators:
    def test_a_resumed_run_equals_one_that_was_never_interrupted(self, with_states: Job) -> None:
        whole, first, second = with_states.run(), with_states.interrupted(), with_states.resumed()
        assert first.epochs + second.epochs == whole.epochs
        assert second.end == whole.end
        assert len(set(whole.orders())) == EPOCHS

    @pytest.mark.parametrize("variable", ["SEED_INIT_RESTART", "TORCHELASTIC_RESTART_COUNT"])
    def test_the_number_of_the_attempt_changes_nothing(
        self, with_states: Job, variable: str
    ) -> None:
        numbered, plain = with_states.resumed(f"{variable}=1"), with_states.resumed()
        assert (numbered.epochs, numbered.end) == (plain.epochs, plain.end)


@pytest.mark.torch
class TestWithoutThem:
    def test_an_attempt_without_a_number_replays_the_first_epochs(
        self, without: Job, with_states: Job
    ) -> None:
        """The trap: SEED gives every start the same numbers."""
        assert without.resumed().orders() == without.interrupted().orders()
        assert without.resumed().end != with_states.resumed().end

    def test_a_numbered_attempt_has_orders_of_its_own(self, without: Job) -> None:
        one, two = (without.resumed(f"SEED_INIT_RESTART={n}") for n in (1, 2))
        orders = [*without.interrupted().orders(), *one.orders(), *two.orders()]
        assert len(set(orders)) == len(orders)

    def test_a_numbered_attempt_is_the_same_from_run_to_run(self, without: Job) -> None:
        one = without.resumed("SEED_INIT_RESTART=1")
        again = without.resumed("SEED_INIT_RESTART=1 SEED_INIT_LOG=quiet")
        assert (again.epochs, again.end) == (one.epochs, one.end)

    def test_another_seed_gives_a_numbered_attempt_other_orders(self, without: Job) -> None:
        seven, eight = (without.resumed(f"SEED={n} SEED_INIT_RESTART=1") for n in (7, 8))
        assert not set(seven.orders()) & set(eight.orders())

    def test_torchruns_count_numbers_the_attempts(self, without: Job) -> None:
        counted = without.resumed("TORCHELASTIC_RESTART_COUNT=1")
        numbered = without.resumed("SEED_INIT_RESTART=1")
        assert (counted.epochs, counted.end) == (numbered.epochs, numbered.end)
        assert counted.orders() != without.resumed().orders()

    @pytest.mark.parametrize(
        "env",
        [
            "SEED_INIT_RESTART=0",
            "TORCHELASTIC_RESTART_COUNT=0",
            "SEED_INIT_RESTART=0 TORCHELASTIC_RESTART_COUNT=2",
        ],
    )
    def test_zero_is_the_first_attempt(self, without: Job, env: str) -> None:
        assert without.resumed(env).epochs == without.resumed().epochs


RESTARTS = [
    ({}, ()),
    ({"SEED_INIT_RESTART": ""}, ()),
    ({"SEED_INIT_RESTART": "0"}, ()),
    ({"SEED_INIT_RESTART": "1"}, ("restart", 1)),
    ({"SEED_INIT_RESTART": " 2 "}, ("restart", 2)),
    ({"TORCHELASTIC_RESTART_COUNT": "0"}, ()),
    ({"TORCHELASTIC_RESTART_COUNT": "3"}, ("restart", 3)),
    ({"SEED_INIT_RESTART": "", "TORCHELASTIC_RESTART_COUNT": "3"}, ("restart", 3)),
    ({"SEED_INIT_RESTART": "0", "TORCHELASTIC_RESTART_COUNT": "2"}, ()),
    # A scheduler counts, and torchrun within each of its attempts.
    ({"SEED_INIT_RESTART": "1", "TORCHELASTIC_RESTART_COUNT": "2"}, ("restart", 1, 2)),
    ({"SLURM_RESTART_COUNT": "0"}, ()),
    ({"SLURM_RESTART_COUNT": "1"}, ("restart", 1)),
    ({"SLURM_RESTART_COUNT": "1", "SEED_INIT_RESTART": "4"}, ("restart", 4)),
    ({"SLURM_RESTART_COUNT": "1", "SEED_INIT_RESTART": "0"}, ()),
    # Not as when torchrun has restarted the workers once, in the job's first attempt.
    ({"SLURM_RESTART_COUNT": "1", "TORCHELASTIC_RESTART_COUNT": "0"}, ("restart", 1, 0)),
    ({"SLURM_RESTART_COUNT": "1", "TORCHELASTIC_RESTART_COUNT": "2"}, ("restart", 1, 2)),
]


@pytest.mark.parametrize(("env", "path"), RESTARTS, ids=lambda value: str(value))
def test_the_seed_of_an_attempt(
    python: Path, env: dict[str, str], path: tuple[str | int, ...]
) -> None:
    code = "import random, seed_init; print(seed_init.seed(), random.random())"
    by_hand = "import random; from seed_init.hook.streams import derive; "
    by_hand += f"seed = derive(7, {path}); random.seed(seed); print(seed, random.random())"
    assert output(python, "-c", code, env={"SEED": "7", **env}) == output(python, "-c", by_hand)


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "1e3", "٣"])
def test_what_is_no_number_of_an_attempt_is_refused(python: Path, value: str) -> None:
    env = {"SEED": "7", "SEED_INIT_RESTART": value}
    done = run(python, "-c", "print('user code')", env=env)
    assert done.returncode == 78
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("seed_init: ") and "SEED_INIT_RESTART" in line


@pytest.mark.torch
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--epochs", "0"), "argument --epochs: '0' is no whole number from 1; see --help"),
        (("--checkpoint", "/nope/x.pt"), "cannot write to /nope"),
    ],
)
def test_a_mistake_is_answered_in_one_line(
    python: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = run(python, REPOSITORY / "examples/resume/train.py", *arguments)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert told in done.stderr


@pytest.mark.torch
def test_a_file_that_is_no_checkpoint_is_named_and_kept(python: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.pt"
    mine.write_text("mine\n")
    example = REPOSITORY / "examples/resume/train.py"
    done = run(python, example, "--checkpoint", mine)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"{mine} is no checkpoint of this program" in done.stderr
    assert mine.read_text() == "mine\n"
