"""Terminals: seeded, with one line at the start that says which seed holds."""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
import websocket
from containers import DRAWS, Container, Containers, Project, derived_image, environment
from test_image_notebook import ANSWER_S, start

from harness.repository import REPOSITORY

pytestmark = pytest.mark.image

SHELL_S = 60.0
SAID = "seed_init: SEED=7 (environment), DETERMINISM=warn"
ANSI = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]|\x1b\][^\x07]*\x07|\r")
END = "the-end-of-it"


def shown(*words: str, typed: tuple[str, ...] = (), **variables: str) -> list[str]:
    """The lines on the terminal of a shell that is started, typed into and left.

    Args:
        words: the command, which gets a real terminal.
        typed: what a person types before `exit`.
        variables: as in `containers.environment`.
    """
    child = pexpect.spawn(
        words[0],
        list(words[1:]),
        env=environment(**variables),
        encoding="utf-8",
        timeout=SHELL_S,
        dimensions=(50, 200),
    )
    for line in (*typed, f"echo {END[:3]}''{END[3:]}; exit"):
        child.sendline(line)
    child.expect(END)  # what is typed has quotes in it: this is the answer of a working shell
    before = child.before
    child.expect(pexpect.EOF)
    child.close()
    return [line for line in ANSI.sub("", before).split("\n") if line]


def said(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("seed_init: ")]


def output(lines: list[str]) -> list[float]:
    """The numbers that a program has printed."""
    # Not tini's "[WARN  tini (1)] …".
    (line,) = (line for line in lines if re.match(r"\[-?\d", line))
    numbers: list[float] = json.loads(line)
    return numbers


@pytest.fixture
def running(entered: Callable[..., Container], images) -> Callable[..., Container]:
    """Starts a container of the runtime image that waits to be entered."""
    return functools.partial(entered, images.runtime)


@pytest.fixture
def draws(tmp_path: Path) -> list[str]:
    """Options that mount a program which draws at /tmp/draws.py."""
    (tmp_path / "draws.py").write_text(DRAWS)
    return [f"--mount=type=bind,src={tmp_path / 'draws.py'},dst=/tmp/draws.py,readonly"]


QUIETLY = "SEED_INIT_LOG=quiet python /tmp/draws.py"


# --- each way in --------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "bash -l"])
def test_docker_run_with_a_terminal_is_seeded_and_says_so(
    images, draws: list[str], recipe: Callable[[int], list[float]], shell: str
) -> None:
    words = ["docker", "run", "--rm", "-it", "--env=SEED=7", *draws, images.runtime]
    lines = shown(*words, *shell.split(), typed=(QUIETLY,))
    assert said(lines) == [SAID]
    assert output(lines) == recipe(7)


def test_compose_exec_is_seeded_and_says_so(
    project: Project, recipe: Callable[[int], list[float]]
) -> None:
    start(project, SEED="7")
    (project.folder / "draws.py").write_text(DRAWS)
    files = [f"--file={project.folder}/docker-compose{name}.yml" for name in ("", ".cpu")]
    words = ["docker", "compose", *files, "exec", "notebook", "bash"]
    typed = (QUIETLY.replace("/tmp", "/workspace"),)
    lines = shown(*words, typed=typed, **project.variables)
    assert said(lines) == [SAID]
    assert output(lines) == recipe(7)


def test_a_terminal_of_jupyterlab_is_seeded_and_says_so(
    project: Project, recipe: Callable[[int], list[float]]
) -> None:
    # A user that /etc/passwd does not have: bash reads other files then.
    server = start(project, SEED="7", CONTAINER_UID="4321")
    (project.folder / "draws.py").write_text(DRAWS)
    name = server.ask("POST", "/api/terminals").json()["name"]
    terminal = websocket.create_connection(
        f"ws://127.0.0.1:{server.port}/terminals/websocket/{name}",
        header={"Authorization": f"token {server.token}"},
        timeout=ANSWER_S,
    )
    try:
        typed = f"{QUIETLY.replace('/tmp', '/workspace')}; echo {END[:3]}''{END[3:]}\r"
        terminal.send(json.dumps(["stdin", typed]))
        text = ""
        while END not in text:
            kind, *content = json.loads(terminal.recv())
            text += content[0] if kind == "stdout" else ""
    finally:
        terminal.close()
    lines = ANSI.sub("", text).split("\n")
    assert said(lines) == [SAID]
    assert output(lines) == recipe(7)


@pytest.mark.parametrize("user", ["0", "1000:0", "1001:0", "12345:12345"])
@pytest.mark.parametrize("shell", ["bash", "bash -l", "bash -eu"])
def test_any_shell_of_any_user_says_it_once(
    running: Callable[..., Container], shell: str, user: str
) -> None:
    words = ["docker", "exec", "-it", f"--user={user}", running(SEED="7").name]
    assert said(shown(*words, *shell.split())) == [SAID]


@pytest.mark.parametrize(
    "words",
    [
        ["bash", "-c", "true"],
        ["bash", "-lc", "true"],
        # How VS Code asks for the environment; its terminals are to say the line themselves.
        ["bash", "-lic", "echo ${SEED_INIT_SHOWN-}"],
        ["sh", "-lc", "true"],
        ["true"],
    ],
    ids=" ".join,
)
def test_where_nobody_sits_nothing_is_said(
    running: Callable[..., Container], words: list[str]
) -> None:
    # A terminal, because without one bash itself complains under -i.
    done = running(SEED="7").exec(*words, options=["-t"])
    assert (done.stdout.strip(), done.stderr) == ("", "")


# --- what it says -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({}, ["seed_init: SEED=42 (/etc/seed_init/defaults:3), DETERMINISM=warn"]),
        (
            {"SEED": "off", "DETERMINISM": "strict"},
            ["seed_init: SEED=off (environment), DETERMINISM=strict"],
        ),
        ({"SEED_INIT": "0"}, ["seed_init: SEED_INIT=0: nothing is seeded"]),
        ({"SEED_INIT": "0", "SEED_INIT_LOG": "quiet"}, []),
        ({"SEED_INIT_LOG": "quiet"}, []),
        ({"SEED_INIT_LOG": " quiet "}, []),
        (
            {"SEED": "seven"},
            ["seed_init: SEED='seven' is not accepted; use a whole number from 0 to "
             "4294967295, random, off, array or 7+array"],
        ),
    ],
)  # fmt: skip
def test_the_line_says_what_holds(
    running: Callable[..., Container], variables: dict[str, str], lines: list[str]
) -> None:
    settings = [f"--env={name}={value}" for name, value in variables.items()]
    words = ["docker", "exec", "-it", *settings, running().name, "bash"]
    assert said(shown(*words)) == lines


def test_without_a_seed_and_a_defaults_file_the_line_says_so(
    images, container: Containers, tmp_path: Path
) -> None:
    with derived_image(images.runtime, tmp_path, "USER 0", "RUN rm /etc/seed_init/defaults") as tag:
        running = container.start(tag, "sleep", "infinity")
        words = ["docker", "exec", "-it", running.name, "bash"]
        # Where the hook does nothing it refuses nothing either.
        unchecked = [*words[:3], "--env=SEED_INIT_RANKS=some", *words[3:]]
        assert (
            said(shown(*unchecked))
            == said(shown(*words))
            == [
                "seed_init: neither the environment nor /etc/seed_init/defaults has SEED or "
                "DETERMINISM: nothing is seeded; set SEED"
            ]
        )
        quiet = [*words[:3], "--env=SEED_INIT_LOG=quiet", *words[3:]]
        assert said(shown(*quiet)) == []


def test_a_seed_that_was_drawn_for_the_container_is_the_one_that_is_shown(
    running: Callable[..., Container],
) -> None:
    one = running(SEED="random")
    typed = ("python -c 'import os; print([int(os.environ[\"SEED\"])])'",)
    lines = shown("docker", "exec", "-it", one.name, "bash", typed=typed)
    (drawn,) = re.findall(r"SEED=random drew (\d+)", one.logs().stderr)
    assert said(lines) == [f"seed_init: SEED={drawn} (SEED=random), DETERMINISM=warn"]
    assert output(lines) == [int(drawn)]


def test_where_every_program_draws_anew_no_seed_is_shown(images) -> None:
    words = ["docker", "run", "--rm", "-it", "--entrypoint=bash", "--env=SEED=random"]
    assert said(shown(*words, images.runtime)) == [
        "seed_init: SEED=random: every program draws its own, DETERMINISM=warn"
    ]


# --- a good guest -------------------------------------------------------------------------


def test_a_shell_in_a_shell_says_it_again_only_if_something_else_holds(
    running: Callable[..., Container],
) -> None:
    words = ["docker", "exec", "-it", running(SEED="7").name, "bash"]
    typed = ("bash", "exit", "SEED=8 bash -l", "exit")
    assert said(shown(*words, typed=typed)) == [SAID, SAID.replace("7", "8")]


def test_nothing_stays_behind_but_the_line_itself(running: Callable[..., Container]) -> None:
    typed = (
        "echo status $?; shopt -po errexit nounset",
        "{ compgen -v; compgen -A function; } | grep -i seed_init | sed 's/^/left /'",
        "declare -p SEED_INIT_SHOWN",
    )
    lines = shown("docker", "exec", "-it", running(SEED="7").name, "bash", typed=typed)
    assert "status 0" in lines
    assert [line for line in lines if line.startswith("left ")] == ["left SEED_INIT_SHOWN"]
    assert f'declare -x SEED_INIT_SHOWN="{SAID}"' in lines


@pytest.mark.parametrize("shell", ["bash", "bash -l", "bash -eu"])
@pytest.mark.parametrize("python", ["missing", "broken", "without the hook"])
def test_a_shell_opens_whatever_python_is(
    images, container: Containers, tmp_path: Path, python: str, shell: str
) -> None:
    fake = tmp_path / "python"
    fake.write_text(
        {
            "missing": "#!/no/such/interpreter\n",
            "broken": "#!/bin/sh\necho a; echo b >&2; exit 3\n",
            "without the hook": "#!/bin/sh\necho 'ModuleNotFoundError: seed_init' >&2; exit 1\n",
        }[python]
    )
    fake.chmod(0o755)
    mount = f"--mount=type=bind,src={fake},dst=/opt/conda/bin/python,readonly"
    running = container.start(
        images.runtime, "infinity", options=[mount, "--entrypoint=sleep"], SEED="7"
    )
    words = ["docker", "exec", "-it"]
    assert said(shown(*words, running.name, *shell.split())) == [
        'seed_init: python cannot be asked which seed holds; try: python -c "import seed_init"'
    ]
    quiet = "--env=SEED_INIT_LOG=quiet"
    assert said(shown(*words, quiet, running.name, *shell.split())) == []


def test_a_folder_named_seed_init_and_a_pythonpath_do_not_get_in_the_way(
    running: Callable[..., Container],
) -> None:
    one = running("--env=PYTHONPATH=/tmp/other", SEED="7")
    script = (
        "mkdir -p /tmp/other/seed_init; echo 'print(1/0)' > /tmp/other/seed_init/hook/login.py;"
        "touch /tmp/other/seed_init/__init__.py"
    )
    one.exec("bash", "-c", script)
    words = ["docker", "exec", "-it", "--workdir=/tmp/other", one.name, "bash"]
    assert said(shown(*words)) == [SAID]


def test_the_distributions_own_lines_are_kept(running: Callable[..., Container], base) -> None:
    """Two lines are added to bash.bashrc, in front of what the distribution has and behind it."""
    ours = running().exec("cat", "/etc/bash.bashrc").stdout.splitlines()
    assert [line for line in ours if "seed_init" in line] == [ours[0], ours[-1]]
    assert len(ours) > 10
    assert "/etc/bash.bashrc" in (REPOSITORY / "Dockerfile").read_text()
