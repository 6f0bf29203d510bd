# SPDX-License-Identifier: Apache-2.0
"""What `verify` and `cost` have in common: a command that is run several times."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seed_init.hook import state


@dataclass(frozen=True)
class Request:
    """A command that is run several times.

    Attributes:
        command: the words of the user's command.
        stdin: a file that every run reads from its beginning; /dev/null if None.
        timeout: seconds after which a run is ended; None for no limit.
        environment: the environment of the runs; this process's if None.
        cwd: the working directory of the runs; this process's if None.
    """

    command: tuple[str, ...]
    stdin: Path | None = field(default=None, kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)
    environment: Mapping[str, str] | None = field(default=None, kw_only=True)
    cwd: Path | None = field(default=None, kw_only=True)


def environment_of(request: Request) -> Mapping[str, str]:
    """Return the environment of the runs of a request."""
    return os.environ if request.environment is None else request.environment


def seed_of(environment: Mapping[str, str]) -> str | None:
    """Return the SEED of runs, from their environment or the defaults file; None if it is not set.

    Args:
        environment: the environment of the runs.
    """
    return environment.get("SEED", "").strip() or state.settings.values.get("SEED")
