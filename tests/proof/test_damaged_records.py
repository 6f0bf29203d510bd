"""Whatever is in a record or a trace: it is compared and reported, or refused in one line."""

import copy
import json
import os
import resource
import zlib
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seed_init.proof.comparing import comparison
from seed_init.proof.reporting.view.report import report
from seed_init.proof.trace import records, schemas, validation

from . import damage
from .recorded import SCHEMA

RECORDS, TRACES = 1500, 100
"""How many are damaged."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two records and the traces that they were made from."""
    place = tmp_path_factory.mktemp("damaged")
    for name, seed, ranks in (("plain", 1, 0), ("ranks", 2, 2)):
        content = damage.record(place / name, seed, ranks=ranks)
        (place / f"{name}.json").write_text(json.dumps(content))
    return place


@pytest.fixture
def whole(folder: Path) -> dict[str, Any]:
    """A record, which a test may change."""
    content: dict[str, Any] = json.loads((folder / "plain.json").read_text())
    return content


@pytest.fixture
def told(tmp_path: Path) -> Callable[[Any], str]:
    """What is said of a record that must be refused: its content, or the text of its file."""

    def told(content: Any) -> str:
        file = tmp_path / "damaged.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        with pytest.raises(records.NotARecord) as refused:
            records.read(file)
        line = str(refused.value)
        assert "\n" not in line and len(line) < 400
        assert line.startswith(f"{file} is no record")
        return line.removeprefix(f"{file} is no record")

    return told


# --- thousands of them --------------------------------------------------------------------


@pytest.mark.slow
def test_a_damaged_record_is_refused_or_read_and_nothing_else_happens(
    folder: Path, tmp_path: Path
) -> None:
    whole = [json.loads((folder / f"{name}.json").read_text()) for name in ("plain", "ranks")]
    file, refused = tmp_path / "damaged.json", 0
    for raw in damage.records_damaged(7, RECORDS, whole):
        file.write_bytes(raw)
        refused += is_refused(folder / "plain.json", file)
    # Most damage is noticed; what is left changed a text or a number that may be anything.
    assert RECORDS * 0.7 < refused < RECORDS


@pytest.mark.slow
def test_a_damaged_trace_is_refused_or_read_and_nothing_else_happens(
    folder: Path, tmp_path: Path
) -> None:
    refused = 0
    for place in damage.traces_damaged(8, TRACES, folder / "ranks", tmp_path / "trace"):
        refused += is_refused(folder / "ranks.json", place)
    assert TRACES * 0.2 < refused < TRACES


def is_refused(whole: Path, damaged: Path) -> bool:
    """Whether all readers refuse a record, each in one line; none of them if not."""
    try:
        damage.read_by_all(damaged, whole)
    except records.NotARecord as error:
        assert "\n" not in str(error)
        assert str(damaged) in str(error)
        with pytest.raises(records.NotARecord):
            report([damaged])
        return True
    damage.read_by_all(whole, damaged)
    return False


def test_whole_records_and_traces_are_read_by_all(folder: Path) -> None:
    for name in ("plain", "ranks"):
        for a in (f"{name}.json", name):
            for b in (f"{name}.json", name):
                damage.read_by_all(folder / a, folder / b)
                # An instrument failed in the runs that these are like.
                assert comparison.compare(folder / a, folder / b).verdict == "unproven"


# --- the schema and the check -------------------------------------------------------------


@pytest.mark.slow
def test_the_check_and_the_published_schema_accept_the_same_records(folder: Path) -> None:
    # In JSON Schema 1.0 is an integer.
    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    )
    strict = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=types)
    validator, check = strict(SCHEMA), schemas.check("record-1")
    whole = [json.loads((folder / f"{name}.json").read_text()) for name in ("plain", "ranks")]
    seen = {True: 0, False: 0}
    for raw in damage.records_damaged(9, 400, whole):
        try:
            content = validation.parsed(raw, validation.Room(len(raw)))
        except validation.Invalid:
            continue
        try:
            check(content)
            accepted = True
        except schemas.Wrong:
            accepted = False
        assert validator.is_valid(content) is accepted, raw
        seen[accepted] += 1
    assert min(seen.values()) > 50


def test_every_schema_is_understood_and_well_formed() -> None:
    for name in ("record-1", "trace-1"):
        content = json.loads((schemas.FOLDER / f"{name}.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(content)
        for part in ("", *schemas.parts(name)):
            schemas.check(name, part)


def test_a_keyword_that_nobody_checks_is_refused() -> None:
    with pytest.raises(ValueError, match="uniqueItems"):
        schemas._compiled({"type": "array", "uniqueItems": True}, {})


# --- what is wrong is said ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("trace",), None, ": trace is null, not an object"),
        (("settings", 0, "value"), 7, ": settings[0].value is 7, not a text"),
        (("packages", "a-b"), [], ': packages["a-b"] is an empty array, not a text'),
        (("times", "seconds"), -3, ": times.seconds is -3, not at least 0"),
        (("exit", "how"), "x", ': exit.how is "x", not "exit" or "exception" or "signal" or '),
        (("seeds", "processes", 0, "process"), 9, ": seeds.processes has process 9, which it does"),
        (("trace", "steps"), 4, ": its trace says 4 steps and has 5"),
        (("processes", 0, "steps"), 6, ": process 0 has 6 steps by its list, 5 by its trace"),
        (("\x1b[31m\n",), 1, ': it has a "\\u001b[31m\\n", which it must not have'),
        (("schema",), "x" * 1000, " of this version: its schema is another one, not 'seed-init-"),
        (("trace", "format"), 99, ": the steps are packed in format 99, this version reads 1; use"),
    ],
)
def test_what_is_wrong_is_named(
    whole: dict[str, Any], told: Callable[[Any], str], path: tuple[Any, ...], value: Any, line: str
) -> None:
    assert told(damage.put(whole, path, value)).startswith(line)


@pytest.mark.parametrize("section", ["trace", "settings", "processes", "flags", "code"])
def test_a_section_that_is_missing_is_named(
    whole: dict[str, Any], told: Callable[[Any], str], section: str
) -> None:
    del whole[section]
    assert told(whole) == f": it has no {section!r}; {records.ADVICE}"


def test_a_list_of_processes_without_their_events_is_refused(
    whole: dict[str, Any], told: Callable[[Any], str]
) -> None:
    whole["trace"]["processes"].pop()
    assert told(whole).startswith(": it lists 2 processes and has the events of 1; ")


def test_a_block_that_is_cut_is_refused(whole: dict[str, Any], told: Callable[[Any], str]) -> None:
    block = whole["trace"]["processes"][0]["blocks"][0]
    block["call"] = block["call"][:-8]
    assert told(whole).startswith(": the trace of process 0: what is packed in it is damaged")


# --- what a reader sees and what is compared ----------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        *(None, "5", [5], {"x": "5"}),
        *({"parameters": bits} for bits in (5, "-5", "0x5", "", "f" * 5000)),
    ],
    ids=lambda given: str(given)[:20],
)
def test_which_columns_could_not_be_read_is_checked(
    given: Any, whole: dict[str, Any], told: Callable[[Any], str]
) -> None:
    block = whole["trace"]["processes"][0]["blocks"][0]
    rest = json.loads(damage.unpacked(block["rest"]))
    assert [step for step in rest if step] == [{"unreadable": {"parameters": "10"}}]
    rest[0]["unreadable"] = given
    block["rest"] = damage.packed(json.dumps(rest).encode())
    assert "which of its tensors could not be read" in told(whole)


def test_a_loss_whose_text_and_bits_are_two_numbers_is_refused(
    whole: dict[str, Any], told: Callable[[Any], str], folder: Path, tmp_path: Path
) -> None:
    block = whole["trace"]["processes"][0]["blocks"][1]
    block["loss"] = {"kind": "text", "data": damage.packed(b'[[[0.5, "3fd0000000000000"]]]')}
    line = ": the trace of process 0: a loss says 0.5, and its bits 3fd0000000000000 are another"
    assert told(whole).startswith(line)
    trace = tmp_path / "trace"
    trace.mkdir()
    for file in (folder / "plain").iterdir():
        text = file.read_text()
        (trace / file.name).write_text(text.replace('"loss": [[0.', '"loss": [[1.'))
    with pytest.raises(records.NotARecord, match=r"a loss says 1\..* are another number"):
        records.read(trace)


@pytest.mark.parametrize(
    ("path", "values", "shown"),
    [
        (("flags", "start", "cudnn_enabled"), (True, "yes"), ("true", '"yes"')),
        (("flags", "start", "cudnn_enabled"), (1, "1"), ("1", '"1"')),
        (("environment", "start", "TZ"), ("a\udcff", "a\\udcff"), ('"a\\udcff"', '"a\\\\udcff"')),
        (("code", "modules", 0, "sha256"), ("a" * 60 + "0000", "a" * 60 + "1111"), None),
    ],
)
def test_values_that_differ_are_never_shown_as_equal(
    whole: dict[str, Any],
    tmp_path: Path,
    path: tuple[Any, ...],
    values: tuple[Any, Any],
    shown: tuple[str, str] | None,
) -> None:
    whole["code"]["modules"][0]["sha256"] = "b" * 64
    files = [tmp_path / f"{number}.json" for number in range(2)]
    for file, value in zip(files, values):
        file.write_text(json.dumps(damage.put(copy.deepcopy(whole), path, value)))
    [explained] = comparison.compare(*files).explanations
    assert explained.first.encode(errors="backslashreplace") != explained.second.encode()
    [differing] = [fact for fact in report(files).environment if fact.differs]
    assert shown in (None, differing.values)


def test_of_the_files_that_a_foreign_trace_names_none_is_opened(
    folder: Path, tmp_path: Path
) -> None:
    trace, pipe = tmp_path / "trace", tmp_path / "pipe"
    os.mkfifo(pipe)  # to open it would wait for ever
    trace.mkdir()
    for file in (folder / "plain").iterdir():
        text = file.read_text().replace("/workspace/a.bin", str(pipe))
        more = '{"event": "file", "mode": "read", "path": "/\\ud800", "size": 4, "changed": 17}\n'
        (trace / file.name).write_text(text + more if file.suffix == ".jsonl" else text)
    read = records.load(trace)["files"]["read"]
    found = {one["path"]: (one["method"], one["sha256"]) for one in read}
    assert found == {str(pipe): ("none", None), "/\ud800": ("gone", None)}


# --- bombs --------------------------------------------------------------------------------


def zeros(size: int) -> str:
    """So many zero bytes, packed a thousand times smaller."""
    packing, piece = zlib.compressobj(9), bytes(1 << 20)
    # A whole part of the stream, which may come again and again. The end is not reached anyway.
    first, again = (packing.compress(piece) + packing.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return b64encode(first + again * (size >> 20)).decode()


def block(content: dict[str, Any], steps: int) -> dict[str, Any]:
    """The first block of a record that says in every place that it has so many steps."""
    process = content["trace"]["processes"][0]
    del process["blocks"][1:]
    process["blocks"][0]["steps"] = steps
    content["processes"][0]["steps"] = content["trace"]["steps"] = steps
    found: dict[str, Any] = process["blocks"][0]
    return found


def many_steps(content: dict[str, Any]) -> None:
    block(content, 10**9)


def many_bytes(content: dict[str, Any]) -> None:
    content["trace"]["processes"][0]["others"] = zeros(600 << 20)


def many_columns(content: dict[str, Any]) -> None:
    content["trace"]["processes"][0]["blocks"][0]["call"] = zeros(600 << 20)


def many_losses(content: dict[str, Any]) -> None:
    of = block(content, 2000)
    counts = damage.packed(b"\xff\xff" * 2000)
    of["loss"] = {"kind": "bits", "counts": counts, "numbers": zeros(1), "data": zeros(1)}
    content["trace"]["processes"][0]["order"] = damage.packed(bytes(4000))
    of["call"] = damage.packed(bytes(16000))
    of |= {"vectors": {}, "sums": {}, "rng": {}}


def many_values(content: dict[str, Any]) -> None:
    text = b"[" + b"[]," * (16 << 20) + b"[]]"
    content["trace"]["processes"][0]["others"] = damage.packed(text)


def deep(content: dict[str, Any]) -> None:
    content["trace"]["processes"][0]["others"] = damage.packed(b"[" * 10**7)


@pytest.mark.parametrize(
    "bomb", [many_steps, many_bytes, many_columns, many_losses, many_values, deep]
)
def test_a_small_file_that_unpacks_to_gigabytes_is_refused_before_it_does(
    whole: dict[str, Any],
    told: Callable[[Any], str],
    bomb: Callable[[dict[str, Any]], None],
    limited_memory: None,
) -> None:
    bomb(whole)
    assert "the trace of process 0: " in told(whole)


@pytest.fixture
def limited_memory() -> Any:
    """256 MiB of memory beyond what this process has: what needs more fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    more = pages * resource.getpagesize() + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (more, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 10**6, "nested too deeply"),
        ("[" * 500 + "]" * 500, "nested too deeply"),
        ('{"a": ' + "9" * 10**6 + "}", "a number of 1000000 digits"),
        ('{"a": NaN}', "NaN in it, which is not JSON"),
        ('{"a": 1e999}', "1e999, which no double can hold"),
        ('{"schema": "seed-init-record-1", "schema": 1}', "'schema' twice in one object"),
        ("[" + "[]," * (8 << 20) + "[]]", "unpacks to more values than the record of a run"),
        ('{"a": "\ud800"}', "not JSON"),
    ],
)
def test_json_that_is_made_to_hurt_is_refused(
    told: Callable[[Any], str], tmp_path: Path, text: str, reason: str
) -> None:
    file = tmp_path / "hurts.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(records.NotARecord, match=reason):
        records.read(file)


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(records.NotARecord, match="it has more than 128 MiB"):
        records.read(Path("/dev/zero"))


def test_a_trace_of_another_version_is_said_to_be_one_whatever_else_it_has(tmp_path: Path) -> None:
    (tmp_path / "1-1.jsonl").write_text('{"event": "process", "format": 2, "new": 1}\n')
    with pytest.raises(records.NotARecord) as refused:
        records.read(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path}/1-1.jsonl is not of this version's traces (format 1); use the version of "
        "seed-init that wrote it"
    )


def test_a_pipe_in_a_trace_directory_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1-1.jsonl")
    with pytest.raises(records.NotARecord, match="no regular file"):
        records.read(tmp_path)
