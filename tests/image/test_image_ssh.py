"""The target and the service ssh: logins with a key, and with the container's environment."""

import json
import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import public_keys
import pytest
from containers import DRAWS, Container, Containers, Done, Project, command, docker, environment

from harness.waiting import free_port, until

pytestmark = pytest.mark.image

READY_S = 60.0
SAID = "seed_init: SEED=7 (environment), DETERMINISM=warn"

ODD = {
    "ODD_QUOTES": """ a "b" 'c' `d` """,
    "ODD_SIGNS": r"\ \" \\ $HOME ${X} %h %% # ; & * ~ =",
    "ODD_SPACE": "\ttab  two ",
    "ODD_WORDS": "größer 日本",
    "ODD_EMPTY": "",
}
"""What a configuration file could take for its own syntax."""


@pytest.fixture(scope="session")
def key(kept: Path, worker_id: str) -> Path:
    """The private half of a key that only this run has; the public one has .pub behind it."""
    file = kept / f"key-{worker_id}"
    command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file)
    return file


@dataclass
class Client:
    """OpenSSH's client, which knows nothing of whoever runs the tests.

    Attributes:
        port: of the server, on 127.0.0.1.
        key: the private key that it shows.
        known: its file of host keys.
    """

    port: int
    key: Path
    known: Path

    @property
    def options(self) -> list[str]:
        settings = {
            "IdentityFile": self.key,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": self.known,
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "accept-new",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
            "Port": self.port,
        }
        return ["-F", "/dev/null", *(f"-o{name}={value}" for name, value in settings.items())]

    def ssh(
        self,
        *words: str,
        options: Sequence[str] = (),
        user: str = "jovyan",
        status: int | None = 0,
        typed: str = "",
    ) -> Done:
        """ssh USER@127.0.0.1 WORDS; see `command`."""
        where = f"{user}@127.0.0.1"
        return command("ssh", *self.options, *options, where, *words, status=status, typed=typed)

    def python(self, program: str, **variables: str) -> Done:
        """ssh ... NAME=VALUE python with `program` as a file on its stdin."""
        settings = [f"{name}={value}" for name, value in variables.items()]
        return self.ssh(*settings, "python", "-", typed=program)

    def wait(self) -> "Client":
        until("a login", lambda: self.ssh("true", status=None).status == 0, READY_S)
        return self


def public(key: Path) -> str:
    return key.with_name(f"{key.name}.pub").read_text()


Start = Callable[..., tuple[Client, Container]]


def starter(containers: Containers, image: str, key: Path, folder: Path) -> Start:
    def start(*options: str, **variables: str) -> tuple[Client, Container]:
        """A container of the image, and a client that can log in."""
        port = free_port()
        publish = f"--publish=127.0.0.1:{port}:{port}"
        keys = {"SSH_AUTHORIZED_KEYS": public(key), "SSH_PORT": str(port)}
        running = containers.start(image, options=[publish, *options], **{**keys, **variables})
        return Client(port, key, folder / f"known-{port}").wait(), running

    return start


@pytest.fixture
def start(container: Containers, images, key: Path, tmp_path: Path) -> Start:
    return starter(container, images.ssh, key, tmp_path)


@pytest.fixture(scope="module")
def seeded(
    engine: None, images, key: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, Container]]:
    """One server with SEED=7 for the tests that only log in."""
    containers = Containers()
    folder = tmp_path_factory.mktemp("ssh")
    yield starter(containers, images.ssh, key, folder)(SEED="7", JUPYTER_TOKEN="secret", **ODD)
    containers.close()


@pytest.fixture
def client(seeded: tuple[Client, Container]) -> Client:
    return seeded[0]


@pytest.fixture
def server(seeded: tuple[Client, Container]) -> Container:
    return seeded[1]


# --- every way in is seeded ---------------------------------------------------------------


def test_a_command_draws_the_numbers_of_the_seed(
    client: Client, recipe: Callable[[int], list[float]]
) -> None:
    done = client.ssh("python", "-c", f"'{DRAWS}'")
    assert json.loads(done.stdout) == recipe(7)
    assert done.lines == [SAID]  # the hook's, at the first library


def test_a_seed_in_front_of_the_command_holds_for_it(
    client: Client, recipe: Callable[[int], list[float]]
) -> None:
    assert json.loads(client.python(DRAWS, SEED="8").stdout) == recipe(8)


def test_an_interactive_login_is_seeded_and_says_so_once(
    client: Client, recipe: Callable[[int], list[float]], tmp_path: Path
) -> None:
    client.ssh("cat > draws.py", typed=DRAWS)
    done = client.ssh(options=["-tt"], typed="SEED_INIT_LOG=quiet python draws.py; exit\n")
    shown = done.stdout.replace("\r", "").splitlines()
    assert shown.count(SAID) == 1
    assert json.loads(next(line for line in shown if line.startswith("["))) == recipe(7)


def test_a_script_copied_with_scp_is_seeded(
    client: Client, recipe: Callable[[int], list[float]], tmp_path: Path
) -> None:
    (tmp_path / "copied.py").write_text(DRAWS)
    command("scp", *client.options, tmp_path / "copied.py", "jovyan@127.0.0.1:copied.py")
    assert json.loads(client.ssh("python", "copied.py").stdout) == recipe(7)


@pytest.mark.parametrize(
    "shell", ["bash", "sh", "bash -l", "/bin/bash -s", "env -u BASH_ENV bash --norc"]
)
def test_the_shells_that_vs_code_types_into_are_seeded(
    client: Client, recipe: Callable[[int], list[float]], shell: str
) -> None:
    typed = f"cat > vs-code.py <<'END'\n{DRAWS}\nEND\npython vs-code.py\n"
    done = client.ssh(shell, options=["-T"], typed=typed)
    assert json.loads(done.stdout) == recipe(7)


def test_a_login_shell_with_a_command_is_seeded_and_says_nothing_itself(
    client: Client, recipe: Callable[[int], list[float]]
) -> None:
    client.ssh("cat > draws.py", typed=DRAWS)
    done = client.ssh("bash -lc 'python draws.py'")
    assert json.loads(done.stdout) == recipe(7)
    assert done.lines == [SAID]  # the hook's
    assert client.ssh("bash -lc true").stderr == ""


def test_logins_have_the_environment_of_the_container_and_nothing_of_sshds(
    client: Client, server: Container
) -> None:
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    login = json.loads(client.python(program).stdout)
    inside = json.loads(server.exec("python", "-c", program).stdout)
    of_a_session = {"PWD", "SHLVL", "_", "LOGNAME", "MAIL", "SSH_CLIENT", "SSH_CONNECTION"}
    of_the_entrypoint = {"SEED_INIT_ENTRYPOINT"}
    not_passed_on = {"HOSTNAME", "SSH_AUTHORIZED_KEYS", "SSH_PORT"}
    assert login.keys() - inside.keys() == of_a_session | of_the_entrypoint
    assert inside.keys() - login.keys() == not_passed_on
    assert {name: login[name] for name in inside.keys() & login.keys()} == {
        name: inside[name] for name in inside.keys() & login.keys()
    }
    assert {name: login[name] for name in ODD} == ODD
    assert login["PATH"].startswith("/opt/conda/bin:")


def test_a_value_of_several_lines_is_left_out_and_named(start: Start) -> None:
    client, running = start(TWO_LINES="a\nb", SEED="7")
    assert client.ssh("echo $SEED ${TWO_LINES-unset}").stdout == "7 unset\n"
    assert (
        "seed_init: logins go without TWO_LINES: sshd cannot pass on a value of several lines"
        in running.logs().lines
    )


def test_of_an_environment_too_large_for_sshd_the_largest_variables_are_left_out_and_named(
    start: Start,
) -> None:
    sizes = {"LARGE": 100_000, "LARGER": 110_000, "CUDA_CACHE_PATH": 120_000}
    variables = {name: "a" * size for name, size in sizes.items()}
    client, running = start(SEED="7", **variables)
    shown = client.ssh("echo $SEED ${#LARGE} ${LARGER-unset} ${#CUDA_CACHE_PATH}").stdout
    assert shown == "7 100000 unset 120000\n"
    assert (
        "seed_init: logins go without LARGER: sshd cannot pass on more than 240000 bytes or "
        "950 variables" in running.logs().lines
    )


def test_all_that_may_be_passed_on_gets_through(start: Start) -> None:
    # Many short ones too: each costs sshd's message more than the file that it reads.
    short = {f"A{number}": "" for number in range(900)}
    large = {name: "ä" * 55_000 for name in ("LARGE", "LARGER")}
    client, running = start(**short, **large)
    assert client.ssh("env | grep -c ^A[0-9]", status=None).stdout == "900\n"
    assert client.ssh("echo ${#LARGE} ${#LARGER}").stdout == "55000 55000\n"
    assert "logins go without" not in running.logs().stderr


def test_of_too_many_variables_some_are_left_out_and_named(start: Start) -> None:
    """As many as a Kubernetes namespace with a hundred services gives each of its pods."""
    client, running = start(SEED="7", **{f"A{number}": "" for number in range(1000)})
    assert client.ssh("echo $SEED").stdout == "7\n"
    assert "or 950 variables" in running.logs().stderr


def test_too_large_an_environment_that_a_job_needs_is_refused_in_one_line(
    container: Containers, images, key: Path
) -> None:
    variables = {"CUDA_A": "a" * 126_000, "CUDA_B": "b" * 125_000}
    done = container.run(images.ssh, status=78, SSH_AUTHORIZED_KEYS=public(key), **variables)
    assert done.lines == [
        "seed_init: CUDA_A is too large: sshd cannot pass on more than 240000 bytes or "
        "950 variables; make it shorter"
    ]


def test_the_umask_is_the_containers(client: Client, server: Container) -> None:
    assert client.ssh("umask").stdout == server.exec("bash", "-c", "umask").stdout


def test_two_logins_and_docker_exec_have_the_seed_that_the_container_drew(start: Start) -> None:
    client, running = start(SEED="random")
    program = "import os, random; print(os.environ['SEED'], random.random())"
    drawn = {client.python(program).stdout for _ in range(2)}
    drawn.add(running.exec("python", "-c", program).stdout)
    assert len(drawn) == 1
    seed = drawn.pop().split()[0]
    assert f"seed_init: SEED=random drew {seed}; SEED={seed} runs the same again" in (
        running.logs().lines
    )


# --- who may log in -----------------------------------------------------------------------


def test_passwords_are_refused_and_not_offered(
    seeded: tuple[Client, Container], tmp_path: Path
) -> None:
    client, _ = seeded
    other = tmp_path / "other"
    command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other)
    stranger = Client(client.port, other, client.known)
    done = stranger.ssh("true", status=255)
    assert done.lines == ["jovyan@127.0.0.1: Permission denied (publickey)."]


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_nobody_else_logs_in(client: Client, user: str) -> None:
    done = client.ssh("true", user=user, status=255)
    assert done.lines == [f"{user}@127.0.0.1: Permission denied (publickey)."]


@pytest.mark.parametrize(
    "file", ["/home/jovyan/.ssh/authorized_keys", "/etc/seed_init/authorized_keys"]
)
def test_a_key_in_a_file_logs_in(
    container: Containers, images, key: Path, tmp_path: Path, file: str
) -> None:
    port = free_port()
    mount = f"--mount=type=bind,src={key}.pub,dst={file},readonly"
    publish = f"--publish=127.0.0.1:{port}:{port}"
    container.start(images.ssh, options=[publish, mount], SSH_PORT=str(port))
    Client(port, key, tmp_path / "known").wait()


def test_a_key_that_is_added_later_logs_in(start: Start, tmp_path: Path) -> None:
    client, _ = start()
    later = tmp_path / "later"
    command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", later)
    client.ssh("mkdir .ssh && cat > .ssh/authorized_keys", typed=public(later))
    Client(client.port, later, client.known).ssh("true")


CHECK = """
import json, subprocess, sys
words = ["python", "-I", "-S", "/usr/local/share/seed_init/ssh_keys.py", "NAME", "/tmp/checked"]
for text in json.load(sys.stdin):
    with open("/tmp/checked", "w") as file:
        file.write(text)
    done = subprocess.run(words, capture_output=True, text=True)
    print(json.dumps([done.returncode, done.stdout, done.stderr]))
"""
"""Run the check of seed-init-ssh on each text: status, stdout, stderr."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """The folder of keys of every kind, and their texts."""
    folder = tmp_path_factory.mktemp("keys")
    return folder, public_keys.make(folder)


def checked(server: Container, texts: list[str]) -> list[list]:
    words = ["docker", "exec", "--interactive", server.name, "python", "-c", CHECK]
    done = command(*words, typed=json.dumps(texts))
    return [json.loads(line) for line in done.stdout.splitlines()]


def let_in(client: Client, key: Path, text: str) -> bool:
    """Whether sshd lets in who has `key`, with `text` in the file that it reads at each login."""
    client.ssh("mkdir -p .ssh && cat > .ssh/authorized_keys", typed=text)
    return Client(client.port, key, client.known).ssh("true", status=None).status == 0


def test_a_line_that_is_accepted_lets_in(
    client: Client, server: Container, keys: tuple[Path, Mapping[str, str]]
) -> None:
    folder, texts = keys
    lines = [line.format(**texts) for line in public_keys.LETS_IN.values()]
    assert checked(server, lines) == [[0, "", ""]] * len(lines)
    for (name, line), text in zip(public_keys.LETS_IN.items(), lines):
        key = re.search(r"\{(\w+)", line)[1]
        assert let_in(client, folder / key, f"# a comment\n\n{text}\n"), name


@pytest.mark.parametrize(
    "line", ["cert-authority {rsa}", 'cert-authority,principals="jovyan" {rsa}']
)
def test_the_key_of_a_ca_lets_in_who_has_a_certificate_of_it(
    client: Client, server: Container, keys: tuple[Path, Mapping[str, str]], line: str
) -> None:
    folder, texts = keys
    text = line.format(**texts)
    assert checked(server, [text]) == [[0, "", ""]]
    assert let_in(client, folder / "ed25519", text)  # ssh finds the certificate beside it
    assert not let_in(client, folder / "rsa", text)


def test_a_line_that_is_refused_lets_nobody_in_and_is_named(
    client: Client, server: Container, keys: tuple[Path, Mapping[str, str]]
) -> None:
    folder, texts = keys
    lines = [line.format(**texts) for line, _ in public_keys.REFUSED.values()]
    # Behind a good line, and one that a splitting by Python would count as two.
    before = f"{texts['rsa']}\n# \x0b \x85\n\n"
    found = checked(server, [f"{before}{line}\n{texts['rsa']}" for line in lines])
    private = texts["private"].split()[4:-4]
    for (name, (_, said)), (status, stdout, stderr) in zip(public_keys.REFUSED.items(), found):
        assert (status, stdout, stderr.count("\n")) == (78, "", 1), name
        assert stderr.startswith("seed_init: NAME, line 4 "), name
        assert said in stderr, name
        assert not any(piece[:16] in stderr for piece in private), name
    assert not let_in(client, folder / "ed25519", "\n".join(lines))
    assert not let_in(client, folder / "rsa", "\n".join(lines))


def test_a_second_key_in_a_line_is_refused_instead_of_lost(
    client: Client, server: Container, keys: tuple[Path, Mapping[str, str]]
) -> None:
    folder, texts = keys
    lines = [line.format(**texts) for line in public_keys.LOSES_A_KEY.values()]
    two = "has a second key behind the first; write each on a line of its own"
    assert checked(server, lines) == [[78, "", f"seed_init: NAME, line 1 {two}\n"]] * len(lines)
    assert not let_in(client, folder / "rsa", "\n".join(lines))


def test_a_key_whose_time_is_over_is_named_and_does_not_stop_the_others(
    client: Client, server: Container, keys: tuple[Path, Mapping[str, str]]
) -> None:
    folder, texts = keys
    expired = public_keys.EXPIRED.format(**texts)
    alone, with_another = checked(server, [expired, f"{expired}\n{texts['rsa']}\n"])
    over = "NAME, line 1: nobody logs in with this key, its expiry-time 20200101 is over\n"
    assert with_another == [0, over, ""]
    assert alone[:2] == [78, over]
    assert alone[2].startswith("seed_init: no public key may log in; ")
    assert not let_in(client, folder / "ed25519", expired)


@pytest.mark.parametrize(
    "options",
    [
        ["--user=1001:0"],
        ["--user=1234567890:1234567890"],
        ["--read-only"],
        ["--read-only", "--tmpfs=/tmp", "--user=1001:0"],
        ["--cap-drop=ALL", "--security-opt=no-new-privileges"],
    ],
    ids=" ".join,
)
def test_any_user_and_any_root_file_system_will_do(
    start: Start, recipe: Callable[[int], list[float]], options: list[str]
) -> None:
    client, running = start(*options, SEED="7")
    assert json.loads(client.python(DRAWS).stdout) == recipe(7)
    same = 'echo "$(id) $HOME ${TMPDIR-} $(test -w "$HOME" && echo writable)"'
    found = client.ssh(same).stdout
    assert found.endswith("writable\n")
    typed = client.ssh(options=["-tt"], typed="exit\n").stdout.replace("\r", "").splitlines()
    assert typed.count(SAID) == 1
    home = client.ssh("echo $HOME").stdout.strip()
    (moved,) = [line for line in running.logs().lines if "; HOME is " in line] or [""]
    assert home == (moved.split()[-4] if moved else "/home/jovyan")


@pytest.mark.parametrize(
    ("options", "variables", "line"),
    [
        ([], {}, "no public key may log in; set SSH_AUTHORIZED_KEYS to "),
        ([], {"SSH_AUTHORIZED_KEYS": " "}, "no public key may log in; set "),
        ([], {"SSH_AUTHORIZED_KEYS": " \n# a comment\n"}, "no public key may log in; set "),
        (
            [],
            {"SSH_AUTHORIZED_KEYS": "\nssh-ed25519 AAAA me"},
            "SSH_AUTHORIZED_KEYS, line 2 has an ssh-ed25519 key that is cut short or damaged; use ",
        ),
        (
            [],
            {"SSH_AUTHORIZED_KEYS": "github.com ssh-ed25519 AAAA"},
            "SSH_AUTHORIZED_KEYS, line 1 begins with 'github.com', which is no option of sshd's ",
        ),
        (
            [],
            {"SSH_AUTHORIZED_KEYS": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r"},
            "SSH_AUTHORIZED_KEYS, line 1 is a private key, ",
        ),
        (
            ["--tmpfs=/etc/seed_init/authorized_keys"],
            {},
            "cannot read /etc/seed_init/authorized_keys as a file and as user 1000",
        ),
        ([], {"SSH_PORT": " 70000 "}, "SSH_PORT=70000 is not accepted; use a port from 1 to 65535"),
        ([], {"SSH_PORT": "a b"}, "SSH_PORT=a\\ b is not accepted; use a port from 1 to 65535"),
        (["--user=0"], {}, "root does not log in here, "),
        ([], {"SEED": "seven"}, "SEED='seven' is not accepted; use "),
        ([], {"HOME": "/tmp/a:b"}, "HOME=/tmp/a:b is not accepted; use a path without a colon"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:40],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    container: Containers, images, options: list[str], variables: dict[str, str], line: str
) -> None:
    done = container.run(images.ssh, options=options, status=78, **variables)
    assert not done.stdout
    (said,) = done.lines
    assert said.startswith(f"seed_init: {line}")


def test_forwarded_ports_lead_into_the_container(client: Client) -> None:
    local = free_port()
    there = f"-L127.0.0.1:{local}:127.0.0.1:{client.port}"
    words = ["ssh", *client.options, "-oExitOnForwardFailure=yes", "-N", there, "jovyan@127.0.0.1"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment()) as forwarding:
        try:
            assert until("a greeting", lambda: greeting(local), READY_S).startswith(b"SSH-2.0-")
        finally:
            forwarding.terminate()


def greeting(port: int) -> bytes:
    """What the server behind a port says first."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=READY_S) as connection:
            return connection.recv(8)
    except OSError:
        return b""


# --- keys and secrets ---------------------------------------------------------------------


def test_the_image_has_no_host_key(container: Containers, images) -> None:
    find = ["find", "/etc", "/home", "/root", "/usr/local", "-name", "*ssh_host*_key*"]
    assert container.run(images.ssh, *find, options=["--user=0"]).stdout == ""


def test_the_environment_is_on_no_command_line_and_in_no_file_for_others(
    server: Container,
) -> None:
    lines = server.exec("bash", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
    assert "sshd" in lines
    assert "secret" not in lines
    listed = server.exec("bash", "-c", "stat -c '%a %n' /tmp/tmp.* /tmp/tmp.*/*").stdout
    modes = dict(reversed(line.split(" ", 1)) for line in listed.splitlines())
    assert any(name.endswith("/sshd_config") for name in modes)
    assert set(modes.values()) == {"700", "600"}


def host_key(client: Client) -> str:
    done = command("ssh-keyscan", "-p", str(client.port), "127.0.0.1")
    (line,) = (line for line in done.stdout.splitlines() if not line.startswith("#"))
    return line.split(" ", 1)[1]


def up(project: Project, key: Path, folder: Path, **variables: str) -> Client:
    variables = {"SSH_AUTHORIZED_KEYS": public(key), **variables}
    project.compose("up", "--detach", "ssh", **variables)
    port = int(project.variables["SSH_PORT"])
    return Client(port, key, folder / f"known-{port}").wait()


def test_the_service_is_seeded_and_keeps_its_host_key_for_the_next_user(
    project: Project, key: Path, tmp_path: Path, recipe: Callable[[int], list[float]]
) -> None:
    client = up(project, key, tmp_path, SEED="7")
    assert json.loads(client.python(DRAWS).stdout) == recipe(7)
    assert client.ssh("grep NoNewPrivs /proc/self/status").stdout == "NoNewPrivs:\t1\n"
    before = host_key(client)
    project.compose("--profile=ssh", "down", "--timeout=1")
    # accept-new: the client would refuse another host key.
    assert host_key(up(project, key, tmp_path, CONTAINER_UID="4321")) == before
    done = client.ssh("id -u; cat /etc/seed_init/ssh/*_key | wc -l; ls -A /etc/seed_init/ssh")
    assert done.stdout.split() == ["4321", "7", "ssh_host_ed25519_key"]


def test_two_volumes_have_two_host_keys(
    start: Start, container: Containers, images, key: Path, tmp_path: Path
) -> None:
    keys = {host_key(start()[0]) for _ in range(2)}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("change", "user"),
    [(": > ssh_host_ed25519_key", "1000:0"), ("chmod 600 ssh_host_ed25519_key", "1001:0")],
)
def test_a_host_key_that_cannot_be_used_is_named_and_not_replaced(
    container: Containers, images, key: Path, change: str, user: str
) -> None:
    script = (
        f"cd /etc/seed_init/ssh; ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key; {change}"
    )
    volume = docker("volume", "create").stdout.strip()
    try:
        mount = f"--volume={volume}:/etc/seed_init/ssh"
        container.run(images.ssh, "bash", "-c", script, options=[mount])
        options = [mount, f"--user={user}"]
        done = container.run(
            images.ssh, options=options, status=78, SSH_AUTHORIZED_KEYS=public(key)
        )
    finally:
        docker("volume", "rm", volume)
    assert done.lines == [
        "seed_init: /etc/seed_init/ssh/ssh_host_ed25519_key is not a host key that user "
        f"{user[:4]} can read; remove it, or run as a user of group 0"
    ]


def test_the_service_starts_only_for_who_asks(project: Project) -> None:
    assert "ssh" not in project.compose("config", "--services").stdout.split()
    assert "ssh" in project.compose("--profile=ssh", "config", "--services").stdout.split()


def test_a_container_with_a_login_stops_at_once(start: Start) -> None:
    client, running = start()
    words = ["ssh", *client.options, "jovyan@127.0.0.1", "echo here; exec sleep infinity"]
    login = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment())
    with login:
        assert login.stdout.readline() == b"here\n"
        docker("stop", "--time=60", running.name, timeout=30)
    assert running.state()["ExitCode"] == 143
    assert login.returncode == 255
