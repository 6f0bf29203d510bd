# SPDX-License-Identifier: Apache-2.0
"""Compare the environments of two records, or of a record and this machine, before a long run.

What a machine would compute is asked before anything trains: versions, settings, devices, code,
data, and the fingerprint of the machine's arithmetic.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from seed_init.proof.arithmetic import agreement
from seed_init.proof.arithmetic.fingerprint import Fingerprint
from seed_init.proof.comparing import environments, facts
from seed_init.proof.comparing.environments import Explanation

SAME, DIFFERENT, NOTHING, UNPROVEN = "same", "different", "nothing in common", "unproven"

FORMAT = 1
"""Of the JSON. Another number: another meaning of what is in it."""

Content = dict[str, Any]
"""The sections of a record."""

SELDOM = frozenset({"kernel"})
"""What differs on almost any two machines, and decides no bit of itself."""

BY_ARITHMETIC = frozenset(
    {
        *("CPU", "CPU instruction set in use", "CPU instruction sets", "processors of the job"),
        *("C library", "operating system"),
    }
)
"""What explains that two machines compute differently, and so decides nothing where they do not."""

_Known = Callable[[Mapping[str, Any]], Any]

ESSENTIAL: dict[str, _Known] = {
    "settings": facts.settings,
    "Python": lambda content: content["python"],
    "packages": lambda content: content["packages"],
    "CPU": lambda content: content["cpu"],
    "system": lambda content: content["system"],
}
"""What has to be known of both sides, and how it is read."""


@dataclass(frozen=True)
class Compared:
    """What came of it.

    Attributes:
        verdict: `SAME` where nothing that can decide bits differs, `DIFFERENT`, `UNPROVEN` where
            nothing differs and something essential is not known, or `NOTHING` where nothing is
            known of both sides.
        explanations: what differs and can decide bits, likeliest first.
        others: what differs all the same.
        compared: what was known of both sides, by name.
        not_compared: what was not, one line each.
    """

    verdict: str
    explanations: list[Explanation]
    others: list[Explanation]
    compared: list[str]
    not_compared: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return what `seed-init compare --environment --json` prints."""
        return {
            "format": FORMAT,
            "verdict": self.verdict,
            "same": self.verdict == SAME,
            "explanations": [asdict(each) for each in self.explanations],
            "others": [asdict(each) for each in self.others],
            "compared": self.compared,
            "not_compared": self.not_compared,
        }


def compare(
    first: Content, second: Content, names: tuple[str, str], more: list[Explanation] | None = None
) -> Compared:
    """Compare two environments.

    Args:
        first: a record's sections, as `records.load` returns them.
        second: those of another record, or of this machine (`this_machine.described`).
        names: what a reader calls the two.
        more: differences that the sections do not show.
    """
    found = [*(more or []), *environments.explain(first, second)]
    agreed = _arithmetic(first, second)
    known, not_compared = _known(first, second, names)
    if agreed is not None:
        known.append("arithmetic")
        if agreed.not_compared:
            rows = ", ".join(agreed.not_compared)
            not_compared.append(f"arithmetic: only one of the two has {rows}")
    deciding = [each for each in found if _decides(each, agreed)]
    missing = [name for name in ESSENTIAL if name not in known]
    return Compared(
        _verdict(bool(deciding), bool(known), bool(missing)),
        deciding,
        [each for each in found if each not in deciding],
        known,
        not_compared,
    )


def _verdict(differ: bool, known: bool, missing: bool) -> str:
    if differ:
        return DIFFERENT
    if not known:
        return NOTHING
    return UNPROVEN if missing else SAME


def _decides(explanation: Explanation, agreed: agreement.Agreement | None) -> bool:
    if explanation.what in SELDOM:
        return False
    is_alike = agreed is not None and agreed.verdict == agreement.SAME
    return not (is_alike and explanation.what in BY_ARITHMETIC)


def _known(first: Content, second: Content, names: tuple[str, str]) -> tuple[list[str], list[str]]:
    """Return what both sides know, and a line for each thing that one of them does not."""
    optional: dict[str, _Known] = {}
    if first["torch"] or second["torch"]:
        optional["torch"] = lambda content: content["torch"]
    if first["code"]["commit"] or second["code"]["commit"]:
        optional["code"] = lambda content: content["code"]["commit"]
    optional["arithmetic of the machine"] = lambda content: content.get("arithmetic")
    known, lines = [], []
    for name, read in {**ESSENTIAL, **optional}.items():
        lacking = [side for side, content in zip(names, (first, second)) if not read(content)]
        if lacking:
            lines.append(f"{name}: not known of {' and of '.join(lacking)}")
        elif name != "arithmetic of the machine":
            known.append(name)
    return known, lines


def _arithmetic(first: Content, second: Content) -> agreement.Agreement | None:
    """Return how what the machines compute agrees; None where one side does not have it."""
    found = [content.get("arithmetic") for content in (first, second)]
    if not all(found):
        return None
    return agreement.compare(*(Fingerprint.from_json(content) for content in found if content))
