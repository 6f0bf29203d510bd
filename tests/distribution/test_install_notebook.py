"""`image/install_notebook.py` on a Python whose packages are in a bad state, with a real pip.

tests/image/test_image_unkind.py builds the whole image on such a base.
"""

import functools
import hashlib
import http.server
import json
import subprocess
import threading
import venv
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.repository import REPOSITORY

SCRIPT = REPOSITORY / "image/install_notebook.py"
DIVERTING = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_TARGET": "/nowhere",
    "PIP_USER": "1",
    "PIP_NO_BINARY": ":all:",
}
"""What the base's environment may ask of pip."""


WHEEL = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class Index:
    """A package index of the test's own.

    Attributes:
        url: of the index.
        locked: name -> its line in a lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = ""
        self.locked: dict[str, str] = {}

    def add(self, name: str, version: str, needs: Sequence[str] = ()) -> None:
        """Offer a wheel with one module, whose content is the version."""
        file = self._folder / name / f"{name}-{version}-py3-none-any.whl"
        file.parent.mkdir()
        info = f"{name}-{version}.dist-info"
        entries = {
            f"{name}.py": f"version = {version!r}\n",
            f"{info}/METADATA": metadata(name, version, needs),
            f"{info}/WHEEL": WHEEL,
        }
        entries[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in [*entries, f"{info}/RECORD"])
        with zipfile.ZipFile(file, "w") as archive:
            for each, text in entries.items():
                archive.writestr(each, text)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.locked[name] = f"{name}=={version} \\\n    --hash=sha256:{digest}\n"


def metadata(name: str, version: str, needs: Sequence[str] = ()) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    return "\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs), "", ""])


@dataclass(frozen=True)
class Base:
    """A Python with packages, and the environment of a server beside it."""

    folder: Path

    @property
    def packages(self) -> Path:
        return next(self.folder.glob("base/lib/python3*/site-packages"))

    @property
    def server_packages(self) -> Path:
        return next(self.folder.glob("server/lib/python3*/site-packages"))

    def has(self, name: str, version: str, needs: Sequence[str] = (), record: bool = True) -> None:
        """Put a package there as conda does."""
        (self.packages / f"{name}.py").write_text(f"version = {version!r}\n")
        info = self.packages / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(metadata(name, version, needs))
        (info / "INSTALLER").write_text("conda\n")
        if record:
            files = (f"{name}.py", *(f"{info.name}/{file}" for file in ("METADATA", "RECORD")))
            (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))

    def install(self, index: Index, *names: str) -> "subprocess.CompletedProcess[str]":
        """Run the script; the server gets the first of the packages."""
        locks = [self.folder / name for name in ("server.txt", "libraries.txt")]
        locks[0].write_text(index.locked[names[0]])
        locks[1].write_text("".join(index.locked[name] for name in names))
        (self.folder / "image.json").write_text("{}")
        words = [self.folder / "base/bin/python3", "-I", SCRIPT, self.folder / "server", *locks]
        return subprocess.run(
            [*words, self.folder / "image.json"],
            env={"PATH": "/usr/bin:/bin", **DIVERTING, "INDEX_URL": index.url},
            capture_output=True,
            text=True,
        )

    @property
    def facts(self) -> dict[str, dict]:
        return json.loads((self.folder / "image.json").read_text())["notebook"]

    def versions(self) -> dict[str, list[str]]:
        """Name -> the versions that the metadata of the base tells."""
        code = (
            "import json, collections; from importlib.metadata import distributions; "
            "found = collections.defaultdict(list); "
            "[found[d.metadata['Name']].append(d.version) for d in distributions() if d.metadata]; "
            "print(json.dumps(found))"
        )
        words = [self.folder / "base/bin/python3", "-I", "-c", code]
        told = subprocess.run(words, capture_output=True, text=True, check=True)
        return json.loads(told.stdout)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    folder = tmp_path / "index"
    folder.mkdir()
    found = Index(folder)
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def base(tmp_path: Path) -> Base:
    made = Base(tmp_path)
    for name, with_pip in (("base", True), ("server", False)):
        venv.create(tmp_path / name, with_pip=with_pip, symlinks=True)
    return made


def test_what_satisfies_stays_and_what_is_too_old_is_replaced_whatever_its_state(
    index: Index, base: Base
) -> None:
    needed = ("kept", "old", "bare", "twice", "tidy")
    index.add("alpha", "1.0", ["kept>=1", *(f"{name}>=2" for name in needed[1:])])
    for name in needed:
        index.add(name, "2.0")
    base.has("kept", "1.0")
    base.has("tidy", "1.0")
    base.has("bare", "1.0", record=False)
    base.has("twice", "1.0")
    base.has("twice", "1.5")
    # distutils leaves one file.
    (base.packages / "old.py").write_text("version = '1.0'\n")
    (base.packages / "old-1.0.egg-info").write_text(metadata("old", "1.0"))
    # What is left where pip and conda have both removed a package.
    (base.packages / "left-1.0.dist-info").mkdir()
    done = base.install(index, "alpha", *needed)
    assert done.returncode == 0, done.stdout + done.stderr
    versions = base.versions()
    assert {name: versions[name] for name in ("alpha", *needed)} == {
        "alpha": ["1.0"], "kept": ["1.0"], **{name: ["2.0"] for name in needed[1:]}
    }  # fmt: skip
    for name in needed[1:]:
        assert (base.packages / f"{name}.py").read_text() == "version = '2.0'\n"
    assert base.facts["added"] == {"alpha": "1.0"}
    assert base.facts["replaced"].keys() == set(needed[1:])
    reason = "alpha 1.0 needs old>=2, the base has 1.0"
    assert base.facts["replaced"]["old"] == {"version": "2.0", "reason": reason}
    assert f"seed-init build: replacing old by 2.0: {reason}\n" in done.stdout
    # The server has the package as well, and one file stands for both.
    files = (base.packages / "alpha.py", base.server_packages / "alpha.py")
    assert files[0].samefile(files[1])
    assert not (base.server_packages / "old.py").exists()


def test_what_the_lock_cannot_give_ends_the_build_in_one_line(index: Index, base: Base) -> None:
    index.add("alpha", "1.0", ["numpy>=3"])
    base.has("numpy", "2.2.2")
    done = base.install(index, "alpha")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "seed-init build: alpha 1.0 needs numpy>=3, the base has 2.2.2; the lock cannot give it"
    )
    assert "Traceback" not in done.stderr
    assert base.versions()["numpy"] == ["2.2.2"]


def test_a_package_of_another_hash_is_not_installed(index: Index, base: Base) -> None:
    index.add("alpha", "1.0")
    index.locked["alpha"] = index.locked["alpha"][:-3] + "00\n"
    done = base.install(index, "alpha")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "alpha" not in base.versions()
