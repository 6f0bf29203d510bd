# SPDX-License-Identifier: Apache-2.0
"""The published schemas describe what the types of the code write and need, and nothing else."""

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from seed_init.proof.arithmetic.fingerprint import Fingerprint, Row
from seed_init.proof.auditing.collecting import Finding
from seed_init.proof.comparing.difference import Difference, Source
from seed_init.proof.trace import journal, records, schemas
from seed_init.proof.trace.steps import End, Start, Step
from seed_init.proof.verifying.verdict import (
    Failure,
    Imitation,
    Resumption,
    Verification,
    VerifiedRun,
)

from . import damage

RECORD = json.loads((schemas.FOLDER / "record-1.schema.json").read_text())
TRACE = json.loads((schemas.FOLDER / "trace-1.schema.json").read_text())

VERDICT = RECORD["properties"]["verdict"]
DIFFERENCE = VERDICT["properties"]["difference"]
DESCRIBED: list[tuple[type, dict[str, Any], set[str]]] = [
    (Verification, VERDICT, {"format"}),
    (VerifiedRun, VERDICT["properties"]["runs"]["items"], set()),
    (Failure, VERDICT["properties"]["failures"]["items"], set()),
    (Imitation, VERDICT["properties"]["machines"]["items"], set()),
    (Resumption, VERDICT["properties"]["resumed"], set()),
    (Difference, DIFFERENCE, {"first_observed"}),
    (Source, DIFFERENCE["properties"]["source"], set()),
    (Finding, RECORD["$defs"]["finding"], set()),
    (Fingerprint, RECORD["properties"]["arithmetic"], {"hash"}),
    (Row, RECORD["$defs"]["row"], set()),
]
"""A type, what the schema says of it, and what its JSON has on top of its fields."""

NOT_WRITTEN = {"is_in_a_unit", "process"}
"""Fields that are of use within one process alone."""

NAMES: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
NAMES |= {type(None): "null", list: "array", tuple: "array", Sequence: "array"}
NAMES |= {dict: "object", Mapping: "object"}


def json_types(hint: Any) -> set[str]:
    """The types of JSON that a value of a Python type becomes; empty for any."""
    if hint is Any:
        return set()
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return set().union(*map(json_types, typing.get_args(hint)))
    if dataclasses.is_dataclass(hint):
        return {"object"}
    return {NAMES[typing.get_origin(hint) or hint]}


def accepted(schema: dict[str, Any]) -> set[str]:
    """The types that a schema accepts."""
    named = schema["type"]
    return {named} if isinstance(named, str) else set(named)


@pytest.mark.parametrize(
    ("of", "schema", "more"), DESCRIBED, ids=[of.__name__ for of, _, _ in DESCRIBED]
)
def test_each_field_that_a_type_writes_is_described_and_accepted(
    of: Any, schema: dict[str, Any], more: set[str]
) -> None:
    hints = typing.get_type_hints(of)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(of)}
    fields = {name: hint for name, hint in fields.items() if name not in NOT_WRITTEN}
    assert set(schema["properties"]) == fields.keys() | more
    assert set(schema.get("required", ())) <= fields.keys() | more
    for name, hint in fields.items():
        unknown = json_types(hint) - accepted(schema["properties"][name])
        assert not unknown, f"{of.__name__}.{name} may be {unknown}"


def test_a_record_has_the_sections_of_the_schema_in_its_order() -> None:
    assert list(records.ORDER) == list(RECORD["properties"])
    # Records of former versions have no fingerprint of the machine.
    assert [name for name in records.ORDER if name != "arithmetic"] == RECORD["required"]


KINDS: dict[str, Callable[[Any], object]] = {
    "step": lambda event: taken_apart(Step.from_json(event, {})),
    "start": lambda event: Start.from_json(event, {}),
    "end": lambda event: End.from_json(event, {}),
}
"""Kind of event -> what makes an object of it."""


def taken_apart(step: Step) -> list[object]:
    return [step.generators, step.losses, step.gradients, step.parameters, step.loss]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Kind -> an event of it, as the instruments write them."""
    folder = damage.trace(tmp_path_factory.mktemp("schema") / "trace", 1)
    written: dict[str, dict[str, Any]] = {}
    for process in journal.read(Path(folder)):
        for event in process.events:
            if event["event"] != "end" or event["final"]:
                written.setdefault(event["event"], event)
    return written


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_requires_what_an_object_is_made_of_and_nothing_else(
    events: dict[str, dict[str, Any]], kind: str
) -> None:
    schema, event, make = TRACE["$defs"][kind], events[kind], KINDS[kind]
    make(event)
    for name in event.keys() - {"event"}:
        without = {each: value for each, value in event.items() if each != name}
        if name in schema["required"] and (kind, name) != ("start", "parameters"):
            with pytest.raises(KeyError):
                make(without)
        else:
            make(without)
    assert set(schema["required"]) <= event.keys()


def test_a_result_that_a_record_has_is_read_back_as_it_was_written() -> None:
    written = damage.verdict()
    read = Verification.from_json(written)
    assert read.to_json() == written
    assert read.difference is not None and read.difference.source is not None
    assert read.difference.first_observed == written["difference"]["first_observed"]
    finding = Finding("clock", "time.time", "", "train.py", 3, "main", "t = time()", 2, 1, (0, 1))
    assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding


def test_what_the_schema_does_not_require_need_not_be_there_and_a_later_field_does_no_harm() -> (
    None
):
    read = Verification.from_json({"verdict": "failed", "runs": [{"name": "run 1"}], "new": 1})
    assert (read.verdict, read.runs) == ("failed", [VerifiedRun("run 1")])
    difference = {"first_observed": "first observed: x", "source": {"file": "a.py", "line": 3}}
    found = Difference.from_json(difference)
    assert (str(found.source), found.step, found.trail) == ("a.py:3", None, [])
    assert found.first_observed == "first observed: x"
    finding = Finding.from_json({"kind": "clock", "what": "time.time", "line": None, "file": None})
    assert (finding.line, finding.file, finding.count) == (0, "", 1)
