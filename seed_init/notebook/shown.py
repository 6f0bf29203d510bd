# SPDX-License-Identifier: Apache-2.0
"""What `%seed` shows."""

from html import escape
from typing import Any

from IPython.core.getipython import get_ipython

from seed_init.hook import announcing, seeding, state, status

Row = tuple[str, str, str]

POLICIES = {
    "kernel": "seeded once, before the first cell",
    "cell": "each cell starts from a stream of its own",
}


PLACES_MAX = 5


class SeedInEffect:
    """What is in effect when it is made: a small table on a page, lines elsewhere."""

    def __init__(self) -> None:
        self.rows = rows()

    def __repr__(self) -> str:
        width = max(len(name) for name, _, _ in self.rows)
        return "\n".join(
            f"{name.ljust(width)}  {value}{f' ({origin})' if origin else ''}"
            for name, value, origin in self.rows
        )

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<tr><th style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(value)}</td>'
            f'<td style="text-align:left">{escape(origin)}</td></tr>'
            for name, value, origin in self.rows
        )
        return f'<table class="seed-init"><tbody>{cells}</tbody></table>'


def rows() -> list[Row]:
    """(what, its value, where that comes from or what it means), the most important first."""
    settings = state.settings
    first_rows = [_seed(), *_stream()]
    if not settings.is_off:
        first_rows.append(("SEED_INIT_NOTEBOOK", settings.notebook, POLICIES[settings.notebook]))
    if settings.determinism is not None:
        first_rows.append(("DETERMINISM", settings.determinism, settings.origins["DETERMINISM"]))
    if seeding.seeded:
        first_rows.append(("seeded", ", ".join(seeding.seeded), ""))
    facts = status.status()
    changed = [*_flags(facts["flags"]), *_flags(facts["switches"])]
    return [*first_rows, *changed, *_generator_rows(facts), *_not_covered(facts["not_covered"])]


def _seed() -> Row:
    seed, origin = announcing.seed_and_origin(state.settings)
    is_seeded = state.base_seed() is not None
    return "SEED", seed or "none", origin if is_seeded else "nothing is seeded"


def _stream() -> list[Row]:
    """Return a row with the seed of the streams here, if that seed is not SEED itself."""
    seed, origin = announcing.seed_and_origin(state.settings)
    here = state.process_seed()
    if here is None or str(here) == seed:
        return []
    rank, restart = state.rank(), state.settings.restart
    of = [
        f"restart {'.'.join(map(str, restart[1:]))}" if restart and origin != "reseeded" else "",
        f"rank {rank[0]} of {rank[1]}" if rank is not None and state.path else "",
        "this cell" if state.scope else "",
    ]
    return [("stream", str(here), ", ".join(filter(None, of)))]


def _flags(flags: object) -> list[Row]:
    """Return a row for each flag or variable whose value is not the value that was asked for."""
    assert isinstance(flags, dict)
    return [
        (name, flag["now"], f"changed: {flag['origin']} gave {flag['value']}")
        for name, flag in flags.items()
        if flag["now"] not in (None, flag["value"])
    ]


def _generator_rows(facts: dict[str, object]) -> list[Row]:
    unseeded, reseeded = facts["unseeded"], facts["reseeded"]
    assert isinstance(unseeded, dict)
    assert isinstance(reseeded, list)
    return [
        *(
            ("generators without a seed", f"{number} of {library}", "from SEED")
            for library, number in unseeded.items()
        ),
        *_seeded_by(reseeded),
    ]


def _seeded_by(notes: list[dict[str, str]]) -> list[Row]:
    """Return rows of code that seeded by itself: the latest, since each edited cell adds a row."""
    rows = [(note["function"], note["given"], f"by {_source_of(note['place'])}") for note in notes]
    more = len(rows) - PLACES_MAX
    return [("seeded by itself", f"{more} more", "")] * (more > 0) + rows[-PLACES_MAX:]


def _source_of(source: str) -> str:
    """Return file and line; for a cell, the cell's number and not IPython's name of a file."""
    file, _, line = source.rpartition(":")
    shell: Any = get_ipython()
    known = shell.compile.format_code_name(file) if shell is not None else None
    return f"{known[1]}:{line}" if known else source


def _not_covered(lines: object) -> list[Row]:
    assert isinstance(lines, list)
    return [("not covered", line, "") for line in lines]
