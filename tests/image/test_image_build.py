"""The build: what it refuses, and what it leaves in the images."""

import json
import re

import pytest
from containers import Containers, Done, docker, inspect, unique

from harness.repository import REPOSITORY
from harness.versions import pinned

pytestmark = pytest.mark.image

TORCH = pinned()["PINNED_TORCH"]
RUNTIME_MB_MOST = 15
NOTEBOOK_MB_MOST = 700
PINNED = [f"--mount=type=bind,src={REPOSITORY}/image/pinned.py,dst=/tmp/pinned.py,readonly"]


@pytest.fixture(params=["runtime", "notebook", "ssh"])
def image(images, request: pytest.FixtureRequest) -> str:
    return getattr(images, request.param)


# --- refusals -----------------------------------------------------------------------------


def refused(arguments: dict[str, str]) -> str:
    """Build with these arguments, expect it to fail, and return its one message."""
    tag = unique("seed-init-test:refused")
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    words = ("build", "--progress=plain", "--target=runtime", "--tag", tag, *options, REPOSITORY)
    done = docker(*words, status=None, timeout=600)
    docker("image", "rm", tag, status=None)
    assert done.status == 1, done
    return the_message(done)


def the_message(done: Done) -> str:
    """What the build says; BuildKit says it again in its summary of the step that failed."""
    messages = set(re.findall(r"seed-init build: .*", done.stdout + done.stderr))
    assert len(messages) == 1, done
    return messages.pop()


@pytest.mark.parametrize(
    ("argument", "value", "named"),
    [
        ("EXPECT_TORCH", "2.5.1", "torch 2.5.1"),
        ("EXPECT_CUDA", "11.7", "CUDA 11.7"),
        ("EXPECT_CUDNN", "8", "cuDNN 8"),
    ],
)
def test_a_base_with_other_versions_than_expected_is_refused_naming_both(
    images, base, argument: str, value: str, named: str
) -> None:
    message = refused({**base.arguments, argument: value})
    has, expected = message.split("; this build expects ")
    assert has.endswith(f" has torch {TORCH}, CUDA {base.cuda}, cuDNN 9")
    assert named in expected


def test_a_digest_that_is_not_the_bases_is_refused(images, base) -> None:
    digest = f"sha256:{'0' * 64}"
    message = refused({**base.arguments, "BASE_IMAGE": base.image, "BASE_DIGEST": digest})
    assert f"BASE_IMAGE={base.image} does not end in BASE_DIGEST={digest}" in message


def check_pins(container: Containers, image: str, change: str, status: int) -> Done:
    """Doctor the list of pinned packages, as if an installation had moved one, and check."""
    script = (
        "python /tmp/pinned.py list > /tmp/before.json"
        f" && python -c '{change}' && python /tmp/pinned.py check /tmp/before.json"
    )
    return container.run(image, "bash", "-c", script, options=PINNED, status=status)


LOAD = 'import json; f = "/tmp/before.json"; p = json.load(open(f)); '
SAVE = '; json.dump(p, open(f, "w"))'


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ('p["torch"] = "2.5.1"', f"torch 2.5.1 -> {TORCH}"),
        ('p["nvidia-gone"] = "1.0"', "nvidia-gone 1.0 -> absent"),
        ('del p["torch"]', f"torch absent -> {TORCH}"),
    ],
)
def test_a_pinned_package_that_moved_fails_the_build(
    container: Containers, images, change: str, moved: str
) -> None:
    done = check_pins(container, images.runtime, LOAD + change + SAVE, status=1)
    (line,) = (line for line in done.lines if line.startswith("seed-init build: "))
    assert moved in line


def test_pinned_packages_that_stayed_pass(container: Containers, images) -> None:
    assert not check_pins(container, images.runtime, "pass", status=0).stderr


def test_the_notebook_image_has_the_bases_torch_and_numpy(container: Containers, images) -> None:
    before, after = (
        json.loads(container.run(image, "python", "/tmp/pinned.py", "list", options=PINNED).stdout)
        for image in (images.runtime, images.notebook)
    )
    assert {"torch", "numpy"} <= before.keys()
    assert any(name.startswith("nvidia-cudnn-") for name in before)
    assert after == before


def test_without_a_target_the_notebook_image_is_built(images, base) -> None:
    tag = unique("seed-init-test:default")
    options = [f"--build-arg={name}={value}" for name, value in base.arguments.items()]
    try:
        docker("build", "--progress=plain", "--tag", tag, *options, REPOSITORY, timeout=600)
        default, notebook = inspect(tag), inspect(images.notebook)
    finally:
        docker("image", "rm", "--force", tag, status=None)
    assert default["RootFS"] == notebook["RootFS"]
    assert default["Config"] == notebook["Config"]


# --- what is in the images ------------------------------------------------------------------


@pytest.mark.parametrize("image", ["runtime", "notebook"], indirect=True)
def test_the_strict_shell_of_the_build_is_not_passed_on(image: str) -> None:
    assert inspect(image)["Config"]["Shell"] == ["/bin/sh", "-c"]


def test_labels_name_the_base(image: str, base) -> None:
    labels = inspect(image)["Config"]["Labels"]
    assert labels["org.opencontainers.image.base.name"] == base.image
    assert labels["org.opencontainers.image.base.digest"] == base.image.partition("@")[2]


def test_the_environment_has_no_seed_but_a_hash_seed_and_a_locale(image: str) -> None:
    variables = dict(pair.split("=", 1) for pair in inspect(image)["Config"]["Env"])
    assert not {"SEED", "DETERMINISM", "CUBLAS_WORKSPACE_CONFIG"} & variables.keys()
    assert not [name for name in variables if name.startswith("SEED_INIT")]
    assert variables["PYTHONHASHSEED"] == "0"
    assert variables["LANG"] == variables["LC_ALL"] == "C.UTF-8"
    assert variables["PYTORCH_VERSION"] == TORCH  # enroot's hook for PyTorch asks for it


def test_the_user_is_numeric_and_in_group_0(container: Containers, image: str) -> None:
    assert inspect(image)["Config"]["User"] == "1000:0"
    done = container.run(image, "bash", "-c", "id -u; id -g; pwd; touch /workspace/written")
    assert done.stdout.split() == ["1000", "0", "/workspace"]


def test_health_checks_are_for_compose_and_not_for_jobs(image: str) -> None:
    assert inspect(image)["Config"].get("Healthcheck") is None


def test_the_order_of_a_set_is_the_same_in_every_container(container: Containers, images) -> None:
    words = ("python", "-c", "print({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'})")
    orders = {container.run(images.runtime, *words).stdout for _ in range(2)}
    assert len(orders) == 1


def test_the_runtime_image_adds_little_to_the_base(images, base, record_property) -> None:
    sizes = {name: inspect(name)["Size"] for name in (base.image, images.runtime, images.notebook)}
    runtime, notebook = (
        (sizes[name] - sizes[base.image]) / 1e6 for name in (images.runtime, images.notebook)
    )
    print(f"over {base.image}: runtime {runtime:.1f} MB, notebook {notebook:.0f} MB")
    record_property("runtime image over base, MB", round(runtime, 1))
    record_property("notebook image over base, MB", round(notebook))
    # A recursive chmod of /opt/conda would copy gigabytes into a layer.
    assert runtime <= RUNTIME_MB_MOST
    assert notebook <= NOTEBOOK_MB_MOST


def test_no_package_lists_and_no_caches_are_left(container: Containers, image: str) -> None:
    script = "find /var/lib/apt/lists /var/cache/apt /root/.cache /tmp -type f 2>/dev/null | wc -l"
    assert container.run(image, "bash", "-c", script, options=["--user=0"]).stdout == "0\n"
