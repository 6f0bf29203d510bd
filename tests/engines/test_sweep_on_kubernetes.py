"""`seed-init sweep --on kubernetes`: the manifest is valid, and its pods make the runs."""

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.processes import environment_of

from .sweeps import Sweeps, values

KUBERNETES = ("--on", "kubernetes", "--image", "registry.example.com/team:1", "--claim", "results")


@pytest.fixture
def sweeps(python: Path, tmp_path: Path) -> Sweeps:
    return Sweeps(python, tmp_path)


def manifest(sweeps: Sweeps, name: str, *options: str, number: int = 1) -> Any:
    """Start a sweep, which writes a manifest; the manifest."""
    done = sweeps.run(sweeps.words(name, *KUBERNETES, *options))
    assert done.returncode == 0, done.stdout + done.stderr
    file = sweeps.folder(name) / f"kubernetes/job-{number}.json"
    assert f"kubectl apply -f {file}" in done.stderr
    return json.loads(file.read_text())


def test_the_manifest_is_valid_in_each_version_of_kubernetes(
    sweeps: Sweeps, faults: Callable[[Any], str]
) -> None:
    plain = manifest(sweeps, "plain")
    every = manifest(sweeps, "every", "--namespace=team", "--jobs=2", "--gpus-per-run=1")
    assert faults(plain["items"]) == faults(every["items"]) == ""
    [_, job] = every["items"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == 4
    # The check sees what it must see.
    for broken in ("completion", "parallelism"):
        wrong = copy.deepcopy(plain)
        wrong["items"][1]["spec"][broken] = "two"
        assert broken in faults(wrong["items"])


def test_kubectl_reads_every_field_of_the_manifest(sweeps: Sweeps) -> None:
    """kubectl has the types of its version built in, and drops what these do not know."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl")
    content = manifest(sweeps, "read", "--jobs=2", "--gpus-per-run=1")
    file = sweeps.folder("read") / "kubernetes/job-1.json"
    words = ("label", "--local", "-f", str(file), "checked=yes", "-o", "json")
    done = subprocess.run(["kubectl", *words], capture_output=True, text=True, check=True)
    decoder, place, items = json.JSONDecoder(), 0, []
    while done.stdout[place:].strip():
        item, place = decoder.raw_decode(done.stdout, place)
        items.append(item)
        place += len(done.stdout[place:]) - len(done.stdout[place:].lstrip())
    assert [item["kind"] for item in items] == ["ConfigMap", "Job"]
    for written, found in zip(content["items"], items):
        assert _is_part(written, found)


def _is_part(part: Any, whole: Any) -> bool:
    if isinstance(part, dict):
        return all(name in whole and _is_part(part[name], whole[name]) for name in part)
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(_is_part, part, whole))
    return bool(part == whole)


def as_pod(sweeps: Sweeps, content: Any, index: int, place: Path) -> int:
    """Run what a pod of the Job runs, with the volumes below a directory; its exit status."""
    config, job = content["items"]
    [container] = job["spec"]["template"]["spec"]["containers"]
    for volume in container["volumeMounts"][:2]:
        (place / volume["mountPath"][1:]).mkdir(parents=True, exist_ok=True)
    for name, text in config["data"].items():
        (place / container["volumeMounts"][1]["mountPath"][1:] / name).write_text(text)
    mounts = [volume["mountPath"] for volume in container["volumeMounts"][:2]]
    command = [
        f"{place}{word}" if word.startswith(tuple(mounts)) else word
        for word in container["command"]
    ]
    assert command[0] == "seed-init"
    (place / "workspace").mkdir(exist_ok=True)  # the working directory of the image
    done = subprocess.run(
        [str(sweeps.python), "-m", "seed_init", *command[1:]],
        cwd=place / "workspace",
        env=environment_of(sweeps.python, {"JOB_COMPLETION_INDEX": str(index)}),
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    return done.returncode


def test_what_the_pods_run_gives_what_this_machine_gives(sweeps: Sweeps, tmp_path: Path) -> None:
    here = sweeps.well("here")
    content = manifest(sweeps, "there")
    place = tmp_path / "cluster"
    size = content["items"][1]["spec"]["completions"]
    assert [as_pod(sweeps, content, index, place) for index in range(size - 1)] == [0] * (size - 1)
    results = place / "sweeps/there"
    collect = [str(sweeps.python), "-m", "seed_init", "sweep", "collect", str(results)]
    done = sweeps.run(collect)
    assert done.returncode == 1
    assert "has not run" in done.stdout
    assert as_pod(sweeps, content, size - 1, place) == 0
    done = sweeps.run(collect)
    assert done.returncode == 0, done.stdout + done.stderr
    there = json.loads((results / "sweep.json").read_text())
    assert values(there) == values(here)
    assert there["statistics"] == here["statistics"]
    # What came home can be gone on with: nothing is missing, so that there is no other manifest.
    shutil.copytree(results, sweeps.folder("there"), dirs_exist_ok=True)
    sweeps.well("there", *KUBERNETES)
    assert not (sweeps.folder("there") / "kubernetes/job-2.json").exists()


def test_a_cluster_that_is_not_there_is_one_line(sweeps: Sweeps, tmp_path: Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl")
    config = tmp_path / "config"
    config.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
                "contexts": [{"name": "none", "context": {"cluster": "none", "user": ""}}],
                "current-context": "none",
            }
        )
    )
    sweeps.variables = {"KUBECONFIG": str(config)}
    done = sweeps.run(sweeps.words("applied", *KUBERNETES, "--apply"))
    assert done.returncode == 2
    [told] = done.stderr.splitlines()
    file = sweeps.folder("applied") / "kubernetes/job-1.json"
    assert told.startswith(f"seed-init sweep: kubectl has not taken {file}: ")
    assert "127.0.0.1:1" in told
    assert file.exists()
