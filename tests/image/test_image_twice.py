"""The same source gives the same image: what tells one build from the next is not in it."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from building import Base
from containers import Containers, Done, command

from harness.repository import REPOSITORY

pytestmark = pytest.mark.image

TOOL = REPOSITORY / "tools/image_twice.py"
SAME, DIFFER, UNPROVEN = 0, 1, 3
TIMEOUT = 900  # seconds for two builds and, on an older engine, for saving the base twice
STAGES = ("runtime", "ssh")


@pytest.fixture(params=["runtime", "notebook", "ssh"])
def image(images, request: pytest.FixtureRequest) -> str:
    return getattr(images, request.param)


# --- two builds -----------------------------------------------------------------------------


def twice(target: str, *options: str, tool: Path = TOOL) -> Done:
    return command("python3", tool, target, "--", *options, status=None, timeout=TIMEOUT)


@pytest.fixture
def doctored(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a small Dockerfile with one more step, beside the tool that builds it; the tool."""

    def make(step: str) -> Path:
        (tmp_path / "tools").mkdir()
        (tmp_path / "Dockerfile").write_text(
            f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}} AS builder\nRUN mkdir -p /out/etc\n{step}\n"
            "FROM scratch AS small\nCOPY --from=builder /out/ /\n"
        )
        tool = tmp_path / "tools" / TOOL.name
        tool.write_bytes(TOOL.read_bytes())
        return tool

    return make


def test_a_step_that_writes_the_time_is_found_and_its_file_is_named(
    base: Base, doctored: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    tool = doctored("RUN date +%s%N > /out/etc/built && echo same > /out/etc/same")
    done = twice("small", f"--build-arg=BASE_IMAGE={base.image}", tool=tool)
    assert done.status == DIFFER, done
    assert "small: differs: COPY" in done.stdout
    assert "  /etc/built: content, line 1: " in done.stdout
    assert "/etc/same" not in done.stdout


def test_a_step_that_writes_the_same_differs_in_no_content(
    base: Base, doctored: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    tool = doctored("RUN echo same > /out/etc/same")
    done = twice("small", f"--build-arg=BASE_IMAGE={base.image}", tool=tool)
    assert done.status in (SAME, UNPROVEN), done
    assert "small: the same: " in done.stdout or "small: unproven: " in done.stdout


def test_a_build_that_fails_is_no_verdict(
    base: Base, doctored: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    done = twice("small", f"--build-arg=BASE_IMAGE={base.image}", tool=doctored("RUN false"))
    assert done.status == 2, done
    assert done.lines[-1] == "image-twice: the build of small failed; its output is above"


@pytest.mark.slow
def test_two_builds_of_the_runtime_image_are_the_same(base: Base) -> None:
    done = twice(
        "runtime", *(f"--build-arg={name}={value}" for name, value in base.arguments.items())
    )
    # An engine that cannot set times leaves the digests unproven, and everything else compared.
    assert done.status in (SAME, UNPROVEN), done


# --- what is not in the images ----------------------------------------------------------------


def in_image(containers: Containers, image: str, script: str) -> list[str]:
    """The lines that a script prints, run as root."""
    options = ["--user=0", "--entrypoint="]
    return containers.run(image, "bash", "-c", script, options=options).stdout.splitlines()


LEFT_BY_A_BUILD = (
    "/var/log /tmp /var/tmp /var/lib/apt/lists /var/cache/apt",
    "/var/cache/ldconfig/aux-cache /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow-",
)


def test_no_log_cache_or_backup_is_left(container: Containers, image: str) -> None:
    places = " ".join(LEFT_BY_A_BUILD)
    script = (
        f"find {places} /etc/subuid- /etc/subgid- -type f 2> /dev/null; "
        "ls /var/cache/debconf/*-old /var/lib/dpkg/*-old /etc/ssh/ssh_host_* 2> /dev/null; "
        "find /etc/machine-id /var/lib/dbus/machine-id -size +0 2> /dev/null; true"
    )
    assert in_image(container, image, script) == []


def test_no_password_is_newer_than_the_commit(container: Containers, image: str) -> None:
    epoch = command("python3", TOOL, "--epoch").stdout.strip()
    day = int(epoch) // 86400
    rows = [line.split(":") for line in in_image(container, image, "cat /etc/shadow")]
    own = [row for row in rows if row[0] in ("jovyan", "sshd")]
    assert own, rows
    assert {row[0]: int(row[2]) for row in own if int(row[2]) > day} == {}


@pytest.mark.parametrize(
    ("python", "packages"),
    [("python", ("pandas", "sklearn")), ("/opt/jupyter/bin/python", ("jupyter_server",))],
)
def test_nothing_of_the_build_is_compiled_with_a_time(
    container: Containers, images, python: str, packages: tuple[str, ...]
) -> None:
    """PEP 552: the four bytes behind the magic number are 0 in a file that holds a time."""
    program = (
        "import pathlib, sysconfig\n"
        "place = pathlib.Path(sysconfig.get_path('purelib'))\n"
        f"files = [f for name in {packages!r} for f in (place / name).rglob('*.pyc')]\n"
        "print(len(files), sum(f.read_bytes()[4:8] == bytes(4) for f in files))\n"
    )
    script = f"SEED_INIT=0 {python} -c {shlex.quote(program)}"
    ((seen, found),) = [line.split() for line in in_image(container, images.notebook, script)]
    assert int(seen) > 50, "no compiled file was looked at"
    assert int(found) == 0


# --- the packages ------------------------------------------------------------------------------


def test_the_apt_packages_are_those_of_the_lock(container: Containers, images) -> None:
    script = (
        "cat /usr/local/share/seed_init/apt.json; echo; dpkg-query -W -f='${Package} ${Version}\\n'"
    )
    printed = "\n".join(in_image(container, images.ssh, script))
    brought, end = json.JSONDecoder().raw_decode(printed)
    installed = dict(line.split() for line in printed[end:].split("\n") if line.strip())
    assert set(brought) == set(STAGES)
    lock = json.loads((REPOSITORY / "image/apt/apt.lock").read_text())
    for stage in STAGES:
        assert brought[stage]["pinned"], "this base has no section in apt.lock"
        section = lock[brought[stage]["distribution"]]["packages"]
        versions = {each["name"]: each["version"] for each in section if each["stage"] == stage}
        assert brought[stage]["packages"]
        assert brought[stage]["packages"].items() <= versions.items()
        assert brought[stage]["packages"].items() <= installed.items()
