"""The same SEED gives the same numbers however a process is started in the container."""

import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from containers import DRAWS, Container, Containers, Done, derived_image, inspect

pytestmark = pytest.mark.image

PYTHON = "/opt/conda/bin/python"
"""For a login shell, which may set PATH anew (Debian's does)."""

STDLIB_DRAW = "import random; print(random.random())"
Recipe = Callable[[int], list[float]]


def check(done: Done, expected: list[float]) -> None:
    assert json.loads(done.stdout) == expected
    assert "seed_init: SEED=7 (environment), DETERMINISM=warn" in done.lines


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="docker run"),
        pytest.param(["--user=12345"], id="any user"),
        pytest.param(["--user=12345:12345"], id="any user and group"),
        pytest.param(["--user=0"], id="root"),
        pytest.param(["--read-only"], id="read-only"),
        pytest.param(["--read-only", "--tmpfs=/tmp"], id="read-only with tmpfs"),
        pytest.param(["--tmpfs=/home/jovyan"], id="tmpfs on home"),
        pytest.param(["--network=none"], id="no network"),
        pytest.param(
            ["--user=12345", "--mount=type=volume,dst=/home/jovyan,volume-nocopy"],
            id="any user with an empty volume on home",
        ),
    ],
)
def test_docker_run_options_do_not_change_the_numbers(
    container: Containers, images, recipe: Recipe, options: list[str]
) -> None:
    done = container.run(images.runtime, "python", "-c", DRAWS, options=options, SEED="7")
    check(done, recipe(7))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["bash", "-lc", 'python -c "$0"', DRAWS], id="login shell"),
        pytest.param(["sh", "-c", 'python -c "$0"', DRAWS], id="sh"),
        pytest.param(["python", "-I", "-c", DRAWS], id="python -I"),
        pytest.param(["env", "HOME=/nowhere", "python", "-c", DRAWS], id="no home"),
    ],
)
def test_the_command_does_not_change_the_numbers(
    container: Containers, images, recipe: Recipe, words: list[str]
) -> None:
    check(container.run(images.runtime, *words, SEED="7"), recipe(7))


def test_the_notebook_image_has_the_numbers_of_the_runtime_image(
    container: Containers, images, recipe: Recipe
) -> None:
    check(container.run(images.notebook, "python", "-c", DRAWS, SEED="7"), recipe(7))


def test_a_bypassed_entrypoint_does_not_change_the_numbers(
    container: Containers, images, recipe: Recipe
) -> None:
    done = container.run(images.runtime, "-c", DRAWS, options=["--entrypoint=python"], SEED="7")
    check(done, recipe(7))


def test_docker_exec_gives_the_numbers_of_the_container(
    entered: Callable[..., Container], images, recipe: Recipe
) -> None:
    running = entered(images.runtime, SEED="7")
    check(running.exec("python", "-c", DRAWS), recipe(7))


def test_docker_exec_may_choose_another_seed(
    entered: Callable[..., Container], images, recipe: Recipe
) -> None:
    running = entered(images.runtime, SEED="8")
    check(running.exec("python", "-c", DRAWS, options=["--env=SEED=7"]), recipe(7))


def test_without_seed_the_numbers_are_those_of_42(
    container: Containers, images, recipe: Recipe
) -> None:
    done = container.run(images.runtime, "python", "-c", DRAWS)
    assert json.loads(done.stdout) == recipe(42)
    assert done.stderr == "seed_init: SEED=42 (/etc/seed_init/defaults:3), DETERMINISM=warn\n"


def test_another_seed_gives_other_numbers(recipe: Recipe) -> None:
    assert not set(recipe(7)) & set(recipe(42))


WORKERS = """
import random, torch
from torch.utils.data import DataLoader
class Draws(torch.utils.data.Dataset):
    def __len__(self): return 4
    def __getitem__(self, index): return random.random()
print([batch.tolist() for batch in DataLoader(Draws(), num_workers=2)])
"""


@pytest.mark.parametrize(
    "options", [[], ["--read-only"], ["--read-only", "--user=12345:12345"]], ids=str
)
def test_data_loader_workers_draw_the_same_numbers_every_time(
    container: Containers, images, options: list[str]
) -> None:
    words = ("timeout", "30", "python", "-c", WORKERS)  # a worker that cannot start is waited for
    first, second = (
        container.run(images.runtime, *words, options=options, SEED="7").stdout for _ in range(2)
    )
    assert first == second
    assert len({number for (number,) in json.loads(first)}) == 4


def test_an_active_venv_stays_in_front_in_a_login_shell(container: Containers, images) -> None:
    script = (
        "python -m venv --without-pip /tmp/venv && . /tmp/venv/bin/activate"
        " && . /etc/profile.d/seed-init.sh && command -v python"
    )
    assert container.run(images.runtime, "bash", "-c", script).stdout == "/tmp/venv/bin/python\n"


# --- virtual environments made in the container ------------------------------------------


def test_a_venv_is_seeded(container: Containers, images, recipe: Recipe) -> None:
    script = 'python -m venv /tmp/venv && /tmp/venv/bin/python -c "$0"'
    done = container.run(images.runtime, "bash", "-c", script, STDLIB_DRAW, SEED="7")
    assert float(done.stdout) == recipe(7)[0]
    assert not done.stderr


def test_torch_in_a_venv_is_seeded(container: Containers, images, recipe: Recipe) -> None:
    script = (
        "python -m venv --without-pip --system-site-packages /tmp/venv"
        ' && /tmp/venv/bin/python -c "$0"'
    )
    check(container.run(images.runtime, "bash", "-c", script, DRAWS, SEED="7"), recipe(7))


@pytest.fixture
def with_uv() -> list[str]:
    """The docker run options that put uv into the container."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.fail(f"{uv} is missing; requirements/test.txt has it")
    return [f"--mount=type=bind,src={uv},dst=/usr/local/bin/uv,readonly"]


def test_a_uv_venv_is_seeded(
    container: Containers, images, recipe: Recipe, with_uv: list[str]
) -> None:
    script = 'uv venv --quiet --offline /tmp/venv && /tmp/venv/bin/python -c "$0"'
    words = ("bash", "-c", script, STDLIB_DRAW)
    done = container.run(images.runtime, *words, options=with_uv, SEED="7")
    assert float(done.stdout) == recipe(7)[0]
    assert not done.stderr


def test_torch_in_a_uv_venv_is_seeded(
    container: Containers, images, recipe: Recipe, with_uv: list[str]
) -> None:
    script = (
        'uv venv --quiet --offline --system-site-packages /tmp/venv && /tmp/venv/bin/python -c "$0"'
    )
    done = container.run(images.runtime, "bash", "-c", script, DRAWS, options=with_uv, SEED="7")
    check(done, recipe(7))


# --- a team's image -----------------------------------------------------------------------


def write_wheel(folder: Path) -> str:
    """A wheel with one module, `greeting`, so that the build needs no package index."""
    name = "greeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("greeting.py", "HELLO = 'hello'\n")
        about = "greeting-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return name


def test_an_image_built_from_it_inherits_everything(
    container: Containers, images, recipe: Recipe, tmp_path: Path
) -> None:
    wheel = write_wheel(tmp_path)
    instructions = (  # as docs/how-to/team-image.md has them
        "USER root",
        f"COPY {wheel} /tmp/",
        f"RUN pip install --no-cache-dir --no-index /tmp/{wheel}",
        "USER 1000:0",
    )
    program = ("python", "-c", f"import greeting{DRAWS}")
    with derived_image(images.runtime, tmp_path, *instructions) as team:
        check(container.run(team, *program, SEED="7"), recipe(7))
        for options in (["--user=12345"], ["--tmpfs=/home/jovyan", "--read-only"]):
            done = container.run(team, *program, options=options, SEED="7", SEED_INIT_LOG="quiet")
            assert json.loads(done.stdout) == recipe(7)
        ours, theirs = inspect(images.runtime)["Config"], inspect(team)["Config"]
    for name in ("Entrypoint", "User", "Env", "WorkingDir", "Cmd"):
        assert theirs[name] == ours[name], name


# Sums over two million numbers: threads add up a part each.
SUMS = "import torch; x = torch.rand(2**21); print((x @ x).item().hex(), x.sum().item().hex())"


def test_level_portable_gives_the_same_bits_in_a_container_with_less_of_the_cpu(
    container: Containers, images
) -> None:
    """A quota of cgroup's, and a set of one CPU. The control: by default bits differ."""

    def sums(*options: str, **variables: str) -> str:
        words = ("python", "-c", SUMS)
        done = container.run(images.runtime, *words, options=options, SEED="7", **variables)
        assert len(done.stdout.split()) == 2
        return done.stdout

    one = "--cpuset-cpus=0"
    level = {"DETERMINISM": "portable", "SEED_INIT_THREADS": "3"}
    assert sums(**level) == sums("--cpus=0.5", **level) == sums(one, **level)
    assert sums(one, DETERMINISM="portable") != sums(one, **level), "threads are part of the recipe"
    assert sums(one) != sums() or len(os.sched_getaffinity(0)) == 1
