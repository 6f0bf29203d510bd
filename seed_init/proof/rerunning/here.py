# SPDX-License-Identifier: Apache-2.0
"""What of this machine is not as it was when a run was recorded: known before the run is made."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from seed_init.hook.settings import EXPORTED
from seed_init.proof.comparing import environments, this_machine
from seed_init.proof.comparing.environments import Explanation
from seed_init.proof.redaction import redaction
from seed_init.proof.rerunning.recorded import OF_THIS_MACHINE, Recorded
from seed_init.proof.running import commands, in_place
from seed_init.proof.trace import git, journal

SHORT = 12
"""Digits of a commit that are shown."""


def differences(
    recorded: Recorded,
    argv: Sequence[str],
    environment: Mapping[str, str],
    root: Path,
    directory: Path,
    place: Path,
) -> list[Explanation]:
    """Return what differs here. Call it in the directory in which the command will run.

    Args:
        recorded: the run.
        argv: the words of the command, as they will be started.
        environment: the environment of the run.
        root: the top of the user's working tree.
        directory: the working directory of the run, in the worktree.
        place: a directory that is not there yet, for what the interpreter says of this machine.
    """
    return [
        *_of_the_commit(recorded, root),
        *_of_the_settings(recorded),
        *_of_the_machine(recorded, argv, environment, directory, place),
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
    recorded: Recorded,
    argv: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    place: Path,
) -> list[Explanation]:
    content = redaction.record(recorded.content)
    python = commands.interpreter_of(argv, environment, directory)
    place.mkdir()
    try:
        here, missing = this_machine.described(content, python, environment, place)
    except (this_machine.CannotDescribe, journal.Unreadable) as error:
        why = f"what differs here is not known: {error}"
        return [Explanation("machine", "recorded", "not described", why)]
    # The variables are set as recorded, and are told apart from this environment's above.
    here["environment"] = content["environment"]
    return [*missing, *environments.explain(content, redaction.record(here))]
