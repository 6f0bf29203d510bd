"""The build on a base as unkind as the real one: conda's packages, and metadata in a bad state."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import BUILD_TIMEOUT, Base
from containers import DRAWS, Containers, Done, docker, unique
from servers import Server

from harness.repository import REPOSITORY
from harness.waiting import free_port

pytestmark = [pytest.mark.image, pytest.mark.xdist_group("unkind")]

OWNED = """
import hashlib, json, pathlib, sys
prefix = pathlib.Path(sys.prefix)
print(json.dumps({
    about["name"]: {
        file: hashlib.sha256((prefix / file).read_bytes()).hexdigest()
        if (prefix / file).exists() else None
        for file in about["files"] if not file.endswith(".pyc")
    }
    for path in prefix.glob("conda-meta/*.json") for about in [json.loads(path.read_text())]
}))
"""
"""The files that conda owns, with their hashes, by package."""


@pytest.fixture(scope="module")
def unkind(base: Base) -> Iterator[str]:
    if not base.arguments:
        pytest.skip("the pinned base is here: the stand-in for what it may be is not needed")
    tag = unique("seed-init-test:unkind")
    folder = REPOSITORY / "tests/standin/unkind"
    docker("build", f"--build-arg=STANDIN={base.image}", "--tag", tag, folder,
           timeout=BUILD_TIMEOUT)  # fmt: skip
    yield tag
    docker("image", "rm", "--force", tag, status=None)


@pytest.fixture(scope="module")
def build(unkind: str, base: Base) -> Iterator[tuple[str, Done]]:
    """The notebook image on that base, and what its build said."""
    tag = unique("seed-init-test:on-unkind")
    arguments = {**base.arguments, "BASE_IMAGE": unkind}
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    words = ("build", "--progress=plain", "--target=notebook", "--tag", tag, *options)
    yield tag, docker(*words, REPOSITORY, timeout=BUILD_TIMEOUT)
    docker("image", "rm", "--force", tag, status=None)


@pytest.fixture(scope="module")
def image(build: tuple[str, Done]) -> str:
    return build[0]


def facts(container: Containers, image: str) -> dict:
    file = "/usr/local/share/seed_init/image.json"
    return json.loads(container.run(image, "cat", file).stdout)["notebook"]


def test_what_conda_owns_is_untouched_but_for_what_the_build_declares(
    container: Containers, unkind: str, image: str
) -> None:
    before, after = (
        json.loads(container.run(one, "python", "-c", OWNED).stdout) for one in (unkind, image)
    )
    changed = {name.replace("_", "-") for name in before if before[name] != after[name]}
    assert len(before) > 40
    # Its second copy is too old for ipython; the other has to be newer for jupyter_client.
    assert changed == {"traitlets", "typing-extensions"}
    assert changed == facts(container, image)["replaced"].keys()


def test_a_package_without_record_is_written_over_and_has_one_version(
    container: Containers, image: str
) -> None:
    code = (
        "from importlib.metadata import distributions; "
        "print([d.version for d in distributions(name='typing_extensions')])"
    )
    replaced = facts(container, image)["replaced"]["typing-extensions"]
    assert container.run(image, "python", "-c", code).stdout == f"['{replaced['version']}']\n"
    assert "jupyter-client" in replaced["reason"]


def test_the_build_says_what_it_replaces_and_why(build: tuple[str, Done]) -> None:
    said = build[1].stdout + build[1].stderr
    assert "seed-init build: replacing typing-extensions by " in said
    assert "the base has 4.12.2" in said


def test_a_notebook_is_served_and_its_kernel_draws_the_numbers_of_the_seed(
    container: Containers, image: str, recipe
) -> None:
    port = free_port()
    options = [f"--publish=127.0.0.1:{port}:{port}"]
    running = container.start(image, options=options, JUPYTER_PORT=str(port), SEED="7")
    server = Server(running, port).wait_for_link()
    # numpy is another one here, its legacy generator draws the same.
    assert server.draws(server.start_kernel()) == recipe(7)


def test_a_job_draws_the_numbers_of_the_seed(container: Containers, image: str, recipe) -> None:
    assert json.loads(container.run(image, "python", "-c", DRAWS, SEED="7").stdout) == recipe(7)


def test_a_broken_base_of_a_team_leaves_the_server_alone(
    container: Containers, image: str, tmp_path: Path
) -> None:
    # As a team's `pip install` of an old package would.
    broken = "from pathlib import Path; import tornado, traitlets; "
    broken += "[Path(m.__file__).write_text('raise ImportError') for m in (tornado, traitlets)]"
    script = f'python -c "{broken}" && jupyter-lab --version && ! python -c "import tornado"'
    done = container.run(
        image, "bash", "-c", script, options=["--user=0"], allowed=["Traceback", "Error"]
    )
    assert done.stdout.strip().startswith("4.")
