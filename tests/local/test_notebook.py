"""`make notebook` without Docker: the image's settings, on loopback, with the command seed-init."""

import asyncio
import json
import os
import re
import shutil
import signal
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import passwd
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from harness.waiting import free_port, until

from .conftest import Checkout


@pytest.mark.parametrize(
    ("name", "value", "refusal"),
    [
        ("JUPYTER_HASHED_PASSWORD", "secret", "JUPYTER_HASHED_PASSWORD is not accepted, it is no "),
        ("JUPYTER_NO_AUTH", "yes", "JUPYTER_NO_AUTH='yes' is not accepted; use 1 or "),
        ("NB_PREFIX", "a b", "NB_PREFIX='a b' is not accepted; use a path "),
        ("SEED", "seven", "SEED='seven' is not accepted; use "),
    ],
)
def test_what_the_image_refuses_is_refused_before_anything_is_installed(
    empty_checkout: Checkout, name: str, value: str, refusal: str
) -> None:
    done = empty_checkout.run("tools/run.sh", "notebook", status=78, **{name: value})
    why, line = done.stderr.splitlines()
    assert why.startswith("seed-init: notebook runs in the local environment .venv, because ")
    assert line.startswith(f"seed_init: {refusal}")
    assert not (empty_checkout.folder / ".venv").exists()


@pytest.mark.slow
def test_jupyter_started_by_hand_refuses_it_too(checkout: Checkout) -> None:
    python = checkout.folder / ".venv/bin/python"
    done = checkout.run(python, "-m", "jupyterlab", status=78, JUPYTER_PORT="70000")
    assert done.stderr == (
        "seed_init: JUPYTER_PORT='70000' is not accepted; use a port from 1 to 65535\n"
    )


@pytest.mark.slow
def test_the_command_is_in_the_environment_and_takes_no_folder_for_its_package(
    checkout: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "seed_init").mkdir()
    (tmp_path / "seed_init/__init__.py").write_text("raise SystemExit('mine')")
    command = checkout.folder / ".venv/bin/seed-init"
    script = f'cd "{tmp_path}" && "{command}" --version && "{command}" verify --runs x -- true'
    done = checkout.run("bash", "-c", script, status=2)
    assert done.stdout.startswith("seed-init ")
    assert done.stderr.startswith("seed-init verify: ")

    checkout.run(command, "uninstall")
    done = checkout.run(command, "status", status=1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("seed-init: the hook is not installed in ")
    checkout.run("tools/venv.sh", "local")
    assert checkout.run(command, "--version").stdout.startswith("seed-init ")


class Server:
    """`make notebook`, on a port of its own, below a path and with a password and a token."""

    def __init__(self, checkout: Checkout, runtime: str) -> None:
        self.port = free_port()
        self.process = checkout.start(
            "make",
            "notebook",
            f"JUPYTER_PORT={self.port}",
            SEED="7",
            NB_PREFIX="/team/x",
            JUPYTER_TOKEN="secret",
            JUPYTER_HASHED_PASSWORD=passwd("correct horse", algorithm="sha1"),
            SHELL="/bin/bash",
            JUPYTER_CONFIG_DIR=runtime,
            JUPYTER_RUNTIME_DIR=runtime,
        )
        self.log = ""
        for line in self.process.stderr:
            self.log += line
            if "127.0.0.1" in line:
                break
        # The link is printed before the port is open.
        until("an open port", lambda: listeners(self.port))

    def ask(self, path: str, data: Any = None, token: str = "secret") -> Any:
        """What the server answers, as data; `data` makes it a POST."""
        url = f"http://127.0.0.1:{self.port}/team/x/{path}?token={token}"
        body = None if data is None else json.dumps(data).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
            return json.load(answer)

    async def talk(self, path: str, message: Any, answer: str) -> str:
        """Send a message to a terminal or kernel; what comes back, as text, until `answer`."""
        url = f"ws://127.0.0.1:{self.port}/team/x/{path}?token=secret"
        connection = await websocket_connect(HTTPRequest(url))
        await connection.write_message(json.dumps(message))
        heard = ""
        while not re.search(answer, heard):
            heard += str(await asyncio.wait_for(connection.read_message(), 60))
        connection.close()
        return heard

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.communicate(timeout=60)


@pytest.mark.slow
def test_terminals_and_kernels_have_the_command_and_the_checkout_stays_clean(
    checkout: Checkout,
) -> None:
    # Short: the kernel's sockets are in it, whose paths the kernel limits to 107 characters.
    runtime = tempfile.mkdtemp()
    server = Server(checkout, runtime)
    try:
        assert f"http://127.0.0.1:{server.port}/team/x/lab?token=" in server.log
        with pytest.raises(urllib.error.HTTPError, match="403"):
            server.ask("api/contents", token="wrong")
        assert listeners(server.port) == ["0100007F"]  # 127.0.0.1

        (checkout.folder / "examples/welcome.ipynb").write_text("changed by running it")
        bin_folder = str(checkout.folder / ".venv/bin")
        terminal = server.ask("api/terminals", {})["name"]
        typed = "echo in $(dirname $(command -v seed-init)) $(dirname $(command -v python)) .\r"
        heard = asyncio.run(
            server.talk(f"terminals/websocket/{terminal}", ["stdin", typed], r"in /\S+ /\S+ \.")
        )
        assert f"in {bin_folder} {bin_folder} ." in heard
        assert "seed_init: SEED=7 (environment), DETERMINISM=warn" in heard

        kernel = server.ask("api/kernels", {})["id"]
        content = {"code": "!echo at $(command -v seed-init) .", "silent": False}
        header = {"msg_id": "1", "msg_type": "execute_request", "version": "5.3"}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        heard = asyncio.run(
            server.talk(
                f"api/kernels/{kernel}/channels",
                {**message, "channel": "shell"},
                r"at \S* ?\.",
            )
        )
        assert f"at {bin_folder}/seed-init ." in heard
    finally:
        server.close()
        shutil.rmtree(runtime)
    assert checkout.changed() == []


def listeners(port: int) -> list[str]:
    """The addresses on which somebody listens on the port, as Linux writes them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    local = [row[1].split(":") for row in rows if row[3] == "0A"]
    return [address for address, number in local if int(number, 16) == port]
