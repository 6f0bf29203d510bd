"""Releases, with a real registry on loopback: `make push`, `sign`, `attest`, and who pulls what.

The images are a few bytes, because pushing gigabytes shows nothing more.
"""

import io
import json
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from containers import Project, command, docker, unique
from registry import Registry, running

from harness.repository import REPOSITORY

pytestmark = pytest.mark.image

SUFFIXES = ("", "-notebook", "-ssh")
TAG = "2.6.0-cuda11.8-cudnn9"
DATED = {"DATE": "20261201"}
UNSEEN = {"COSIGN_PASSWORD": "", "COSIGN_OPTIONS": "--tlog-upload=false"}
"""No public log may hear of an image of the tests."""


@pytest.fixture(scope="module")
def registry(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running(tmp_path_factory.mktemp("registry")) as found:
        yield found


@pytest.fixture
def name(project: Project) -> Iterator[str]:
    """A name under which the project has three images, each other bytes."""
    name = unique("seed-init-release")
    versions = project.folder / "versions.env"
    line = re.search(r"^IMAGE_TAG=.*$", versions.read_text(), re.M)[0]
    versions.write_text(versions.read_text().replace(line, f"IMAGE_TAG={name}:{TAG}"))
    for suffix in SUFFIXES:
        make_image(project.folder / "tiny.tar", f"{name}:{TAG}{suffix}", suffix)
    (project.folder / "tiny.tar").unlink()
    yield name
    remove_images(name)


def make_image(archive: Path, tag: str, content: str) -> None:
    with tarfile.open(archive, "w") as file:
        entry = tarfile.TarInfo("content")
        entry.size = len(content)
        file.addfile(entry, io.BytesIO(content.encode()))
    docker("import", "--change=CMD /content", "--change=LABEL published=yes", archive, tag)


def remove_images(name: str) -> None:
    found = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    mine = [each for each in found if name in each]
    if mine:
        docker("image", "rm", "--force", *mine, status=None)


def tags(registry: Registry, name: str) -> set[str]:
    done = command(
        "curl", "--silent", "--noproxy", "*", f"http://{registry.host}/v2/{name}/tags/list"
    )
    return set(json.loads(done.stdout)["tags"])


def test_push_gives_each_image_its_tag_and_a_dated_one(
    project: Project, name: str, registry: Registry
) -> None:
    done = project.command("make", "push", REGISTRY=registry.host, **DATED)
    wanted = {f"{TAG}{suffix}{date}" for suffix in SUFFIXES for date in ("", "-20261201")}
    assert tags(registry, name) == wanted  # and no `latest`
    listed = (project.folder / "dist/images.txt").read_text().split()
    assert done.stdout.split() == listed
    assert len(set(listed)) == 3
    for image in listed:
        assert re.fullmatch(rf"{registry.host}/{name}@sha256:[0-9a-f]{{64}}", image)
        docker("pull", image)


def test_without_git_a_push_asks_for_the_date(project: Project, name: str) -> None:
    done = project.command("tools/release.sh", "push", status=1, REGISTRY="127.0.0.1:9")
    assert done.lines == [
        "seed-init: there is no git history that has the date of the source; give it: DATE=20261201"
    ]


def test_a_push_without_an_image_says_what_to_run(project: Project, name: str) -> None:
    remove_images(f"{name}:{TAG}-ssh")
    done = project.command("tools/release.sh", "push", status=1, REGISTRY="127.0.0.1:9", **DATED)
    assert done.lines == [f"seed-init: there is no image {name}:{TAG}-ssh; run make image"]


def test_what_is_signed_is_verified_and_another_key_is_not(
    project: Project, name: str, registry: Registry
) -> None:
    if shutil.which("cosign") is None:
        pytest.skip("no cosign (Debian has it from trixie on)")
    for key in ("ours", "theirs"):
        words = ("cosign", "generate-key-pair", f"--output-key-prefix={key}")
        project.command(*words, COSIGN_PASSWORD="")
    at = {"REGISTRY": registry.host, **DATED}
    project.command("make", "push", **at)
    sbom = project.folder / "sbom.json"
    sbom.write_text('{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}')
    ours = {**at, **UNSEEN, "COSIGN_KEY": "ours.key"}
    unseen = {**at, "COSIGN_OPTIONS": "--insecure-ignore-tlog"}
    unsigned = project.command(
        "make", "verify-release", status=2, **unseen, COSIGN_PUBLIC_KEY="ours.pub"
    )
    assert "no signatures found" in unsigned.stderr
    project.command("make", "sign", **ours)
    project.command("make", "attest", **ours, SBOM="sbom.json")
    project.command("make", "verify-release", **unseen, COSIGN_PUBLIC_KEY="ours.pub")
    project.command("make", "verify-release", status=2, **unseen, COSIGN_PUBLIC_KEY="theirs.pub")
    image = (project.folder / "dist/images.txt").read_text().split()[0]
    words = ("--key=ours.pub", "--type=cyclonedx", "--insecure-ignore-tlog", image)
    told = json.loads(project.command("cosign", "verify-attestation", *words).stdout)
    assert told["payloadType"] == "application/vnd.in-toto+json"


def test_the_step_after_a_push_is_given_the_name_and_the_digests(
    project: Project, name: str, registry: Registry
) -> None:
    project.command("make", "push", REGISTRY=registry.host, **DATED)
    done = project.command("tools/release.sh", "outputs", REGISTRY=registry.host)
    outputs = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert outputs["name"] == f"{registry.host}/{name}"
    listed = (project.folder / "dist/images.txt").read_text().split()
    wanted = [f"{outputs['name']}@{outputs[each]}" for each in ("runtime", "notebook", "ssh")]
    assert listed == wanted


# --- the workflows ----------------------------------------------------------------------------

WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))


def steps() -> list[dict]:
    return [
        step
        for file in WORKFLOWS
        for job in yaml.safe_load(file.read_text())["jobs"].values()
        for step in job["steps"]
    ]


def test_a_step_is_a_target_of_make_or_one_script() -> None:
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.M)
    lines = [step["run"] for step in steps() if "run" in step]
    assert len(lines) > 10
    for line in lines:
        assert "\n" not in line
        first, *words = line.split()
        if first == "make":
            assert words[0] in targets, line
        else:
            assert (REPOSITORY / first).exists(), line
        assert not re.search(r"&&|\|\||;", line), line


def test_every_action_is_pinned_by_a_commit() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action


def test_the_bot_finds_the_digest_of_the_base_wherever_it_stands() -> None:
    bot = json.loads((REPOSITORY / ".github/renovate.json").read_text())
    [manager] = bot["customManagers"]
    [pattern] = manager["matchStrings"]
    found = {}
    for file in manager["managerFilePatterns"]:
        path = file.strip("/").strip("^$").replace("\\", "")
        text = (REPOSITORY / path).read_text()
        found[path] = re.findall(pattern.replace("(?<", "(?P<"), text)
    assert set(found) == {"Dockerfile", "versions.env"}
    [digest] = {digest for digests in found.values() for digest in digests}
    assert all(len(digests) == 1 for digests in found.values()), digest


# --- who pulls --------------------------------------------------------------------------------


@pytest.fixture
def published(registry: Registry, tmp_path: Path) -> Iterator[str]:
    """An image that the registry has and this machine does not."""
    name = f"{registry.host}/{unique('seed-init-published')}:{TAG}-notebook"
    make_image(tmp_path / "tiny.tar", name, "published")
    docker("push", name)
    docker("image", "rm", name)
    yield name
    remove_images(name)


def test_compose_pulls_an_image_that_the_registry_has(project: Project, published: str) -> None:
    project.compose("create", "notebook", SEED_INIT_IMAGE=published, SEED_INIT_PULL="missing")
    labels = docker("image", "inspect", "-f", "{{json .Config.Labels}}", published).stdout
    assert json.loads(labels) == {"published": "yes"}  # and not built


def test_compose_builds_an_image_that_the_registry_does_not_have(
    project: Project, registry: Registry
) -> None:
    short = unique("seed-init-unpublished")
    name = f"{registry.host}/{short}:{TAG}-notebook"
    try:
        project.compose(
            "create", "notebook", SEED_INIT_IMAGE=name, SEED_INIT_PULL="missing", timeout=600
        )
        labels = docker("image", "inspect", "-f", "{{json .Config.Labels}}", name).stdout
        assert json.loads(labels)["org.opencontainers.image.title"] == "seed-init"
        assert registry.asked_for(short)
    finally:
        project.compose("down", SEED_INIT_IMAGE=name)
        remove_images(name)


def test_without_being_told_compose_asks_no_registry(project: Project, registry: Registry) -> None:
    short = unique("seed-init-unasked")
    name = f"{registry.host}/{short}:{TAG}-notebook"
    try:
        project.compose("create", "notebook", SEED_INIT_IMAGE=name, timeout=600)
        assert not registry.asked_for(short)
    finally:
        project.compose("down", SEED_INIT_IMAGE=name)
        remove_images(name)


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("registry.example.com/team/x:1", "missing"),
        ("127.0.0.1:5000/x:1", "missing"),
        ("localhost/x:1", "missing"),
        ("seed-init:mine", ""),
        ("team/seed-init:mine", ""),
    ],
)
def test_make_has_only_a_registry_asked_that_the_name_has(image: str, policy: str) -> None:
    script = (REPOSITORY / "tools/run.sh").read_text()
    function = re.search(r"^names_registry\(\).*$", script, re.M)[0]
    [line] = re.findall(r"^ *(! names_registry .*)$", script, re.M)
    code = f'{function}\nimage=$1\n{line}\necho "${{SEED_INIT_PULL:-}}"'
    assert command("bash", "-c", code, "bash", image).stdout.strip() == policy
