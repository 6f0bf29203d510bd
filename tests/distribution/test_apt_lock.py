"""image/apt/apt.lock, and how the build installs from it."""

import hashlib
import importlib.util
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from tools import apt_lock

APT = REPOSITORY / "image/apt"
LOCK = json.loads((APT / "apt.lock").read_text())
SECTIONS = sorted(LOCK)


def load(file: Path):
    """The build's script, which is no part of a package."""
    spec = importlib.util.spec_from_file_location(f"build_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


install = load(APT / "install.py")


# --- the lock -----------------------------------------------------------------------------------


def test_the_lock_has_a_section_for_the_pinned_base_and_for_the_stand_in() -> None:
    assert SECTIONS == ["debian-bookworm-amd64", "ubuntu-jammy-amd64"]


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_has_what_the_stages_ask_for(name: str) -> None:
    have = {(each["stage"], each["name"]) for each in LOCK[name]["packages"]}
    assert set(apt_lock.wanted()) <= have, "run: make lock-apt"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_package_has_a_version_a_hash_and_a_place_in_a_known_archive(name: str) -> None:
    for each in LOCK[name]["packages"]:
        assert re.fullmatch(r"[0-9a-f]{64}", each["sha256"]), each
        assert each["version"] and each["architecture"] in ("amd64", "all"), each
        assert each["path"].startswith("pool/") and each["path"].endswith(".deb"), each
        assert each["archive"] in LOCK[name]["archives"], each


def test_the_text_of_the_lock_is_what_its_tool_writes() -> None:
    assert apt_lock.as_text(LOCK) == (APT / "apt.lock").read_text()


def test_a_distribution_that_is_not_known_is_refused_naming_those_that_are(capsys) -> None:
    assert apt_lock.main(["ubuntu-bionic"]) == 2
    assert capsys.readouterr().err == (
        "apt_lock: ubuntu-bionic is not known; known: ubuntu-jammy, debian-bookworm\n"
    )


# --- fetching -------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server with an empty folder: its address and the folder."""
    folder = tmp_path / "archive"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fetches into a folder; this machine's own apt sources are not asked."""
    if not Path(install.HELPER).exists():
        pytest.skip(f"there is no {install.HELPER}: this is neither Debian nor Ubuntu")
    monkeypatch.setattr(install.Fetcher, "_by_apt", lambda self, package: None)
    folder = tmp_path / "fetched"
    folder.mkdir()
    return install.Fetcher(folder)


CONTENT = b"a package"
SILENT = "http://127.0.0.1:9"  # discard: nobody listens


def package(*places: str):
    found = tuple(f"{place}/tini_1_amd64.deb" for place in places)
    return install.Package("tini", "1", "amd64", found, hashlib.sha256(CONTENT).hexdigest())


def test_a_snapshot_that_does_not_answer_gives_way_to_the_archive(fetcher, archive) -> None:
    url, folder = archive
    (folder / "tini_1_amd64.deb").write_bytes(CONTENT)
    assert fetcher.fetch(package(SILENT, url)).read_bytes() == CONTENT
    assert fetcher.silent == {"127.0.0.1:9"}, "it would be asked again for each package"


def test_a_file_with_another_hash_is_not_taken(fetcher, archive) -> None:
    url, folder = archive
    (folder / "tini_1_amd64.deb").write_bytes(b"another package")
    with pytest.raises(install.Refused, match="has another file by that name"):
        fetcher.fetch(package(url))
    assert not list(fetcher.folder.glob("*.deb"))


def test_a_version_that_no_archive_has_any_more_says_how_to_renew_the_lock(
    fetcher, archive
) -> None:
    with pytest.raises(install.Refused) as refusal:
        fetcher.fetch(package(archive[0]))
    assert str(refusal.value).startswith("no place has tini 1 any more: ")
    assert str(refusal.value).endswith("; make lock-apt renews image/apt/apt.lock")
    assert "\n" not in str(refusal.value)
    assert not fetcher.silent, "a server that lacks one file has others"


# --- which base -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('ID=ubuntu\nVERSION_CODENAME=jammy\nNAME="Ubuntu"\n', "ubuntu-jammy"),
        ('ID="debian"\nVERSION_CODENAME="bookworm"\n', "debian-bookworm"),
        ("ID=arch\n", "arch-unknown"),
    ],
)
def test_the_distribution_is_that_of_os_release(tmp_path: Path, text: str, name: str) -> None:
    file = tmp_path / "os-release"
    file.write_text(text)
    assert install.distribution(file) == name
