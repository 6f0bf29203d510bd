"""tools/venv.sh with a real pip: what it says while packages come, fail to come, or are stopped.

The package index is a server of the test's own, which sends slowly or not at all.
"""

import contextlib
import hashlib
import http.server
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.repository import REPOSITORY

from .conftest import Checkout

WHEEL = "slow-1.0-py3-none-any.whl"
CHUNKS = 20
UV = Path(sys.executable).with_name("uv")


def make_wheel(file: Path) -> None:
    """The smallest package that pip installs, with 2 MB of data so that it takes a while."""
    name = file.name.partition("-")[0]
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(f"{name}.py", "#" + "x" * 2_000_000)
        info = f"{name}-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@contextlib.contextmanager
def index(
    wheel: Path, pause_s: float, fetched: list[str] | None = None, port: int = 0
) -> Iterator[str]:
    """A package index of the wheels beside `wheel`, and of it, which alone is sent in parts.

    Args:
        wheel: the wheel that is sent slowly.
        pause_s: seconds between its parts.
        fetched: gets the names of the wheels that were sent whole.
        port: of the server; 0 for any.

    Yields:
        the URL of the index.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rstrip("/").rpartition("/")[2]
            file = wheel.with_name(
                name if name.endswith(".whl") else f"{name}-1.0-py3-none-any.whl"
            )
            if not file.exists():
                self.send_error(404)
                return
            body = file.read_bytes()
            if not name.endswith(".whl"):
                digest = hashlib.sha256(body).hexdigest()
                body = f'<a href="/{file.name}#sha256={digest}">{file.name}</a>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            if name.endswith(".whl"):  # as the package index does: a wheel never changes
                self.send_header("Cache-Control", "max-age=365000000, immutable, public")
            self.end_headers()
            part = len(body) // CHUNKS + 1
            for start in range(0, len(body), part):
                if name == wheel.name:
                    time.sleep(pause_s)
                try:
                    self.wfile.write(body[start : start + part])
                except OSError:  # the installer was stopped
                    return
            if fetched is not None and name.endswith(".whl"):
                fetched.append(name)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    file = tmp_path / WHEEL
    make_wheel(file)
    return file


@pytest.fixture(scope="module")
def with_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment as `python -m venv` makes it, to be copied: making it takes long."""
    folder = tmp_path_factory.mktemp("with-pip") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, env={"PATH": os.defpath})
    return folder


@pytest.fixture
def installing(empty_checkout: Checkout, wheel: Path, with_pip: Path, tmp_path: Path) -> Checkout:
    """A checkout whose locks are one small package, on a machine with a GPU (so that PyTorch's
    own index is not asked)."""
    for name in ("torch", "notebook"):
        (empty_checkout.folder / f"requirements/{name}.txt").write_text(requirement(wheel))
    script = empty_checkout.folder / "tools/venv.sh"
    text = script.read_text()
    assert "quiet_s=15" in text
    script.write_text(text.replace("quiet_s=15", "quiet_s=1"))
    empty_checkout.fake("nvidia-smi", "echo GPU 0: some GPU")
    empty_checkout.fake("uv", "exit 127")
    shutil.copytree(with_pip, empty_checkout.folder / ".venv", symlinks=True)
    (tmp_path / "tmp").mkdir()
    return empty_checkout


def requirement(wheel: Path) -> str:
    """The line of a lock."""
    name = wheel.name.partition("-")[0]
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def settings(tmp_path: Path, url: str) -> dict[str, str]:
    """pip's, so that nothing of this machine's configuration has a say."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": url,
        "PIP_NO_CACHE_DIR": "1",
        "UV_NO_CACHE": "1",
        "UV_NO_CONFIG": "1",
        "UV_HTTP_RETRIES": "0",
        "PIP_RETRIES": "0",
        # pip keeps nothing that came by plain HTTP, unless its host is trusted.
        "PIP_TRUSTED_HOST": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "TMPDIR": str(tmp_path / "tmp"),
    }


@pytest.mark.slow
def test_off_a_terminal_there_is_a_line_every_now_and_then(
    installing: Checkout, wheel: Path, tmp_path: Path
) -> None:
    with index(wheel, 0.2) as url:
        done = installing.run("tools/venv.sh", "local", **settings(tmp_path, url))
    progress = re.findall(
        r"^seed-init:   slow \(2\.0 MB\) is coming; 2 MB with it, \d+ s$", done.stderr, re.M
    )
    assert len(progress) >= 2, done.stderr
    assert "\r" not in done.stderr
    assert re.search(
        r"^seed-init: installed packages of 2 MB; \.venv has \d+ MB; "
        r"times: requirements/torch\.txt \d+ s, requirements/notebook\.txt \d+ s$",
        done.stderr,
        re.M,
    )
    assert installing.run("tools/venv.sh", "local").stderr == ""


@pytest.mark.slow
def test_it_says_beforehand_how_much_comes_and_where_to(
    installing: Checkout, wheel: Path, tmp_path: Path
) -> None:
    with index(wheel, 0) as url:
        done = installing.run("tools/venv.sh", "local", **settings(tmp_path, url))
    lines = [line for line in done.stderr.splitlines() if "to download" in line]
    place = re.escape(str(installing.folder))
    for line, lock in zip(lines, ("torch", "notebook"), strict=True):
        assert re.fullmatch(
            rf"seed-init: installing requirements/{lock}\.txt: about \d+ MB to download into "
            rf"{place}/\.cache/packages, with pip, for {place}/\.venv \(\d+ GB are free there\)",
            line,
        )


def test_what_it_says_beforehand_is_what_the_page_says() -> None:
    script = (REPOSITORY / "tools/venv.sh").read_text()
    [sizes] = re.findall(r"download_mb=\((.*)\)", script)
    whole_mb = sum(map(int, re.findall(r"=(\d+)", sizes)))
    page = (REPOSITORY / "docs/how-to/run.md").read_text()
    [told_gb] = re.findall(r"^\| `make train`.* \| ([\d.]+) GB \|", page, re.M)
    assert abs(whole_mb / 1000 - float(told_gb)) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_on_a_terminal_the_installer_draws_its_own_bar(
    installing: Checkout, wheel: Path, tmp_path: Path, installer: str
) -> None:
    if installer == "uv":
        installing.fake("uv", f'exec "{UV}" "$@"')
    main, terminal = pty.openpty()
    with index(wheel, 0.2) as url:
        process = subprocess.Popen(
            ["tools/venv.sh", "local"],
            cwd=installing.folder,
            env=installing.environment(**settings(tmp_path, url), TERM="xterm"),
            stderr=terminal,
            stdout=subprocess.DEVNULL,
        )
        os.close(terminal)
        heard = b""
        with contextlib.suppress(OSError):  # the terminal's end, once nobody has it open
            while data := os.read(main, 1000):
                heard += data
    os.close(main)
    assert process.wait(60) == 0
    bar = "━ [0-9.]+/2.0 MB" if installer == "pip" else "slow +-+"
    assert len(re.findall(bar.encode(), re.sub(rb"\x1b\[[0-9;]*m", b"", heard))) > 2, heard
    assert f", with {installer}, for ".encode() in heard
    assert b"times: requirements/torch.txt" in heard


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_run_after_ctrl_c_fetches_only_what_has_not_come_whole(
    installing: Checkout, wheel: Path, tmp_path: Path, installer: str
) -> None:
    if installer == "uv":
        installing.fake("uv", f'exec "{UV}" "$@"')
    quick = wheel.with_name("quick-1.0-py3-none-any.whl")
    make_wheel(quick)
    for name in ("torch", "notebook"):
        lock = installing.folder / f"requirements/{name}.txt"
        lock.write_text(requirement(quick) + requirement(wheel))
    fetched: list[str] = []
    with index(wheel, 0.5, fetched) as url:
        process = installing.start("tools/venv.sh", "local", **settings(tmp_path, url))
        while fetched != [quick.name]:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        time.sleep(2)  # until the installer has put it away, in the midst of the slow one
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    kept = f"(the packages that have come whole are kept in {installing.folder}/.cache/packages)"
    assert said.splitlines()[-1] == f"seed-init: interrupted; run it again to go on {kept}"
    # Another port is another address, under which a cache knows nothing.
    port = int(url.rpartition(":")[2].partition("/")[0])
    with index(wheel, 0, fetched, port) as url:
        installing.run("tools/venv.sh", "local", **settings(tmp_path, url))
    assert fetched == [quick.name, wheel.name]
    # Nobody asked for that cache, and now it is of no use.
    assert not (installing.folder / ".cache/packages").exists()


@pytest.mark.slow
def test_where_uv_fails_pip_installs_and_the_line_says_so(
    installing: Checkout, wheel: Path, tmp_path: Path
) -> None:
    installing.fake(
        "uv", 'case $1 in pip) echo "error: no such index" >&2; exit 2;; esac; echo /nowhere'
    )
    with index(wheel, 0) as url:
        done = installing.run("tools/venv.sh", "local", **settings(tmp_path, url))
    assert "seed-init: uv cannot install this (no such index); pip tries it" in done.stderr
    assert "seed-init: installed packages of 2 MB" in done.stderr


@pytest.mark.slow
def test_without_a_network_the_line_says_so(installing: Checkout, tmp_path: Path) -> None:
    # Nobody listens on port 9 of this machine: the connection is refused.
    done = installing.run(
        "tools/venv.sh", "local", status=1, **settings(tmp_path, "http://127.0.0.1:9/simple")
    )
    assert done.stderr.splitlines()[-1] == (
        "seed-init: the packages cannot be downloaded: the network or the package index does not "
        "answer, or the index lacks slow==1.0; connect, or set https_proxy or PIP_INDEX_URL, and "
        "run it again"
    )


@pytest.mark.slow
def test_a_package_that_is_not_the_locked_one_is_no_matter_of_the_network(
    installing: Checkout, wheel: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel, "a") as changed:
        changed.writestr("added.py", "")
    with index(wheel, 0) as url:
        done = installing.run("tools/venv.sh", "local", status=1, **settings(tmp_path, url))
    assert done.stderr.splitlines()[-1].startswith("seed-init: pip install failed: ERROR: THESE")


@pytest.mark.slow
def test_ctrl_c_ends_it_with_one_line_and_leaves_nothing_in_tmp(
    installing: Checkout, wheel: Path, tmp_path: Path
) -> None:
    with index(wheel, 2) as url:
        process = installing.start("tools/venv.sh", "local", **settings(tmp_path, url))
        said = ""
        while "is coming" not in said:
            said = process.stderr.readline()
            assert said, "it has ended"
        os.killpg(process.pid, signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    lines = [line for line in rest.splitlines() if "is coming" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("seed-init: interrupted; run it again to go on ")
    assert process.returncode == 130
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_virtual_environment_that_cannot_be_made_says_what_to_install(
    empty_checkout: Checkout,
) -> None:
    python = empty_checkout.commands / "python"
    empty_checkout.fake(
        "python", f'case "$*" in *venv*) exit 1 ;; esac; exec "{sys.executable}" "$@"'
    )
    done = empty_checkout.run("tools/venv.sh", "local", status=1, PYTHON=str(python))
    assert "cannot make a virtual environment; on Debian" in done.stderr.splitlines()[-1]
