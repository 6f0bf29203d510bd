"""A real JupyterHub starts the image as a user's server, behind a real proxy, in a container."""

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from containers import Container, docker, environment, install_from_npm, unique
from servers import ANSWER_S, READY_S, Server

from harness.sharing import once
from harness.waiting import free_port, until

pytestmark = pytest.mark.image

CONFIG = Path(__file__).with_name("jupyterhub_config.py")
PROXY = "configurable-http-proxy@4.6.3"
PASSWORD = "for-tests"


@dataclass
class Hub:
    """A running JupyterHub.

    Attributes:
        port: of its proxy, where users come in.
        container: of the user's server; there is one user at a time.
        log_file: what Hub and proxy print.
    """

    port: int
    container: Container
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log_in(self, user: str) -> requests.Session:
        """A browser that has come in through the Hub's form."""
        browser = requests.Session()
        form = {"username": user, "password": PASSWORD, "_xsrf": self._xsrf(browser)}
        answer = browser.post(
            f"{self.url}/hub/login", data=form, timeout=ANSWER_S, allow_redirects=False
        )
        assert answer.status_code == 302, answer.text
        return browser

    def start_server(self, browser: requests.Session, user: str) -> Server:
        """Have the user's server started, and take a token for it from the Hub."""
        self.ask(browser, f"/users/{user}/server")

        def ready() -> bool:
            there = browser.get(f"{self.url}/hub/api/users/{user}", timeout=ANSWER_S)
            return there.json()["servers"].get("", {}).get("ready", False)

        until("the user's server", ready, 3 * READY_S)
        token = self.ask(browser, f"/users/{user}/tokens").json()["token"]
        return Server(self.container, self.port, token, f"/user/{user}")

    def ask(self, browser: requests.Session, path: str) -> requests.Response:
        """POST to the Hub's API as the browser's user."""
        answer = browser.post(
            f"{self.url}/hub/api{path}",
            headers={"X-XSRFToken": self._xsrf(browser)},
            timeout=ANSWER_S,
        )
        answer.raise_for_status()
        return answer

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/hub/api", timeout=ANSWER_S).ok
        except requests.ConnectionError:
            return False

    def _xsrf(self, browser: requests.Session) -> str:
        browser.get(f"{self.url}/hub/login", timeout=ANSWER_S, allow_redirects=False)
        return next(one.value for one in browser.cookies if one.name == "_xsrf")


@pytest.fixture(scope="session")
def proxy(engine: None, kept: Path) -> str:
    """The Hub's proxy, from npm."""
    if shutil.which("npm") is None:
        if os.environ.get("SEED_INIT_REQUIRE_ENGINE") == "1":
            pytest.fail("SEED_INIT_REQUIRE_ENGINE=1, but there is no npm", pytrace=False)
        pytest.skip(f"there is no npm to install {PROXY} with")
    folder = once(kept, install_from_npm, PROXY, str(kept / "proxy"))
    return f"{folder}/configurable-http-proxy"


@pytest.fixture
def start_hub(images, proxy: str, tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    """Starts a Hub; the argument is the command of its servers, "" for the image's own."""
    running: list[subprocess.Popen] = []
    hub = Hub(free_port(), Container(unique("seed-init-test-hub")), tmp_path / "hub.log")
    bridge = docker("network", "inspect", "-f", "{{json (index .IPAM.Config 0)}}", "bridge")
    addresses = json.loads(bridge.stdout)
    # Some engines (20.10) leave out a gateway that they have chosen: the first address.
    first = next(ipaddress.ip_network(addresses["Subnet"]).hosts())
    gateway = addresses.get("Gateway") or str(first)

    def start(words: str = "") -> Hub:
        variables = environment(
            PORT=str(hub.port),
            HUB_PORT=str(free_port()),
            PROXY_PORT=str(free_port()),
            PROXY=proxy,
            GATEWAY=gateway,
            PASSWORD=PASSWORD,
            IMAGE=images.notebook,
            NAME=hub.container.name,
            COMMAND=words,
            SEED_OF_SERVERS="7",
            SEED_INIT="0",
        )
        with hub.log_file.open("w") as log:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "jupyterhub", f"--config={CONFIG}"],
                    cwd=tmp_path,
                    env=variables,
                    stdout=log,
                    stderr=log,
                )
            )
        until("an answer of the Hub", hub.answers, READY_S)
        return hub

    yield start
    for process in running:
        process.terminate()  # it stops its proxy
        process.wait(READY_S)
    docker("rm", "--force", "--volumes", hub.container.name, status=None)
    print(hub.log_file.read_text() if hub.log_file.exists() else "the Hub has not started")


def test_a_users_server_is_the_hubs_own_and_its_kernels_draw_the_numbers_of_the_seed(
    start_hub: Callable[..., Hub], recipe: Callable[[int], list[float]]
) -> None:
    hub = start_hub()
    browser = hub.log_in("ann")
    server = hub.start_server(browser, "ann")

    page = browser.get(f"{server.url}/lab", timeout=ANSWER_S)
    assert page.status_code == 200
    assert "jupyter-config-data" in page.text

    kernel = server.start_kernel()
    before = server.draws(kernel)
    server.ask("POST", f"/api/kernels/{kernel}/restart")
    assert [before, server.draws(kernel)] == [recipe(7), recipe(7)]

    # What a user saves belongs into the home, which is the volume that a Hub keeps.
    server.save("saved.txt", "kept")
    assert server.container.exec("cat", "/home/jovyan/saved.txt").stdout == "kept"
    assert server.container.exec("seed-init-healthcheck").status == 0


def test_only_the_hub_lets_people_into_a_users_server(
    start_hub: Callable[..., Hub], recipe: Callable[[int], list[float]]
) -> None:
    # The command that Zero to JupyterHub starts, whatever the image's own is.
    hub = start_hub("jupyterhub-singleuser")
    server = hub.start_server(hub.log_in("ann"), "ann")
    kernels = f"{server.url}/api/kernels"
    assert requests.get(kernels, timeout=ANSWER_S).status_code == 403
    somebody_else = hub.log_in("bob").get(f"{server.url}/lab", timeout=ANSWER_S)
    assert somebody_else.status_code == 403
    # Past the proxy, too.
    address = docker(
        "inspect", "-f", "{{.NetworkSettings.IPAddress}}", server.container.name
    ).stdout.strip()
    past = requests.get(f"http://{address}:8888/user/ann/api/kernels", timeout=ANSWER_S)
    assert past.status_code == 403
    assert server.ask("GET", "/api/kernels").json() == []
    assert server.draws(server.start_kernel()) == recipe(7)
    assert server.container.exec("seed-init-healthcheck").status == 0
