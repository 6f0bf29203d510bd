"""Programs that are started several times: none is made alike by a seed that nobody has given."""

import json
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.interpreters import link_copy
from harness.processes import environment_of, output, run

PROGRAMS = Path(__file__).parent / "programs"
PROBE = PROGRAMS / "probe.py"


@pytest.fixture(scope="module")
def image(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Python with a defaults file, as the image has one."""
    prefix = tmp_path_factory.mktemp("image") / "prefix"
    copy = link_copy(python, prefix)
    defaults = prefix / "etc/seed_init/defaults"
    defaults.parent.mkdir(parents=True)
    defaults.write_text("SEED=42\n")
    yield copy
    shutil.rmtree(prefix)


# --- Optuna ---


def trials(python: Path, folder: Path, **env: str) -> list[tuple[float, str]]:
    """What ten trials drew that two processes ran at the same time, by the trials' numbers."""
    database = folder / "study.db"
    database.unlink(missing_ok=True)
    make = "import optuna; optuna.create_study(study_name='s', storage='sqlite:///{}')"
    output(python, "-c", make.format(database), env={"SEED_INIT": "0"})
    both = [
        subprocess.Popen(
            [python, PROGRAMS / "optuna_study.py", database],
            env=environment_of(python, env),
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    assert [each.wait(timeout=120) for each in both] == [0, 0]
    query = "select param_value, value_json from trials join trial_params using (trial_id)"
    query += " join trial_user_attributes using (trial_id) order by number"
    with sqlite3.connect(database) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("env", [{}, {"SEED": "7"}], ids=["the image's seed", "SEED=7"])
def test_two_processes_on_a_study_of_optuna_make_ten_trials(
    image: Path, tmp_path: Path, env: dict[str, str]
) -> None:
    first = trials(image, tmp_path, **env)
    assert len({x for x, _ in first}) == len({drawn for _, drawn in first}) == 10
    assert trials(image, tmp_path, **env) == first
    assert trials(image, tmp_path, SEED="8") != first


def test_without_streams_for_trials_two_processes_make_the_same_ones(
    image: Path, tmp_path: Path
) -> None:
    """What the adapter is for; and without the hook they differ, in each run."""
    alike = trials(image, tmp_path, SEED_INIT_TASKS="same")
    assert len({drawn for _, drawn in alike}) == 5
    free = trials(image, tmp_path, SEED_INIT="0")
    assert len({x for x, _ in free}) == 10
    assert free != trials(image, tmp_path, SEED_INIT="0")


# --- servers ---

SERVERS = {
    "uvicorn": ("-m", "uvicorn", "replica:asgi", "--log-level=warning"),
    "uvicorn with workers": (
        *("-m", "uvicorn", "replica:asgi", "--log-level=warning", "--workers=2"),
    ),
    "gunicorn": ("-m", "gunicorn", "replica:wsgi", "--log-level=warning", "--no-control-socket"),
}


def answers(python: Path, server: str, count: int, **env: str) -> list[list[str]]:
    """The numbers in the first answer of each of some replicas."""
    told = []
    with ExitStack() as stack:
        for _ in range(count):
            with socket.socket() as found:
                found.bind(("127.0.0.1", 0))
                port = found.getsockname()[1]
            where = {"gunicorn": (f"--bind=127.0.0.1:{port}",)}.get(server, (f"--port={port}",))
            process = stack.enter_context(
                subprocess.Popen(
                    [str(python), *SERVERS[server], *where],
                    env=environment_of(python, env),
                    cwd=PROGRAMS,
                    stderr=subprocess.DEVNULL,
                )
            )
            stack.callback(process.terminate)
            told.append(first_answer(f"http://127.0.0.1:{port}/"))
    return told


def first_answer(url: str) -> list[str]:
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read().decode().split()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.mark.parametrize("server", SERVERS)
def test_two_replicas_of_a_server_answer_apart_with_the_seed_of_the_image(
    image: Path, server: str
) -> None:
    for zero, one in zip(*answers(image, server, 2), strict=True):
        assert zero != one


def test_a_server_with_a_seed_that_was_given_keeps_it(image: Path) -> None:
    zero, one = answers(image, "uvicorn", 2, SEED="42")
    assert zero == one


def test_a_server_in_a_thread_leaves_the_program_its_seed(image: Path) -> None:
    code = """
import random, threading
import uvicorn
import seed_init
config = uvicorn.Config("replica:asgi", port=0, log_level="error")
server = uvicorn.Server(config)
threading.Thread(target=server.run, daemon=True).start()
while not server.started:
    pass
print(seed_init.seed())
server.should_exit = True
"""
    assert output(image, "-c", code, cwd=PROGRAMS) == "42"


# --- launchers of programs ---


def lines(text: str) -> list[list[object]]:
    return sorted(json.loads(line) for line in text.splitlines() if line.startswith("["))


@pytest.mark.shows("GNU parallel", "runs", "alike")
def test_jobs_of_gnu_parallel_draw_apart(image: Path) -> None:
    if shutil.which("parallel") is None:
        pytest.skip("GNU parallel is not installed (Debian: parallel)")

    def told(**env: str) -> list[list[object]]:
        command = f"seq 3 | parallel -j2 {image} {PROBE}"
        return lines(run("/bin/sh", "-c", command, env=env).stdout)

    first = told()
    assert len({each[-1] for each in first}) == 3
    assert told() == first
    assert len({each[-1] for each in told(SEED="7")}) == 1


@pytest.mark.shows("xargs", "alike")
def test_programs_of_xargs_are_told_apart_by_a_name(image: Path) -> None:
    command = f"seq 2 | xargs -P2 -I% env SEED_INIT_WORKER=% {image} {PROBE} %"
    told = lines(run("/bin/sh", "-c", command).stdout)
    assert [each[2] for each in told] == [["worker", "1"], ["worker", "2"]]
    assert told[0][-1] != told[1][-1]


@pytest.mark.parametrize("through", ["{}", 'sh -c "{}; true"'], ids=["itself", "a shell"])
def test_programs_of_xargs_say_that_they_draw_alike_where_nobody_gave_the_seed(
    image: Path, through: str
) -> None:
    def said(**env: str) -> list[str]:
        program = f"{image} -c 'import numpy.random'"
        command = f"seq 2 | xargs -P2 -I% {through.format(program)}"
        done = run("/bin/sh", "-c", command, env=env)
        return [line for line in done.stderr.splitlines() if "draw alike" in line]

    lines = said()
    assert len(lines) == 2
    assert lines[0].startswith("seed_init: xargs: all programs that it starts draw alike with ")
    assert "SEED_INIT_WORKER=NAME gives each its own streams" in lines[0]
    assert not said(SEED="7")  # somebody has asked for it
    assert not said(SEED_INIT_WORKER="3")
    assert not said(SEED_INIT="0")


@pytest.mark.shows("submitit", "alike")
def test_jobs_of_submitit_draw_apart(image: Path, tmp_path: Path) -> None:
    jobs = json.loads(output(image, PROGRAMS / "submitit_jobs.py", tmp_path, timeout=120))
    assert len(set(jobs)) == 3


SNAKEFILE = """
rule all:
    input: "1.txt", "2.txt"
rule one:
    output: "{{number}}.txt"
    params: name="SEED_INIT_WORKER={{number}}"
    shell: "{{params.name}} {python} {probe} {{wildcards.number}} > {{output}}"
"""


@pytest.mark.shows("Snakemake", "alike")
def test_jobs_of_snakemake_are_told_apart_by_a_name(image: Path, tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(python=image, probe=PROBE))
    words = ("-m", "snakemake", "--cores=2", "--quiet", "all")
    done = run(image, *words, cwd=tmp_path, env={"HOME": str(tmp_path)}, timeout=120)
    assert done.returncode == 0, done.stderr
    told = [json.loads((tmp_path / f"{number}.txt").read_text()) for number in (1, 2)]
    assert [each[2] for each in told] == [["worker", "1"], ["worker", "2"]]
    assert told[0][-1] != told[1][-1]
