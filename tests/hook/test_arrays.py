"""Jobs of arrays and programs of pools: a seed for each, and none alike that nobody asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, output, run

from .support import write_defaults

INDEX = {
    "Slurm": "SLURM_ARRAY_TASK_ID",
    "LSF": "LSB_JOBINDEX",
    "Grid Engine": "SGE_TASK_ID",
    "PBS Pro": "PBS_ARRAY_INDEX",
    "Torque": "PBS_ARRAYID",
    "Kubernetes": "JOB_COMPLETION_INDEX",
    "AWS Batch": "AWS_BATCH_JOB_ARRAY_INDEX",
}
TELL = """
import json, os, random, subprocess, sys
import numpy.random, seed_init
told = {"seed": seed_init.seed(), "path": seed_init.status()["path"], "draw": random.random()}
told["SEED"] = os.environ.get("SEED")
print(json.dumps(told))
"""
CHILD = """
import json, os, subprocess, sys
import seed_init
code = "import os, seed_init; print(seed_init.seed())"
alone = {name: value for name, value in os.environ.items() if "ARRAY" not in name}
told = subprocess.run([sys.executable, "-c", code], env=alone, capture_output=True, text=True)
print(json.dumps([seed_init.seed(), int(told.stdout)]))
"""
SLURM = INDEX["Slurm"]


def derived(python: Path, seed: int, *path: str | int) -> int:
    code = f"from seed_init.hook.streams import derive; print(derive({seed}, {path!r}))"
    return int(output(python, "-c", code, env={"SEED_INIT": "0"}))


class TestASeedThatIsAsked:
    @pytest.mark.parametrize("name", INDEX.values(), ids=INDEX)
    def test_array_takes_the_index_of_the_job(self, python: Path, name: str) -> None:
        told = answer(python, "-c", TELL, env={"SEED": "array", name: "3"})
        assert told["seed"] == 3 and told["path"] == []
        assert told["draw"] == answer(python, "-c", TELL, env={"SEED": "3"})["draw"]

    def test_a_number_and_array_mixes_both(self, python: Path) -> None:
        def told(seed: str, index: str) -> Any:
            return answer(python, "-c", TELL, env={"SEED": seed, SLURM: index})["seed"]

        seeds = [told(f"{seed}+array", index) for seed in ("7", "8") for index in ("0", "1")]
        assert len(set(seeds)) == 4
        assert told("007+array", "1") == seeds[1] == derived(python, 7, "array", 1)

    def test_programs_that_a_job_starts_have_its_seed(self, python: Path) -> None:
        own, child = answer(python, "-c", CHILD, env={"SEED": "7+array", SLURM: "3"})
        assert own == child == derived(python, 7, "array", 3)

    @pytest.mark.parametrize("seed", ["array", "7+array"])
    @pytest.mark.parametrize(
        "env",
        [{}, {"SGE_TASK_ID": "undefined"}, {"LSB_JOBINDEX": "0"}, {SLURM: ""}, {SLURM: "9" * 50}],
        ids=["no variable", "Grid Engine", "LSF", "empty", "too long"],
    )
    def test_it_is_refused_in_one_line_outside_of_arrays(
        self, python: Path, seed: str, env: dict[str, str]
    ) -> None:
        done = run(python, "-c", "print('user code ran')", env={"SEED": seed, **env})
        assert (done.stdout, done.returncode) == ("", 78)
        [line] = done.stderr.splitlines()
        assert line.startswith(f"seed_init: SEED={seed} needs the index of an array of jobs")

    def test_the_line_on_stderr_says_where_the_seed_is_from(self, python: Path) -> None:
        done = run(python, "-c", "import numpy.random", env={"SEED": "7+array", SLURM: "3"})
        assert "(SEED=7+array, index 3), DETERMINISM=warn" in done.stderr


@pytest.fixture
def image(fresh: Callable[[str], Path]) -> Path:
    """A Python with a defaults file, as the image has one."""
    python = fresh("hooked")
    write_defaults(python.parent.parent, "SEED=42\n")
    return python


def told(image: Path, **env: str) -> Any:
    return answer(image, "-c", TELL, env=env)


def test_the_seed_of_the_image_is_another_one_in_each_job_that_a_launcher_numbers(
    image: Path,
) -> None:
    """And the job has the same in every run. As SEED=42+array, where it is an array."""
    assert told(image)["seed"] == 42
    for name in (SLURM, "JOB_COMPLETION_INDEX"):
        assert told(image, **{name: "3"}) == told(image, **{name: "3"})
        assert told(image, **{name: "3"})["seed"] == derived(image, 42, "array", 3)
        assert told(image, **{name: "3"}, SEED="42")["seed"] == 42
    assert told(image, PARALLEL_SEQ="3")["seed"] == derived(image, 42, "parallel", 3)
    both = told(image, PARALLEL_SEQ="3", **{SLURM: "1"})["seed"]
    assert both == derived(image, 42, "array", 1, "parallel", 3)
    # Its id is a process number: other numbers in every run, as without us.
    assert told(image, SUBMITIT_EXECUTOR="local") != told(image, SUBMITIT_EXECUTOR="local")


def test_ranks_draw_apart_with_the_seed_of_the_image_unless_they_train_together(
    image: Path,
) -> None:
    rank = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}
    assert told(image, **rank)["path"] == ["rank", 1]
    assert told(image, **rank, SEED="42")["path"] == []
    assert told(image, **rank, SEED_INIT_RANKS="same")["path"] == []
    for launcher in ({"RANK": "1"}, {"MASTER_ADDR": "here"}):
        assert told(image, **rank, **launcher)["seed"] == 42
        # A pod, or a job of GNU parallel, may be a machine of the training.
        machine = {"JOB_COMPLETION_INDEX": "1", "PARALLEL_SEQ": "2"}
        assert told(image, **rank, **launcher, **machine)["seed"] == 42
        # An array is an array of trainings.
        in_array = told(image, **rank, **launcher, **{SLURM: "1"})
        assert in_array["seed"] == derived(image, 42, "array", 1)


def test_what_holds_is_said(image: Path) -> None:
    env = {SLURM: "3", "PMI_RANK": "1", "PMI_SIZE": "2"}
    done = run(image, "-c", "import numpy.random", env=env)
    streams = "array 3 (streams of its own), rank 1 of 2 (distinct streams)\n"
    assert done.stderr.endswith(f"/etc/seed_init/defaults:1), DETERMINISM=warn, {streams}")
    code = "import json, seed_init; print(json.dumps(seed_init.status()['settings']))"
    settings = json.loads(output(image, "-c", code, env=env))
    ranks = next(each for each in settings if each["name"] == "SEED_INIT_RANKS")
    assert ranks["value"] == "distinct" and ranks["origin"].startswith("SEED of /")


def test_a_launcher_that_numbers_nothing_is_named_once(image: Path, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("import numpy.random")
    by_xargs = f"echo 1 | xargs -I% sh -c '{image} {file}; true'"

    def stderr(command: str, **env: str) -> list[str]:
        return run("/bin/sh", "-c", command, env=env).stderr.splitlines()

    assert len(stderr(f"{image} {file}")) == 1
    [_, line] = stderr(by_xargs)
    assert line.startswith("seed_init: xargs: all programs that it starts draw alike")
    assert len(stderr(by_xargs, SEED="7")) == 1
    assert len(stderr(by_xargs, SEED_INIT_WORKER="a")) == 1


def test_a_seed_that_srun_has_not_passed_on_is_seen(image: Path) -> None:
    def stderr(**env: str) -> str:
        return run(image, "-c", "import numpy.random", env={"SLURM_STEP_ID": "0", **env}).stderr

    lost = "srun passes no SEED of the batch script on to its tasks"
    assert lost in stderr(SLURM_EXPORT_ENV="NONE")
    assert lost in stderr(SLURM_EXPORT_ENV="SEED=3,PATH", SEED="3", SLURM_ARRAY_TASK_ID="1")
    for given in ("ALL", "ALL,SEED=3", "PATH,SEED"):
        assert lost not in stderr(SLURM_EXPORT_ENV=given)
    assert lost not in stderr(SLURM_EXPORT_ENV="SEED=3", SEED="3")
    assert lost not in stderr(SLURM_EXPORT_ENV="NONE", SEED="3")


class TestANameByHand:
    def test_it_names_the_streams_in_both_forms(self, python: Path) -> None:
        by_variable = answer(python, "-c", TELL, env={"SEED": "7", "SEED_INIT_WORKER": "3"})
        assert by_variable["path"] == ["worker", "3"]
        assert by_variable["seed"] == derived(python, 7, "worker", "3")
        call = f"import random, seed_init\nrandom.random()\nassert seed_init.worker(3)\n{TELL}"
        assert answer(python, "-c", call, env={"SEED": "7"}) == by_variable
        in_child = f"""
import multiprocessing
def target():
    import seed_init
    seed_init.worker("3")
    exec({TELL!r})
child = multiprocessing.get_context("fork").Process(target=target)
child.start(); child.join()
"""
        assert answer(python, "-c", in_child, env={"SEED": "7"}) == by_variable
        others = [answer(python, "-c", TELL, env={"SEED": "7", "SEED_INIT_WORKER": "a"})]
        others.append(answer(python, "-c", TELL, env={"SEED": "7"}))
        assert len({each["draw"] for each in (by_variable, *others)}) == 3

    def test_a_rank_has_its_place_before_it(self, python: Path) -> None:
        env = {"SEED": "7", "SEED_INIT_RANKS": "distinct", "RANK": "1", "SEED_INIT_WORKER": "a"}
        assert answer(python, "-c", TELL, env=env)["path"] == ["rank", 1, "worker", "a"]

    @pytest.mark.parametrize("name", ["''", "' '", "None", "1.5", "True"])
    def test_what_is_no_name_is_refused(self, python: Path, name: str) -> None:
        done = run(python, "-c", f"import seed_init; seed_init.worker({name})", env={"SEED": "7"})
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(("TypeError: ", "ValueError: "))

    def test_nothing_happens_where_nothing_is_seeded(self, python: Path) -> None:
        code = "import seed_init; print(seed_init.worker('a'))"
        assert output(python, "-c", code, env={"SEED_INIT": "0"}) == "None"
