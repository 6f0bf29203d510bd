"""Who may come into the notebook server, and the platforms that it runs on."""

import json
import re
import time
from collections.abc import Callable, Sequence

import pytest
import requests
import websocket
from containers import Container, Containers, check_quiet
from jupyter_server.auth import passwd
from servers import ALLOWED, ANSWER_S, READY_S, Server

from harness.waiting import free_port, until

pytestmark = pytest.mark.image

NO_AUTHENTICATION = [r"All authentication is disabled"]
"""Jupyter's own warning, besides ours."""

WATCH = """
import json, socket, subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
came_in = 0
while server.poll() is None:
    try:
        socket.create_connection(("127.0.0.1", 8888), timeout=1).close()
        came_in += 1
        server.kill()
    except OSError:
        pass
print(json.dumps([server.returncode, came_in, server.stdout.read().decode()]))
"""
"""Run a server and try to connect all the time: its status, how often one came in, its output."""


def start(
    container: Containers,
    image: str,
    *words: str,
    options: Sequence[str] = (),
    prefix: str = "",
    **variables: str,
) -> Server:
    """Start the image with a published port; nothing is waited for."""
    port = free_port()
    publish = f"--publish=127.0.0.1:{port}:{port}"
    running = container.start(
        image, *words, options=[publish, *options], JUPYTER_PORT=str(port), **variables
    )
    return Server(running, port, prefix=prefix)


@pytest.fixture
def machine(entered: Callable[..., Container], images) -> Container:
    """A container in which a user starts servers by hand."""
    return entered(images.notebook)


# --- who may come in ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        pytest.param(
            {"JUPYTER_NO_AUTH": "yes"},
            "JUPYTER_NO_AUTH='yes' is not accepted; use 1 or leave it unset",
            id="no auth",
        ),
        pytest.param(
            {"JUPYTER_NO_AUTH": "1", "JUPYTER_TOKEN": "chosen"},
            "JUPYTER_NO_AUTH=1 and JUPYTER_TOKEN are both set; unset one of them",
            id="no auth and a token",
        ),
        pytest.param(
            {"JUPYTER_HASHED_PASSWORD": "correct horse"},
            "JUPYTER_HASHED_PASSWORD is not accepted, it is no hash of a password; use what "
            "/opt/jupyter/bin/python -c "
            "'from jupyter_server.auth import passwd; print(passwd())' prints",
            id="a password that is no hash",
        ),
        pytest.param(
            {"NB_PREFIX": "https://example.org/team"},
            "NB_PREFIX='https://example.org/team' is not accepted; "
            "use a path such as /notebook/team/name",
            id="prefix",
        ),
        pytest.param(
            {"JUPYTER_ALLOWED_HOSTS": "https://example.org"},
            "JUPYTER_ALLOWED_HOSTS='https://example.org' is not accepted; use the names of hosts "
            "without https:// and port: notebooks.example.org, .example.org for all below it, "
            "* for any",
            id="hosts",
        ),
        pytest.param(
            {"JUPYTER_TOKEN_FILE": "/no/such/file"},
            "cannot read JUPYTER_TOKEN_FILE='/no/such/file': No such file or directory; "
            "repair or unset it",
            id="a token file that is missing",
        ),
    ],
)
def test_a_variable_that_is_not_accepted_is_refused_in_one_line(
    container: Containers, images, variables: dict[str, str], line: str
) -> None:
    done = container.run(images.notebook, status=78, **variables)
    assert not done.stdout
    assert done.lines == [f"seed_init: {line}"]


# Of this case alone: other tests enter the same container.
HOME = "export HOME=/tmp/configured; mkdir -p $HOME/.jupyter"
IN_HOME = "$HOME/.jupyter/jupyter_server_config"
EXTENSIONS_OF_HIS_OWN = {"ServerApp": {"jpserver_extensions": {"jupyterlab": True}}}


@pytest.mark.parametrize(
    "ways",
    [
        pytest.param(
            [
                "seed-init-notebook --IdentityProvider.token=",
                "seed-init-notebook --ServerApp.token=",
                "seed-init-notebook --NotebookApp.token=",
            ],
            id="options",
        ),
        pytest.param(
            [
                "jupyter lab --ip= --IdentityProvider.token=",
                "JUPYTER_TOKEN_FILE=/dev/null jupyter server",
                "jupyter lab --ip=$(hostname) --IdentityProvider.token=",
            ],
            id="started by hand",
        ),
        pytest.param(
            [
                f"{HOME} && echo 'c.IdentityProvider.token = \"\"' > {IN_HOME}.py"
                " && seed-init-notebook",
                f"{HOME} && echo '{json.dumps(EXTENSIONS_OF_HIS_OWN)}' > {IN_HOME}.json"
                " && seed-init-notebook",
            ],
            id="the user's configuration",
        ),
    ],
)
def test_a_server_without_authentication_does_not_start_however_it_lost_it(
    machine: Container, ways: list[str]
) -> None:
    for way in ways:
        done = machine.exec("python", "-c", WATCH, "bash", "-c", way)
        status, came_in, output = json.loads(done.stdout)
        assert (status, came_in) == (78, 0), f"{way}: {output}"
        last = output.splitlines()[-1]
        assert last.startswith("seed_init: no token and no password for a server on "), way
        assert last.endswith("or JUPYTER_NO_AUTH=1 where a gateway checks who comes in")


@pytest.mark.parametrize(
    "option", ["--IdentityProvider.token=' '", "--IdentityProvider.token='secret '"]
)
def test_a_token_that_nobody_could_enter_is_refused(machine: Container, option: str) -> None:
    way = f"seed-init-notebook {option}"
    done = machine.exec("python", "-c", WATCH, "bash", "-c", way)
    status, came_in, output = json.loads(done.stdout)
    assert (status, came_in) == (78, 0), output
    assert output.splitlines()[-1].startswith("seed_init: the token begins or ends with white ")


# --- by DNS rebinding -----------------------------------------------------------------------

FOREIGN = ["rebound.example", "localhost.rebound.example", "gateway.example.org.rebound.example"]
PATHS = ["/lab", "/api", "/api/kernels", "/static/favicons/favicon.ico", "/metrics", "/no/such"]


def status_for(server: Server, host: str, path: str, method: str = "GET") -> int:
    """The status for a request by a browser that takes the server for `host`."""
    headers = {**server.headers, "Host": host, "Origin": f"http://{host}"}
    return requests.request(method, server.url + path, headers=headers, timeout=ANSWER_S,
                            allow_redirects=False).status_code  # fmt: skip


def websocket_opens(server: Server, host: str, path: str) -> bool:
    headers = server.headers
    try:
        websocket.create_connection(
            f"ws{server.url.removeprefix('http')}{path}",
            host=host,
            origin=f"http://{host}",
            header=headers,
            timeout=ANSWER_S,
        ).close()
    except websocket.WebSocketBadStatusException as error:
        assert error.status_code == 403
        return False
    return True


@pytest.mark.parametrize(
    ("variables", "allowed", "foreign"),
    [
        pytest.param({}, [], [*FOREIGN, "gateway.example.org"], id="no gateway"),
        pytest.param(
            {
                "NB_PREFIX": "/team",
                "JUPYTER_ALLOWED_HOSTS": "Gateway.example.org, .apps.example.org",
            },
            ["gateway.example.org", "ann.apps.example.org:443"],
            [*FOREIGN, "apps.example.org", "example.org"],
            id="a gateway",
        ),
    ],
)
def test_without_authentication_only_known_hosts_are_served_and_the_log_says_so(
    container: Containers,
    images,
    variables: dict[str, str],
    allowed: list[str],
    foreign: list[str],
) -> None:
    prefix = variables.get("NB_PREFIX", "")
    server = start(container, images.notebook, prefix=prefix, JUPYTER_NO_AUTH="1", **variables)
    server.wait_for_page()
    kernel = f"/api/kernels/{server.start_kernel()}/channels?session_id=a"
    terminal = f"/terminals/websocket/{server.ask('POST', '/api/terminals').json()['name']}"
    own = server.container.exec("hostname").stdout.strip()
    for host in ["localhost", f"127.0.0.1:{server.port}", "[::1]:1", "10.1.2.3", own, *allowed]:
        assert status_for(server, host, "/api/kernels") == 200, host
        assert websocket_opens(server, host, kernel), host
    for host in foreign:
        assert {status_for(server, host, path) for path in PATHS} == {403}, host
        assert status_for(server, host, "/api/kernels", "POST") == 403, host
        assert not websocket_opens(server, host, kernel), host
        assert not websocket_opens(server, host, terminal), host
    given = variables.get("JUPYTER_ALLOWED_HOSTS", "").lower().replace(",", " ").split()
    log = server.log()
    assert [line for line in log.splitlines() if line.startswith("seed_init:")] == [
        f"seed_init: JUPYTER_NO_AUTH=1: whoever reaches port {server.port} of this container can "
        f"run code in it; requests for other hosts than {', '.join(['localhost', own, *given])} "
        "and addresses are refused, a gateway's own name has to be in JUPYTER_ALLOWED_HOSTS",
        *(
            "seed_init: this server asks nobody for a token, so it answers no request for the "
            f"host '{host}'; if that is your gateway, add it to JUPYTER_ALLOWED_HOSTS"
            for host in foreign
        ),
    ]
    check_quiet(log, [*ALLOWED, *NO_AUTHENTICATION, " 403 "])
    assert server.container.exec("seed-init-healthcheck").status == 0


def test_every_host_is_served_where_that_is_asked_for_and_the_log_says_what_it_means(
    container: Containers, images
) -> None:
    server = start(container, images.notebook, JUPYTER_NO_AUTH="1", JUPYTER_ALLOWED_HOSTS="*")
    server.wait_for_answer()
    assert status_for(server, "rebound.example", "/api/kernels") == 200
    assert [line for line in server.log().splitlines() if line.startswith("seed_init:")] == [
        f"seed_init: JUPYTER_NO_AUTH=1: whoever reaches port {server.port} of this container can "
        "run code in it, and so can any web page, by DNS rebinding: every host is allowed"
    ]


def test_a_token_keeps_a_page_elsewhere_out_under_any_name(container: Containers, images) -> None:
    # Blank around it, as a file of secrets leaves it.
    server = start(container, images.notebook, JUPYTER_TOKEN=" chosen\n").wait_for_answer()
    server.token = "chosen"
    assert status_for(server, "lab.example.org", "/api/kernels") == 200
    kernel = f"/api/kernels/{server.start_kernel()}/channels"
    assert websocket_opens(server, "lab.example.org", kernel)
    server.token = ""
    assert status_for(server, "rebound.example", "/api/kernels") == 403
    assert not websocket_opens(server, "rebound.example", kernel)


BLANKS = ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE", "JUPYTER_HASHED_PASSWORD", "JUPYTER_NO_AUTH",
          "NB_PREFIX", "JUPYTER_ALLOWED_HOSTS", "JUPYTERHUB_API_TOKEN")  # fmt: skip


def test_variables_that_are_blank_count_as_unset(container: Containers, images) -> None:
    server = start(container, images.notebook, **dict.fromkeys(BLANKS, " "))
    server.wait_for_link()
    server.save("saved.txt", "kept")
    assert server.container.exec("cat", "/workspace/saved.txt").stdout == "kept"


@pytest.mark.parametrize(
    "words",
    [["--ip=127.0.0.1"], ["--ip=localhost"], ["--sock=/tmp/server.sock"]],
    ids=" ".join,
)
def test_a_server_that_only_its_machine_reaches_may_do_without(
    container: Containers, images, words: list[str]
) -> None:
    without = [*words, "--IdentityProvider.token="]
    running = container.start(images.notebook, "seed-init-notebook", *without)
    until("a server", lambda: " is running at:" in running.logs().stderr, READY_S)
    assert "seed_init:" not in running.logs().stderr


def log_in(server: Server, password: str) -> requests.Session:
    """A browser that has sent the form of the login page."""
    browser = requests.Session()
    browser.get(f"{server.url}/login", timeout=ANSWER_S)
    form = {"password": password, "_xsrf": browser.cookies["_xsrf"]}
    browser.post(f"{server.url}/login", data=form, timeout=ANSWER_S)
    return browser


def may_come_in(browser: requests.Session, server: Server) -> bool:
    answer = browser.get(f"{server.url}/api/kernels", timeout=ANSWER_S)
    return answer.status_code == 200


@pytest.mark.parametrize("algorithm", ["argon2", "sha256"])
def test_a_hashed_password_lets_in_who_knows_the_password(
    container: Containers, images, algorithm: str
) -> None:
    hashed = passwd("correct horse", algorithm=algorithm)
    server = start(container, images.notebook, JUPYTER_HASHED_PASSWORD=hashed).wait_for_answer()
    assert may_come_in(log_in(server, "correct horse"), server)
    assert not may_come_in(log_in(server, "wrong horse"), server)
    assert not may_come_in(log_in(server, hashed), server)
    link = f"http://127.0.0.1:{server.port}/lab\n"
    until("a link without a token", lambda: link in server.log(), READY_S)


def test_a_token_and_a_password_hold_together(container: Containers, images) -> None:
    variables = {"JUPYTER_TOKEN": "chosen", "JUPYTER_HASHED_PASSWORD": passwd("correct horse")}
    server = start(container, images.notebook, **variables).wait_for_answer()
    assert may_come_in(log_in(server, "correct horse"), server)
    server.token = "chosen"
    assert server.ask("GET", "/api/kernels").json() == []


# --- platforms ----------------------------------------------------------------------------


def test_kubeflows_prefix_is_in_the_link_the_health_check_and_the_paths(
    container: Containers, images
) -> None:
    prefix = "/notebook/team/name"
    server = start(container, images.notebook, prefix=prefix, NB_PREFIX=prefix).wait_for_link()
    assert server.ask("GET", "/lab").status_code == 200
    until(
        "a healthy server",
        lambda: server.container.exec("seed-init-healthcheck", status=None).status == 0,
        READY_S,
    )
    links = re.findall(r"https?://\S+token=\S+", server.log())
    assert [one for one in links if f":{server.port}{prefix}/lab?token=" not in one] == []
    # The home is the volume that Kubeflow keeps.
    server.save("saved.txt", "kept")
    assert server.container.exec("cat", "/home/jovyan/saved.txt").stdout == "kept"


def test_a_base_url_on_the_command_line_wins_over_the_prefix(container: Containers, images) -> None:
    words = ("seed-init-notebook", "--ServerApp.base_url=/mine/")
    server = start(container, images.notebook, *words, prefix="/mine", NB_PREFIX="theirs/")
    server.wait_for_link()


def test_a_mounted_workspace_is_where_files_go_under_kubeflow_too(
    container: Containers, images
) -> None:
    server = start(
        container,
        images.notebook,
        options=["--mount=type=volume,dst=/workspace"],
        prefix="/team",
        NB_PREFIX="team",
        JUPYTER_NO_AUTH="1",
    ).wait_for_page()
    server.save("saved.txt", "kept")
    assert server.container.exec("cat", "/workspace/saved.txt").stdout == "kept"


def typed(server: Server, line: str, wanted: str) -> str:
    """Type a line into a new terminal; what the terminal shows, once `wanted` is in it."""
    name = server.ask("POST", "/api/terminals").json()["name"]
    terminal = websocket.create_connection(
        f"ws{server.url.removeprefix('http')}/terminals/websocket/{name}",
        header=server.headers,
        timeout=ANSWER_S,
    )
    shown = ""
    deadline = time.monotonic() + ANSWER_S
    try:
        terminal.send(json.dumps(["stdin", line + "\r"]))
        while wanted not in shown:
            assert time.monotonic() < deadline, f"{wanted!r} is not in {shown!r}"
            kind, *rest = json.loads(terminal.recv())
            shown += rest[0] if kind == "stdout" else ""
    finally:
        terminal.close()
    return shown


ANY_UID = "--user=1234567890:0"
WORKSPACE = "--mount=type=volume,dst=/workspace"


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        pytest.param(
            [ANY_UID, WORKSPACE, "--tmpfs=/home/jovyan:mode=0777"],
            {"JUPYTER_TOKEN": "chosen"},
            id="OpenShift, an empty home",
        ),
        pytest.param(
            [ANY_UID, WORKSPACE, "--read-only", "--tmpfs=/home/jovyan:mode=0755"],
            {"JUPYTER_TOKEN": "chosen"},
            id="OpenShift, read-only, a home that only root may write",
        ),
        pytest.param(
            ["--user=1000:0", "--group-add=100", "--tmpfs=/home/jovyan:gid=100,mode=2775"],
            {"NB_PREFIX": "/notebook/team/name", "JUPYTER_NO_AUTH": "1"},
            id="Kubeflow, an empty home of fsGroup 100",
        ),
    ],
)
def test_kernels_terminals_and_files_work_on(
    container: Containers,
    images,
    recipe: Callable[[int], list[float]],
    options: list[str],
    variables: dict[str, str],
) -> None:
    prefix = variables.get("NB_PREFIX", "")
    server = start(
        container,
        images.notebook,
        options=options,
        prefix=prefix,
        SEED="7",
        **variables,
    )
    server.token = variables.get("JUPYTER_TOKEN", "")
    server.wait_for_page()
    assert server.draws(server.start_kernel()) == recipe(7)
    typed(server, "echo $((6 * 7)) is the answer", "42 is the answer")
    server.save("saved.txt", "kept")
    assert server.ask("GET", "/api/contents/saved.txt").json()["content"] == "kept"


def test_the_health_check_asks_at_the_address_that_the_server_listens_on(
    container: Containers, images
) -> None:
    words = ("bash", "-c", "exec seed-init-notebook --ip=$(hostname -i)")
    running = container.start(images.notebook, *words)
    until(
        "a healthy server",
        lambda: running.exec("seed-init-healthcheck", status=None).status == 0,
        READY_S,
    )
