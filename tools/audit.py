#!/usr/bin/env python3
"""Say which known vulnerabilities the Python packages of an image have.

Usage: audit.py BILL ...             compares bills of materials with the stored list
       audit.py --renew BILL ...     asks https://osv.dev for the packages, and stores the list

The list is requirements/advisories.json, in OSV's format. Beside it, advisories-allowed.json has
exceptions, each with `id`, `package`, `reason` and `until`, the last day on which it holds.

Exit 0 if every package was looked up in a list of at most 30 days and nothing is known but what is
allowed; 1 if something else is known, or an exception has ended; 2 for a mistake; 3 if that is
unproven, because there is no list, because it is old, or because it was not asked for a package.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
LIST = REQUIREMENTS / "advisories.json"
ALLOWED = REQUIREMENTS / "advisories-allowed.json"
OSV = "https://api.osv.dev/v1"
TIMEOUT_S = 30
OLDEST_DAYS = 30
CLEAN, KNOWN, MISTAKE, UNPROVEN = 0, 1, 2, 3


class Failed(Exception):
    """The audit cannot be made; the text is one line for the user."""


@dataclass(frozen=True, order=True)
class Package:
    """A Python package as the package index has it: a normalised name, and a version."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def packages(bill: dict[str, Any]) -> set[Package]:
    """The Python packages of a bill of materials."""
    found = set()
    for each in bill["components"]:
        match = re.fullmatch(r"pkg:pypi/([^@]+)@(.+)", each.get("purl", ""))
        if match:
            found.add(Package(unquote(match[1]), unquote(match[2])))
    return found


def public(version: str) -> str:
    """A version without its local part: 1.2+local has the flaws of 1.2."""
    return version.partition("+")[0]


# --- comparing ------------------------------------------------------------------------------------


def audit(
    asked: set[Package], stored: dict[str, Any] | None, allowed: list[dict[str, str]], today: date
) -> tuple[int, list[str]]:
    """Compare packages with a list.

    Args:
        asked: the packages.
        stored: the list: `date`, `looked_up` (package to versions) and `advisories`; None if there
            is none.
        allowed: the exceptions.
        today: the day for ages and ends.

    Returns:
        The exit status, and lines for the user; the last one is the verdict.
    """
    lines, status = [], CLEAN
    ended = {each["id"] for each in allowed if date.fromisoformat(each["until"]) < today}
    for each in allowed:
        if each["id"] in ended:
            lines.append(
                f"error: the exception for {each['id']} ({each['package']}) has ended on "
                f"{each['until']}; mend it, or give it a new reason and end"
            )
            status = KNOWN
    if not asked:
        return status or UNPROVEN, [*lines, "unproven: the bills name no Python package"]
    if stored is None:
        line = (
            f"unproven: there is no list of advisories; of {len(asked)} packages none was looked "
            "up (make audit RENEW=1, with network)"
        )
        return status or UNPROVEN, [*lines, line]
    excepted = {(each["id"], each["package"]) for each in allowed if each["id"] not in ended}
    known = sorted(_matches(asked, stored["advisories"]))
    for package, identifier, summary in known:
        excuse = (identifier, package.name) in excepted
        lines.append(
            f"{'allowed' if excuse else 'known'}: {package}: {identifier} {summary}".rstrip()
        )
        status = status if excuse else KNOWN
    looked_up = {
        package
        for package in asked
        if public(package.version) in stored["looked_up"].get(package.name, ())
    }
    age = (today - date.fromisoformat(stored["date"])).days
    seen = (
        f"{len(looked_up)} of {len(asked)} packages looked up in a list of {stored['date']} "
        f"({age} days old)"
    )
    missing = sorted(asked - looked_up)
    if missing:
        lines.append(f"not looked up: {', '.join(map(str, missing))}")
    if status:
        return KNOWN, [*lines, f"not clean: {seen}"]
    if missing or age > OLDEST_DAYS:
        why = (
            "a package was not looked up"
            if missing
            else f"the list is older than {OLDEST_DAYS} days"
        )
        return UNPROVEN, [*lines, f"unproven: {why}: {seen} (make audit RENEW=1, with network)"]
    return CLEAN, [*lines, f"nothing is known that is not allowed: {seen}"]


def _matches(
    asked: Iterable[Package], advisories: list[dict[str, Any]]
) -> set[tuple[Package, str, str]]:
    """Package, advisory and summary, where the advisory names the package's version."""
    by_name: dict[str, list[Package]] = {}
    for package in asked:
        by_name.setdefault(package.name, []).append(package)
    found = set()
    for advisory in advisories:
        if advisory.get("withdrawn"):
            continue
        for affected in advisory.get("affected", ()):
            of = affected.get("package", {})
            if of.get("ecosystem") == "PyPI":
                name = re.sub(r"[-_.]+", "-", of["name"]).lower()
                for package in by_name.get(name, ()):
                    if public(package.version) in affected.get("versions", ()):
                        found.add((package, advisory["id"], advisory.get("summary", "")))
    return found


# --- the files ------------------------------------------------------------------------------------


def read(file: Path) -> Any:
    try:
        return json.loads(file.read_text())
    except FileNotFoundError:
        raise Failed(f"{file} is not there; make sbom writes the bills of materials") from None
    except ValueError as error:
        raise Failed(f"{file} is not JSON: {error}") from None


def exceptions(file: Path = ALLOWED) -> list[dict[str, str]]:
    """The exceptions.

    Raises:
        Failed: one lacks its reason or its end, or the end is no day.
    """
    found: list[dict[str, str]] = read(file)
    for each in found:
        for field in ("id", "package", "reason", "until"):
            if not each.get(field):
                raise Failed(f"{file.name}: the exception {each} has no {field}")
        try:
            date.fromisoformat(each["until"])
        except ValueError:
            raise Failed(
                f"{file.name}: until={each['until']} is no day, such as 2027-01-31"
            ) from None
    return found


def renew(asked: set[Package], today: date) -> dict[str, Any]:
    """Ask OSV for every package.

    Raises:
        Failed: the service does not answer; the stored list stays.
    """
    order = sorted(asked)
    queries = [
        {"package": {"name": each.name, "ecosystem": "PyPI"}, "version": public(each.version)}
        for each in order
    ]
    answers = _ask("querybatch", {"queries": queries})["results"]
    identifiers = sorted({each["id"] for answer in answers for each in answer.get("vulns", ())})
    looked_up: dict[str, list[str]] = {}
    for package in order:
        looked_up.setdefault(package.name, []).append(public(package.version))
    advisories = [_ask(f"vulns/{identifier}") for identifier in identifiers]
    return {"date": today.isoformat(), "looked_up": looked_up, "advisories": advisories}


def _ask(path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{OSV}/{path}", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise Failed(f"{OSV} does not answer ({error}); the stored list stays") from None


def main(words: list[str]) -> int:
    renewing = words[:1] == ["--renew"]
    bills = [Path(word) for word in words[renewing:]]
    if not bills:
        print("audit: name a bill of materials; make sbom writes them to dist/", file=sys.stderr)
        return MISTAKE
    today = date.today()
    try:
        asked = set().union(*(packages(read(bill)) for bill in bills))
        if renewing:
            LIST.write_text(json.dumps(renew(asked, today), indent=1) + "\n")
        stored = read(LIST) if LIST.exists() else None
        status, lines = audit(asked, stored, exceptions(), today)
    except Failed as failure:
        print(f"audit: {failure}", file=sys.stderr)
        return MISTAKE
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
