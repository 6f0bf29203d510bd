"""`seed-init status` and `seed-init doctor` as a user of the image sees them."""

import json
import re
from pathlib import Path

import pytest
from containers import Containers

from harness.versions import pinned

pytestmark = pytest.mark.image

ROOM = ["--shm-size=2g"]
VERSIONS = ("torch", "cuda", "cudnn")
TORCH = pinned()["PINNED_TORCH"]


def findings(container: Containers, image: str, *words: str, status: int, options=()) -> dict:
    """What doctor found, check by check; it has to agree with its exit status."""
    command = ("seed-init", "doctor", "--json", *words)
    done = container.run(image, *command, options=options, status=status)
    answer = json.loads(done.stdout)
    assert answer["ok"] == (status == 0)
    return {finding["check"]: finding for finding in answer["findings"]}


def test_status_shows_every_setting_and_its_origin(container: Containers, images) -> None:
    done = container.run(images.runtime, "seed-init", "status", SEED="7")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["SEED", "7", "environment"] in rows
    assert ["DETERMINISM", "warn", "built-in"] in rows
    assert ["CUDNN_DETERMINISTIC", "1", "DETERMINISM=warn"] in rows
    assert not done.stderr


def test_status_json_has_the_same(container: Containers, images) -> None:
    done = container.run(images.runtime, "seed-init", "status", "--json")
    state = json.loads(done.stdout)
    assert (state["hook"], state["seed"], state["not_covered"]) == ("active", 42, [])
    settings = {row["name"]: (row["value"], row["origin"]) for row in state["settings"]}
    assert settings["SEED"] == ("42", "/etc/seed_init/defaults:3")
    assert not done.stderr


def test_status_says_what_is_not_covered(container: Containers, images) -> None:
    done = container.run(images.runtime, "seed-init", "status", PYTHONHASHSEED="")
    assert "PYTHONHASHSEED is not in effect" in done.stdout


def test_status_is_for_the_python_that_comes_first_on_path(container: Containers, images) -> None:
    script = (
        "python -m venv --without-pip /tmp/venv && . /tmp/venv/bin/activate && seed-init status"
    )
    done = container.run(images.runtime, "bash", "-c", script, SEED="7")
    assert done.stdout.startswith("seed-init 0.1.0 in /tmp/venv/bin/python: active\n")


def test_a_folder_named_seed_init_in_the_working_directory_is_not_ours(
    container: Containers, images
) -> None:
    script = "mkdir /tmp/w /tmp/w/seed_init && cd /tmp/w && seed-init --version"
    done = container.run(images.runtime, "bash", "-c", script)
    assert done.stdout == "seed-init 0.1.0\n"


def test_doctor_finds_the_versions_of_the_tag(container: Containers, images, base) -> None:
    found = findings(container, images.runtime, "--cpu", status=0, options=ROOM)
    have = {name: (found[name]["result"], found[name]["detail"]) for name in VERSIONS}
    assert have == {"torch": ("ok", TORCH), "cuda": ("ok", base.cuda), "cudnn": ("ok", "9")}
    assert (found["hook"]["result"], found["entrypoint"]["result"]) == ("ok", "ok")


def test_doctor_names_the_first_cause_why_there_is_no_gpu(container: Containers, images) -> None:
    # --gpus is not given: whatever this machine has, the container has no device.
    gpu = findings(container, images.runtime, status=1, options=ROOM)["gpu"]
    assert gpu["result"] == "FAIL"
    assert any(
        cause in gpu["detail"]
        for cause in ("no NVIDIA GPU", "no driver is loaded", "without the NVIDIA runtime")
    )


def test_doctor_with_cpu_takes_that_as_a_note(container: Containers, images) -> None:
    gpu = findings(container, images.runtime, "--cpu", status=0, options=ROOM)["gpu"]
    assert gpu["result"] == "note"


@pytest.mark.parametrize(
    ("options", "status", "result"),
    [
        pytest.param([], 1, "FAIL", id="docker's default"),
        pytest.param(["--shm-size=1023m"], 1, "FAIL", id="just too little"),
        pytest.param(["--shm-size=1g"], 0, "ok", id="just enough"),
    ],
)
def test_doctor_wants_1_gib_of_shared_memory(
    container: Containers, images, options: list[str], status: int, result: str
) -> None:
    shm = findings(container, images.runtime, "--cpu", status=status, options=options)["shm"]
    assert shm["result"] == result


def test_doctor_sees_that_the_entrypoint_was_bypassed(container: Containers, images) -> None:
    running = container.start(images.runtime, "sleep", "infinity", options=ROOM)
    done = running.exec("seed-init", "doctor", "--cpu")
    (line,) = (line for line in done.stdout.splitlines() if " entrypoint " in line)
    assert line.startswith("note  entrypoint  bypassed ")


def test_doctor_fails_where_something_moved_a_version(
    container: Containers, images, tmp_path
) -> None:
    facts = tmp_path / "image.json"
    facts.write_text(json.dumps({"torch": "2.5.1", "cuda": "11.8", "cudnn": "8"}))
    target = "/usr/local/share/seed_init/image.json"
    mount = f"--mount=type=bind,src={facts},dst={target},readonly"
    options = [*ROOM, mount]
    torch = findings(container, images.runtime, "--cpu", status=1, options=options)["torch"]
    assert torch["result"] == "FAIL"
    assert torch["detail"].startswith(f"{TORCH}, but the image was built with 2.5.1")


def test_doctor_says_that_the_images_own_facts_cannot_be_read(
    container: Containers, images, tmp_path: Path
) -> None:
    facts = tmp_path / "image.json"
    facts.write_text("{")
    mount = f"--mount=type=bind,src={facts},dst=/usr/local/share/seed_init/image.json,readonly"
    done = container.run(images.runtime, "seed-init", "doctor", "--cpu", options=[mount], status=1)
    assert "cannot read /usr/local/share/seed_init/image.json" in done.stdout
    assert not done.stderr


def test_status_in_a_venv_names_the_hook_that_runs(container: Containers, images) -> None:
    script = (
        "python -m venv --without-pip /tmp/venv && . /tmp/venv/bin/activate && seed-init status"
    )
    shown = container.run(images.runtime, "bash", "-c", script).stdout
    assert re.search(r"^hook installed: /\S+/_seed_init_startup.py$", shown, re.M), shown


def test_a_wrong_word_is_refused_in_one_line(container: Containers, images) -> None:
    done = container.run(images.runtime, "seed-init", "docter", status=2)
    assert len(done.lines) == 1
    assert not done.stdout
