# SPDX-License-Identifier: Apache-2.0
"""What of this machine is not as it was when a run was recorded: known before the run is made."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seed_init.hook.settings import EXPORTED
from seed_init.proof.comparing import environments
from seed_init.proof.comparing.environments import Explanation
from seed_init.proof.redaction import redaction
from seed_init.proof.rerunning.recorded import OF_THIS_MACHINE, Recorded
from seed_init.proof.running import commands, in_place
from seed_init.proof.trace import git, machine

ASK = """
import json, sys
print(json.dumps({"version": sys.version.partition(" ")[0], "path": [p for p in sys.path if p]}))
"""

PATIENCE = 60.0
"""Seconds in which an interpreter has to tell what it is."""

SHORT = 12
"""Digits of a commit that are shown."""


def differences(
    recorded: Recorded,
    argv: Sequence[str],
    environment: Mapping[str, str],
    root: Path,
    tree: Path,
) -> list[Explanation]:
    """Return what differs here, likeliest first, without the settings, which will be set.

    Args:
        recorded: the run.
        argv: the words of the command, as they will be started.
        environment: the environment of the run.
        root: the top of the user's working tree.
        tree: the worktree.
    """
    return [
        *_of_the_commit(recorded, root),
        *_of_the_settings(recorded),
        *_of_the_machine(recorded, argv, environment, tree),
    ]


def _of_the_commit(recorded: Recorded, root: Path) -> list[Explanation]:
    head = git.text(root, "rev-parse", "HEAD")
    changed = git.text(root, "status", "--porcelain", "--untracked-files=no")
    lines = []
    if head is not None and head.strip() != recorded.commit:
        names = recorded.commit[:SHORT], head.strip()[:SHORT]
        lines.append(Explanation("commit", *names, "the recorded one is checked out for the run"))
    if bool(changed) != bool(recorded.patch):
        states = ["some" if each else "none" for each in (recorded.patch, changed)]
        why = "the run has those of the record"
        lines.append(Explanation("changes that are not committed", states[0], states[1], why))
    return lines


def _of_the_settings(recorded: Recorded) -> list[Explanation]:
    """Variables that are otherwise in this environment, and that the run has as recorded."""
    # What the hook has exported to this process is no choice of the user's.
    exported = os.environ.get(EXPORTED, "").split(",")
    here = {
        name: value
        for name, value in redaction.variables(in_place.given_environment()).items()
        if name not in exported and name not in OF_THIS_MACHINE
    }
    lines = []
    for name in sorted({*here, *recorded.variables} - {*exported}):
        was, now = recorded.variables.get(name), here.get(name)
        if was != now:
            first, second = ("not set" if value is None else value for value in (was, now))
            why = "the run has the recorded value"
            lines.append(Explanation(f"variable {name}", first, second, why))
    return lines


def _of_the_machine(
    recorded: Recorded, argv: Sequence[str], environment: Mapping[str, str], tree: Path
) -> list[Explanation]:
    content = recorded.content
    found = machine.machine()
    if content["cpu"] is not None:
        # Only torch can tell.
        found["cpu"] = {**found["cpu"], "capability": content["cpu"].get("capability")}
    found["gpu"] = _gpus(content)
    here = {**content, **{name: redaction.deep(each) for name, each in found.items()}}
    for name in ("system", "cpu"):
        if content[name] is None:  # nobody wrote it down
            here[name] = None
    python = _interpreter(recorded, argv, environment, tree)
    if python is not None:
        here |= _software(content, python)
    return environments.explain(*map(redaction.record, (content, here)))


def _gpus(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section on GPUs, with those of here if they are of other models."""
    recorded: dict[str, Any] = content["gpu"]
    if not recorded["used"]:
        return recorded
    present = machine.gpus()
    models = {(gpu["name"], gpu["capability"]) for gpu in present}
    same = all((gpu["name"], gpu["capability"]) in models for gpu in recorded["used"])
    driver = next((gpu["driver"] for gpu in present), None)
    return {**recorded, "driver": driver, "used": recorded["used"] if same else present}


def _software(content: Mapping[str, Any], python: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections on packages, Python and torch as the run would have them here."""
    there, found = content["packages"], machine.packages(python["path"])
    sections: dict[str, Any] = {"packages": found if there else {}}
    if content["python"] is not None:
        sections["python"] = {**content["python"], "version": python["version"]}
    if content["torch"] is not None and there.get("torch") != found.get("torch"):
        sections["torch"] = {**content["torch"], "version": found.get("torch")}
    return sections


def _interpreter(
    recorded: Recorded, argv: Sequence[str], environment: Mapping[str, str], tree: Path
) -> dict[str, Any] | None:
    """Return what the interpreter of the command says of itself; None if it says nothing."""
    directory = tree / recorded.prefix
    program = commands.interpreter_of(argv, environment, directory)
    try:
        done = subprocess.run(
            [program, "-c", ASK],
            env={**environment, "SEED_INIT": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=directory if directory.is_dir() else tree,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
        answered: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    # Where the program itself lies there may be packages as well.
    python = recorded.content["python"] or {}
    for entry in python.get("path", ()):
        path = Path(entry.replace("~", os.path.expanduser("~"), 1))  # noqa: PTH111
        if path.is_relative_to(recorded.root) and ".." not in path.parts:
            answered["path"].append(str(tree / path.relative_to(recorded.root)))
    return answered
