"""The manifests of deploy/kubernetes, as the tests read them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from harness.repository import REPOSITORY

FOLDER = REPOSITORY / "deploy/kubernetes"
Object = dict[str, Any]


def objects() -> dict[str, Object]:
    """Every object that is written in a file -> its name, such as "Job seed-init-sweep"."""
    found = {}
    for file in sorted(FOLDER.rglob("*.yaml")):
        if file.name != "kustomization.yaml":
            for each in yaml.safe_load_all(file.read_text()):
                found[f"{each['kind']} {each['metadata']['name']}"] = each
    return found


def folders() -> list[Path]:
    """The folders that `kubectl apply -k` takes."""
    return sorted(file.parent for file in FOLDER.rglob("kustomization.yaml"))


def pods(content: Any, path: str = "") -> Iterator[tuple[str, Object]]:
    """The specifications of the pods anywhere in an object, each with where it is."""
    if isinstance(content, dict):
        if "containers" in content:
            yield path, content
        for name, value in content.items():
            yield from pods(value, f"{path}.{name}")
    elif isinstance(content, list):
        for number, value in enumerate(content):
            yield from pods(value, f"{path}[{number}]")


def all_pods() -> dict[str, Object]:
    """Every specification of a pod -> the object's name and where in it the specification is."""
    return {
        f"{name}{path}": pod for name, content in objects().items() for path, pod in pods(content)
    }
