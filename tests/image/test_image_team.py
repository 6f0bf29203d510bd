"""examples/team: an image of a team's own keeps the promise, or is not built."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers import DRAWS, Containers, Done, docker, unique

from harness.repository import REPOSITORY

pytestmark = pytest.mark.image

TEAM = REPOSITORY / "examples/team"
BUILD_TIMEOUT = 600  # seconds, with two packages to download
PUT = "import torch; torch.zeros(2).put_(torch.tensor([0]), torch.ones(1)); print('done')"
CACHES = 'echo "${TORCH_HOME-unset} ${HF_HOME-unset}"'


@pytest.fixture(scope="module")
def team(images) -> Iterator[str]:
    """The image of examples/team, built on the one under test."""
    tag = unique("seed-init-test:team")
    words = ("--progress=plain", f"--build-arg=BASE={images.runtime}", "--tag", tag, TEAM)
    try:
        docker("build", *words, timeout=BUILD_TIMEOUT)
        yield tag
    finally:
        docker("image", "rm", "--force", tag, status=None)


def draws(done: Done) -> list[float]:
    return json.loads(done.stdout)


# --- what a job of the team gets ------------------------------------------------------------


def test_a_job_that_says_nothing_has_the_teams_seed(
    container: Containers, team: str, recipe
) -> None:
    done = container.run(team, "python", "-c", DRAWS)
    assert draws(done) == recipe(1234)
    assert done.lines == [
        "seed_init: SEED=1234 (/etc/seed_init/defaults:3), DETERMINISM=strict",
    ]


def test_a_job_still_chooses_its_seed(container: Containers, team: str, recipe) -> None:
    assert draws(container.run(team, "python", "-c", DRAWS, SEED="7")) == recipe(7)


def test_strict_holds_until_a_job_says_otherwise(container: Containers, team: str) -> None:
    done = container.run(team, "python", "-c", PUT, status=1, allowed=["Traceback", "Error"])
    assert "RuntimeError: put_ does not have a deterministic implementation" in done.stderr
    done = container.run(
        team, "python", "-c", PUT, allowed=["UserWarning: put_"], DETERMINISM="warn"
    )
    assert done.stdout == "done\n"


def test_the_two_packages_are_there_and_nothing_else_has_moved(
    container: Containers, images, team: str
) -> None:
    code = (
        "import json; from importlib.metadata import distributions; "
        "print(json.dumps({d.metadata['Name']: d.version for d in distributions()}))"
    )
    before, after = (
        json.loads(container.run(image, "python", "-c", code).stdout)
        for image in (images.runtime, team)
    )
    assert after == {**before, "einops": "0.8.1", "torchinfo": "1.8.0"}
    container.run(team, "python", "-c", "import einops, torchinfo")


def test_the_defaults_file_has_kept_its_comments(container: Containers, team: str) -> None:
    given = (REPOSITORY / "image/defaults").read_text()
    expected = given.replace("SEED=42", "SEED=1234") + "DETERMINISM=strict\n"
    assert container.run(team, "cat", "/etc/seed_init/defaults").stdout == expected


def test_it_runs_as_a_user_without_roots_rights(container: Containers, team: str) -> None:
    assert container.run(team, "id", "-u").stdout == "1000\n"


# --- the hook -------------------------------------------------------------------------------


def test_the_hook_is_quiet_and_sends_downloads_to_the_volume(
    container: Containers, team: str
) -> None:
    done = container.run(team, "bash", "-c", CACHES, options=["--tmpfs=/cache:mode=1777"])
    assert (done.stdout, done.stderr) == ("/cache/torch /cache/huggingface\n", "")
    done = container.run(team, "bash", "-c", CACHES)
    assert (done.stdout, done.stderr) == ("unset unset\n", "")


def test_a_jobs_own_cache_stays(container: Containers, team: str) -> None:
    options = ["--tmpfs=/cache:mode=1777"]
    done = container.run(team, "bash", "-c", CACHES, options=options, TORCH_HOME="/mine")
    assert done.stdout == "/mine /cache/huggingface\n"


def test_a_volume_that_cannot_be_written_stops_the_container(
    container: Containers, team: str
) -> None:
    options = ["--tmpfs=/cache:mode=755"]
    done = container.run(team, "echo", "never", options=options, status=1)
    assert not done.stdout
    assert done.lines == [
        "team: user 1000 may not write the cache /cache; mount it writable, or leave it out",
        "seed_init: entrypoint hook /etc/seed_init/entrypoint.d/10-cache.sh ended with status 1; "
        "not starting the command",
    ]


# --- what is refused ------------------------------------------------------------------------


def test_set_default_without_roots_rights_says_in_one_line_what_to_do(
    container: Containers, team: str
) -> None:
    done = container.run(team, "seed-init", "set-default", "SEED=1", status=1)
    assert not done.stdout
    assert done.lines == [
        "seed-init set-default: cannot write /etc/seed_init/defaults: Permission denied; "
        "do it as root (USER root in a Dockerfile)",
    ]


def not_built(folder: Path, base: str, *instructions: str) -> list[str]:
    """Build FROM `base`, expect it to fail, and return what our commands say, each once."""
    (folder / "Dockerfile").write_text("\n".join([f"FROM {base}", *instructions, ""]))
    tag = unique("seed-init-test:refused")
    done = docker("build", "--progress=plain", "--tag", tag, folder, status=None)
    docker("image", "rm", tag, status=None)
    assert done.status == 1, done
    # BuildKit says it again in its summary of the step that failed.
    found = re.findall(r"(?:seed_init: |seed-init status: ).*", done.stdout + done.stderr)
    return sorted(set(found))


CHECK = "RUN seed-init status --check"
NO_HOOK = "RUN rm $(python -c 'import sitecustomize; print(sitecustomize.__file__)')"
AGENT = "RUN mkdir /agent && echo 'import random; random.seed(0)' > /agent/sitecustomize.py"


def test_a_default_that_is_refused_is_not_built(team: str, tmp_path: Path) -> None:
    (line,) = not_built(tmp_path, team, "USER root", "RUN seed-init set-default SEED=seven")
    assert line == (
        "seed_init: SEED='seven' is not accepted; "
        "use a whole number from 0 to 4294967295, random, off, array or 7+array"
    )


def test_a_file_that_no_command_has_checked_is_not_built(team: str, tmp_path: Path) -> None:
    write = "RUN echo SEED=seven > /etc/seed_init/defaults"
    (line,) = not_built(tmp_path, team, "USER root", write, "USER 1000:0", CHECK)
    assert line.startswith("seed_init: /etc/seed_init/defaults, line 1: SEED='seven' is not")


@pytest.mark.parametrize(
    ("instructions", "named"),
    [
        pytest.param(
            [NO_HOOK],
            "seed-init status: the hook did not run in /opt/conda/bin/python; ",
            id="the hook is gone",
        ),
        pytest.param(
            [AGENT, "ENV PYTHONPATH=/agent"],
            "seed-init status: a fresh /opt/conda/bin/python draws 0.8444218515250481 from random ",
            id="an agent seeds",
        ),
        pytest.param(
            ["RUN chmod 600 /etc/seed_init/defaults"],
            "seed_init: cannot read /etc/seed_init/defaults: Permission denied; ",
            id="only root can read the defaults",
        ),
        pytest.param(
            ["ENV PYTHONHASHSEED=random"],
            "seed-init status: PYTHONHASHSEED is not in effect: ",
            id="no hash seed",
        ),
    ],
)
def test_an_image_whose_jobs_would_not_be_seeded_is_not_built(
    team: str, tmp_path: Path, instructions: list[str], named: str
) -> None:
    (line,) = not_built(tmp_path, team, "USER root", *instructions, "USER 1000:0", CHECK)
    assert line.startswith(named)


# --- the two Pythons of the notebook image ----------------------------------------------------


def test_the_servers_packages_are_not_those_of_user_code(container: Containers, images) -> None:
    absent = "import importlib.util as u; print([n for n in {} if u.find_spec(n)])"
    user = absent.format("('jupyterlab', 'jupyter_server', 'jupyterhub')")
    server = absent.format("('ipykernel', 'IPython', 'torch')")
    assert container.run(images.notebook, "python", "-c", user).stdout == "[]\n"
    assert container.run(images.notebook, "/opt/jupyter/bin/python", "-c", server).stdout == "[]\n"


def test_the_kernel_is_the_bases_python_even_where_an_extension_brings_ipykernel(
    container: Containers, images
) -> None:
    # What ipykernel's wheel puts there.
    folder = "/opt/jupyter/share/jupyter/kernels/python3"
    script = (
        f"mkdir -p {folder} /opt/conda/share/jupyter/kernels/other"
        f" && cp /opt/conda/share/jupyter/kernels/python3/kernel.json {folder}"
        f" && cp {folder}/kernel.json /opt/conda/share/jupyter/kernels/other"
        " && /opt/jupyter/bin/jupyter-kernelspec list --json"
    )
    done = container.run(images.notebook, "bash", "-c", script, options=["--user=0"])
    found = json.loads(done.stdout)["kernelspecs"]
    assert found["python3"]["spec"]["argv"][0] == "/opt/conda/bin/python"
    # A kernel that a team's package brings into the base.
    assert found["other"]["resource_dir"] == "/opt/conda/share/jupyter/kernels/other"


def test_an_extension_is_added_to_the_server_with_the_bases_pip(
    container: Containers, images
) -> None:
    install = "pip --python /opt/jupyter install --quiet --no-cache-dir --root-user-action=ignore"
    script = f"{install} jupyterlab-code-formatter && jupyter server extension list 2>&1"
    done = container.run(images.notebook, "bash", "-c", script, options=["--user=0"])
    assert "jupyterlab_code_formatter" in done.stdout
    done = container.run(images.notebook, "python", "-c", "import jupyterlab_code_formatter",
                         status=1, allowed=["Traceback", "Error"])  # fmt: skip
    assert "ModuleNotFoundError" in done.stderr
