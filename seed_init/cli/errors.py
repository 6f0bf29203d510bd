# SPDX-License-Identifier: Apache-2.0
"""The one exception by which a subcommand ends with something to say to its user."""

USAGE = 2
"""Exit status where the command line, or what a file on it holds, is wrong."""

LOST = 5
"""Exit status where the work is done, and not all of its result could be written."""


class CommandError(Exception):
    """A subcommand cannot do, or has not done, all that its user asked for.

    `seed_init.cli.main` prints each line behind the subcommand's name, and exits with the status.

    Attributes:
        lines: what the user is told, each without its end.
        status: the exit status.
        speaker: what stands before each line; None for `seed-init SUBCOMMAND`.
    """

    def __init__(self, *lines: str, status: int = USAGE, speaker: str | None = None) -> None:
        super().__init__(*lines)
        self.lines = lines
        self.status = status
        self.speaker = speaker
