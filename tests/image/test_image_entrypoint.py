"""The entrypoint: says early what is wrong, otherwise cannot be noticed."""

import random
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from containers import Container, Containers, command, derived_image, docker

from harness.waiting import until

pytestmark = pytest.mark.image

DRAW = "import random; print(random.random())"
DRAW_ALL = "import random, numpy, torch; print(random.random(), numpy.random.rand(), torch.rand(1))"
HOOKS = "/etc/seed_init/entrypoint.d"
STOP_AT_ONCE_S = 5.0  # docker stop would kill after 10


@pytest.fixture(params=["runtime", "notebook"])
def image(images, request: pytest.FixtureRequest) -> str:
    return getattr(images, request.param)


def mounted(source: Path, target: str) -> list[str]:
    return [f"--mount=type=bind,src={source},dst={target},readonly"]


# --- transparent ------------------------------------------------------------------------


def test_echo_x_prints_x_and_nothing_else(container: Containers, image: str) -> None:
    done = container.run(image, "echo", "x")
    assert (done.stdout, done.stderr) == ("x\n", "")


def test_the_status_of_the_command_is_passed_on(container: Containers, image: str) -> None:
    container.run(image, "bash", "-c", "exit 7", status=7)


def test_an_unknown_command_is_named(container: Containers, image: str) -> None:
    done = container.run(image, "no-such-command", status=127)
    assert "no-such-command" in done.stderr


def test_arguments_arrive_as_they_were(container: Containers, images) -> None:
    words = ["a  b", "", "$HOME", "*", "-x"]
    done = container.run(images.runtime, "python", "-c", "import sys; print(sys.argv[1:])", *words)
    assert done.stdout == f"{words}\n"


def test_pid_1_is_tini(container: Containers, image: str) -> None:
    assert container.run(image, "cat", "/proc/1/comm").stdout == "tini\n"


def test_a_container_stops_at_once(container: Containers, images) -> None:
    running = container.start(images.runtime, "sleep", "infinity")
    started = time.monotonic()
    stopped = docker_stop(running.name)
    assert time.monotonic() - started < STOP_AT_ONCE_S
    assert stopped == 143


def docker_stop(name: str) -> int:
    docker("stop", "--time=10", name)
    status: int = Container(name).state()["ExitCode"]
    return status


def test_without_a_command_the_runtime_image_starts_bash(container: Containers, images) -> None:
    assert container.run(images.runtime).stdout == ""  # its stdin is empty


# --- settings -----------------------------------------------------------------------------


@pytest.mark.parametrize("bypassed", [False, True], ids=["entrypoint", "--entrypoint python"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEED", "seven"),
        ("SEED", "-1"),
        ("SEED", "4294967296"),
        ("DETERMINISM", "max"),
        ("SEED_INIT_LOG", "loud"),
    ],
)
def test_a_bad_setting_is_refused_in_one_line(
    container: Containers, images, name: str, value: str, bypassed: bool
) -> None:
    words, options = ["python", "-c", "print('user code')"], []
    if bypassed:
        words, options = words[1:], ["--entrypoint=python"]
    done = container.run(images.runtime, *words, options=options, status=78, **{name: value})
    assert not done.stdout
    assert len(done.lines) == 1
    assert done.lines[0].startswith(f"seed_init: {name}={value!r} is not accepted; use ")


def test_a_bad_setting_is_refused_for_any_command(container: Containers, images) -> None:
    done = container.run(images.runtime, "echo", "x", status=78, SEED="seven")
    assert not done.stdout
    assert len(done.lines) == 1


def test_a_seed_is_drawn_once_for_the_whole_container(container: Containers, images) -> None:
    script = 'python -c "$0"; python -c "$0"'
    done = container.run(images.runtime, "bash", "-c", script, DRAW, SEED="random")
    seed = drawn(done.stderr)
    assert done.stdout.splitlines() == [str(random.Random(seed).random())] * 2


def test_docker_exec_has_the_drawn_seed_of_the_container(container: Containers, images) -> None:
    ready = ["bash", "-c", "echo ready; exec sleep infinity"]
    running, other = (container.start(images.runtime, *ready, SEED="random") for _ in range(2))
    seeds = []
    for one in (running, other):
        wait_for_ready(one.logs)
        seed = drawn(one.logs().stderr)
        assert one.exec("python", "-c", DRAW).stdout == f"{random.Random(seed).random()}\n"
        seeds.append(seed)
    assert seeds[0] != seeds[1]


def test_docker_exec_has_the_drawn_seed_behind_an_init_of_the_engines(
    container: Containers, images
) -> None:
    ready = ["bash", "-c", "echo ready; exec sleep infinity"]
    running = container.start(images.runtime, *ready, options=["--init"], SEED="random")
    wait_for_ready(running.logs)
    seed = drawn(running.logs().stderr)
    assert running.exec("python", "-c", DRAW).stdout == f"{random.Random(seed).random()}\n"


def wait_for_ready(logs: Callable) -> None:
    until("ready", lambda: "ready" in logs().stdout)


def drawn(stderr: str) -> int:
    """The seed that the entrypoint says it drew, once."""
    found = re.findall(
        r"^seed_init: SEED=random drew (\d+); SEED=\1 runs the same again$", stderr, re.M
    )
    assert len(found) == 1, stderr
    return int(found[0])


# --- the defaults file --------------------------------------------------------------------


NOTHING_SEEDED = (
    "seed_init: neither the environment nor /etc/seed_init/defaults has SEED or DETERMINISM: "
    "nothing is seeded; set SEED"
)


def test_a_missing_defaults_file_is_told_in_one_line_and_nothing_is_seeded(
    container: Containers, images, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    options = mounted(empty, "/etc/seed_init")
    first, second = (
        container.run(images.runtime, "python", "-c", DRAW_ALL, options=options) for _ in range(2)
    )
    assert first.lines == second.lines == [NOTHING_SEEDED]
    for one, other in zip(first.stdout.split(" ", 2), second.stdout.split(" ", 2)):
        assert one != other


@pytest.mark.parametrize(
    "variables",
    [{"SEED": "7"}, {"SEED": "off"}, {"DETERMINISM": "warn"}, {"SEED_INIT": "0"}],
    ids=str,
)
def test_a_job_that_says_what_it_wants_needs_no_defaults_file(
    container: Containers, images, tmp_path: Path, variables: dict[str, str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    options = mounted(empty, "/etc/seed_init")
    done = container.run(images.runtime, "echo", "x", options=options, **variables)
    assert (done.stdout, done.stderr) == ("x\n", "")


def test_the_defaults_file_may_quiet_the_entrypoint(
    container: Containers, images, tmp_path: Path
) -> None:
    defaults = tmp_path / "defaults"
    defaults.write_text("SEED=7\nSEED_INIT_LOG=quiet\n")
    options = [*mounted(defaults, "/etc/seed_init/defaults"), "--user=12345:12345"]
    done = container.run(images.runtime, "echo", "x", options=options)
    assert (done.stdout, done.stderr) == ("x\n", "")


def test_a_team_image_may_have_other_defaults(
    container: Containers, images, tmp_path: Path
) -> None:
    instruction = r"RUN printf 'SEED=7\nDETERMINISM=strict\n' > /etc/seed_init/defaults"
    with derived_image(images.runtime, tmp_path, "USER root", instruction, "USER 1000:0") as team:
        done = container.run(team, "python", "-c", DRAW_ALL)
    assert done.stdout.startswith(str(random.Random(7).random()))
    assert done.lines == [
        "seed_init: SEED=7 (/etc/seed_init/defaults:1), DETERMINISM=strict",
    ]


def test_a_bad_line_of_the_defaults_file_is_named_by_its_number(
    container: Containers, images, tmp_path: Path
) -> None:
    defaults = tmp_path / "defaults"
    defaults.write_text("# the team's\nSEED=7\n\nSEEED=8\n")
    done = container.run(
        images.runtime,
        "echo",
        "x",
        options=mounted(defaults, "/etc/seed_init/defaults"),
        status=78,
    )
    assert not done.stdout
    assert len(done.lines) == 1
    assert done.lines[0].startswith("seed_init: /etc/seed_init/defaults, line 4: 'SEEED=8'")


# --- a home -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [["--user=12345:12345"], ["--read-only"], ["--read-only", "--user=12345:12345"]],
    ids=" ".join,
)
def test_where_home_is_not_writable_another_is_found_and_named(
    container: Containers, images, options: list[str]
) -> None:
    script = 'touch "$HOME/written" && echo "$HOME"'
    done = container.run(images.runtime, "bash", "-c", script, options=options)
    home = done.stdout.strip()
    assert home != "/home/jovyan"
    moved = f"seed_init: home /home/jovyan is not writable; HOME is {home} in this container"
    no_tmp = "seed_init: /tmp is not writable; TMPDIR is /dev/shm in this container"
    assert done.lines == ([no_tmp] if "--read-only" in options else []) + [moved]


@pytest.mark.parametrize(
    "options", [[], ["--user=12345"], ["--tmpfs=/home/jovyan"], ["--user=0"]], ids=str
)
def test_where_home_is_writable_it_is_kept(
    container: Containers, images, options: list[str]
) -> None:
    script = 'touch "$HOME/written" && echo "$HOME"'
    done = container.run(images.runtime, "bash", "-c", script, options=options)
    assert (done.stdout, done.stderr) == ("/home/jovyan\n", "")


# --- root, from outside -------------------------------------------------------------------

PLANT = r"""
import os, pathlib, site
home, packages = pathlib.Path.home(), pathlib.Path(site.getusersitepackages())
packages.mkdir(parents=True)
touch = "import os; open('/tmp/ran-{}-%s' % os.geteuid(), 'w')\n"
(packages / "planted.pth").write_text(touch.format("pth"))
(packages / "usercustomize.py").write_text(touch.format("usercustomize"))
for name in ("json", "seed_init", "torch"):
    pathlib.Path(f"/workspace/{name}.py").write_text(touch.format(name))
for name in (".bashrc", ".bash_profile", ".profile", ".bash_logout"):
    (home / name).write_text(f"touch /tmp/ran-{name}-$(id -u)\n")
(home / ".bash_history").unlink(missing_ok=True)
(home / ".bash_history").symlink_to("/etc/planted")
"""
"""What a user may leave in the home and the working directory for somebody else to run."""

ROOTS_COMMANDS = [
    "seed-init status",
    "seed-init status --check",
    "seed-init doctor --cpu",
    "seed-init set-default SEED=43",
    "seed-init verify --runs 2 -- python -I -c 1",
    "seed-init-healthcheck",
]


@pytest.fixture
def planted(container: Containers, images) -> Container:
    running = container.start(images.notebook, "sleep", "infinity")
    running.exec("python", "-c", PLANT)
    # What is planted does run, in a shell of the user's own.
    running.exec("bash", "-ic", "python -c 'import json'")
    assert ran(running) == {"ran-pth-1000", "ran-usercustomize-1000", "ran-.bashrc-1000",
                            "ran-json-1000"}  # fmt: skip
    return running


def ran(running: Container) -> set[str]:
    return set(running.exec("bash", "-c", "cd /tmp; ls -d ran-* || true").stdout.split())


def test_roots_commands_run_nothing_that_the_user_has_left(planted: Container) -> None:
    before = ran(planted)
    for line in ROOTS_COMMANDS:
        # No server runs: the health check fails after it has looked.
        status = 1 if line == "seed-init-healthcheck" else None
        planted.exec(*line.split(), options=["--user=0"], status=status)
        assert ran(planted) == before, line
    planted.exec("seed-init", "status", "--check", options=["--user=0", "--env=SEED=7"])


def test_roots_shells_have_roots_home(planted: Container) -> None:
    before = ran(planted)
    typed = "echo $HOME $USER\npython -P -c 'import json'\nexit\n"
    for shell in ("bash -i", "bash -il", "sh -l", "sh -il"):
        words = ["docker", "exec", "--interactive", "--user=0", planted.name, *shell.split()]
        done = command(*words, typed=typed, status=None)
        assert "/root root" in done.stdout.splitlines(), shell
        assert ran(planted) == before, shell
    planted.exec("test", "!", "-e", "/etc/planted")


def test_in_a_container_of_roots_the_home_is_the_images(container: Containers, images) -> None:
    running = container.start(images.runtime, "sleep", "infinity", options=["--user=0"])
    assert running.exec("bash", "-lc", "echo $HOME").stdout == "/home/jovyan\n"


@pytest.mark.parametrize("link", [True, False], ids=["a link", "somebody else's"])
def test_a_home_that_somebody_else_has_made_is_not_used(
    container: Containers, images, link: bool
) -> None:
    of_his_own = "mkdir own; chown 12345 own; ln -s own home-12345"
    make = of_his_own if link else "mkdir -m 777 home-12345"
    volume = docker("volume", "create").stdout.strip()
    try:
        # A folder that two containers share, as /dev/shm with --ipc=host.
        shared = f"--volume={volume}:/dev/shm"
        prepare = f"cd /dev/shm; chmod 1777 .; {make}"
        container.run(images.runtime, "sh", "-c", prepare, options=[shared, "--user=0"])
        options = [shared, "--user=12345:12345", "--env=TMPDIR=/dev/shm"]
        done = container.run(images.runtime, "bash", "-c", "echo $HOME", options=options)
    finally:
        docker("volume", "rm", volume)
    assert done.stdout == "/home/jovyan\n"
    assert done.lines == [
        "seed_init: home /home/jovyan is not writable, and /dev/shm/home-12345 is a link or "
        "another user's; mount a volume or a tmpfs on /home/jovyan"
    ]


# --- a team's hooks -----------------------------------------------------------------------


@pytest.fixture
def run_with_hooks(container: Containers, images, tmp_path: Path) -> Callable:
    """Run a command with hooks, given as file name to text; those with #! are executable."""

    def run(hooks: dict[str, str], *words: str, status: int = 0):
        folder = tmp_path / "entrypoint.d"
        folder.mkdir()
        for name, text in hooks.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755 if text.startswith("#!") else 0o644)
        return container.run(images.runtime, *words, options=mounted(folder, HOOKS), status=status)

    return run


def test_hooks_run_in_order_and_sourced_ones_export_variables(run_with_hooks: Callable) -> None:
    hooks = {
        "30-last.sh": "echo last $COLOUR >&2\n",
        "10-first.sh": "export COLOUR=green; echo first >&2\n",
        "20-executable.sh": "#!/bin/sh\necho executable $COLOUR >&2; COLOUR=red\n",
        "not-a-hook.txt": "echo never >&2\n",
    }
    done = run_with_hooks(hooks, "bash", "-c", "echo command $COLOUR")
    assert done.lines == ["first", "executable green", "last green"]
    assert done.stdout == "command green\n"


@pytest.mark.parametrize(
    ("text", "ends_with", "status"),
    [
        pytest.param("#!/bin/sh\nexit 3\n", 3, 3, id="an executable one fails"),
        pytest.param("false\n", 1, 1, id="a line of a sourced one fails"),
        pytest.param("exit 5\n", 5, 5, id="a sourced one exits"),
        pytest.param("exit 0\n", 0, 1, id="a sourced one exits with 0"),
    ],
)
def test_a_failing_hook_aborts_with_one_line(
    run_with_hooks: Callable, text: str, ends_with: int, status: int
) -> None:
    hooks = {"10-failing.sh": text, "20-never.sh": "echo never >&2\n"}
    done = run_with_hooks(hooks, "echo", "never", status=status)
    assert not done.stdout
    assert done.lines == [
        f"seed_init: entrypoint hook {HOOKS}/10-failing.sh ended with status {ends_with}; "
        "not starting the command"
    ]


def test_a_hook_that_leads_nowhere_aborts(container: Containers, images, tmp_path: Path) -> None:
    folder = tmp_path / "hooks"
    folder.mkdir()
    (folder / "10-gone.sh").symlink_to("/nowhere")
    options = mounted(folder, HOOKS)
    done = container.run(images.runtime, "echo", "never", options=options, status=1)
    assert not done.stdout
    assert done.lines == [
        f"seed_init: cannot read entrypoint hook {HOOKS}/10-gone.sh as user 1000; "
        "not starting the command"
    ]


def test_hooks_that_this_user_may_not_see_abort(
    container: Containers, images, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    options = [*mounted(tmp_path, HOOKS), "--user=12345"]
    done = container.run(images.runtime, "echo", "never", options=options, status=1)
    assert not done.stdout
    assert done.lines == [f"seed_init: cannot read {HOOKS} as user 12345; not starting the command"]


def test_what_one_hook_makes_of_the_shell_does_not_reach_the_next(
    run_with_hooks: Callable,
) -> None:
    hooks = {"10-lax.sh": "set +e\n", "20-it's failing.sh": "false\n"}
    done = run_with_hooks(hooks, "echo", "never", status=1)
    assert not done.stdout
    assert done.lines == [
        f"seed_init: entrypoint hook {HOOKS}/20-it's failing.sh ended with status 1; "
        "not starting the command"
    ]


@pytest.mark.parametrize("kind", ["", "#!/bin/sh\n"], ids=["sourced", "executable"])
def test_the_commands_input_and_output_are_not_a_hooks(
    container: Containers, images, tmp_path: Path, kind: str
) -> None:
    hook = tmp_path / "hooks/10.sh"
    hook.parent.mkdir()
    hook.write_text(f"{kind}cat\necho from the hook\n")
    hook.chmod(0o755 if kind else 0o644)
    options = ["--rm", "--interactive", *mounted(hook.parent, HOOKS)]
    done = subprocess.run(
        ["docker", "run", *options, images.runtime, "cat"],
        input="data",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("data", "from the hook\n")


def test_a_seed_that_a_hook_chooses_is_checked(run_with_hooks: Callable) -> None:
    done = run_with_hooks({"10-seed.sh": "export SEED=seven\n"}, "echo", "x", status=78)
    assert not done.stdout
    assert len(done.lines) == 1 and "SEED='seven' is not accepted" in done.lines[0]


def test_a_hook_may_have_a_seed_drawn_for_the_whole_container(run_with_hooks: Callable) -> None:
    script = 'python -c "$0"; python -c "$0"'
    done = run_with_hooks({"10.sh": "export SEED=random\n"}, "bash", "-c", script, DRAW)
    assert done.stdout.splitlines() == [str(random.Random(drawn(done.stderr)).random())] * 2


def test_a_hook_may_choose_the_seed(run_with_hooks: Callable) -> None:
    done = run_with_hooks({"10-seed.sh": "export SEED=7\n"}, "python", "-c", DRAW)
    assert done.stdout == f"{random.Random(7).random()}\n"


# --- the folder -------------------------------------------------------------------------


def test_a_folder_that_is_mounted_to_be_read_only_is_meant_so(
    container: Containers, images, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)  # and not even searched: the command starts all the same
    done = container.run(images.runtime, "echo", "x", options=mounted(tmp_path, "/workspace"))
    assert (done.stdout, done.stderr) == ("x\n", "")
