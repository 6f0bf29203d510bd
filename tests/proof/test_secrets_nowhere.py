"""A command line full of secrets, and everything that is written or printed about it."""

import json
from pathlib import Path

import pytest

from harness.processes import Completed, run
from harness.sharing import once
from seed_init.proof.trace import journal, packing, records

from .test_redaction import KNOWN, MARKS, NAMED, S

# An option ends what is hidden behind the one before.
WORDS = [word for given in NAMED for word in (*given, "--then")] + KNOWN

PROGRAM = f"""
import os, random, sys
random.Random(); token = "{S}"
print("password is", len(sys.argv), "password={S}", os.urandom(4).hex())
"""
FAILING = "import argparse; argparse.ArgumentParser().parse_args()"


def made(python: str, place: str) -> str:
    """Everything that a folder has after every command has had such a command line to do with."""
    folder = Path(place)
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(PROGRAM)
    (folder / "fail.py").write_text(FAILING)

    def do(name: str, *words: Path | str, status: int = 0, **env: str) -> Completed:
        done = run(
            *(Path(python), *words), env={"SEED": "7", "HOME": "/", **env}, cwd=folder, timeout=300
        )
        (folder / f"{name}.printed").write_text(done.stdout + done.stderr)
        assert done.returncode == status, done.stderr[-2000:]
        return done

    def command(name: str, *words: Path | str, status: int = 0) -> None:
        do(name, "-m", "seed_init", *words, status=status)

    train = (python, "train.py", *WORDS)
    fail = (python, "fail.py", *(word for word in WORDS if "\n" not in word))
    command("record", "record", "--audit", "--json", "-o", "one.json", "--", *train)
    trace = folder / "trace"
    journal.write_plan(trace, {"instruments": [*records.PLAN["instruments"], "auditing"]})
    variables = {"SEED_INIT_TRACE": "trace", "SEED_INIT_RECORD": "two.json"}
    do("variable", "train.py", *WORDS, **variables)
    command(
        "verify", "verify", "--json", "--no-perturb", "--records", "records", "--", *train, status=1
    )
    command("verify-text", "verify", "--no-locate", "--", *fail, status=2)
    command("verify-json", "verify", "--json", "--", *fail, status=2)
    command("audit", "audit", "--json", "-o", "audit.json", "--", *train)
    command("cost", "cost", "--json", "--", *fail, status=2)
    command("cannot", "verify", "--", f"PGPASSWORD={S}", *train, status=2)
    command("cannot-record", "record", "--", f"PGPASSWORD={S}", *train, status=127)
    command("usage", "verify", "--", status=2)
    command("parser", "compare", "a", "b", "--password", S, status=2)
    command("compare", "compare", "--json", "one.json", "trace")
    command("compare-text", "compare", "one.json", "trace")
    command("report", "report", "one.json", "trace", "-o", "two.html")
    command("report-json", "report", "--json", "records/run-1.json")
    command("report-one", "report", "records/run-1.json", "-o", "one.html")
    return place


@pytest.fixture
def folder(python: Path, kept: Path) -> Path:
    return Path(once(kept, made, str(python), str(kept / "secrets")))


@pytest.mark.slow
def test_a_secret_of_a_command_line_is_in_nothing_that_is_written_or_printed(folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".py"]
    leaks = []
    for file in files:
        text = file.read_text()
        if file.suffix == ".json" and file.parent.name != "trace":
            content = json.loads(text)
            text += json.dumps(packing.unpack(content["trace"])) if "trace" in content else ""
        # What the program itself prints is the user's, and passes through.
        text = text.replace(f"password={S}", "", file.stem in ("record", "variable", "audit"))
        leaks += [
            (file.name, mark, text[text.index(mark) - 60 :][:90]) for mark in MARKS if mark in text
        ]
    assert leaks == []
    names = {file.name for file in files}
    assert {"one.json", "two.json", "audit.json", "one.html", "run-1.json", "plan.json"} <= names
    assert any(name.endswith(".jsonl") for name in names)


@pytest.mark.slow
def test_what_is_no_secret_is_there(folder: Path) -> None:
    for name in ("one.json", "two.json", "records/run-1.json"):
        argv = json.loads((folder / name).read_text())["command"]["argv"]
        assert argv[1] == "train.py" and argv.count("--then") == len(NAMED)
        assert len(argv) == len(WORDS) + 2
    found = json.loads((folder / "audit.json").read_text())
    assert found["command"][1] == "train.py"
    assert any("random.Random()" in one["text"] for one in found["findings"])
    assert "train.py --password" in (folder / "one.html").read_text()
    printed = json.loads((folder / "verify.printed").read_text())
    assert (printed["verdict"], printed["difference"]["level"]) == ("different", "output")
    told = (folder / "verify-text.printed").read_text()
    assert "unrecognized arguments: --password <redacted>" in told


@pytest.mark.slow
def test_a_secret_of_the_command_line_is_in_no_record(python: Path, tmp_path: Path) -> None:
    command = (str(python), "-c", "print(7)", "--password=planted-7f3a")
    words = ("--no-perturb", "--records", "records", "--", *command)
    done = run(python, "-m", "seed_init", "verify", *words, env={"SEED": "7"}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = [file.read_text() for file in (tmp_path / "records").iterdir()]
    assert len(records) == 2
    assert not any("planted-7f3a" in record for record in records)
