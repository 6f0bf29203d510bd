"""JupyterLab in a real browser: what a person sees who opens the printed link.

Needs Debian's Chromium (tools/browser.sh installs it). Each step leaves a screenshot in
`.cache/artefacts/browser`, or in `browser` in the folder that SEED_INIT_ARTEFACTS names.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browsing import VIEWPORT, WAIT_S, Lab, Pictures, find_chromium, launch, numbers
from containers import Containers, check_quiet
from playwright.sync_api import Browser, Locator, expect, sync_playwright
from servers import ALLOWED, Server, link

from harness.repository import REPOSITORY
from harness.sharing import once
from harness.waiting import free_port

pytestmark = pytest.mark.image

NOTEBOOKS = Path(__file__).parent / "notebooks"
ALLOWED_AT_RESTARTS = [
    *ALLOWED,
    # The server closes the old kernel's sockets; pyzmq says so where one had just been written to.
    r"Got events for closed stream",
    # The page connects again before the server has seen the end of its old connection.
    r"Replacing stale connection",
]
REPORT = "seed_init: SEED=7 (environment), DETERMINISM=warn"

PROCESS_AND_RANDOM, NUMPY, TORCH, LOADER = range(4)
"""The code cells of notebooks/draws.ipynb."""

ASK_FOR_A_KERNEL = """async () => {
    const xsrf = document.cookie.match(/_xsrf=([^;]+)/);
    const answer = await fetch('/api/kernels', {
        method: 'POST',
        headers: {'Content-Type': 'application/json', 'X-XSRFToken': xsrf ? xsrf[1] : ''},
        body: JSON.stringify({name: 'python3'}),
    });
    return answer.status;
}"""
"""What JupyterLab itself sends for a kernel, with the cookies of the page it is sent from."""


# --- a browser, servers, a page -----------------------------------------------------------


# Not of the session: Playwright's event loop would be in the way of every later test of this
# worker that runs one of its own.
@pytest.fixture(scope="module")
def browser(engine: None) -> Iterator[Browser]:
    """A headless Chromium; the test is skipped where there is none."""
    chromium = find_chromium()
    if chromium is None:
        missing = "there is no chromium command"
        if os.environ.get("SEED_INIT_REQUIRE_ENGINE") == "1":
            pytest.fail(f"SEED_INIT_REQUIRE_ENGINE=1, but {missing}", pytrace=False)
        pytest.skip(f"{missing} (tools/browser.sh installs it)")
    with sync_playwright() as playwright:
        browser = launch(playwright, chromium)
        # The assertions' own patience is 5 s, too little on a busy machine.
        expect.set_options(timeout=WAIT_S * 1000)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures_folder(kept: Path) -> Path:
    """Where the screenshots of this run go; what a former run has left is removed."""
    artefacts = os.environ.get("SEED_INIT_ARTEFACTS") or REPOSITORY / ".cache/artefacts"
    return Path(once(kept, empty, str(Path(artefacts, "browser"))))


def empty(folder: str) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def serve(browser: Browser, images) -> Iterator[Callable[..., Server]]:
    """Starts a container for each environment that is asked for, once for all tests here.

    With SEED=7; further variables are the container's too.
    """
    containers = Containers()
    servers: dict[tuple[tuple[str, str], ...], Server] = {}

    def serve(**variables: str) -> Server:
        settings = tuple(sorted(variables.items()))
        if settings not in servers:
            port = free_port()
            running = containers.start(
                images.notebook,
                options=[f"--publish=127.0.0.1:{port}:{port}"],
                JUPYTER_PORT=str(port),
                **{"SEED": "7", **variables},
            )
            servers[settings] = Server(running, port).wait_for_link()
        return servers[settings]

    yield serve
    containers.close()


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    """A server with SEED=7, as nobody had opened it yet."""
    return untouched(serve())


@pytest.fixture
def server_with_cell_policy(serve: Callable[..., Server]) -> Server:
    """The same with SEED_INIT_NOTEBOOK=cell."""
    return untouched(serve(SEED_INIT_NOTEBOOK="cell"))


def untouched(server: Server) -> Server:
    """Remove what a former test has left; a page would open the tabs of the last one again."""
    for kernel in server.ask("GET", "/api/kernels").json():
        server.ask("DELETE", f"/api/kernels/{kernel['id']}")
    for terminal in server.ask("GET", "/api/terminals").json():
        server.ask("DELETE", f"/api/terminals/{terminal['name']}")
    for workspace in server.ask("GET", "/lab/api/workspaces").json()["workspaces"]["ids"]:
        server.ask("DELETE", f"/lab/api/workspaces/{workspace}")
    # Not through the API: each removal is a warning in the log.
    server.container.exec("bash", "-c", "rm -f /workspace/*.ipynb")
    return server


@pytest.fixture
def lab(browser: Browser, pictures_folder: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A page of a person who has not been here before."""
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")
    failures = request.session.testsfailed
    # A scale of 1: the pictures are as large as the page.
    with browser.new_context(viewport=VIEWPORT, device_scale_factor=1) as session:
        lab = Lab(session.new_page(), Pictures(pictures_folder, name))
        yield lab
        if request.session.testsfailed > failures:
            lab.snap("failed")


def put_notebook(server: Server, name: str) -> None:
    """Copy one of the notebooks here to the server's folder."""
    content = json.loads((NOTEBOOKS / name).read_text())
    body = {"type": "notebook", "format": "json", "content": content}
    server.ask("PUT", f"/api/contents/{name}", json=body)


def printed_link(server: Server) -> str:
    """The link of the log that is right on this host."""
    return link(server.log(), server.port)[0]


# --- the tests ----------------------------------------------------------------------------


def test_the_printed_link_opens_jupyterlab_and_nobody_is_asked_anything(
    server: Server, lab: Lab
) -> None:
    asked_of_servers: list[str] = []
    lab.page.on("request", lambda request: asked_of_servers.append(request.url))
    lab.open(printed_link(server))
    # It asks for news, or whether to, once all that belongs to the page has been restored.
    lab.page.wait_for_load_state("networkidle")
    lab.snap("opened")
    assert lab.notifications() == []
    assert lab.errors == []
    elsewhere = [url for url in asked_of_servers if not url.startswith((server.url, "data:"))]
    assert elsewhere == []
    # The server would ask PyPI and jupyter.org.
    assert [url for url in asked_of_servers if re.search("lab/api/(update|news)", url)] == []
    check_quiet(server.log(), ALLOWED_AT_RESTARTS)


def test_after_a_restart_from_the_menu_the_page_shows_the_same_numbers(
    server: Server, lab: Lab, recipe: Callable[[int], list[float]]
) -> None:
    put_notebook(server, "draws.ipynb")
    lab.open(printed_link(server))
    lab.open_notebook("draws.ipynb")
    lab.snap("opened")

    lab.run_all()
    lab.show_output(LOADER)
    lab.snap("run")
    before = lab.outputs()
    lab.restart_and_run_all()
    lab.show_output(LOADER)
    lab.snap("restarted-and-run-again")
    after = lab.outputs()

    shown = [numbers(output) for output in before]
    assert [*shown[PROCESS_AND_RANDOM], *shown[NUMPY], *shown[TORCH]] == recipe(7)
    # Two workers, four items, four generators: no number is there twice.
    assert len(set(shown[LOADER])) == 16
    assert [numbers(output) for output in after] == shown
    assert process(before) != process(after)
    for outputs in (before, after):
        assert [output.count(REPORT) for output in outputs] == [0, 1, 0, 0]
    assert lab.errors == []
    check_quiet(server.log(), ALLOWED_AT_RESTARTS)


def process(outputs: list[str]) -> str:
    """The kernel's process, by the first cell of draws.ipynb."""
    return re.search(r"process (\d+)", outputs[PROCESS_AND_RANDOM])[1]


def test_with_the_cell_policy_each_cell_shows_its_own_numbers_in_any_order(
    server_with_cell_policy: Server, lab: Lab
) -> None:
    put_notebook(server_with_cell_policy, "draws.ipynb")
    lab.open(printed_link(server_with_cell_policy))
    lab.open_notebook("draws.ipynb")
    in_order = {cell: numbers(lab.run_cell(cell)) for cell in range(4)}
    lab.show_output(LOADER)
    lab.snap("run-in-order")
    assert len({number for drawn in in_order.values() for number in drawn}) == 3 + 16

    lab.restart_and_clear()
    lab.snap("restarted")
    backwards = {cell: numbers(lab.run_cell(cell)) for cell in reversed(range(4))}
    lab.show_output(LOADER)
    lab.snap("run-backwards")
    assert backwards == in_order
    assert numbers(lab.run_cell(LOADER)) == in_order[LOADER]

    lab.type_into(NUMPY, "import numpy\n\nprint(numpy.random.rand(2).mean())")
    edited = numbers(lab.run_cell(NUMPY))
    others = (TORCH, LOADER, PROCESS_AND_RANDOM)
    again = {cell: numbers(lab.run_cell(cell)) for cell in others}
    lab.show_output(LOADER)
    lab.snap("edited-one-and-run-the-others")
    assert edited != in_order[NUMPY]
    assert again == {cell: in_order[cell] for cell in others}


def test_the_welcome_notebook_shows_the_seed_and_two_curves_that_coincide(
    server: Server, lab: Lab, all_cores: None
) -> None:
    lab.open(printed_link(server))
    lab.open_folder("examples")
    lab.open_notebook("welcome.ipynb")
    lab.restart_and_run_all()
    _, seeded, unseeded, proof = lab.outputs()
    assert "the same, bit for bit: True" in seeded
    assert "the same, bit for bit: False" in unseeded
    assert "- the same" in proof
    lab.collapse_code(1)
    lab.cells.nth(0).scroll_into_view_if_needed()
    assert lab.table(0)[0] == ["SEED", "7", "environment"]
    lab.cells.nth(1).locator("img").wait_for()
    lab.show_output(1)
    # The README's: see picture.py.
    lab.snap("seed-and-curves")


def test_percent_seed_shows_a_table(server: Server, lab: Lab) -> None:
    lab.open(printed_link(server))
    lab.new_notebook()
    lab.type_into(0, "import random, numpy.random, torch\n%seed")
    lab.run_cell(0)
    lab.snap("table")
    assert lab.table(0)[:4] == [
        ["SEED", "7", "environment"],
        ["SEED_INIT_NOTEBOOK", "kernel", "seeded once, before the first cell"],
        ["DETERMINISM", "warn", "built-in"],
        ["seeded", "random, numpy.random, torch", ""],
    ]


def test_the_magics_have_help_and_completion(server: Server, lab: Lab) -> None:
    lab.open(printed_link(server))
    lab.new_notebook()
    lab.type_into(0, "%seed?")
    shown = lab.run_cell(0)
    lab.snap("help")
    assert "Show which seed is in effect" in shown

    lab.type_into(1, "%re")
    lab.page.keyboard.press("Tab")
    offered = lab.page.locator(".jp-Completer .jp-Completer-item")
    offered.filter(has_text="%reseed").wait_for()
    lab.snap("completion")
    offered.filter(has_text="%reseed").click()
    assert lab.source(1) == "%reseed"


@pytest.mark.parametrize("token", ["?token=wrong", ""], ids=["wrong", "none"])
def test_without_the_token_there_is_a_login_page_and_no_kernel(
    server: Server, lab: Lab, token: str
) -> None:
    lab.page.goto(f"{server.url}/lab{token}")
    lab.snap("refused")
    expect(lab.page.get_by_label("Password or token")).to_be_visible()
    assert lab.page.evaluate(ASK_FOR_A_KERNEL) == 403
    assert server.ask("GET", "/api/kernels").json() == []

    lab.open(printed_link(server))
    lab.snap("with-the-token")
    assert lab.page.evaluate(ASK_FOR_A_KERNEL) == 201


def test_the_token_may_be_typed_into_the_login_page(server: Server, lab: Lab) -> None:
    lab.page.goto(f"{server.url}/lab")
    lab.page.get_by_label("Password or token").fill(server.token)
    lab.page.get_by_role("button", name="Log in", exact=True).click()
    lab.page.locator(".jp-Launcher-body").wait_for()
    lab.snap("logged-in")


@pytest.fixture
def readable_terminal(server: Server, lab: Lab) -> Iterator[Locator]:
    """A new terminal, whose text is on the page for screen readers too, not on a canvas only."""
    settings = "/lab/api/settings/@jupyterlab/terminal-extension:plugin"
    server.ask("PUT", settings, json={"raw": '{"screenReaderMode": true}'})
    lab.open(printed_link(server))
    yield lab.new_terminal()
    server.ask("PUT", settings, json={"raw": "{}"})


def test_a_terminal_has_a_prompt_and_the_seed(
    readable_terminal: Locator, lab: Lab, recipe: Callable[[int], list[float]]
) -> None:
    expect(readable_terminal).to_contain_text(":/workspace$")
    lab.page.keyboard.type('python -c "import random; print(random.random())"\n')
    expect(readable_terminal).to_contain_text(str(recipe(7)[0]))
    lab.snap("terminal")


def test_a_terminal_says_which_seed_holds(readable_terminal: Locator, lab: Lab) -> None:
    expect(readable_terminal).to_contain_text(":/workspace$")
    lab.snap("terminal")
    # What a login shell has to say comes before its prompt: nothing to wait for.
    assert "seed_init: SEED=7" in readable_terminal.inner_text()
