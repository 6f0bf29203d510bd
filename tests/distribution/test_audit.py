"""What is said of known vulnerabilities, and that nothing is said where nothing was looked at."""

from collections.abc import Sequence
from datetime import date

import pytest

from tools import audit
from tools.audit import CLEAN, KNOWN, UNPROVEN, Package

TODAY = date(2026, 12, 1)
JINJA = Package("jinja2", "3.1.2")
ADVISORY = {
    "id": "PYSEC-1",
    "summary": "a flaw",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "Jinja2"}, "versions": ["3.1.2"]}],
}


def listed(*advisories: dict, day: str = "2026-11-30", **looked_up: list[str]) -> dict:
    return {
        "date": day,
        "looked_up": looked_up or {"jinja2": ["3.1.2"]},
        "advisories": list(advisories),
    }


def allowed(until: str, package: str = "jinja2") -> list[dict[str, str]]:
    return [{"id": "PYSEC-1", "package": package, "reason": "not reached", "until": until}]


def said(
    asked: set[Package], stored: dict | None, exceptions: Sequence[dict] = ()
) -> tuple[int, list[str]]:
    return audit.audit(asked, stored, list(exceptions), TODAY)


def test_a_known_flaw_is_named_with_its_package() -> None:
    status, lines = said({JINJA}, listed(ADVISORY))
    assert status == KNOWN
    assert lines[0] == "known: jinja2 3.1.2: PYSEC-1 a flaw"


def test_another_version_is_not_affected() -> None:
    newer = Package("jinja2", "3.1.6")
    assert said({newer}, listed(ADVISORY, jinja2=["3.1.6"]))[0] == CLEAN


def test_a_local_version_has_the_flaws_of_the_public_one() -> None:
    assert said({Package("jinja2", "3.1.2+ours")}, listed(ADVISORY))[0] == KNOWN


def test_a_withdrawn_advisory_does_not_count() -> None:
    assert said({JINJA}, listed({**ADVISORY, "withdrawn": "2026-01-01"}))[0] == CLEAN


def test_an_exception_holds_until_its_last_day() -> None:
    status, lines = said({JINJA}, listed(ADVISORY), allowed("2026-12-01"))
    assert (status, lines[0]) == (CLEAN, "allowed: jinja2 3.1.2: PYSEC-1 a flaw")


def test_an_exception_past_its_end_is_an_error_even_if_nothing_is_known() -> None:
    status, lines = said({JINJA}, listed(), allowed("2026-11-30"))
    assert status == KNOWN
    assert lines[0].startswith("error: the exception for PYSEC-1 (jinja2) has ended on 2026-11-30")


def test_an_exception_is_for_one_package() -> None:
    assert said({JINJA}, listed(ADVISORY), allowed("2027-01-01", "flask"))[0] == KNOWN


def test_a_clean_verdict_says_how_many_packages_and_how_old_the_list_is() -> None:
    assert said({JINJA}, listed()) == (
        CLEAN,
        [
            "nothing is known that is not allowed: 1 of 1 packages looked up in a list of "
            "2026-11-30 (1 days old)"
        ],
    )


@pytest.mark.parametrize(
    ("asked", "stored", "why"),
    [
        ({JINJA}, None, "there is no list of advisories; of 1 packages none was looked up"),
        (set(), listed(), "the bills name no Python package"),
        ({JINJA, Package("six", "1")}, listed(), "a package was not looked up: 1 of 2 packages"),
        ({Package("jinja2", "4")}, listed(), "a package was not looked up: 0 of 1 packages"),
        ({JINJA}, listed(day="2026-10-31"), "the list is older than 30 days: 1 of 1 packages"),
    ],
)
def test_what_was_not_looked_at_is_unproven(asked: set, stored: dict | None, why: str) -> None:
    status, lines = said(asked, stored)
    assert status == UNPROVEN
    assert lines[-1].startswith(f"unproven: {why}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"id": "X", "package": "y", "until": "2027-01-01"}]', "has no reason"),
        ('[{"id": "X", "package": "y", "reason": "z"}]', "has no until"),
        ('[{"id": "X", "package": "y", "reason": "z", "until": "soon"}]', "until=soon is no day"),
        ("[", "is not JSON"),
    ],
)
def test_an_exception_without_reason_or_end_is_refused(tmp_path, text: str, message: str) -> None:
    file = tmp_path / "allowed.json"
    file.write_text(text)
    with pytest.raises(audit.Failed, match=message):
        audit.exceptions(file)


def test_the_exceptions_of_this_repository_can_be_read() -> None:
    assert isinstance(audit.exceptions(), list)


def test_packages_are_those_of_the_index_under_its_names() -> None:
    bill = {
        "components": [
            {"purl": "pkg:pypi/torch@2.6.0%2Bcu118"},
            {"purl": "pkg:deb/debian/tini@1?arch=amd64"},
        ]
    }
    assert audit.packages(bill) == {Package("torch", "2.6.0+cu118")}
