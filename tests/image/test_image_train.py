"""`docker compose run --rm train`: a training job whose weights follow from SEED alone."""

import json
import re

import pytest
from containers import Done, Project

pytestmark = [pytest.mark.image, pytest.mark.usefixtures("all_cores")]

SHORT = ("python", "examples/digits/train.py", "--epochs=1", "--out=/tmp/metrics.json")
PRINT_SETTINGS = (
    "python",
    "-c",
    "import os; print({n: os.environ.get(n) for n in ('SEED', 'DETERMINISM')})",
)


def sha256(done: Done) -> str:
    found = re.search(r"^weights sha256: ([0-9a-f]{64})$", done.stdout, re.M)
    assert found, done
    return found[1]


def test_two_runs_give_the_same_weights_and_write_the_same_metrics(project: Project) -> None:
    metrics = project.folder / "metrics.json"
    done = project.train()
    written = metrics.read_text()
    assert float(re.search(r"^test accuracy: ([\d.]+) %$", done.stdout, re.M)[1]) >= 97.0
    assert json.loads(written)["weights_sha256"] == sha256(done)
    assert metrics.stat().st_uid == project.folder.stat().st_uid

    metrics.unlink()
    assert sha256(project.train()) == sha256(done)
    assert metrics.read_text() == written


def test_the_seed_decides_the_weights(project: Project) -> None:
    default, same, other = (sha256(project.train(*SHORT, SEED=seed)) for seed in ("", "42", "7"))
    assert default == same
    assert default != other


def test_without_seeding_every_run_gives_other_weights(project: Project) -> None:
    assert sha256(project.train(*SHORT, SEED="off")) != sha256(project.train(*SHORT, SEED="off"))


def test_it_runs_any_other_command(project: Project) -> None:
    assert project.train("python", "-c", "print(6 * 7)").stdout == "42\n"
    project.train("bash", "-c", "exit 7", status=7)


@pytest.mark.parametrize(
    "variables",
    [{}, {"SEED": "7"}, {"DETERMINISM": "strict"}, {"SEED": "0", "DETERMINISM": "off"}],
    ids=str,
)
def test_seed_and_determinism_reach_it_only_when_set_on_the_host(
    project: Project, variables: dict[str, str]
) -> None:
    expected = {name: variables.get(name) for name in ("SEED", "DETERMINISM")}
    assert project.train(*PRINT_SETTINGS, **variables).stdout == f"{expected}\n"


def test_a_bad_seed_ends_it_before_it_starts(project: Project) -> None:
    done = project.train(SEED="seven", status=78)
    assert not done.stdout
    assert "seed_init: SEED='seven' is not accepted" in done.stderr


def test_it_does_not_start_with_up(project: Project) -> None:
    assert project.compose("config", "--services").stdout.split() == ["notebook"]
