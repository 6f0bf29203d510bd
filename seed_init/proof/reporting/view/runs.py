# SPDX-License-Identifier: Apache-2.0
"""Each record is introduced by its command, seed, commit and time."""

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from seed_init.proof.comparing.values import shown
from seed_init.proof.reporting.model import Run
from seed_init.proof.reporting.view.rows import Loaded


def run(loaded: Loaded) -> Run:
    """A record, as the page names it."""
    content = loaded.content
    seconds, status = content["times"]["seconds"], content["exit"]["status"]
    facts = (
        ("command", shlex.join(content["command"]["argv"])),
        ("SEED", shown(content["seeds"]["seed"])),
        ("commit", _commit(content["code"])),
        ("started", _time(content["times"]["started"])),
        ("took", "" if seconds is None else f"{seconds:,.1f} s"),
        ("exit status", "not known" if status is None else str(status)),
    )
    return Run(loaded.name, loaded.file, tuple((name, value) for name, value in facts if value))


def _commit(code: Mapping[str, Any]) -> str:
    if not code["commit"]:
        return ""
    return f"{code['commit'][:12]}{', with changes' if code['dirty'] else ''}"


def _time(value: str | None) -> str:
    try:
        return "" if value is None else f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return ""  # the schema does not check that the text is a date
