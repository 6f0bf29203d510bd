"""deploy/slurm under a real Slurm: SEED and the task's place reach the program.

The containers are stand-ins, because Apptainer and pyxis are not in this Debian. That of Apptainer
empties the environment as `--cleanenv` does, and has the program start on the machine itself; that
of pyxis takes its words away from srun. What neither shows is the image (docs/how-to/deploy.md).
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.repository import REPOSITORY

from . import slurm

APPTAINER = """#!/bin/bash
[[ $1 == exec && $2 == --cleanenv ]] || exit 99
shift 2
while [[ $1 == -* ]]; do
    case $1 in --bind | --pwd) shift 2 ;; *) shift ;; esac
done
[[ $1 == "$IMAGE" ]] || exit 98
shift
given=()
for name in $(compgen -e APPTAINERENV_); do given+=("${name#APPTAINERENV_}=${!name}"); done
exec env -i PATH="$PATH" PYTHONHASHSEED=0 "${given[@]}" "$@"
"""
SRUN = """#!/bin/bash
kept=()
for word; do
    case $word in
        --container-* | --no-container-*) echo "$word" >> "$PYXIS" ;;
        *) kept+=("$word") ;;
    esac
done
exec {srun} "${{kept[@]}}"
"""
OF_PYXIS = {
    *("--container-image", "--container-mounts", "--container-workdir"),
    "--no-container-mount-home",
}
"""Those of its page of usage that the script takes."""

PROGRAM = (
    "import os, random\n"
    "print('drew', random.random(), os.environ.get('MINE'), os.environ['SLURM_PROCID'])\n"
)


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Those by which Slurm's commands find the Slurm of these tests."""
    if why := slurm.missing():
        pytest.skip(why)
    with slurm.running(tmp_path_factory.mktemp("slurm")) as found:
        yield found


@pytest.fixture
def commands(tmp_path: Path, variables: dict[str, str]) -> Path:
    """A folder that comes first on PATH, with the two stand-ins."""
    folder = tmp_path / "commands"
    folder.mkdir()
    srun = subprocess.run(["which", "srun"], capture_output=True, text=True).stdout.strip()
    for name, script in (("apptainer", APPTAINER), ("srun", SRUN.format(srun=srun))):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return folder


def submit(
    script: str, python: Path, commands: Path, variables: dict[str, str], *options: str, **more: str
) -> list[str]:
    """Submit a script of deploy/slurm and wait; the lines that its tasks printed."""
    place = commands.parent
    own = {name: value for name, value in os.environ.items() if not name.startswith("SEED")}
    environment = {
        **own,
        **variables,
        "PATH": f"{commands}:{os.environ['PATH']}",
        "PYXIS": str(place / "pyxis"),
        "IMAGE": "image.sif",
        "MINE": "mine",
        **more,
    }
    file = REPOSITORY / f"deploy/slurm/{script}.sbatch"
    words = ["sbatch", "--wait", f"--output={place}/out-%a-%j", "--overcommit", *options]
    done = subprocess.run(
        [*words, str(file), str(python), "-c", PROGRAM],
        cwd=place, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = "".join(each.read_text() for each in sorted(place.glob("out-*")))
    for each in place.glob("out-*"):
        each.unlink()
    assert done.returncode == 0, done.stderr + said
    return [line for line in said.splitlines() if line.startswith("drew")]


@pytest.mark.parametrize("script", ["apptainer", "pyxis"])
def test_the_seed_of_the_one_who_submits_reaches_the_program(
    script: str, python: Path, commands: Path, variables: dict[str, str]
) -> None:
    first = submit(script, python, commands, variables, SEED="7")
    assert len(first) == 1
    assert submit(script, python, commands, variables, SEED="7") == first
    assert submit(script, python, commands, variables, SEED="8") != first
    # What the batch script says holds without one as well.
    nothing = submit(script, python, commands, variables)
    assert nothing == submit(script, python, commands, variables, SEED="0")
    if script == "apptainer":
        # --cleanenv has held: a variable that is no business of the program's has not come in.
        assert first[0].split()[2] == "None"


@pytest.mark.parametrize("script", ["apptainer", "pyxis"])
def test_each_task_knows_its_own_rank(
    script: str, python: Path, commands: Path, variables: dict[str, str]
) -> None:
    lines = submit(
        script, python, commands, variables, "--ntasks=2",
        SEED="random", SEED_INIT_RANKS="same",
    )  # fmt: skip
    assert {line.split()[3] for line in lines} == {"0", "1"}
    # One draw for the job, and not one for each rank.
    assert len({line.split()[1] for line in lines}) == 1


@pytest.mark.parametrize("script", ["apptainer", "pyxis"])
def test_the_jobs_of_an_array_draw_apart(
    script: str, python: Path, commands: Path, variables: dict[str, str]
) -> None:
    lines = submit(script, python, commands, variables, "--array=0-1", SEED="7+array")
    assert len({line.split()[1] for line in lines}) == 2


def test_the_words_for_pyxis_are_words_that_pyxis_has(
    python: Path, commands: Path, variables: dict[str, str]
) -> None:
    submit("pyxis", python, commands, variables, SEED="7")
    given = (commands.parent / "pyxis").read_text().split()
    assert {word.partition("=")[0] for word in given} == OF_PYXIS
    assert f"--container-mounts={commands.parent}:/workspace" in given
