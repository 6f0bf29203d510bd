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
        facts_of(each.content, _names(each, number, rows, names))
        for number, each in enumerate(loaded)
    ]
    for section in tables[0]:
        facts = [table[section] for table in tables]
        for name in dict.fromkeys(name for each in facts for name in each):
            # What a record does not have is shown as "none", which may be a value as well.
            cells = [each.get(name, Fact("none", None)) for each in facts]
            texts = told_apart([cell.shown for cell in cells], [cell.exact for cell in cells])
            values = [text if name in each else None for text, each in zip(texts, facts)]
            yield EnvironmentRow(section, name, tuple(values))


def _names(loaded: Loaded, number: int, rows: Sequence[Row], names: Sequence[str]) -> list[str]:
    """What a reader calls each process of a record, by its number there."""
    members = (row.members[number] for row in rows)
    of = {id(each.process): name for each, name in zip(members, names) if each is not None}
    return [of[id(process)] for process in loaded.record.processes]
