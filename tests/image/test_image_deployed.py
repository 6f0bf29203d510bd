"""The pods of deploy/kubernetes on the real image, under the rights that they ask for."""

import pytest
from building import Images
from containers import TRAINING_TIMEOUT, Container, Containers

from harness.deployed import FOLDER, Object, all_pods
from harness.waiting import until

pytestmark = pytest.mark.image

PODS = all_pods()
NOTEBOOK = "Deployment seed-init-notebook.spec.template.spec"
JOB = "Job seed-init-job.spec.template.spec"


def options(pod: Object) -> list[str]:
    """Those of docker run that give a container what a pod's specification gives it.

    Every empty volume is a tmpfs that any user may write; the engine's default for seccomp is what
    Kubernetes calls RuntimeDefault.
    """
    [described] = pod["containers"]
    asked, own = pod["securityContext"], described["securityContext"]
    given = [
        f"--user={asked['runAsUser']}:{asked['runAsGroup']}",
        f"--group-add={asked['fsGroup']}",
    ]
    given += [f"--cap-drop={name}" for name in own["capabilities"]["drop"]]
    given += ["--read-only"] * own["readOnlyRootFilesystem"]
    given += ["--security-opt=no-new-privileges"] * (not own["allowPrivilegeEscalation"])
    given += [f"--workdir={described['workingDir']}"]
    for mount in described["volumeMounts"]:
        if mount["name"] == "program":
            given += [f"--volume={FOLDER}/program:{mount['mountPath']}:ro"]
        elif mount["name"] != "shm":
            given += [f"--tmpfs={mount['mountPath']}:mode=777"]
    return [*given, "--shm-size=1g"]


@pytest.mark.parametrize("name", PODS)
def test_every_pod_passes_the_restricted_standard(name: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    pod = PODS[name]
    asked = pod["securityContext"]
    assert asked["runAsNonRoot"] is True
    assert asked["runAsUser"] != 0
    assert asked["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "emptyDir", "persistentVolumeClaim"}
    for described in pod["containers"]:
        assert described["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.usefixtures("all_cores")
def test_a_job_trains_and_its_check_passes(container: Containers, images: Images) -> None:
    pod = PODS[JOB]
    [described] = pod["containers"]
    variables = {each["name"]: each["value"] for each in described["env"]}
    # The engine takes the image's ENTRYPOINT away with the command, as Kubernetes does.
    entrypoint, *words = described["command"]
    again = [
        container.run(
            images.notebook, *words, options=[*options(pod), f"--entrypoint={entrypoint}"],
            timeout=TRAINING_TIMEOUT, **variables,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert "weights sha256: " in again[0]
    assert again[0] == again[1]
    checked = container.run(
        images.notebook, "status", "--check",
        options=[*options(pod), "--entrypoint=seed-init"], **variables,
    )  # fmt: skip
    assert "what seeding by hand with 7 gives" in checked.stdout


def test_the_pods_of_a_sweep_draw_apart(container: Containers, images: Images) -> None:
    pod = PODS["Job seed-init-sweep.spec.template.spec"]
    [described] = pod["containers"]
    variables = {each["name"]: each["value"] for each in described["env"]}
    entrypoint, *words = described["command"]
    drawn = {
        container.run(
            images.notebook, *words, options=[*options(pod), f"--entrypoint={entrypoint}"],
            timeout=TRAINING_TIMEOUT, **variables, JOB_COMPLETION_INDEX=index,
        ).stdout
        for index in "01"
    }  # fmt: skip
    assert len(drawn) == 2


def test_the_notebook_answers(container: Containers, images: Images) -> None:
    pod = PODS[NOTEBOOK]
    server: Container = container.start(images.notebook, options=options(pod), SEED="0")
    [probe] = {
        tuple(pod["containers"][0][f"{kind}Probe"]["exec"]["command"])
        for kind in ("startup", "liveness", "readiness")
    }
    until("the probe", lambda: server.exec(*probe, status=None).status == 0)
    facts = server.exec("sh", "-c", "id -u; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/1/status")
    assert facts.stdout.split() == [
        *("1000", "CapEff:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2")
    ]
    assert server.exec("touch", "/usr/mine", status=None).status != 0
