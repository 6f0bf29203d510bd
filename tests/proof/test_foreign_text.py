"""What others have written stays text: on a terminal, and in a page."""

import argparse
import contextlib
import io
import json
import struct
import sys
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from seed_init.cli import audit, cost, doctor, main, printing, status, tables, verify
from seed_init.hook import refusals
from seed_init.proof.auditing import collecting
from seed_init.proof.comparing.difference import Difference, Source
from seed_init.proof.cost import drawing, judging
from seed_init.proof.reporting import page
from seed_init.proof.reporting.view.report import report
from seed_init.proof.running import progress
from seed_init.proof.trace import packing, records
from seed_init.proof.trace.journal import Process
from seed_init.proof.verifying.verdict import Verification, VerifiedRun

from . import recorded, test_cost

EVIL = (
    "\"'><script>x</script><img src=x onerror=y>\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r\nFORGED \x7f"
)
"""Markup; escapes of seven and of eight bits; a direction; a line that is not ours."""


def is_harmless(shown: str) -> bool:
    """Whether a terminal shows this as it is, in lines that are all ours."""
    lines = shown.split("\n")
    return all(line.isprintable() and not line.startswith("FORGED") for line in lines)


CHOSEN = (
    *("schema", "event", "started", "run", "asked_by", "how", "diff_sha256", "sha256", "method"),
    *("kind", "hash"),
)
"""Names in a record whose text the schema prescribes: a record with another one is refused."""


def spoilt(value: Any, names: tuple[str, ...] = ("",)) -> Any:
    """A value of JSON with the text above in each string that may be any."""
    if isinstance(value, str):
        return value if names[-1] in CHOSEN else value + EVIL
    if isinstance(value, list):
        return [spoilt(each, names) for each in value]
    if isinstance(value, dict):
        return {name: spoilt(each, (*names, name)) for name, each in value.items()}
    return value


@pytest.fixture(scope="module")
def foreign(python: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two records of somebody else, all of whose strings are like that, and whose steps differ."""
    folder = tmp_path_factory.mktemp("foreign")
    plain, program = folder / "plain.json", folder / "listing.py"
    program.write_text("import os, random\nrandom.Random()\nprint(list(os.listdir('.')))\n")
    done = recorded.by_command(python, plain, python, program, cwd=folder)
    assert done.returncode == 0, done.stderr
    record = json.loads(plain.read_text())
    finding = collecting.Finding("unseeded", "a", "b", "c", 1, "d", "e").to_json()
    difference = Difference(
        "module", "t", 0, 0, 0, *"abcde", source=Source(*"f", 1, *"gh")
    ).to_json()
    difference |= {"values": ["v", "w"], "runs": ["r", "s"], "trail": ["u"]}
    difference["remedies"] = [{"cause": "c", "remedy": "d"}]
    record["audit"] = {"findings": [finding]}
    record["verdict"] = {
        "verdict": "different",
        "command": ["c"],
        "runs": [{"name": "n", "arm": "a", "changed": ["x"], "status": 1, "observed": True}],
        "compared": {"files": ["f"], "generators": ["g"]},
        "not_compared": ["n"],
        "broke_equality": "b",
        "difference": difference,
        "reason": "r",
    }
    files = []
    for number in (0, 1):
        vector = b64encode(struct.pack("<2q", 1, 2 + number)).decode()
        events: list[dict[str, Any]] = [
            {"event": "tensors", "optimizer": 0, "kind": kind, "names": [f"w{EVIL}", f"b{EVIL}"]}
            for kind in packing.VECTORS
        ]
        step = {"event": "step", "optimizer": 0, "call": 0, "rng": {f"g{EVIL}": "1"}}
        events.append({**step, "loss": [], "gradients": vector, "parameters": vector})
        events.append({"event": "end", "final": [], "generators": {f"g{EVIL}": f"{number}{EVIL}"}})
        header = {**record["processes"][0], "event": "process"}
        made = spoilt({**record, "system": {**record["system"], "os": f"number {number}"}})
        made["trace"] = packing.pack([Process(header, Path(), events)])
        made["processes"] = [{**spoilt(record["processes"])[0], "steps": 1}]
        files.append(folder / f"{number}-\x1b[31m\nFORGED.json")
        files[-1].write_text(json.dumps(made))
    assert records.load(files[0])["audit"]["findings"][0]["text"] == f"e{EVIL}"
    return files


def command(capsys: pytest.CaptureFixture[str], *words: Path | str) -> str:
    """What `seed-init` prints to both its outputs."""
    capsys.readouterr()
    with contextlib.suppress(SystemExit):
        main([str(word) for word in words])
    return "".join(capsys.readouterr())


def test_a_foreign_record_cannot_steer_a_terminal(
    foreign: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = tmp_path / "none\x1b[2J\nFORGED"
    other = tmp_path / "other\x1b[2J\nFORGED"
    other.write_text(json.dumps({"schema": EVIL}))
    target = tmp_path / "page\x1b[2J\nFORGED.html"
    for words, told in (
        (("compare", *foreign), "number 0"),
        (("compare", "--json", *foreign), "number 0"),
        (("compare", none, none), "cannot read"),
        (("compare", other, other), "its schema is"),
        (("report", *foreign, "-o", target), "different"),
        (("report", "--json", *foreign), "number 0"),
        (("report", none, other), "No such file"),
        (("report", target), "is no record"),
        (("record", "-o", foreign[0], "--", "x"), "already"),
        (("record", "-o", tmp_path / "x.json", "--", EVIL), "no such file"),
        (("audit", "-o", foreign[0], "--", "x"), "already"),
        (("audit", "--", EVIL), "no such file"),
        (("verify", "--", EVIL), "no such file"),
        (("verify", "--ignore-output", f"({EVIL}", "--", "x"), "no regular expression"),
        (("cost", "--", EVIL), "no such file"),
        (("cost", "--only", EVIL, "--", "x"), "is no choice"),
        ((EVIL,), "invalid choice"),
        (("status", EVIL), "unrecognized"),
        (("set-default", "--file", tmp_path / EVIL[-9:], f"SEED={EVIL}"), "not accepted"),
        (("set-default", "--file", none, "SEED=7"), "SEED unset -> 7"),
        (("install", "--python", none / "x"), "cannot run"),
    ):
        shown = command(capsys, *words)
        assert told in shown, (words, shown)
        assert is_harmless(shown), (words, shown)


def test_what_a_verification_has_seen_cannot_steer_a_terminal() -> None:
    run = VerifiedRun(EVIL, EVIL, (EVIL,), True, 1, 1.0)
    difference = Difference("module", EVIL, 0, 0, 0, *[EVIL] * 5, source=Source(EVIL, 1, "", EVIL))
    difference.values, difference.trail = [EVIL, EVIL], [EVIL]
    difference.remedies = [{"cause": EVIL, "remedy": EVIL}]
    compared = {"steps": 1, "ranks": 1, "tensors": 1, "generators": [EVIL], "stdout_lines": 1}
    compared |= {"units": {EVIL: 2}, "moved": 2}
    made = Verification("different", (EVIL,), EVIL, [run])
    made.compared, made.difference = {**compared, "files": [EVIL]}, difference
    made.not_compared, made.broke_equality = [EVIL], EVIL
    assert is_harmless(printing.as_text(verify.as_lines(made)))
    assert is_harmless(printing.as_json(made.to_json()))
    made.verdict, made.reason = "failed", EVIL
    assert is_harmless(printing.as_text(verify.as_lines(made)))


def test_what_an_audit_or_a_measurement_has_seen_cannot_steer_a_terminal() -> None:
    finding = collecting.Finding("unseeded", EVIL, EVIL, EVIL, 1, EVIL, EVIL)
    result = audit.Result([EVIL], 0, 1, [finding], [EVIL], [EVIL], {"gensim": EVIL})
    assert is_harmless(printing.as_text(audit.as_lines(result)))
    assert is_harmless(printing.as_json(audit.as_json(result)))
    samples = [test_cost.sample(0, 1.0, failed=EVIL)]
    made = test_cost.measurements(off=test_cost.off(1, 1), warn=samples)
    made.machine = {"gpus": [EVIL], "cuda": EVIL, "torch": EVIL, "threads": 1}
    made.operators, made.notes, made.left_out = {"warn": [finding]}, [EVIL], {"x": EVIL}
    made.seed = EVIL
    assert is_harmless(printing.as_text(cost.as_lines(judging.judge(made))))
    assert is_harmless(printing.as_json(judging.judge(made).to_json()))
    made.request = replace(made.request, command=(EVIL,))
    title = ElementTree.fromstring(drawing.picture(judging.judge(made))).attrib["aria-label"]
    assert title.isprintable() and "FORGED" in title


def test_what_the_environment_says_cannot_steer_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"name": EVIL, "value": EVIL, "origin": EVIL}
    state = {"version": "1", "python": EVIL, "hook": "active", "installed": [EVIL]}
    state |= {
        "settings": [row],
        "flags": {EVIL: row},
        "switches": {EVIL: row},
        "arithmetic": {EVIL: row},
    }
    state |= {"not_covered": [EVIL], "checked": EVIL}
    for unit in (None, {"engine": EVIL, "path": [EVIL]}):
        place = {"unit": unit, "seed": 7, "path": [EVIL]}
        assert is_harmless(printing.as_text(status.as_lines(state | place)))
    monkeypatch.setattr(doctor, "findings", lambda gpu_wanted: [doctor.Finding(EVIL, "ok", EVIL)])
    for options in (
        argparse.Namespace(json=True, cpu=True),
        argparse.Namespace(json=False, cpu=True),
    ):
        doctor.run(options)
        assert is_harmless(capsys.readouterr().out)
    written: list[bytes] = []
    monkeypatch.setattr(refusals.os, "write", lambda _, line: written.append(line))
    monkeypatch.setattr(refusals.os, "_exit", lambda status: None)
    refusals.end(refusals.Refusal(EVIL))
    assert written[0].endswith(b"\n") and is_harmless(written[0][:-1].decode())


def test_progress_cannot_steer_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", stream)
    # Not in shutil itself, which pytest asks as well.
    sized = argparse.Namespace(get_terminal_size=lambda *_: argparse.Namespace(columns=999))
    monkeypatch.setattr(progress, "shutil", sized)
    with progress.Line() as line:
        line(EVIL)
    assert "FORGED" in stream.getvalue()
    assert is_harmless(stream.getvalue().replace("\r\x1b[2K", ""))


def test_columns_stand_below_each_other_where_text_is_escaped() -> None:
    assert tables.table([("\x1b", "x"), ("ab", "y")]) == ["\\x1b  x", "ab    y"]


class Elements(HTMLParser):
    """What of a page is no text."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.shown = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.shown += data


def test_a_page_of_foreign_records_has_their_markup_as_text(foreign: list[Path]) -> None:
    for files in (foreign, foreign[:1]):
        content = page.render(report(files))
        found = Elements(content)
        assert found.shown.count("<script>x</script>") > 20
        assert not found.names & {"script", "img"}
        assert not found.attributes & {"onerror", "src"}
        assert not set(content) & set("\x1b\x07\x9b\u202e\r\x7f")
