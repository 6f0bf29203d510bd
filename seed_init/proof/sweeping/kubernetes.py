# SPDX-License-Identifier: Apache-2.0
"""The runs of a sweep as an Indexed Job of Kubernetes: this writes its manifest.

The index of a pod is the index of a run in the plan. The plan travels as a ConfigMap, and each pod
writes its run into a volume that all pods share, below `MOUNT`. The manifest is JSON, which is YAML
as well.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seed_init.proof.running import in_place
from seed_init.proof.sweeping import engines
from seed_init.proof.sweeping import plan as plans
from seed_init.proof.sweeping.engines import EngineError, Options, Watch
from seed_init.proof.sweeping.ledger import Folder
from seed_init.proof.sweeping.plan import Plan, Task
from seed_init.system import writing

MANIFESTS = "kubernetes"
"""The directory below the sweep's folder with the manifests."""

MOUNT = "/sweeps"
"""Where the pods see the volume with the results."""

PLAN_MOUNT = "/etc/seed-init-sweep"
"""Where the pods see the plan."""

MOST_BYTES = 1 << 20
"""What a ConfigMap may hold
(https://kubernetes.io/docs/concepts/configuration/configmap/#motivation)."""

LONGEST_NAME = 52
"""Names of pods are the Job's with the index and five more characters, and have at most 63
(https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-pod-names)."""

EVICTIONS = 3
"""How often a run is made again whose pod was evicted, or ended by the kernel."""

FAILED, USAGE = 1, 2
"""Exit statuses of `seed-init sweep one` that would be the same in another try."""

NO_CODE: dict[str, Any] = {"commit": None, "diff_sha256": None, "changed": {}, "files": {}}
"""The state of code of which nothing is known here (`code_state.of`)."""

VARIABLES = ("DETERMINISM", "SEED_INIT_")
"""How the names of variables begin that the pods take over. All others are those of the image."""


def run(folder: Folder, tasks: Sequence[Task], options: Options, watch: Watch) -> None:
    """Write the manifest of a job that makes runs, and hand it to kubectl where that is asked for.

    Nobody waits for the job: `seed-init sweep collect` gathers what it leaves.

    Args:
        folder: the folder of the sweep, which the pods do not see.
        tasks: the runs that have not ended well; a pod whose run has ended well ends at once.
        options: `image`, `claim`, `namespace`, `jobs`, `gpus_per_run` and `apply` are used.
        watch: told where the manifest is, and what kubectl has said.

    Raises:
        EngineError: an option is missing, the plan is too large, or kubectl has refused the job.
        OSError: the manifest cannot be written.
    """
    _note_image(folder, options.image)
    directory = folder.path / MANIFESTS
    directory.mkdir(exist_ok=True)
    file, number = _free(directory)
    plan = folder.plan()
    text = json.dumps(manifest(folder.path.name, plan, options, number), indent=1)
    writing.create(file, text + "\n", mode=plans.mode_of(plan))
    if options.apply:
        watch.say(_applied(file))
    else:
        watch.say(f"{file} is written; hand it to the cluster: {engines.quoted(_kubectl(file))}")


def plan_of(plan: Plan) -> Plan:
    """Complete a plan for pods: what counts is the image, and not the directory and the code here.

    Args:
        plan: what the user asked for.
    """
    variables = plans.contract(os.environ)
    environment = {name: text for name, text in variables.items() if name.startswith(VARIABLES)}
    # A relative path is one in the directory in which the pod starts.
    return replace(plan, cwd=".", environment=environment, code=NO_CODE)


def refuse(options: Options) -> None:
    """Refuse what cannot become a Job.

    Raises:
        EngineError: an option is missing, or kubectl is.
    """
    for option, value, example in (
        ("--image", options.image, "the image that has your program, seed-init and its packages"),
        ("--claim", options.claim, "a PersistentVolumeClaim, which gets the results"),
    ):
        if not value:
            raise EngineError(f"--on kubernetes needs {option}: {example}")
    if options.apply and shutil.which("kubectl") is None:
        raise EngineError(
            "kubectl is not there: --apply needs kubectl on PATH; leave --apply out, and hand the "
            "manifest to the cluster by other means"
        )


def _note_image(folder: Folder, image: str | None) -> None:
    plan = folder.plan()
    before = plan.engine.get(engines.KUBERNETES, {}).get("image", image)
    if before != image and any(row is not None for _, row in folder.rows(plan)):
        raise EngineError(
            f"{folder.path} has runs of another image: {before}; give that one, another --name, or "
            "--fresh to make every run again"
        )
    folder.write_plan(replace(plan, engine={**plan.engine, engines.KUBERNETES: {"image": image}}))


def _free(directory: Path) -> tuple[Path, int]:
    number = 1
    while (file := directory / f"job-{number}.json").exists():
        number += 1
    return file, number


def manifest(name: str, plan: Plan, options: Options, number: int = 1) -> dict[str, Any]:
    """Return the objects that make the runs of a sweep: a ConfigMap with the plan, and a Job.

    Args:
        name: the name of the sweep's folder.
        plan: the plan, whose runs all have a pod.
        options: as in `run`.
        number: the number of this job among those of the sweep.

    Raises:
        EngineError: the plan is too large for a ConfigMap.
    """
    text = json.dumps(plan.to_json(), indent=1) + "\n"
    if len(text.encode()) > MOST_BYTES:
        raise EngineError(
            f"the plan has {len(text.encode())} bytes, and a ConfigMap of Kubernetes holds "
            f"{MOST_BYTES}; make two sweeps with fewer seeds each"
        )
    label = label_of(name, text, number)
    metadata: dict[str, Any] = {"name": label, "labels": {"app.kubernetes.io/name": "seed-init"}}
    if options.namespace is not None:
        metadata["namespace"] = options.namespace
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {plans.FILE: text},
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": _job(f"{MOUNT}/{name}", label, len(plan.tasks()), options),
    }
    return {"apiVersion": "v1", "kind": "List", "items": [config, job]}


def label_of(name: str, text: str, number: int) -> str:
    """Return a name that Kubernetes accepts: of the sweep's name, its plan, and the job's number.

    Args:
        name: the name of the sweep's folder.
        text: the plan.
        number: the number of the job.
    """
    tail = f"-{hashlib.sha256(text.encode()).hexdigest()[:8]}-{number}"
    plain = re.sub(r"[^a-z0-9]+", "-", f"sweep-{name.lower()}")
    return plain[: LONGEST_NAME - len(tail)].strip("-") + tail


def _job(folder: str, label: str, size: int, options: Options) -> dict[str, Any]:
    return {
        "completionMode": "Indexed",
        "completions": size,
        "parallelism": min(options.jobs or size, size),
        # A run that fails ends no other run. A run whose pod was evicted is made again, and a run
        # that has failed is not.
        "backoffLimitPerIndex": EVICTIONS,
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "Count",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
                {
                    "action": "FailIndex",
                    "onExitCodes": {"operator": "In", "values": [FAILED, USAGE]},
                },
            ]
        },
        "template": {
            "metadata": {"labels": {"app.kubernetes.io/name": "seed-init"}},
            "spec": _pod(folder, label, options),
        },
    }


def _pod(folder: str, label: str, options: Options) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "run",
        "image": options.image,
        "command": [
            *("seed-init", "sweep", "one", "--plan", PLAN_MOUNT),
            folder,
        ],
        "volumeMounts": [
            {"name": "results", "mountPath": MOUNT},
            {"name": "plan", "mountPath": PLAN_MOUNT, "readOnly": True},
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
    }
    if options.gpus_per_run:
        container["resources"] = {"limits": {"nvidia.com/gpu": str(options.gpus_per_run)}}
    return {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [
            {"name": "results", "persistentVolumeClaim": {"claimName": options.claim}},
            {"name": "plan", "configMap": {"name": label}},
            # Workers of a DataLoader pass their batches through it, and the default has 64 MiB.
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
        ],
    }


def _kubectl(file: Path) -> list[str]:
    return ["kubectl", "apply", "-f", str(file)]


def _applied(file: Path) -> str:
    done = subprocess.run(
        _kubectl(file),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=in_place.given_environment(),
    )
    if done.returncode != 0:
        told = engines.last_line(done.stderr, f"exit status {done.returncode}")
        raise EngineError(f"kubectl has not taken {file}: {told}; the file stays")
    return "; ".join(done.stdout.split("\n")).strip("; ")
