# SPDX-License-Identifier: Apache-2.0
"""The environments of all records are put side by side here."""

from collections.abc import Iterator, Sequence

from seed_init.proof.comparing.facts import Fact, facts_of
from seed_init.proof.comparing.values import told_apart
from seed_init.proof.reporting.model import EnvironmentRow
from seed_init.proof.reporting.view.rows import Loaded, Row, names_of


def environment(loaded: Sequence[Loaded], rows: Sequence[Row]) -> Iterator[EnvironmentRow]:
    """Each fact that at least one record has.

    Args:
        loaded: the records.
        rows: their processes.
    """
    names = names_of(rows)
    tables = [
        facts_of(record.content, _names(record, number, rows, names))
        for number, record in enumerate(loaded)
    ]
    for section in tables[0]:
        facts = [table[section] for table in tables]
        for name in dict.fromkeys(name for table in facts for name in table):
            # What a record does not have is shown as "none", which may be a value as well.
            cells = [table.get(name, Fact("none", None)) for table in facts]
            texts = told_apart([cell.shown for cell in cells], [cell.exact for cell in cells])
            values = [text if name in table else None for text, table in zip(texts, facts)]
            yield EnvironmentRow(section, name, tuple(values))


def _names(loaded: Loaded, number: int, rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """What a reader calls each process of a record, by its number there."""
    members = (row.members[number] for row in rows)
    # A process without its units of work has the same header.
    of = {
        id(member.process.header): name
        for member, name in zip(members, names)
        if member is not None
    }
    return [of[id(process.header)] for process in loaded.record.processes]
