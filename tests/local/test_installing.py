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

from .conftest import Checkout

WHEEL = "slow-1.0-py3-none-any.whl"
CHUNKS = 20


def make_wheel(file: Path) -> None:
    """The smallest package that pip installs, with 2 MB of data so that it takes a while."""
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr("slow.py", "#" + "x" * 2_000_000)
        info = "slow-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@contextlib.contextmanager
def index(wheel: Path, pause_s: float) -> Iterator[str]:
    """A package index with one package, which pauses between the parts of it; yields its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = wheel.read_bytes()
            if not self.path.endswith(".whl"):
                digest = hashlib.sha256(body).hexdigest()
                body = f'<a href="/{WHEEL}#sha256={digest}">{WHEEL}</a>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            part = len(body) // CHUNKS + 1
            for start in range(0, len(body), part):
                if self.path.endswith(".whl"):
                    time.sleep(pause_s)
                with contextlib.suppress(OSError):  # pip was stopped
                    self.wfile.write(body[start : start + part])

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()


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
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    requirement = f"slow==1.0 --hash=sha256:{digest}\n"
    for name in ("torch", "notebook"):
        (empty_checkout.folder / f"requirements/{name}.txt").write_text(requirement)
    script = empty_checkout.folder / "tools/venv.sh"
    text = script.read_text()
    assert "quiet_s=15" in text
    script.write_text(text.replace("quiet_s=15", "quiet_s=1"))
    empty_checkout.fake("nvidia-smi", "echo GPU 0: some GPU")
    shutil.copytree(with_pip, empty_checkout.folder / ".venv", symlinks=True)
    (tmp_path / "tmp").mkdir()
    return empty_checkout


def settings(tmp_path: Path, url: str) -> dict[str, str]:
    """pip's, so that nothing of this machine's configuration has a say."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": url,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
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
        r"^seed-init: installed packages of 2 MB; \.venv has \d+ MB$", done.stderr, re.M
    )
    assert installing.run("tools/venv.sh", "local").stderr == ""


@pytest.mark.slow
def test_on_a_terminal_there_is_one_line_that_changes(
    installing: Checkout, wheel: Path, tmp_path: Path
) -> None:
    main, terminal = pty.openpty()
    with index(wheel, 0.2) as url:
        process = subprocess.Popen(
            ["tools/venv.sh", "local"],
            cwd=installing.folder,
            env=installing.environment(**settings(tmp_path, url)),
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
    assert re.search(
        rb"\r\x1b\[Kseed-init:   slow \(2\.0 MB\) is coming; 2 MB with it, \d+ s", heard
    )
    # What stays on the screen are whole lines.
    for line in heard.split(b"\r\n"):
        assert re.fullmatch(rb"|seed-init: [^ ].*", line.rpartition(b"\x1b[K")[2]), line


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
    assert lines == ["seed-init: interrupted; run it again to go on"]
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
