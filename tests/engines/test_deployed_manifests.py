"""deploy/kubernetes: kustomize builds each folder, and what comes out is valid."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.deployed import FOLDER, all_pods, folders, objects, pods

OF_OPERATORS = {
    "PyTorchJob": {
        "spec": {"elasticPolicy", "nprocPerNode", "pytorchReplicaSpecs", "runPolicy"},
        "spec.runPolicy": {
            *("activeDeadlineSeconds", "backoffLimit", "cleanPodPolicy", "managedBy"),
            *("schedulingPolicy", "suspend", "ttlSecondsAfterFinished"),
        },
        "spec.pytorchReplicaSpecs.Master": {"replicas", "restartPolicy", "template"},
        "spec.pytorchReplicaSpecs.Worker": {"replicas", "restartPolicy", "template"},
    },
    "RayJob": {
        "spec": {
            *("activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy"),
            *("entrypoint", "entrypointNumCpus", "entrypointNumGpus", "entrypointResources"),
            *("jobId", "managedBy", "metadata", "preRunningDeadlineSeconds", "rayClusterSpec"),
            *("runtimeEnvYAML", "shutdownAfterJobFinishes", "submissionMode"),
            *("submitterConfig", "submitterPodTemplate", "suspend", "ttlSecondsAfterFinished"),
        },
        "spec.rayClusterSpec": {
            *("authOptions", "autoscalerOptions", "enableInTreeAutoscaling"),
            *("gcsFaultToleranceOptions", "headGroupSpec", "headServiceAnnotations", "managedBy"),
            *("networkPolicy", "rayVersion", "suspend", "upgradeStrategy", "workerGroupSpecs"),
        },
        "spec.rayClusterSpec.headGroupSpec": {
            *("enableIngress", "headService", "labels", "rayStartParams", "resources"),
            *("serviceType", "template"),
        },
        "spec.rayClusterSpec.workerGroupSpecs.0": {
            *("groupName", "idleTimeoutSeconds", "labels", "maxReplicas", "minReplicas"),
            *("numOfHosts", "rayStartParams", "replicas", "resources", "scaleStrategy"),
            *("suspend", "template"),
        },
    },
}
"""The fields that the published types know: of the training operator 1.9, and of KubeRay 1.4 on.
What is below `template` is Kubernetes' own type."""


def of_kubernetes(content: dict[str, Any]) -> bool:
    return content["kind"] not in OF_OPERATORS


def test_every_object_of_kubernetes_is_valid_in_each_version(
    faults: Callable[[Any], str],
) -> None:
    content = [each for each in objects().values() if of_kubernetes(each)]
    assert {each["kind"] for each in content} == {
        *("Deployment", "Job", "PersistentVolumeClaim", "Service")
    }
    assert faults(content) == ""
    content[0]["spec"]["misspelt"] = "yes"
    assert "misspelt" in faults(content)


def test_every_pod_is_valid_in_each_version(faults: Callable[[Any], str]) -> None:
    """Those in the objects of operators as well, whose pods are of Kubernetes' own type."""
    content = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod}
        for pod in all_pods().values()
    ]
    assert len(content) == 7
    assert faults(content) == ""


@pytest.mark.parametrize("kind", OF_OPERATORS)
def test_an_operator_knows_every_field(kind: str) -> None:
    [content] = [each for each in objects().values() if each["kind"] == kind]
    for path, known in OF_OPERATORS[kind].items():
        value: Any = content
        for part in path.split("."):
            value = value[int(part) if part.isdecimal() else part]
        assert set(value) <= known, path


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_kustomize_builds_each_folder(folder: Path) -> None:
    """What it builds is what the files say, with the image of an overlay everywhere."""
    built = kustomize(folder)
    written = objects()
    for each in built:
        if each["kind"] != "ConfigMap":
            assert each == written[f"{each['kind']} {each['metadata']['name']}"]
    asked = {
        volume["configMap"]["name"]
        for each in built
        for pod in _pods_of(each)
        for volume in pod["volumes"]
        if "configMap" in volume
    }
    assert asked <= {each["metadata"]["name"] for each in built if each["kind"] == "ConfigMap"}


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_an_overlay_gives_each_container_its_image(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kubernetes")
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    image = {"name": "seed-init", "newName": "registry.example.com/seed-init", "newTag": "mine"}
    content = {"resources": [f"../kubernetes/{folder.name}"], "images": [image]}
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(content))
    images = {
        container["image"]
        for each in kustomize(overlay)
        for pod in _pods_of(each)
        for container in pod["containers"]
    }
    assert images == (
        {"registry.example.com/seed-init:mine"} if folder.name != "program" else set()
    )


def kustomize(folder: Path) -> list[dict[str, Any]]:
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl")
    words = ("kubectl", "kustomize", str(folder))
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def _pods_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [pod for _, pod in pods(content)]
