"""Kernels that a user adds, and notebooks that are executed without a browser."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from containers import DRAWS, Container, Containers, check_quiet
from servers import ALLOWED, ANSWER_S, Server

from harness.repository import REPOSITORY
from harness.waiting import free_port, until

pytestmark = pytest.mark.image

DRAW = "import json, random; print(json.dumps(random.random()))"

COPY = """
import sys
sys.path.insert(0, "/tmp/repository")
from pathlib import Path
from harness.interpreters import copy_base, see_packages
see_packages(copy_base(Path("/tmp/other")))
"""
"""Copy the image's Python without the hook: another prefix, as a conda environment is one."""


@pytest.fixture(scope="module")
def server(images) -> Iterator[Server]:
    """A server in which users add kernels; the seed is 7."""
    containers = Containers()
    port = free_port()
    options = [
        f"--publish=127.0.0.1:{port}:{port}",
        f"--mount=type=bind,src={REPOSITORY}/harness,dst=/tmp/repository/harness,readonly",
    ]
    running = containers.start(images.notebook, options=options, JUPYTER_PORT=str(port), SEED="7")
    yield Server(running, port).wait_for_link()
    containers.close()


def add_kernel(container: Container, python: str, name: str) -> None:
    """As the user does."""
    container.exec(python, "-m", "ipykernel", "install", "--user", f"--name={name}")


def test_a_kernel_of_a_users_virtual_environment_is_seeded(
    server: Server, recipe: Callable[[int], list[float]]
) -> None:
    container = server.container
    container.exec("python", "-m", "venv", "/tmp/env")
    container.exec("/tmp/env/bin/pip", "install", "--quiet", "--no-compile", "ipykernel")
    add_kernel(container, "/tmp/env/bin/python", "env")
    kernel = server.start_kernel("env")
    where = "import sys; print(sys.prefix); print(sys.base_prefix)"
    assert server.run_cell(kernel, where)["stdout"].startswith("/tmp/env\n")
    server.ask("POST", f"/api/kernels/{kernel}/restart")
    # numpy and torch are not in there.
    assert json.loads(server.run_cell(kernel, DRAW)["stdout"]) == recipe(7)[0]


def test_a_kernel_of_the_images_python_under_another_name_is_seeded(
    server: Server, recipe: Callable[[int], list[float]]
) -> None:
    add_kernel(server.container, "python", "renamed")
    assert server.draws(server.start_kernel("renamed")) == recipe(7)


def test_a_kernel_of_another_python_says_that_it_is_not_seeded_until_it_has_the_hook(
    server: Server, recipe: Callable[[int], list[float]]
) -> None:
    container, python = server.container, "/tmp/other/bin/python3"
    container.exec("python", "-c", COPY)
    add_kernel(container, python, "other")
    line = (
        "seed_init: this IPython is not seeded, its Python has no hook; "
        f"'seed-init install --python {python}' puts it there\n"
    )
    before = server.log()
    kernel = server.start_kernel("other")
    assert server.run_cell(kernel, "import sys; print(sys.prefix)")["stdout"] == "/tmp/other\n"
    until("the line", lambda: server.log().count(line) == 1, ANSWER_S)
    assert json.loads(server.run_cell(kernel, DRAW)["stdout"]) != recipe(7)[0]
    check_quiet(server.log().removeprefix(before), ALLOWED)

    container.exec("seed-init", "install", "--python", python)
    assert server.draws(server.start_kernel("other")) == recipe(7)
    assert server.log().count(line) == 1


@pytest.mark.parametrize("variable", ["SEED_INIT=0", "SEED_INIT_LOG=quiet"])
def test_ipython_of_another_python_is_quiet_where_the_user_wants_it(
    container: Containers, images, variable: str
) -> None:
    mount = f"--mount=type=bind,src={REPOSITORY}/harness,dst=/tmp/repository/harness,readonly"
    running = container.start(images.notebook, "sleep", "infinity", options=[mount])
    running.exec("python", "-c", COPY)
    words = ("/tmp/other/bin/python3", "-m", "IPython", "-c", "print('hello')")
    assert running.exec(*words).lines
    done = running.exec(*words, options=[f"--env={variable}"])
    assert (done.stdout, done.stderr) == ("hello\n", "")


# --- without a browser --------------------------------------------------------------------

CELLS = [
    DRAWS,
    "import numpy.random\nprint([random.random() for _ in range(3)], numpy.random.rand(2))",
    "print(torch.rand(3).tolist(), numpy.random.default_rng().random())",
    "print(random.Random().random(), torch.randperm(5).tolist(), random.choice('abcdef'))",
]

NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": source,
        }
        for number, source in enumerate(CELLS)
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def printed(notebook: str) -> list[str]:
    """What each cell of an executed notebook has printed."""
    return [
        "".join(
            "".join(output["text"]) for output in cell["outputs"] if output.get("name") == "stdout"
        )
        for cell in json.loads(notebook)["cells"]
        if cell["cell_type"] == "code"
    ]


@pytest.fixture(scope="module")
def in_the_browser(server: Server) -> list[str]:
    """What the cells print in a kernel of the server."""
    kernel = server.start_kernel()
    return [server.run_cell(kernel, cell)["stdout"] for cell in CELLS]


def test_the_browser_starts_with_the_numbers_of_the_recipe(
    in_the_browser: list[str], recipe: Callable[[int], list[float]]
) -> None:
    assert json.loads(in_the_browser[0]) == recipe(7)


@pytest.mark.parametrize(
    "command",
    [
        "jupyter nbconvert --execute --to=notebook --output=done.ipynb draw.ipynb",
        "jupyter execute --output=done draw.ipynb",
        "pip install --quiet --user --no-compile papermill && "
        "python -m papermill draw.ipynb done.ipynb",
    ],
    ids=["nbconvert", "execute", "papermill"],
)
def test_a_notebook_run_without_a_browser_prints_what_it_prints_there(
    server: Server, in_the_browser: list[str], command: str, request: pytest.FixtureRequest
) -> None:
    folder = Path("/tmp") / request.node.callspec.id
    running = f'mkdir {folder} && cd {folder} && echo "$0" > draw.ipynb && {command} >&2'
    server.container.exec("bash", "-c", running, json.dumps(NOTEBOOK))
    done = server.container.exec("cat", f"{folder}/done.ipynb").stdout
    assert printed(done) == in_the_browser
