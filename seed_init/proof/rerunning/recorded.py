# SPDX-License-Identifier: Apache-2.0
"""What a record says of how to make its run again, or in one line why the run cannot be made."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed_init.hook import portability, startup, state, switches
from seed_init.hook.settings import EXPORTED
from seed_init.proof.redaction import redaction
from seed_init.proof.trace import record_parts
from seed_init.proof.trace.patches import Patch

LEFT_OUT = re.compile(r"<(?:redacted|email|user|host)>")
"""What stands in a record for what was left out of it (`redaction`)."""

HOME = re.compile(r"(?<![\w~./-])~(?=/|$)")
"""What stands in a record for the home directory."""

SIZES = ("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS")
"""Variables by which a launcher tells a rank how many there are."""

OF_THIS_MACHINE = frozenset(
    {
        *("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"),
        *("SEED_INIT_TRACE", "SEED_INIT_RECORD", EXPORTED, record_parts.RECORDER),
    }
)
"""Variables that keep the value of here: they number devices, or say where a record goes."""

OF_A_LEVEL = "DETERMINISM="
"""How the origin of a setting begins that the hook has exported because of the level."""


class CannotRerun(Exception):
    """A recorded run cannot be made again. The text is one line for the user."""


@dataclass(frozen=True)
class Recorded:
    """How a recorded run was made.

    Attributes:
        content: the sections of the record.
        argv: the words of the command, with this user's home directory in them.
        commit: the full name of the commit.
        prefix: the working directory, below the top of the repository.
        root: the top of the repository as it was called then, with this user's home directory.
        patch: what was not committed.
        untracked: files that were there and that git did not track, as far as the record has them.
        variables: the variables of the run, with their values.
    """

    content: dict[str, Any]
    argv: tuple[str, ...]
    commit: str
    prefix: Path
    root: Path
    patch: bytes
    untracked: tuple[str, ...]
    variables: dict[str, str]


def of(content: dict[str, Any]) -> Recorded:
    """Return how a recorded run was made.

    Args:
        content: the sections of the record, which was checked.

    Raises:
        CannotRerun: the record does not say enough.
    """
    argv = _words(content)
    commit, prefix = _code(content)
    patch = _patch(content)
    cwd = Path(in_full(content["command"]["cwd"] or "", "its working directory"))
    if not cwd.is_absolute() or ".." in prefix.parts or prefix.is_absolute():
        raise CannotRerun("the record does not say in which directory the command was started")
    root = cwd
    for part in reversed(prefix.parts):
        if root.name != part:
            raise CannotRerun(f"the record says of {cwd} that it is {prefix} of its repository")
        root = root.parent
    untracked = tuple(patch.untracked) if patch is not None else ()
    return Recorded(
        *(content, argv, commit, prefix, root),
        patch.content if patch is not None else b"",
        untracked,
        _variables(content),
    )


def in_full(text: str, what: str) -> str:
    """Return a text of a record with this user's home directory in place of the mark for it.

    Args:
        text: the text.
        what: what the text is, for the message.

    Raises:
        CannotRerun: something was left out of the text.
    """
    left_out = LEFT_OUT.search(text)
    if left_out is not None:
        raise CannotRerun(
            f"{what} is not recorded whole: a record has {left_out[0]} in place of a secret or a "
            "name; run the command by hand, under seed-init record, and compare the two records"
        )
    return at_home(text)


def at_home(text: str) -> str:
    """Return a text of a record with this user's home directory in place of the mark for it."""
    return HOME.sub(lambda _: os.path.expanduser("~"), text)  # noqa: PTH111  for texts as well


def _words(content: Mapping[str, Any]) -> tuple[str, ...]:
    argv = content["command"]["argv"]
    if not argv:
        raise CannotRerun("the record does not say which command it is of")
    return tuple(in_full(word, "the command") for word in argv)


def _code(content: Mapping[str, Any]) -> tuple[str, Path]:
    """Return the commit, and the working directory below the top of the repository."""
    code = content["code"]
    if code["commit"] is None:
        raise CannotRerun("the run was made in no git repository: which code ran is not known")
    if code["dirty"] is None or code["note"]:
        why = code["note"] or "nobody asked git"
        raise CannotRerun(f"which code ran is not known: {why}")
    if code.get("prefix") is None:
        raise CannotRerun(
            "the record is of a former version, which does not say where in its repository the "
            "command was started; make another one with seed-init record --patch"
        )
    if not re.fullmatch(r"[0-9a-f]{40,64}", code["commit"]):
        raise CannotRerun("what the record names as its commit is no name of a commit")
    return code["commit"], Path(code["prefix"])


def _patch(content: Mapping[str, Any]) -> Patch | None:
    """Return what was not committed; None where the record has no patch and needs none."""
    code = content["code"]
    if code.get("patch") is None:
        if code["dirty"]:
            raise CannotRerun(
                "the code had changes that were not committed, and the record does not have them; "
                "commit them, or record with --patch"
            )
        return None
    patch = Patch.from_json(code["patch"])
    if patch.lines is None:
        raise CannotRerun(
            f"the changes that were not committed are not in the record: {patch.note}; commit "
            "them, and record again"
        )
    if patch.redacted:
        raise CannotRerun(
            f"the patch in the record is not the code that ran: something was left out of "
            f"{patch.redacted[0]}; commit the change, and record again"
        )
    if not patch.is_whole:
        raise CannotRerun("the patch in the record was changed after it was recorded")
    return patch


def _variables(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of the run: those that were set, and those of a defaults file."""
    start = content["environment"]["start"]
    for name in SIZES:
        if start.get(name, "1").strip() not in ("", "1"):
            raise CannotRerun(
                f"the record is of one rank of {start[name]} ({name}), which something else has "
                "started; record the command that starts them all, such as torchrun"
            )
    levels = {row["name"] for row in content["settings"] if row["origin"].startswith(OF_A_LEVEL)}
    found = {
        name: in_full(value, f"the variable {name}")
        for name, value in start.items()
        if name not in OF_THIS_MACHINE | levels | _exported(content)
    }
    for row in content["settings"]:
        is_chosen = row["origin"] != "built-in" and row["name"] not in levels
        # A number that was drawn stands in the environment as the word for that.
        is_drawn = row["name"] == "SEED" and row["origin"] != "environment"
        if row["name"] not in OF_THIS_MACHINE and is_chosen:
            value = in_full(row["value"], f"the setting {row['name']}")
            found = found | {row["name"]: value} if is_drawn else {row["name"]: value} | found
    return found | _against_defaults(content, found)


def _exported(content: Mapping[str, Any]) -> set[str]:
    """Return the variables that the hook itself sets under the level of the run, as it does here.

    A value of the user's that is the hook's as well makes no difference.
    """
    level = next((r["value"] for r in content["settings"] if r["name"] == "DETERMINISM"), None)
    if level not in ("warn", "strict", "portable"):
        return set()
    start = content["environment"]["start"]
    same = {switch.name for switch in switches.TABLE if start.get(switch.name) == switch.value}
    # Under this level the hook accepts no other values.
    return same | {*portability.NAMES} if level == "portable" else same


def _against_defaults(content: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a defaults file of this machine would change, as recorded."""
    if not content["settings"]:
        return {}
    recorded = {row["name"]: row["value"] for row in content["settings"]}
    here = {
        name: origin
        for name, origin in state.settings.origins.items()
        if origin.startswith("/") and name not in found and name not in OF_THIS_MACHINE
    }
    missing = next((name for name in here if name not in recorded), None)
    if missing is not None:
        raise CannotRerun(
            f"{here[missing]} sets {missing} on this machine, and the run had none; take it out "
            f"of that file (seed-init set-default {missing}=)"
        )
    return {name: recorded[name] for name in here if name in startup.ACCEPTED}


def environment_of(recorded: Recorded, here: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the run: the recorded variables, and otherwise that of here.

    Args:
        recorded: the run.
        here: the environment of this process. What decides bits and was not set then is left out.
    """
    kept = {
        name: value
        for name, value in here.items()
        if name in OF_THIS_MACHINE or not redaction.is_recorded(name)
    }
    return kept | recorded.variables
