"""What `seed-init verify` makes of programs whose answer is known: caught, located, false alarms.

The programs and their answers are those of harness/divergence.
"""

import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import interpreters
from harness.divergence import bit_flips, running
from harness.divergence.catalogue import CASES, Case, mistakes

AT_ONCE = 2
FLIPS = 100


@dataclass(frozen=True)
class Row:
    """What `verify` said of one case.

    Attributes:
        case: which.
        verdict: the word; `no result` where there was none.
        found: where it says that the runs part.
        wrong: what it has wrong about that; one line each.
        plain: of a latent case, the verdict without perturbations.
    """

    case: Case
    verdict: str
    found: str
    wrong: tuple[str, ...]
    plain: str = ""

    @property
    def is_detected(self) -> bool:
        return self.case.kind != "clean" and self.verdict == "different"

    @property
    def is_exact(self) -> bool:
        return self.is_detected and not self.wrong

    @property
    def is_found_only_by_perturbing(self) -> bool:
        return self.is_detected and self.plain == "identical"


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        python = interpreters.copy_base(Path(place, "python"))
        interpreters.see_packages(python)
        interpreters.install_hook(python)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            rows = list(pool.map(lambda case: row(case, python), CASES))
        print_table(rows)
        print()
        print_totals(rows)
        print_flips(python)


def row(case: Case, python: Path) -> Row:
    """Verify one case; a latent one without perturbations as well."""
    try:
        verdict = running.verify(case, python)
        plain = running.verify(case, python, "--no-perturb") if case.kind == "latent" else {}
    except running.Failed as failure:
        made = Row(case, "no result", "", tuple(str(failure).splitlines()))
    else:
        wrong: Sequence[str] = []
        if case.expected and verdict["verdict"] == "different":
            wrong = mistakes(case, verdict)
        found = where(verdict) if verdict["difference"] else verdict["reason"] or ""
        made = Row(case, verdict["verdict"], found, tuple(wrong), plain.get("verdict", ""))
    print(case.name, made.verdict, *made.wrong, sep=" | ", file=sys.stderr, flush=True)
    return made


def where(verdict: dict[str, Any]) -> str:
    """Where the runs part, in one line: level, step, and what else is named."""
    difference = verdict["difference"]
    parts = [difference["level"]]
    for name in ("step", "rank"):
        if difference[name] is not None:
            parts.append(f"{name} {difference[name]}")
    for name in ("generator", "tensor", "module", "operator"):
        if difference[name] is not None:
            parts.append(f"`{difference[name]}`")
    if difference["source"]:
        parts.append(f"line {difference['source']['line']}")
    if verdict["broke_equality"]:
        parts.append(f"by {verdict['broke_equality']}")
    return ", ".join(parts)


def wanted(case: Case) -> str:
    """What has to be found, in one line."""
    expected = case.expected
    if expected is None:
        return "identical"
    parts = [expected.level]
    for name in ("step", "rank"):
        if getattr(expected, name) is not None:
            parts.append(f"{name} {getattr(expected, name)}")
    for name in ("generator", "tensor", "module", "operator"):
        if getattr(expected, name) is not None:
            parts.append(f"`{getattr(expected, name)}`")
    if case.here is not None:
        parts.append(f"line {case.here[0]}")
    if expected.perturbation:
        parts.append(f"by {expected.perturbation}")
    return ", ".join(parts)


def print_table(rows: Sequence[Row]) -> None:
    print("| case | kind | expected | verdict | found at | exact |")
    print("|---|---|---|---|---|---|")
    for each in rows:
        case = each.case
        exact = "" if case.kind == "clean" else "yes" if each.is_exact else "no"
        cells = (case.what, case.kind, wanted(case), each.verdict, each.found, exact)
        print("| " + " | ".join(cells) + " |")
    for each in rows:
        for line in each.wrong:
            print(f"- {each.case.what}: {line}")


def print_totals(rows: Sequence[Row]) -> None:
    faults = [each for each in rows if each.case.kind != "clean"]
    controls = [each for each in rows if each.case.kind == "clean"]
    alarms = [each for each in controls if each.verdict != "identical"]
    latent = [each for each in faults if each.case.kind == "latent"]
    detected = [each for each in faults if each.is_detected]
    exact = sum(each.is_exact for each in faults)
    only = sum(each.is_found_only_by_perturbing for each in latent)
    print(f"detected                      {len(detected)} of {len(faults)}")
    print(f"false alarms                  {len(alarms)} of {len(controls)} controls")
    print(f"located exactly               {exact} of {len(faults)}")
    print(f"found only with perturbation  {only} of {len(faults)}")


def print_flips(python: Path) -> None:
    base = bit_flips.clean(python)
    planted = bit_flips.flips(FLIPS)
    halves = [planted[number::AT_ONCE] for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda half: list(bit_flips.found(python, base, half)), halves)
        seen = [each for half in found for each in half]
    exact = sum(bit_flips.is_exact(*each) for each in seen)
    print(f"bit flips found in their gradient at their step  {exact} of {len(seen)}")
    for flip, difference in seen:
        if not bit_flips.is_exact(flip, difference):
            print(f"- {flip}: {difference.first_observed if difference else 'not found'}")


if __name__ == "__main__":
    main()
