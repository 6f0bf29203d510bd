# SPDX-License-Identifier: Apache-2.0
"""Fingerprints of data files: SHA-256 of the whole, or of samples where that is too much."""

import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

WHOLE = 64 << 20
"""Bytes of the largest file that is hashed as a whole."""

SAMPLES = 64
SAMPLE = 1 << 20
"""Of a larger file: 64 pieces of 1 MiB, evenly spread from its first byte to its last."""

BUDGET = 8 << 30
"""Bytes that are read in all; files beyond it are told by their size and time of change."""

BUDGET_IN_A_HURRY = 256 << 20
"""The same after SIGTERM: whoever sends it may wait for ten seconds, as Docker does."""


class Reader:
    """Fingerprints files until so much has been read.

    Args:
        budget: bytes.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.left = budget

    def describe(self, path: Path, size: int | None = None, changed: int | None = None) -> Any:
        """What a record says about a file that was read.

        Args:
            path: the file.
            size: its size when it was opened, in bytes; None where that is not known.
            changed: when it had been changed last at that time, in ns since the epoch.
        """
        try:
            now = path.stat()
            # To open a pipe would wait for its writer; a trace may name anything.
            plain = stat.S_ISREG(now.st_mode)
            method, digest = self._fingerprint(path, now.st_size) if plain else ("none", None)
        except (OSError, ValueError):  # the latter for a path that no file has
            return {"size": size, "sha256": None, "method": "gone", "changed_since": None}
        return {
            "size": now.st_size,
            "sha256": digest,
            "method": method,
            "changed_since": None
            if size is None
            else (now.st_size, now.st_mtime_ns) != (size, changed),
        }

    def _fingerprint(self, path: Path, size: int) -> tuple[str, str | None]:
        needed = min(size, SAMPLES * SAMPLE)
        if needed > self.left:
            return "none", None
        self.left -= needed
        if size <= WHOLE:
            return "whole", _digest(path, [(0, size)])
        last = size - SAMPLE
        return "sampled", _digest(
            path, [(last * number // (SAMPLES - 1), SAMPLE) for number in range(SAMPLES)], size
        )


def _digest(path: Path, pieces: list[tuple[int, int]], size: int | None = None) -> str:
    """SHA-256 of pieces of a file, given as (offset, length), after its size in decimal."""
    content = sha256(b"" if size is None else str(size).encode())
    with path.open("rb") as file:
        for offset, length in pieces:
            file.seek(offset)
            while length > 0:
                read = file.read(min(length, SAMPLE))
                if not read:
                    break
                content.update(read)
                length -= len(read)
    return content.hexdigest()
