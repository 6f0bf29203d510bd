"""The run record: what is in it, what never is, and that it is written whatever happens."""

import json
import os
import signal
import struct
import subprocess
from base64 import b64encode
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.interpreters import stdlib_of
from harness.processes import in_a_directory_that_is_gone, output, run
from harness.waiting import until
from seed_init.proof.redaction import redaction
from seed_init.proof.trace import data_files, journal, packing, records, validation
from seed_init.proof.trace.columns import coarsened

from . import recorded

LIMIT = 10_000_000
"""Bytes of the record of a run of 10,000 steps."""


# Packing


def vector(random: Random, length: int) -> str:
    return b64encode(random.randbytes(8 * length)).decode()


def step(random: Random, call: int, tensors: int, optimizer: int = 0) -> dict[str, Any]:
    """A step as the instrument writes it; its digests are random bits, as real ones are."""
    value = struct.unpack("f", struct.pack("f", random.random()))[0]
    return {
        "event": "step",
        "optimizer": optimizer,
        "call": call,
        "rng": {
            "random": "0123456789abcdef",
            "numpy": "fedcba9876543210",
            "torch": random.randbytes(8).hex(),
            "cuda:0": f"7:{call * 4}",
        },
        "gradients": vector(random, tensors),
        "parameters": vector(random, tensors),
        "loss": [[value, struct.pack(">d", value).hex()]],
    }


def process(events: list[dict[str, Any]]) -> journal.Process:
    return journal.Process({"event": "process"}, Path(), events)


@pytest.mark.slow
@pytest.mark.parametrize("tensors", [50, 200])
def test_the_record_of_ten_thousand_steps_has_at_most_ten_megabytes(
    tmp_path: Path, tensors: int
) -> None:
    random = Random(tensors)
    writing = journal.Journal(tmp_path / "trace")
    writing.directory.mkdir()
    names = [f"layers.{number}.attention.weight" for number in range(tensors)]
    for kind in ("gradients", "parameters"):
        writing.write("tensors", optimizer=0, kind=kind, names=names, shapes=[], dtypes=[])
    for call in range(10_000):
        fields = step(random, call, tensors)
        writing.write(fields.pop("event"), **fields)
    record = records.assemble(writing.directory)
    records.write(tmp_path / "record.json", record)
    assert (tmp_path / "record.json").stat().st_size <= LIMIT
    recorded.valid(tmp_path / "record.json")
    [read] = records.processes(records.load(tmp_path / "record.json"))
    assert [event["call"] for event in read.of("step")] == list(range(10_000))


def test_packed_events_are_read_back_as_they_were_but_for_shorter_vectors() -> None:
    random = Random(1)
    events: list[dict[str, Any]] = []
    for call in range(20):
        events.append(step(random, call, 5))
        if call % 3 == 0:
            events.append(step(random, call // 3, 2, optimizer=1))
        if call == 7:
            events.append({"event": "flags", "values": {"CUDNN_BENCHMARK": "1"}, "place": "a.py:1"})
    events[3]["loss"] = [["nan", struct.pack(">d", float("nan")).hex()], [None, "00" * 8]]
    events[4]["loss"] = []
    events[5]["skipped"] = True
    del events[6]["gradients"]
    before = {"event": "tensors", "optimizer": 0, "kind": "gradients", "names": ["a"]}
    events = [before, *events, {"event": "end", "generators": {}, "final": [], "status": None}]
    [read] = packing.unpack(json.loads(json.dumps(packing.pack([process(events)]))))
    assert read == [recorded.shortened(e) if e["event"] == "step" else e for e in events]


@pytest.mark.parametrize("loss", [[1.5, "not hexadecimal"], [1.5, "3ff0000000000000"]])
def test_a_loss_that_is_not_what_its_bits_say_is_refused(loss: list[Any]) -> None:
    events = [step(Random(2), 0, 1) | {"loss": [loss]}]
    with pytest.raises(validation.Invalid, match="a loss"):
        packing.unpack(packing.pack([process(events)]))


@pytest.mark.parametrize("bit", [0, 17, 31, 47, 63])
def test_one_bit_of_one_fingerprint_shows_in_its_column_and_in_the_sum(bit: int) -> None:
    event = step(Random(3), 0, 6)
    changed = dict(event)
    numbers = list(struct.unpack("<6Q", bytes.fromhex(decoded(event["gradients"]))))
    numbers[4] ^= 1 << bit
    changed["gradients"] = b64encode(struct.pack("<6Q", *numbers)).decode()
    one, two = recorded.shortened(event), recorded.shortened(changed)
    differ = [place for place in range(6) if one["gradients"][place] != two["gradients"][place]]
    assert differ == [4]
    assert one["sums"]["gradients"] != two["sums"]["gradients"]
    assert one["sums"]["parameters"] == two["sums"]["parameters"]


def decoded(text: str) -> str:
    from base64 import b64decode

    return b64decode(text).hex()


def test_two_tensors_that_change_places_are_seen_in_the_sum() -> None:
    event = step(Random(4), 0, 2)
    raw = bytes.fromhex(decoded(event["gradients"]))
    swapped = event | {"gradients": b64encode(raw[8:] + raw[:8]).decode()}
    assert recorded.shortened(event)["sums"] != recorded.shortened(swapped)["sums"]


def test_columns_of_a_long_run_compare_with_those_of_a_short_one() -> None:
    random = Random(5)
    events = [step(random, call, 700) for call in range(3)]
    [packed] = packing.unpack(packing.pack([process(events)]))
    group = packed[0]["short"]["group"]["gradients"]
    assert group > 1
    assert sum(len(packed[0][kind]) for kind in packing.VECTORS) <= packing.COLUMNS_MOST
    assert packed == [recorded.shortened(event, group) for event in events]
    fine = recorded.shortened(events[0])["gradients"]
    assert list(coarsened(fine, group)) == packed[0]["gradients"]
    half = coarsened(fine, group // 2)
    assert list(coarsened(half, 2)) == packed[0]["gradients"]


def test_a_column_that_never_changes_takes_no_room() -> None:
    random = Random(6)
    frozen, moving = vector(random, 100), [vector(random, 100) for _ in range(500)]
    still = [step(random, n, 1) | {"parameters": frozen, "gradients": frozen} for n in range(500)]
    changing = [s | {"parameters": v, "gradients": v} for s, v in zip(still, moving)]
    sizes = [len(json.dumps(packing.pack([process(each)]))) for each in (still, changing)]
    assert sizes[0] < sizes[1] / 8


def test_steps_packed_by_another_version_are_refused_by_name() -> None:
    packed = packing.pack([process([])]) | {"format": 99}
    with pytest.raises(packing.Unpackable, match="format 99"):
        packing.unpack(packed)


# What is in a record


@pytest.mark.torch
def test_a_record_says_what_ran_where_with_what_and_what_each_step_gave(
    python: Path, tmp_path: Path
) -> None:
    program, file = recorded.training(tmp_path), tmp_path / "record.json"
    data = tmp_path / "data.bin"
    data.write_bytes(b"data")
    with program.open("a") as source:
        source.write(
            f"open({str(data)!r}, 'rb').read()\n"
            f"torch.save(model.state_dict(), {str(tmp_path / 'model.pt')!r})\n"
            "torch.backends.cudnn.benchmark = True\n"
            "torch.manual_seed(3)\n"
            "import numpy; numpy.random.default_rng()\n"
            "os.environ['OMP_NUM_THREADS'] = '1'\n"
        )
    done = recorded.by_variable(python, file, program, "5", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"seed_init: run record: {file}\n" in done.stderr
    record = recorded.valid(file)
    assert record["command"] == {
        "argv": [str(python), str(program), "5"],
        "cwd": str(tmp_path),
    }
    assert record["exit"] == {"status": None, "how": "exit", "raised": None}
    assert record["torch"]["version"].startswith("2.6.0")
    assert record["torch"]["threads"]["intraop"] >= 1
    assert record["cpu"]["capability"] == record["torch"]["cpu_capability"]
    assert record["packages"]["torch"] == record["torch"]["version"].partition("+")[0]
    assert record["python"]["hash_seed"] == "0"
    assert record["seeds"]["seed"] == "7"
    [seeds] = record["seeds"]["processes"]
    assert seeds["seeded"]["torch"] == 7
    assert seeds["unseeded"]["numpy"] == 1
    assert [(note["function"], note["used"]) for note in seeds["reseeded"]] == [
        ("torch.manual_seed", "3")
    ]
    assert record["flags"]["start"]["CUDNN_BENCHMARK"] == "0"
    assert record["flags"]["changes"][0]["values"] == {"CUDNN_BENCHMARK": "1"}
    assert record["flags"]["changes"][0]["steps_before"] == 5
    assert record["environment"]["start"]["SEED"] == "7"
    assert record["environment"]["changed"] == {"OMP_NUM_THREADS": "1"}
    [read] = record["files"]["read"]
    assert (read["path"], read["size"], read["method"]) == (str(data), 4, "whole")
    assert record["files"]["written"] == [str(tmp_path / "model.pt")]
    assert [module["path"] for module in record["code"]["modules"]] == [str(program)]
    assert record["incomplete"] == []
    [process] = records.processes(record)
    steps = process.of("step")
    assert [event["call"] for event in steps] == list(range(5))
    assert len(steps[0]["gradients"]) == 4
    assert steps[0]["sums"] != steps[1]["sums"]
    assert process.of("end")[0]["generators"]["torch"]
    assert list(tmp_path.glob("*.parts")) == []


@pytest.mark.torch
def test_two_runs_of_one_program_have_the_same_steps_and_files_in_their_records(
    python: Path, tmp_path: Path
) -> None:
    program = recorded.training(tmp_path)
    one, two = (tmp_path / name for name in ("one.json", "two.json"))
    recorded.by_variable(python, one, program, "4")
    recorded.by_command(python, two, python, program, "4")
    first, second = records.load(one), records.load(two)
    steps = [records.processes(each)[0].of("step") for each in (first, second)]
    assert len(steps[0]) == 4
    assert steps[0] == steps[1]
    assert first["files"] == second["files"]
    assert first["run"] != second["run"]


def test_a_python_without_torch_has_a_record_too(python: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "record.json"
    done = recorded.by_variable(python, file, "-c", "import sys; assert 'torch' not in sys.modules")
    assert (done.returncode, done.stdout) == (0, "")
    record = recorded.valid(file)
    assert (record["torch"], record["flags"]) == (None, None)
    assert len(record["processes"]) == 1


def test_what_a_program_computes_is_the_same_with_a_record(python: Path, tmp_path: Path) -> None:
    code = "import random, os; os.fork() or os._exit(0); os.wait(); print(random.random())"
    plain = output(python, "-c", code, env={"SEED": "7"})
    assert recorded.by_variable(python, tmp_path / "r.json", "-c", code).stdout.strip() == plain


def test_an_exception_that_nothing_caught_is_in_the_record(python: Path, tmp_path: Path) -> None:
    done = recorded.by_variable(python, tmp_path / "r.json", "-c", "raise ValueError('x')")
    assert done.returncode == 1
    record = recorded.valid(tmp_path / "r.json")
    assert record["exit"] == {"status": 1, "how": "exception", "raised": "ValueError"}


# Files


def test_only_data_files_are_noted_each_once(python: Path, tmp_path: Path) -> None:
    for name in ("data.csv", "own.py", "both.txt", "gone.txt"):
        (tmp_path / name).write_text("")
    code = (
        "import os, json, own, tempfile\n"
        "for _ in range(3): open('data.csv').read()\n"
        "os.chdir('/'); open(DATA).read()\n"
        "open(BOTH, 'a').write('x'); open(BOTH).read()\n"
        "open(GONE).read(); os.unlink(GONE)\n"
        "open('/proc/self/status').read()\n"
        "tempfile.TemporaryFile().close()\n"
        "try: open('/nowhere/missing')\n"
        "except OSError: pass\n"
    )
    for name in ("data.csv", "both.txt", "gone.txt"):
        code = code.replace(name.partition(".")[0].upper(), repr(str(tmp_path / name)))
    env = {"PYTHONPATH": str(tmp_path), "SEED_INIT_TRACE": str(tmp_path / "trace")}
    recorded.by_variable(python, tmp_path / "r.json", "-c", code, cwd=tmp_path, env=env)
    [process] = journal.read(tmp_path / "trace")
    noted = [(event["path"], event["mode"]) for event in process.of("file")]
    assert len(noted) == len(set(noted))
    files = recorded.valid(tmp_path / "r.json")["files"]
    assert [(Path(file["path"]).name, file["method"]) for file in files["read"]] == [
        ("data.csv", "whole"),
        ("gone.txt", "gone"),
    ]
    assert files["written"] == [str(tmp_path / "both.txt")]


def test_a_file_that_changed_since_it_was_read_is_said_to_have(
    python: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.write_text("before")
    code = (
        f"open({str(data)!r}).read(); import subprocess as s; s.run(['sh', '-c', 'echo >{data}'])"
    )
    recorded.by_variable(python, tmp_path / "r.json", "-c", code)
    [file] = recorded.valid(tmp_path / "r.json")["files"]["read"]
    assert (file["size"], file["changed_since"]) == (1, True)


def test_a_large_file_is_hashed_by_samples_that_reach_both_ends(tmp_path: Path) -> None:
    file = tmp_path / "large"
    with file.open("wb") as content:
        content.truncate(data_files.WHOLE + 12345)
    whole = data_files.Reader().describe(file)
    assert whole["method"] == "sampled"
    digests = {whole["sha256"]}
    for offset in (0, data_files.WHOLE + 12344):
        with file.open("r+b") as content:
            content.seek(offset)
            content.write(b"x")
        digests.add(data_files.Reader().describe(file)["sha256"])
    assert len(digests) == 3


def test_beyond_the_budget_files_are_told_by_size_only(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    reader = data_files.Reader(budget=7)
    assert reader.describe(tmp_path / "a")["method"] == "whole"
    assert reader.describe(tmp_path / "a") == {
        "size": 5,
        "sha256": None,
        "method": "none",
        "changed_since": None,
    }


# Secrets

TOKENS = [f"planted-token-{number}" for number in range(12)]


def test_planted_secrets_are_never_in_a_record(python: Path, tmp_path: Path) -> None:
    home = tmp_path / "home" / "somebody"
    repository = home / "project"
    repository.mkdir(parents=True)
    git(repository, "init", "-q")
    git(repository, "remote", "add", "origin", f"https://me:{TOKENS[0]}@example.org/a.git")
    (repository / "file").write_text("")
    git(repository, "add", ".")
    git(repository, "-c", "user.name=somebody", "-c", "user.email=s@b.org", "commit", "-qm", "x")
    (repository / "data.txt").write_text("")
    (repository / "train.py").write_text("open('data.txt').read()")
    # Too short a name is not told from other words, and is left.
    host = os.uname().nodename if len(os.uname().nodename) > 3 else "a-host"
    words = [
        *("--token", TOKENS[1], f"--api-key={TOKENS[2]}", f"wandb.api_key={TOKENS[3]}"),
        *(f"postgres://me:{TOKENS[4]}@db/x", f"https://a/b?sig={TOKENS[5]}&x=1"),
        *("-H", f"Authorization: Bearer {TOKENS[6]}", f"hf_{TOKENS[7].replace('-', '')}"),
        *("--notify", "somebody@example.org", "--epochs", "3", "--max-tokens", "512"),
        *(f"--config={home}/x.yaml", "--host", host),
    ]
    env = {
        "WANDB_API_KEY": TOKENS[8],
        "HF_TOKEN": TOKENS[9],
        "AWS_SECRET_ACCESS_KEY": TOKENS[10],
        "NCCL_SECRET": TOKENS[11],
        "HOME": str(home),
        "USER": "somebody",
        "OMP_NUM_THREADS": "2",
    }
    by_command, by_variable = tmp_path / "command.json", tmp_path / "variable.json"
    options: dict[str, Any] = {"cwd": repository, "env": env}
    done = recorded.by_command(python, by_command, python, "train.py", *words, **options)
    assert done.returncode == 0, done.stderr
    recorded.by_variable(python, by_variable, "train.py", *words, **options)
    for file in (by_command, by_variable):
        record = recorded.valid(file)
        text = file.read_text() + json.dumps(packing.unpack(record["trace"]))
        planted = [*TOKENS, TOKENS[7].replace("-", ""), "somebody"]
        planted += [host] if host != "a-host" else []
        assert [word for word in planted if word in text] == []
        argv = record["command"]["argv"]
        assert argv[-7:-2] == ["--epochs", "3", "--max-tokens", "512", "--config=~/x.yaml"]
        assert record["command"]["cwd"] == "~/project"
        assert record["code"]["remote"] == "https://example.org/a.git"
        assert record["environment"]["start"]["OMP_NUM_THREADS"] == "2"
        # Replaced in the text only: the file itself was found and hashed.
        assert [f["path"] for f in record["files"]["read"]] == ["~/project/data.txt"]
        assert record["files"]["read"][0]["method"] == "whole"


def git(directory: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(directory), *words], check=True, timeout=60)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["--password", "abc"], ["--password", "<redacted>"]),
        (["--token", "--verbose"], ["--token", "--verbose"]),
        (["--tokenizer", "bert"], ["--tokenizer", "bert"]),
        (["--key-dim", "64"], ["--key-dim", "64"]),
        (["--apiKey=abc", "x"], ["--apiKey=<redacted>", "x"]),
        (["sh", "-c", "A_TOKEN=abc train --pw xyz -n 3"], ["sh", "-c", None]),
        (["lr=0.1", "a.b=c"], ["lr=0.1", "a.b=c"]),
        (["ssh://me@host/x"], ["ssh://<redacted>@host/x"]),
    ],
)
def test_words_that_look_like_secrets_are_replaced_and_no_others(
    given: list[str], shown: list[str | None]
) -> None:
    expected = [
        "A_TOKEN=<redacted> train --pw <redacted> -n 3" if word is None else word for word in shown
    ]
    assert redaction.words(given) == expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pw@example.org/a.git", "https://example.org/a.git"),
        ("git@example.org:a/b.git", "example.org:a/b.git"),
        ("ssh://me@example.org:22/a.git", "ssh://example.org:22/a.git"),
        ("/srv/a.git", "/srv/a.git"),
    ],
)
def test_a_git_remote_is_shown_without_its_user(url: str, shown: str) -> None:
    assert redaction.repository(url) == shown


@pytest.mark.slow
def test_git_says_which_commit_and_whether_anything_is_not_committed(
    python: Path, tmp_path: Path
) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "a").write_text("1")
    (tmp_path / ".gitignore").write_text("*.json\n*.parts\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "x")
    head = output("git", "-C", tmp_path, "rev-parse", "HEAD", env={})
    found = []
    for number, text in enumerate(("1", "2", "3")):
        (tmp_path / "a").write_text(text)
        file = tmp_path / f"{number}.json"
        recorded.by_variable(python, file, "-c", "pass", cwd=tmp_path)
        found.append(recorded.valid(file)["code"])
    assert {(code["commit"], code["branch"]) for code in found} == {(head, "trunk")}
    assert [code["dirty"] for code in found] == [False, True, True]
    assert [code["changed_files"] for code in found] == [0, 1, 1]
    assert found[0]["diff_sha256"] is None
    assert found[1]["diff_sha256"] != found[2]["diff_sha256"]


# Whatever happens


@pytest.mark.torch
def test_a_run_ended_by_sigterm_has_its_record_and_its_exit_status(
    python: Path, tmp_path: Path
) -> None:
    env = {"SEED": "7", "SEED_INIT_RECORD": "record.json"}
    process = recorded.started(python, recorded.training(tmp_path), "-1", env=env, place=tmp_path)
    status, errors = recorded.killed(process, signal.SIGTERM)
    assert status == -signal.SIGTERM, errors
    record = recorded.valid(tmp_path / "record.json")
    assert record["exit"] == {"status": 143, "how": "signal", "raised": None}
    assert len(records.processes(record)[0].of("step")) == 3
    assert record["torch"]["threads"] is not None
    assert list(tmp_path.glob("*.parts")) == []


@pytest.mark.torch
def test_a_run_ended_by_sigkill_leaves_the_steps_so_far(python: Path, tmp_path: Path) -> None:
    env = {"SEED": "7", "SEED_INIT_RECORD": "record.json"}
    process = recorded.started(python, recorded.training(tmp_path), "-1", env=env, place=tmp_path)
    recorded.killed(process, signal.SIGKILL)
    assert not (tmp_path / "record.json").exists()
    [parts] = tmp_path.glob("record.json.*.parts")
    record = records.load(parts)
    assert len(records.processes(record)[0].of("step")) == 3
    assert record["command"]["argv"][-1] == "-1"
    assert record["torch"]["version"].startswith("2.6.0")
    assert record["cpu"]["model"]
    assert record["times"]["ended"] is None
    assert record["incomplete"][0].startswith("the run was killed, or goes on")
    records.write(tmp_path / "made-of-parts.json", record)
    recorded.valid(tmp_path / "made-of-parts.json")


def test_a_handler_of_the_programs_own_decides_on_sigterm(python: Path, tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.01)\n"
    )
    env = {"SEED": "7", "SEED_INIT_RECORD": "record.json"}
    process = recorded.started(python, "-c", code, env=env, place=tmp_path)
    status, errors = recorded.killed(process, signal.SIGTERM, "ready")
    assert status == 3, errors
    assert recorded.valid(tmp_path / "record.json")["exit"]["how"] == "exit"


def test_an_ignored_sigterm_stays_ignored(python: Path, tmp_path: Path) -> None:
    code = "import signal; print(signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)"
    words = ("-c", 'trap "" TERM; exec "$0" -c "$1"', python, code)
    env = {"SEED": "7", "SEED_INIT_RECORD": str(tmp_path / "r.json")}
    library = {"LD_LIBRARY_PATH": str(python.parent.parent / "lib")}
    assert output("sh", *words, env=env | library) == "True"


def test_a_run_that_a_forked_child_trains_has_the_facts_of_its_parent(tmp_path: Path) -> None:
    header = {"rank": None, "world": None, "argv": ["python", "train.py"], "started": 1.0}
    parent = [
        {"event": "facts", "moment": "start", "main": True, "python": {"version": "3.11.7"}},
        {"event": "facts", "moment": "torch", "torch": {"version": "2.6.0"}},
        {"event": "facts", "moment": "end", "libraries": {"mkl": "2024.2"}, "seeds": {}},
    ]
    gpu = {"name": "H200"}
    started = {"event": "facts", "moment": "cuda", "libraries": {"cudnn": 90100}, "devices": [gpu]}
    trace = [
        journal.Process({**header, "pid": 1, "parent": 0, "path": []}, Path(), parent),
        journal.Process(
            {**header, "pid": 2, "parent": 1, "path": ["fork", 1]},
            Path(),
            [started, step(Random(0), 0, 1)],
        ),
    ]
    record = records.assemble(tmp_path, ended=None, status=0, how="exit", traced=trace)
    assert record["python"]["version"] == "3.11.7"
    torch = record["torch"]
    assert (torch["version"], torch["mkl"], torch["cudnn"]) == ("2.6.0", "2024.2", 90100)
    assert record["gpu"]["used"] == [gpu]


def test_a_forked_worker_dies_of_sigterm_at_once(python: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    done = recorded.by_variable(python, tmp_path / "r.json", "-c", code)
    assert done.stdout == "True\n"


def test_a_record_that_is_there_is_never_overwritten(python: Path, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text("the user's")
    done = [recorded.by_variable(python, file, "-c", "pass") for _ in range(2)]
    assert file.read_text() == "the user's"
    assert "record-2.json (record.json is there already)" in done[0].stderr
    recorded.valid(tmp_path / "record-2.json")
    recorded.valid(tmp_path / "record-3.json")


def test_a_record_that_cannot_be_written_is_refused_at_the_start(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    for place, reason in ((tmp_path / "file/r.json", "Not a directory"), (tmp_path, "directory")):
        done = recorded.by_variable(python, place, "-c", "print('ran')")
        assert (done.returncode, done.stdout) == (78, "")
        assert done.stderr.count("\n") == 1
        assert f"SEED_INIT_RECORD={str(place)!r} cannot be used" in done.stderr
        assert reason in done.stderr


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (None, "File exists"),
        ("{", "its plan.json is not JSON"),
        ("{}", "its plan.json names no instruments"),
        ('{"instruments": ["no_such"]}', "its plan.json names 'no_such', which is no instrument"),
        ('{"instruments": ["../x"]}', "its plan.json names '../x', which is no instrument"),
        ('{"instruments": ["end_torch"]}', "its plan.json names 'end_torch', which is no"),
    ],
)
def test_a_trace_directory_that_cannot_be_used_is_refused_at_the_start(
    python: Path, tmp_path: Path, plan: str | None, reason: str
) -> None:
    trace = tmp_path / "trace"
    if plan is None:
        trace.write_text("")
    else:
        trace.mkdir()
        (trace / "plan.json").write_text(plan)
    env = {"SEED": "7", "SEED_INIT_TRACE": str(trace)}
    done = run(python, "-c", "print('ran')", env=env)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith(
        f"seed_init: SEED_INIT_TRACE={str(trace)!r} cannot be used ({reason}"
    )
    assert done.stderr.endswith("; give a directory that can be written, or unset it\n")


@pytest.mark.parametrize("variable", ["SEED_INIT_TRACE", "SEED_INIT_RECORD"])
def test_a_place_relative_to_a_directory_that_is_gone_is_refused(
    python: Path, tmp_path: Path, variable: str
) -> None:
    command = (python, "-c", "print(1)")
    done = in_a_directory_that_is_gone(tmp_path, *command, SEED="7", **{variable: "x"})
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith(
        f"seed_init: {variable}='x' cannot be used (No such file or directory); give a "
    )
    assert done.stderr.count("\n") == 1


def test_a_run_that_cannot_write_its_record_at_the_end_says_so_and_keeps_its_parts(
    python: Path, tmp_path: Path
) -> None:
    # As if the disk were full.
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))"
    done = recorded.by_variable(python, tmp_path / "r.json", "-c", code)
    assert done.returncode == 0
    assert "the run record is not written (OSError: [Errno 27] File too large" in done.stderr
    assert [path.suffix for path in tmp_path.iterdir()] == [".parts"]
    [parts] = tmp_path.glob("*.parts")
    assert records.load(parts)["processes"]


# One record a run

TREE = """
import multiprocessing, os, subprocess, sys

def work(number):
    return os.getpid()

if __name__ == "__main__":
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            pool.map(work, range(4))
    subprocess.run([sys.executable, "-c", "print('subprocess')"], check=True)
    if os.fork() == 0:
        sys.exit()
    os.wait()
"""


@pytest.mark.torch
def test_workers_and_subprocesses_are_part_of_their_parents_record(
    python: Path, tmp_path: Path
) -> None:
    program, file = tmp_path / "tree.py", tmp_path / "record.json"
    program.write_text(TREE)
    done = recorded.by_variable(python, file, program, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "subprocess\n"), done.stderr
    assert done.stderr.count("run record:") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["record.json", "tree.py"]
    record = recorded.valid(file)
    programs = [each for each in record["processes"] if each["main"]]
    assert [each["argv"][1:2] for each in programs] == [[str(program)], ["-c"]]


@pytest.mark.torch
def test_what_the_workers_of_a_data_loader_read_is_in_the_record(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "sample").write_text("1")
    program = tmp_path / "load.py"
    program.write_text(
        "import os, torch\n"
        "class Data(torch.utils.data.Dataset):\n"
        "    def __len__(self): return 4\n"
        "    def __getitem__(self, n): return float(open('sample').read())\n"
        "main = os.getpid()\n"
        "print(sum(sum(batch) for batch in torch.utils.data.DataLoader(Data(), num_workers=2)))\n"
    )
    done = recorded.by_variable(python, tmp_path / "r.json", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("run record:") == 1
    files = recorded.valid(tmp_path / "r.json")["files"]["read"]
    assert [Path(file["path"]).name for file in files] == ["sample"]


def test_a_program_that_replaces_itself_still_writes_its_record(
    python: Path, tmp_path: Path
) -> None:
    code = "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'pass'])"
    done = recorded.by_variable(python, tmp_path / "r.json", "-c", code)
    assert done.returncode == 0, done.stderr
    record = recorded.valid(tmp_path / "r.json")
    assert "execv" in record["command"]["argv"][-1]
    assert len(record["processes"]) == 2
    assert list(tmp_path.glob("*.parts")) == []


def test_a_process_that_outlives_the_run_does_without_a_record(
    python: Path, tmp_path: Path
) -> None:
    go, done = tmp_path / "go", tmp_path / "done"
    os.mkfifo(go)
    late = (
        f"read _ <{go}; {{ {python} -c 'print(1)' && echo fine; }} >{done}.tmp 2>&1; "
        f"mv {done}.tmp {done}"
    )
    code = (
        "import subprocess\n"
        f"null = {{'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}}\n"
        f"subprocess.Popen(['sh', '-c', {late!r}], **null)\n"
    )
    recorded.by_variable(python, tmp_path / "r.json", "-c", code)
    go.write_text("\n")
    until("the end of the process", done.exists)
    assert done.read_text() == "1\nfine\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["done", "go", "r.json"]


RANKS = """
import torch, torch.distributed as dist
from torch import nn

dist.init_process_group("gloo")
model = nn.parallel.DistributedDataParallel(nn.Linear(4, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    model(torch.randn(3, 4)).square().mean().backward()
    optimizer.step()
dist.destroy_process_group()
"""


@pytest.mark.torch
def test_two_ranks_under_torchrun_are_in_one_record(python: Path, tmp_path: Path) -> None:
    program, file = tmp_path / "ranks.py", tmp_path / "record.json"
    program.write_text(RANKS)
    words = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", program)
    done = recorded.by_variable(python, file, *words, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ranks.py", "record.json"]
    record = recorded.valid(file)
    assert record["distributed"]["world"] == "2"
    assert sorted(each["rank"] for each in record["distributed"]["ranks"]) == [0, 1]
    steps = {each.rank: each.of("step") for each in records.processes(record)}
    assert [len(steps[rank]) for rank in (0, 1)] == [3, 3]
    assert [event["sums"] for event in steps[0]] == [event["sums"] for event in steps[1]]


def test_ranks_that_are_started_one_by_one_have_a_record_each(python: Path, tmp_path: Path) -> None:
    for rank in ("0", "1"):
        ranks = {"SLURM_PROCID": rank, "SLURM_NTASKS": "2", "SLURM_STEP_ID": "0"}
        recorded.by_variable(python, tmp_path / "r.json", "-c", "pass", env=ranks)
    single = {"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}
    recorded.by_variable(python, tmp_path / "r.json", "-c", "pass", env=single)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["r.json", "r.rank0.json", "r.rank1.json"]
    assert recorded.valid(tmp_path / "r.rank1.json")["processes"][0]["rank"] == 1


def test_a_trace_directory_of_the_users_is_kept_and_former_runs_in_it_left_out(
    python: Path, tmp_path: Path
) -> None:
    trace = {"SEED_INIT_TRACE": str(tmp_path / "trace")}
    for number in (1, 2):
        recorded.by_variable(python, tmp_path / f"{number}.json", "-c", str(number), env=trace)
    assert len(list((tmp_path / "trace").glob("*.jsonl"))) == 2
    [process] = recorded.valid(tmp_path / "2.json")["processes"]
    assert process["argv"][-1] == "2"


def test_the_commands_of_seed_init_are_no_runs(python: Path, tmp_path: Path) -> None:
    for words in (("-m", "seed_init", "status"), ("-P", "-m", "seed_init", "--version")):
        assert recorded.by_variable(python, tmp_path / "r.json", *words).returncode == 0
    assert list(tmp_path.iterdir()) == []


# Reading


def test_what_is_no_record_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no JSON")
    (tmp_path / "other").write_text('{"schema": "something else"}')
    (tmp_path / "empty").mkdir()
    for name, reason in (
        ("text", "not JSON"),
        ("other", "something else"),
        ("empty", "no trace in it"),
        ("missing", "No such file"),
    ):
        with pytest.raises(records.NotARecord, match=reason) as refused:
            records.load(tmp_path / name)
        assert "\n" not in str(refused.value)


def test_a_record_overwrites_no_file_under_its_temporary_name(python: Path, tmp_path: Path) -> None:
    theirs, file = tmp_path / "theirs", tmp_path / "r.json"
    theirs.write_text("theirs")
    # The name that was taken once: that of the record and the number of the process.
    code = (
        f"import os; os.symlink({str(theirs)!r}, {str(tmp_path)!r} + f'/.r.json.{{os.getpid()}}')"
    )
    done = recorded.by_variable(python, file, "-c", code)
    assert (done.returncode, theirs.read_text()) == (0, "theirs")
    recorded.valid(file)


@pytest.mark.slow
def test_a_clock_that_is_set_back_makes_no_negative_time(python: Path, tmp_path: Path) -> None:
    """Only the time of day is set back, as an administrator or NTP does."""
    trace = tmp_path / "trace"
    recorded.by_variable(
        python, tmp_path / "0.json", "-c", "0", env={"SEED_INIT_TRACE": str(trace)}
    )
    code = "import time; now = time.time; time.time = lambda: now() - 3600; time.sleep(0.1)"
    words = ("-c", f"{code}; import os; os.fork()")
    for name, env in (("own", {}), ("kept", {"SEED_INIT_TRACE": str(trace)})):
        done = recorded.by_variable(python, tmp_path / f"{name}.json", *words, env=env)
        assert done.returncode == 0, done.stderr
        record = recorded.valid(tmp_path / f"{name}.json")
        assert 0.1 <= record["times"]["seconds"] < 60
        assert record["times"]["ended"] < record["times"]["started"]
        # Nor is a process of this run taken for one of a former run.
        assert len(record["processes"]) == 2


def test_a_trace_is_not_written_through_a_link_that_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, trace = tmp_path / "theirs", tmp_path / "trace"
    theirs.write_text("theirs")
    trace.mkdir()
    monkeypatch.setattr(journal.time, "time_ns", lambda: 17)
    (trace / f"17-{os.getpid()}.jsonl").symlink_to(theirs)
    writing = journal.Journal(trace)
    writing.write("failed", what="nothing")
    assert theirs.read_text() == "theirs"
    (trace / f"17-{os.getpid()}.jsonl").unlink()
    [process] = journal.read(trace)
    assert [event["what"] for event in process.of("failed")] == ["nothing"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text("before")
    with pytest.raises(ValueError):
        records.write(file, {"value": float("nan")})
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def described(schema: Any, where: str = "") -> list[str]:
    """The properties of a schema that say nothing of themselves."""
    found = []
    if isinstance(schema, dict):
        for name, part in schema.get("properties", {}).items():
            if "description" not in part and "$ref" not in part:
                found.append(f"{where}/{name}")
        for name, part in schema.items():
            found += described(part, f"{where}/{name}")
    elif isinstance(schema, list):
        for part in schema:
            found += described(part, where)
    return found


def test_the_schema_is_one_and_describes_every_property() -> None:
    recorded.jsonschema.Draft202012Validator.check_schema(recorded.SCHEMA)
    assert described(recorded.SCHEMA) == []


def test_the_schema_is_installed_with_the_hook_and_kept_up_to_date(fresh: Any) -> None:
    python: Path = fresh("hooked")
    schema = stdlib_of(python) / "seed_init/proof/trace/schema/record-1.schema.json"
    assert json.loads(schema.read_text()) == recorded.SCHEMA
    schema.unlink()  # a hard link: never write into it
    schema.write_text("{}")
    package = recorded.REPOSITORY / "seed_init"
    output(python, package, "install", env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert json.loads(schema.read_text()) == recorded.SCHEMA


def test_a_trace_whose_path_has_dots_in_it_is_no_data_of_the_program(
    python: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    code = "import os, sys; pid = os.fork(); pid and os.waitpid(pid, 0); open(sys.executable, 'rb')"
    env = {"SEED_INIT_TRACE": str(tmp_path / "here/../trace")}
    done = recorded.by_variable(
        python, tmp_path / "here/../r.json", "-c", code, env=env, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert recorded.valid(tmp_path / "r.json")["files"]["read"] == []
    assert len(list((tmp_path / "trace").glob("*.jsonl"))) == 2
