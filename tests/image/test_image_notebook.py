"""`docker compose up notebook`: JupyterLab with seeded kernels."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from containers import DRAWS, Containers, Done, Project, check_quiet, docker
from servers import ALLOWED, ANSWER_S, READY_S, Server, link

from harness.waiting import free_port, until

pytestmark = pytest.mark.image

ASKED_BY_PAGES: list[tuple[str, str, dict[str, Any]]] = [
    # A page that opens asks for it on both channels; IPython's banner, in the answer, has a tip.
    ("shell", "kernel_info_request", {}),
    ("control", "kernel_info_request", {}),
    ("control", "debug_request", {"type": "request", "seq": 1, "command": "debugInfo"}),
    ("shell", "comm_info_request", {}),
    (
        "shell",
        "history_request",
        {"hist_access_type": "tail", "n": 5, "output": False, "raw": True},
    ),
    # While a person types.
    ("shell", "complete_request", {"code": "rando", "cursor_pos": 5}),
    ("shell", "inspect_request", {"code": "random", "cursor_pos": 6}),
    ("shell", "is_complete_request", {"code": "random."}),
]
"""Channel, message and content of what a browser sends besides cells."""


def start(project: Project, **variables: str) -> Server:
    """Start the service and wait for the link in its log."""
    project.compose("up", "--detach", "notebook", **variables)
    return Server(project.notebook(), project.port).wait_for_link()


@pytest.fixture
def server(project: Project) -> Server:
    return start(project)


@pytest.fixture
def server_with_seed_7(project: Project) -> Server:
    return start(project, SEED="7")


def test_it_becomes_healthy_and_prints_a_link_that_opens_on_this_host_only(server: Server) -> None:
    notebook = server.container
    until(
        "a verdict of the health check",
        lambda: notebook.state()["Health"]["Status"] != "starting",
        READY_S,
    )
    assert notebook.state()["Health"]["Status"] == "healthy"

    opened = requests.get(link(server.log(), server.port)[0], timeout=ANSWER_S)
    assert opened.status_code == 200
    assert "JupyterLab" in opened.text
    without_token = requests.get(f"{server.url}/api/kernels", timeout=ANSWER_S)
    assert without_token.status_code == 403

    published = docker("port", notebook.name).stdout.splitlines()
    assert published == [f"{server.port}/tcp -> 127.0.0.1:{server.port}"]


def test_a_page_that_opens_asks_for_no_news_and_leaves_the_log_clean(server: Server) -> None:
    page = server.ask("GET", "/lab").text
    data = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.S)[1]
    config = json.loads(data)
    # Each is a request of the page's; without nodejs the first one ends in a warning.
    assert (config["buildCheck"], config["buildAvailable"], config["news"]) == (
        False,
        False,
        {"disabled": True},
    )
    check_quiet(server.log(), ALLOWED)


def test_a_kernel_draws_the_numbers_of_the_seed_and_again_after_a_restart(
    server_with_seed_7: Server, recipe: Callable[[int], list[float]]
) -> None:
    server = server_with_seed_7
    kernel = server.start_kernel()
    before = server.draws(kernel)
    server.ask("POST", f"/api/kernels/{kernel}/restart")
    after = server.draws(kernel)
    assert before == recipe(7)
    assert after == recipe(7)


def test_what_a_page_asks_of_a_kernel_between_cells_does_not_shift_its_numbers(
    server_with_seed_7: Server, recipe: Callable[[int], list[float]]
) -> None:
    server = server_with_seed_7
    kernel = server.start_kernel()
    server.run_cell(kernel, "import random, numpy, torch")
    for channel, kind, content in ASKED_BY_PAGES:
        replies = server.request(kernel, channel, kind, **content)
        assert any(reply["msg_type"] == kind.replace("request", "reply") for reply in replies)
    assert server.draws(kernel) == recipe(7)


def test_every_kernel_draws_the_same_numbers_and_the_log_is_clean(
    server: Server, recipe: Callable[[int], list[float]]
) -> None:
    draws = [server.draws(server.start_kernel()) for _ in range(3)]
    assert draws == [recipe(42)] * 3
    check_quiet(server.log(), ALLOWED)


def test_the_first_cell_says_which_seed_holds(server: Server) -> None:
    written = server.run_cell(server.start_kernel(), "import torch")
    assert written["stderr"] == (
        "seed_init: SEED=42 (/etc/seed_init/defaults:3), DETERMINISM=warn\n"
    )


def test_exec_into_the_service_is_seeded(
    project: Project, recipe: Callable[[int], list[float]]
) -> None:
    start(project, SEED="7")
    done = project.compose("exec", "-T", "notebook", "python", "-c", DRAWS)
    assert json.loads(done.stdout) == recipe(7)


def test_a_cell_writes_files_as_the_owner_of_the_folder(project: Project) -> None:
    server = start(project)
    server.run_cell(server.start_kernel(), "open('from-a-cell.txt', 'w').write('x')")
    written = project.folder / "from-a-cell.txt"
    assert written.stat().st_uid == project.folder.stat().st_uid


def test_a_token_of_the_users_own_is_taken(project: Project) -> None:
    project.compose("up", "--detach", "notebook", JUPYTER_TOKEN="chosen")
    server = Server(project.notebook(), project.port, "chosen")

    def answer() -> bool:
        try:
            return server.ask("GET", "/api/kernels").status_code == 200
        except requests.ConnectionError:
            return False

    until("an answer to the token", answer, READY_S)


@pytest.mark.parametrize(
    "options",
    [["--read-only", "--user=1234567890:1234567890"], ["--tmpfs=/home/jovyan", "--user=12345"]],
    ids=" ".join,
)
def test_kernels_work_in_a_plain_container_too(
    container: Containers, images, recipe: Callable[[int], list[float]], options: list[str]
) -> None:
    port = free_port()
    running = container.start(
        images.notebook,
        options=[f"--publish=127.0.0.1:{port}:{port}", *options],
        JUPYTER_PORT=str(port),
        SEED="7",
    )
    server = Server(running, port).wait_for_link()
    assert server.draws(server.start_kernel()) == recipe(7)


@pytest.mark.parametrize(
    ("words", "options", "variables"),
    [
        pytest.param([], [], {}, id="plain"),
        pytest.param([], ["--user=12345:12345"], {}, id="any user and group"),
        pytest.param([], ["--read-only"], {}, id="read-only"),
        pytest.param(["seed-init-notebook", "--ServerApp.base_url=/team/"], [], {}, id="base URL"),
        pytest.param([], [], {"JUPYTER_PORT": "9999"}, id="port"),
        pytest.param(["seed-init-notebook", "--sock=/tmp/nb.sock"], [], {}, id="UNIX socket"),
        pytest.param([], [], {"http_proxy": "http://127.0.0.1:9"}, id="proxy"),
    ],
)
def test_the_health_check_finds_the_server(
    container: Containers, images, words: list[str], options: list[str], variables: dict
) -> None:
    running = container.start(images.notebook, *words, options=options, **variables)
    until(
        "a healthy server",
        lambda: running.exec("seed-init-healthcheck", status=None).status == 0,
        READY_S,
    )


def test_the_health_check_needs_no_network(container: Containers, images) -> None:
    running = container.start(images.notebook, options=["--network=none"])
    until(
        "a healthy server",
        lambda: running.exec("seed-init-healthcheck", status=None).status == 0,
        READY_S,
    )


def test_the_health_check_asks_the_containers_own_server(container: Containers, images) -> None:
    running = container.start(images.notebook)

    def health() -> Done:
        return running.exec("seed-init-healthcheck", status=None)

    until("a healthy server", lambda: health().status == 0, READY_S)
    # A second one, as a terminal may start it, which is killed and leaves its file behind.
    second = "JUPYTER_RUNTIME_DIR=/tmp/jupyter-1000 timeout -s KILL 8 jupyter lab --port 9990"
    running.exec("bash", "-c", f"{second} > /tmp/second.log 2>&1", status=137)
    assert "9990" in running.exec("cat", "/tmp/second.log").stdout
    assert health().status == 0
    running.exec(
        "python",
        "-c",
        "import os, signal, pathlib, json\n"
        "for file in pathlib.Path('/tmp/jupyter-1000').glob('jpserver-*.json'):\n"
        "    facts = json.loads(file.read_text())\n"
        "    if facts['port'] == 8888: os.kill(facts['pid'], signal.SIGSTOP)",
    )
    assert health().status == 1


@pytest.mark.parametrize("port", ["abc", "-1", "0", "70000"])
def test_a_port_that_is_none_is_refused_in_one_line(
    container: Containers, images, port: str
) -> None:
    done = container.run(images.notebook, status=78, JUPYTER_PORT=port)
    assert not done.stdout
    assert done.lines == [
        f"seed_init: JUPYTER_PORT={port!r} is not accepted; use a port from 1 to 65535"
    ]


def test_every_link_in_the_log_has_the_port_and_the_path_of_the_server(
    container: Containers, images
) -> None:
    words = ("seed-init-notebook", "--ServerApp.base_url=/team/", "--port=9999")
    running = container.start(images.notebook, *words)

    def links() -> list[str]:
        return re.findall(r"https?://\S+token=\S+", running.logs().stdout + running.logs().stderr)

    until("the links in the log", lambda: len(links()) >= 3, READY_S)
    assert [one for one in links() if ":9999/team/lab?token=" not in one] == []


NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": DRAWS,
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 4,
}


def test_nbconvert_executes_a_notebook_with_the_numbers_of_the_seed(
    container: Containers, images, recipe: Callable[[int], list[float]], tmp_path: Path
) -> None:
    (tmp_path / "draw.ipynb").write_text(json.dumps(NOTEBOOK))
    mount = f"--mount=type=bind,src={tmp_path / 'draw.ipynb'},dst=/tmp/draw.ipynb,readonly"
    words = ("jupyter", "nbconvert", "--execute", "--to=notebook", "--stdout", "/tmp/draw.ipynb")
    over_tcp = ["Kernel is running over TCP without encryption"]
    done = container.run(images.notebook, *words, options=[mount], allowed=over_tcp, SEED="7")
    outputs = json.loads(done.stdout)["cells"][0]["outputs"]
    (drawn,) = (one["text"] for one in outputs if one.get("name") == "stdout")
    assert json.loads("".join(drawn)) == recipe(7)


def test_the_health_check_says_that_nothing_has_started(container: Containers, images) -> None:
    done = container.run(images.notebook, "seed-init-healthcheck", status=1)
    assert done.lines == ["unhealthy: no Jupyter server has started yet"]
