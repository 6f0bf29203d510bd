# SPDX-License-Identifier: Apache-2.0
"""What a machine's libraries compute, as rows, and one hash over all of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

DIGITS = 16
"""Of the hash, in hexadecimal."""


@dataclass(frozen=True)
class Row:
    """The result of one probe.

    Attributes:
        library: whose functions the probe has called, such as "numpy".
        kind: what decides their bits, as `agreement.MEANINGS` has it.
        probe: the name of the probe, one of a kind in its library.
        result: a digest of the bits; of the kind "version", the version.
    """

    library: str
    kind: str
    probe: str
    result: str

    def __str__(self) -> str:
        return f"{self.library} {self.probe}"


@dataclass(frozen=True)
class Fingerprint:
    """The rows of a machine, under the settings that its processes had.

    Attributes:
        rows: what was computed.
        missing: library that cannot be imported -> why.
        failed: probe, as a row names itself, that raised an error -> the error.
        chosen: what libraries have chosen by the CPU -> their choice. These explain; they are no
            part of the hash.
    """

    rows: tuple[Row, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """Of the rows: which there are, and what they gave.

        The version of a library is a row. So a hash says which libraries were there as well.
        """
        rows = sorted([row.library, row.probe, row.result] for row in self.rows)
        return sha256(json.dumps(rows).encode()).hexdigest()[:DIGITS]

    @property
    def versions(self) -> dict[str, str]:
        """Library -> its version."""
        return {row.library: row.result for row in self.rows if row.kind == "version"}

    def to_json(self) -> dict[str, Any]:
        """Return the fingerprint as JSON has it."""
        return {
            "hash": self.hash,
            "rows": [asdict(row) for row in self.rows],
            "missing": dict(self.missing),
            "failed": dict(self.failed),
            "chosen": dict(self.chosen),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Fingerprint":
        """Return what `to_json` has written.

        Args:
            content: as the schema describes it; later fields do no harm.
        """
        names = ("library", "kind", "probe", "result")
        rows = tuple(Row(**{name: row[name] for name in names}) for row in content["rows"])
        return cls(rows, content["missing"], content["failed"], content["chosen"])
