"""What `%seed` shows."""

from html import escape

from seed_init import report, seeding
from seed_init import settings as contract

Row = tuple[str, str, str]

POLICIES = {
    "kernel": "seeded once, before the first cell",
    "cell": "each cell starts from a stream of its own",
}


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
    settings = contract.current()
    found = [_seed(settings)]
    if settings is not None:
        policy = settings.values["SEED_INIT_NOTEBOOK"]
        found.append(("SEED_INIT_NOTEBOOK", policy, POLICIES[policy]))
        if settings.determinism is not None:
            origin = settings.origins["DETERMINISM"]
            found.append(("DETERMINISM", settings.determinism, origin))
    if seeding.seeded:
        found.append(("seeded", ", ".join(seeding.seeded), ""))
    state = report.status()
    return [*found, *_flags(state["flags"]), *_made(state), *_not_covered(state["not_covered"])]


def _seed(settings: contract.Settings | None) -> Row:
    base, here = seeding.base_seed(), seeding.job_seed()
    if base is None:
        given = settings.values.get("SEED") if settings is not None else None
        return "SEED", given or "none", "nothing is seeded"
    if settings is None or base != settings.seed:
        origin = "restart" if settings is not None and settings.restart else "%reseed or reseed()"
    else:
        origin = settings.origins["SEED"]
    if base != here:
        origin += f"; this cell's stream: {here}"
    return "SEED", str(base), origin


def _flags(flags: object) -> list[Row]:
    """The torch flags that are not what was asked for."""
    assert isinstance(flags, dict)
    return [
        (name, flag["now"], f"changed: {flag['origin']} gave {flag['value']}")
        for name, flag in flags.items()
        if flag["now"] not in (None, flag["value"])
    ]


def _made(state: dict[str, object]) -> list[Row]:
    unseeded, reseeded = state["unseeded"], state["reseeded"]
    assert isinstance(unseeded, dict)
    assert isinstance(reseeded, list)
    return [
        *(
            ("generators without a seed", f"{number} of {library}", "from SEED")
            for library, number in unseeded.items()
        ),
        *((note["function"], note["given"], f"by {note['place']}") for note in reseeded),
    ]


def _not_covered(lines: object) -> list[Row]:
    assert isinstance(lines, list)
    return [("not covered", line, "") for line in lines]
