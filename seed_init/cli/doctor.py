# SPDX-License-Identifier: Apache-2.0
"""`seed-init doctor` checks that this environment is what its tag says, and that a GPU is usable.

Every check is a function that returns a `Finding`. Torch is asked first, in a process of its own
that starts the driver and multiplies on each device (`seed_init.cli.gpu`), so a driver that hangs
or crashes is a finding. If torch can use no device, the cause is looked for in the order in which a
GPU reaches a program, so that the first failure is the cause and not a consequence.
"""

import argparse
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from seed_init.cli import printing
from seed_init.cli.gpu import judging
from seed_init.cli.gpu.asking import Answer, ask
from seed_init.cli.tables import table
from seed_init.hook import state, status

IMAGE_FACTS = Path("/usr/local/share/seed_init/image.json")
"""The file, written when the image is built, that says what the image's tag promises."""

SHM = Path("/dev/shm")
SHM_LEAST = 1 << 30
"""How many bytes /dev/shm should have: DataLoader workers pass batches through it."""

OK, NOTE, FAIL = "ok", "note", "FAIL"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: the name of the check.
        result: OK, NOTE (worth knowing, nothing is broken) or FAIL.
        detail: what was found and, if the result is not OK, what to do.
    """

    check: str
    result: str
    detail: str


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `doctor` to its parser."""
    parser.description = "Check this environment. Exit status 1 if a check fails."
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--cpu", action="store_true", help="no GPU is wanted here: its absence is no failure"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what the checks found, and return 1 if one failed."""
    results = findings(gpu_wanted=not options.cpu)
    failed = any(finding.result == FAIL for finding in results)
    if options.json:
        printing.json_object({"ok": not failed, "findings": [asdict(f) for f in results]})
    else:
        printing.lines(table([(f.result, f.check, f.detail) for f in results]))
    return int(failed)


def findings(gpu_wanted: bool) -> list[Finding]:
    """Run every check, and return the findings.

    Args:
        gpu_wanted: whether the absence of a usable GPU is a failure or a note.
    """
    facts = image_facts()
    answer = ask()
    gpu = check_gpu(answer)
    if not gpu_wanted and gpu.result == FAIL:
        gpu = Finding(gpu.check, NOTE, gpu.detail)
    return [check_hook(), *check_versions(facts, answer), gpu, check_shm(), check_entrypoint(facts)]


def image_facts() -> dict[str, str] | None:
    """Return what the image's tag promises; None outside an image of this project."""
    try:
        facts: dict[str, str] = json.loads(IMAGE_FACTS.read_text())
        return facts
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        return {"unreadable": str(error)}


def check_hook() -> Finding:
    """Check that the hook has run in this Python and covers everything."""
    lines = status.not_covered(state.settings)
    if lines:
        failed = status.hook_state(state.settings) == "not active"
        return Finding("hook", FAIL if failed else NOTE, "; ".join(lines))
    return Finding("hook", OK, "active in this Python")


def check_versions(facts: dict[str, str] | None, answer: Answer) -> list[Finding]:
    """Check that torch, CUDA and cuDNN are those of the tag."""
    if facts is None:
        note = Finding("versions", NOTE, "this is not a seed-init image; nothing to compare with")
        return [note, *_broken_torch(answer)]
    if "torch" not in facts:
        why = facts.get("unreadable", "it names no torch")
        return [
            Finding("versions", FAIL, f"cannot read {IMAGE_FACTS} ({why}); build the image anew")
        ]
    if answer.build is None:
        line = (
            f"cannot be imported ({answer.error or answer.broken}); the tag says {facts['torch']}"
        )
        return [Finding("torch", FAIL, line)]
    cudnn = answer.build["cudnn"]
    have = {
        "torch": answer.build["version"].partition("+")[0],
        "cuda": str(answer.build["cuda"]),
        # 90100 is 9.1.0; cuDNN 8 wrote 8700 for 8.7.0.
        "cudnn": str(cudnn // (10000 if cudnn >= 90000 else 1000)) if cudnn else "None",
    }
    return [
        Finding(name, OK, version)
        if version == facts.get(name)
        else Finding(
            name,
            FAIL,
            f"{version}, but the image was built with {facts.get(name)}; something moved it "
            "(pip install in a team image?)",
        )
        for name, version in have.items()
    ]


def _broken_torch(answer: Answer) -> list[Finding]:
    """Report a torch that is installed and cannot be imported; a Python without torch is fine."""
    if answer.build is not None or not answer.error or "No module named 'torch'" in answer.error:
        return []
    return [Finding("torch", FAIL, f"cannot be imported ({answer.error}); install it again")]


def check_gpu(answer: Answer) -> Finding:
    """Check that torch can use every device that it sees; if it sees none, find the cause."""
    usable, detail, worth_a_look = judging.judge(answer)
    result = (NOTE if worth_a_look else OK) if usable else FAIL
    return Finding("gpu", result, detail)


def check_shm() -> Finding:
    """Check that /dev/shm has room for DataLoader workers."""
    if not SHM.is_dir():
        return Finding("shm", FAIL, "/dev/shm is missing; DataLoader workers need it")
    size = shutil.disk_usage(SHM).total
    shown = f"{size / (1 << 20):.0f} MiB"
    if size < SHM_LEAST:
        return Finding(
            "shm",
            FAIL,
            f"/dev/shm has {shown}, below 1 GiB: DataLoader workers may die with a bus error; "
            "use docker-compose.yml, docker run --shm-size=8g or --ipc=host",
        )
    return Finding("shm", OK, shown)


def check_entrypoint(facts: dict[str, str] | None) -> Finding:
    """Check that the entrypoint ran before this process."""
    if facts is None:
        return Finding("entrypoint", NOTE, "this is not a seed-init image")
    if os.environ.get("SEED_INIT_ENTRYPOINT"):
        return Finding("entrypoint", OK, "ran")
    return Finding(
        "entrypoint",
        NOTE,
        "bypassed (docker exec, --entrypoint, Kubernetes command: and others do); seeding does "
        "not need it, but /etc/seed_init/entrypoint.d did not run for this process",
    )
