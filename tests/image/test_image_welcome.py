"""The welcome notebook: what it shows is true, and it is put where a person finds it."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from containers import TRAINING_TIMEOUT, Container, Containers, command, copy_checkout
from servers import Server

from harness.repository import REPOSITORY
from harness.waiting import free_port

pytestmark = pytest.mark.image

PLACE = "/workspace/examples/welcome.ipynb"
WELCOME = REPOSITORY / "image/welcome.ipynb"


def code_cells(notebook: str) -> list[dict]:
    return [cell for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]


def test_it_comes_without_outputs_of_somebody_elses() -> None:
    assert all(not cell["outputs"] for cell in code_cells(WELCOME.read_text()))


def test_its_four_cells_show_what_they_say(container: Containers, images, all_cores: None) -> None:
    words = ("jupyter", "nbconvert", "--execute", "--to=notebook", "--stdout")
    image_copy = "/usr/local/share/seed_init/examples/welcome.ipynb"
    over_tcp = ["Kernel is running over TCP without encryption"]
    done = container.run(
        images.notebook, *words, image_copy, allowed=over_tcp, timeout=TRAINING_TIMEOUT, SEED="7"
    )
    seed, twice, off, proof = code_cells(done.stdout)

    (table,) = ("".join(output["data"]["text/html"]) for output in seed["outputs"])
    assert re.match("<table.*>SEED<.*>7<.*>environment<", table)
    assert text_of(twice).endswith("the same, bit for bit: True\n")
    assert text_of(off).endswith("the same, bit for bit: False\n")
    for cell in (twice, off):
        assert any("image/png" in output.get("data", {}) for output in cell["outputs"])
    one, two, other = re.findall(r"^SEED=\d.*: ([0-9a-f]{16})", text_of(proof), re.M)
    assert one == two != other
    assert "- the same" in text_of(proof)
    assert "checked: " in text_of(proof), "seed-init status --check did not pass"


def text_of(cell: dict) -> str:
    return "".join(
        "".join(output["text"]) for output in cell["outputs"] if output.get("name") == "stdout"
    )


@pytest.fixture
def start(container: Containers, images) -> Callable[..., Container]:
    """Starts a notebook server and waits until it is up."""

    def start_one(*options: str) -> Container:
        port = free_port()
        publish = f"--publish=127.0.0.1:{port}:{port}"
        running = container.start(
            images.notebook, options=[publish, *options], JUPYTER_PORT=str(port)
        )
        Server(running, port).wait_for_link()
        return running

    return start_one


def test_it_is_in_the_workspace_of_a_server_and_belongs_to_its_user(
    start: Callable[..., Container],
) -> None:
    running = start()
    assert running.exec("cat", PLACE).stdout == WELCOME.read_text()
    running.exec("bash", "-c", f"echo changed > {PLACE}")


def test_it_is_never_put_over_a_file_of_the_users(
    start: Callable[..., Container], tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    mine, link = tmp_path / "a", tmp_path / "b"
    for folder in (mine, link):
        (folder / "examples").mkdir(parents=True)
        folder.chmod(0o777)
        (folder / "examples").chmod(0o777)
    (mine / "examples/welcome.ipynb").write_text("mine")
    (link / "examples/welcome.ipynb").symlink_to("not there")
    for folder in (mine, link):
        start(f"--mount=type=bind,src={folder},dst=/workspace")
    assert (mine / "examples/welcome.ipynb").read_text() == "mine"
    assert [file.name for file in (link / "examples").iterdir()] == ["welcome.ipynb"]


def test_a_project_of_the_users_gets_no_file_that_nobody_asked_for(
    start: Callable[..., Container], tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "my.py").touch()
    start(f"--mount=type=bind,src={tmp_path},dst=/workspace")
    assert [file.name for file in tmp_path.iterdir()] == ["my.py"]


def test_running_it_leaves_the_checkout_clean(
    start: Callable[..., Container], tmp_path: Path
) -> None:
    copy_checkout(tmp_path)
    git = ("git", "-c", "safe.directory=*", "-C", tmp_path)
    command(*git, "init", "--quiet")
    running = start(f"--mount=type=bind,src={tmp_path},dst=/workspace")
    assert running.exec("cat", PLACE).stdout == WELCOME.read_text()
    running.exec("bash", "-c", f"echo changed > {PLACE}")
    listed = command(*git, "ls-files", "-co", "--exclude-standard").stdout.splitlines()
    assert PLACE.removeprefix("/workspace/") not in listed


def test_a_server_starts_without_a_word_where_it_cannot_be_put(
    start: Callable[..., Container], tmp_path: Path
) -> None:
    running = start(f"--mount=type=bind,src={tmp_path},dst=/workspace,readonly")
    assert "welcome" not in running.logs().stderr
    assert not list(tmp_path.iterdir())
