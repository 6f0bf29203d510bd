"""`seed-init sweep`: each run is kept, and its metrics become a table and sweep.json."""

import json
from pathlib import Path

import jsonschema
import pytest

from harness.processes import output
from harness.repository import REPOSITORY
from seed_init.proof.trace import records, schemas

from . import support
from .support import ACCURACY, program, result, sweep

SCHEMA = json.loads((REPOSITORY / "seed_init/proof/trace/schema/sweep-1.schema.json").read_text())


def test_each_run_is_what_the_command_gives_by_itself(python: Path, tmp_path: Path) -> None:
    program(tmp_path)
    done = sweep(python, tmp_path, "--seeds", "5-6", *ACCURACY)
    assert done.returncode == 0, done.stderr
    for seed in ("5", "6"):
        alone = output(python, "train.py", cwd=tmp_path, env={"SEED": seed})
        kept = (tmp_path / f"sweeps/train/run/seed-{seed}/stdout.txt").read_text().strip()
        assert kept == alone
    content = result(tmp_path)
    jsonschema.validate(content, SCHEMA)
    schemas.check("sweep-1")(content)
    rows = [(row["seed"], row["again"], row["status"]) for row in content["runs"]]
    assert rows == [(5, False, 0), (5, True, 0), (6, False, 0)]
    values = [row["metrics"]["test accuracy"] for row in content["runs"]]
    assert values[0] == values[1] != values[2]
    assert content["statistics"]["test accuracy"]["run"]["mean"] == (values[0] + values[2]) / 2
    assert content["checks"]["seed_has_effect"]["run"]["verdict"] == "yes"
    assert content["checks"]["repeats"]["verdict"] == "same"
    assert "result: sweeps/train/sweep.json" in done.stdout


@pytest.mark.slow
def test_the_record_of_a_run_has_its_seed_its_code_and_no_steps(
    python: Path, tmp_path: Path
) -> None:
    program(tmp_path)
    sweep(python, tmp_path, "--seeds", "3,")
    record = records.load(tmp_path / "sweeps/train/run/seed-3/record.json")
    assert record["recorder"]["asked_by"] == "sweep"
    assert record["seeds"]["seed"] == "3"
    assert record["environment"]["start"]["SEED"] == "3"
    assert record["command"]["argv"] == [str(python), "train.py"]
    assert record["exit"] == {"status": 0, "how": "exit", "raised": None}
    assert [each["path"] for each in record["code"]["modules"]] == [str(tmp_path / "train.py")]
    assert record["packages"]
    leftover = {path.name for path in (tmp_path / "sweeps/train/run/seed-3").iterdir()}
    assert leftover == {"lock", "out", "record.json", "run.json", "stderr.txt", "stdout.txt"}


@pytest.mark.slow
def test_a_run_without_a_record_is_checked_as_well(python: Path, tmp_path: Path) -> None:
    program(tmp_path)
    done = sweep(python, tmp_path, "--seeds", "2", "--no-records", *ACCURACY)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("record.json")) == []
    assert result(tmp_path)["checks"]["seed_has_effect"]["run"]["verdict"] == "yes"


@pytest.mark.slow
def test_the_program_has_the_users_directory_environment_and_no_input(
    python: Path, tmp_path: Path
) -> None:
    program(
        tmp_path,
        "import os, sys, tempfile; print(os.getcwd(), os.environ['SEED'], tempfile.gettempdir(), "
        "os.environ.get('PYTHONDONTWRITEBYTECODE'), repr(sys.stdin.read()))",
    )
    (tmp_path / "t").mkdir()
    env = {"TMPDIR": str(tmp_path / "t"), "SEED": "99", "SLURM_RESTART_COUNT": "2"}
    sweep(python, tmp_path, "--seeds", "4,", "--no-repeat", env=env)
    told = (tmp_path / "sweeps/train/run/seed-4/stdout.txt").read_text()
    assert told == f"{tmp_path} 4 {tmp_path}/t None ''\n"


def test_seed_and_directory_are_put_into_the_words(python: Path, tmp_path: Path) -> None:
    program(
        tmp_path,
        "import json, pathlib, random, sys\n"
        "for name in sys.argv[1:]:\n"
        "    folder = pathlib.Path(name)\n"
        "    folder.mkdir(parents=True, exist_ok=True)\n"
        "    (folder / 'metrics.json').write_text(json.dumps({'x': random.random()}))\n",
    )
    for_dir, for_seed = "{dir}/metrics.json:/x", "runs/{seed}/metrics.json:/x"
    command = (python, "train.py", "{dir}", "runs/{seed}")
    words = ("--seeds", "2", "--metric", for_dir, "--metric", for_seed)
    done = sweep(python, tmp_path, *words, command=command)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "sweeps/train"
    assert (folder / "run/seed-1/out/metrics.json").is_file()
    # The second run of the first seed must not find what the first one has written.
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"0", "0-again", "1"}
    rows = result(tmp_path)["runs"]
    assert all(None not in row["metrics"].values() for row in rows)
    assert rows[0]["metrics"] == rows[1]["metrics"] != rows[2]["metrics"]


@pytest.mark.slow
def test_a_file_that_all_runs_write_is_kept_after_each_of_them(
    python: Path, tmp_path: Path
) -> None:
    program(
        tmp_path,
        "import json, random; json.dump({'x': random.random()}, open('metrics.json', 'w'))",
    )
    words = ("--seeds", "3", "--metric", "metrics.json:/x")
    done = sweep(python, tmp_path, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    values = {row["metrics"]["x"] for row in result(tmp_path)["runs"]}
    assert len(values) == 3
    # A run that writes nothing must not have the number of the one before.
    program(tmp_path, "")
    done = sweep(python, tmp_path, *words, "--name", "stale")
    assert done.returncode == 1
    told = f"x: {tmp_path}/metrics.json was there before, and this run has not written it"
    assert result(tmp_path, "stale")["runs"][0]["problems"] == [told]
    (tmp_path / "metrics.json").unlink()
    done = sweep(python, tmp_path, *words, "--name", "none")
    told = f"x: this run has written no {tmp_path}/metrics.json"
    assert result(tmp_path, "none")["runs"][0]["problems"] == [told]
    refused = sweep(python, tmp_path, *words, "--jobs", "2", "--name", "other")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "metrics.json is one file for all runs" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_two_commands_are_paired_by_seed(python: Path, tmp_path: Path) -> None:
    program(
        tmp_path,
        "import random, sys; print('loss', random.random() + float(sys.argv[1]))",
    )
    against = f"{python} train.py 0.25"
    words = ("--seeds", "6", "--metric", r"loss (\S+)", "--better", "lower", "--jobs", "2")
    done = sweep(python, tmp_path, *words, "--against", against, command=(python, "train.py", "0"))
    assert done.returncode == 0, done.stdout + done.stderr
    content = result(tmp_path)
    jsonschema.validate(content, SCHEMA)
    assert content["against"] == [str(python), "train.py", "0.25"]
    assert len(content["runs"]) == 13
    difference = content["statistics"]["loss"]["difference"]
    assert difference["n"] == 6
    assert abs(difference["mean"] - 0.25) < 1e-12
    assert difference["wins"] == 0
    assert "against - run" in done.stdout
    assert content["sentence"] in done.stdout


def test_a_run_that_fails_is_a_row_and_the_others_go_on(python: Path, tmp_path: Path) -> None:
    program(
        tmp_path,
        "import os, random, sys\n"
        "if os.environ['SEED'] == '1': sys.exit('no memory left')\n"
        "print('acc', random.random())\n",
    )
    done = sweep(python, tmp_path, "--seeds", "3", "--metric", "acc (.*)")
    assert done.returncode == 1
    expected = "seed-init sweep: seed 1 ended with exit status 1; its last line: no memory left\n"
    assert done.stderr == expected
    content = result(tmp_path)
    jsonschema.validate(content, SCHEMA)
    rows = {(row["seed"], row["again"]): row for row in content["runs"]}
    assert rows[1, False]["status"] == 1
    assert rows[1, False]["problems"] == ["ended with exit status 1; its last line: no memory left"]
    assert rows[2, False]["status"] == 0
    assert content["statistics"]["acc"]["run"]["n"] == 2


def test_a_metric_that_is_not_there_is_an_error_with_the_last_lines(
    python: Path, tmp_path: Path
) -> None:
    program(tmp_path, "print('first'); print('accuracy=0.5')")
    done = sweep(python, tmp_path, "--seeds", "1", "--no-repeat", *ACCURACY)
    assert done.returncode == 1
    assert "sweeps/train/run/seed-0/stdout.txt; it ends with first | accuracy=0.5" in done.stdout
    # The runs are kept: another metric reads them, and nothing runs again.
    (tmp_path / "train.py").touch()
    words = ("--seeds", "1", "--no-repeat", "--metric", "accuracy=(.*)")
    again = sweep(python, tmp_path, *words)
    assert again.returncode == 0, again.stdout
    assert again.stderr == "seed-init sweep: 1 run was there already in sweeps/train\n"
    assert result(tmp_path)["runs"][0]["metrics"] == {"accuracy": 0.5}


@pytest.mark.slow
def test_nan_and_infinity_are_counted_named_and_not_averaged(python: Path, tmp_path: Path) -> None:
    program(
        tmp_path,
        "import os; print('loss', {'0': 'nan', '1': 'inf'}.get(os.environ['SEED'], '0.5'))",
    )
    done = sweep(python, tmp_path, "--seeds", "4", "--no-repeat", "--metric", r"loss (\S+)")
    content = result(tmp_path)
    jsonschema.validate(content, SCHEMA)
    assert [row["not_finite"] for row in content["runs"]] == [
        {"loss": "NaN"},
        {"loss": "infinity"},
        {},
        {},
    ]
    found = content["statistics"]["loss"]["run"]
    assert (found["n"], found["mean"], found["left_out"]) == (2, 0.5, [0, 1])
    assert "2 runs gave NaN or infinity, and are left out" in done.stdout


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_ended(python: Path, tmp_path: Path) -> None:
    program(tmp_path, "import time; time.sleep(60)")
    done = sweep(python, tmp_path, "--seeds", "1", "--no-repeat", "--timeout", "1")
    assert done.returncode == 1
    assert "seed 0 took longer than --timeout, and was ended" in done.stderr
    assert result(tmp_path)["runs"][0]["how"] == "timeout"


@pytest.mark.slow
def test_json_is_what_the_file_has_and_a_picture_is_drawn(python: Path, tmp_path: Path) -> None:
    program(tmp_path)
    plot = tmp_path / "plot.svg"
    done = sweep(python, tmp_path, "--seeds", "3", *ACCURACY, "--json", "--plot", plot)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == result(tmp_path)
    assert plot.read_text().startswith("<svg")
    refused = sweep(python, tmp_path, "--seeds", "3", *ACCURACY, "--plot", plot)
    assert refused.returncode == 2
    assert "is there already" in refused.stderr


@pytest.mark.slow
def test_secrets_are_in_no_file_that_is_handed_on(python: Path, tmp_path: Path) -> None:
    program(tmp_path, support.DRAWING + "print(*sys.argv, file=sys.stderr); sys.exit(3)")
    command = (python, "train.py", "--api-key", "hunter2hunter2", "--password=correcthorse")
    done = sweep(python, tmp_path, "--seeds", "1", "--no-repeat", *ACCURACY, command=command)
    folder = tmp_path / "sweeps/train"
    for secret in ("hunter2hunter2", "correcthorse"):
        assert secret not in done.stdout + done.stderr
        for name in ("sweep.json", "run/seed-0/record.json", "run/seed-0/run.json"):
            assert secret not in (folder / name).read_text()
    # Whoever runs a part of the sweep needs the words themselves.
    assert (folder / "plan.json").stat().st_mode & 0o077 == 0


def test_a_name_that_the_program_makes_of_the_seed_is_found(python: Path, tmp_path: Path) -> None:
    program(
        tmp_path,
        "import json, os, pathlib, random\n"
        "folder = pathlib.Path('runs', os.environ['SEED'])\n"
        "folder.mkdir(parents=True, exist_ok=True)\n"
        "(folder / 'm.json').write_text(json.dumps({'x': random.random()}))\n",
    )
    done = sweep(python, tmp_path, "--seeds", "2", "--metric", "runs/{seed}/m.json:/x")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = result(tmp_path)["runs"]
    assert rows[0]["metrics"] == rows[1]["metrics"] != rows[2]["metrics"]


def test_a_line_that_another_run_has_appended_is_no_metric_of_this_run(
    python: Path, tmp_path: Path
) -> None:
    program(
        tmp_path,
        "import json, os, random\n"
        "key = 'x' if os.environ['SEED'] != '1' else 'crashed'\n"
        "with open('m.jsonl', 'a') as file: print(json.dumps({key: random.random()}), file=file)\n",
    )
    done = sweep(python, tmp_path, "--seeds", "3", "--metric", "m.jsonl:/x")
    assert done.returncode == 1, done.stdout
    rows = result(tmp_path)["runs"]
    assert [row["metrics"]["x"] is None for row in rows] == [False, False, True, False]
    assert "has nothing at /x" in rows[2]["problems"][0]
    assert rows[0]["metrics"] == rows[1]["metrics"]


def test_a_metric_whose_name_looks_like_a_secret_is_told_all_the_same(
    python: Path, tmp_path: Path
) -> None:
    program(tmp_path, "import random; print('password: strength', random.random())")
    metric = ("--metric", "password: strength (.*)")
    done = sweep(python, tmp_path, "--seeds", "2", *metric)
    assert done.returncode == 0, done.stderr
    assert result(tmp_path)["statistics"]["password: <redacted>"]["run"]["n"] == 2


def test_runs_that_have_not_run_are_not_said_to_have_failed(python: Path, tmp_path: Path) -> None:
    program(tmp_path)
    sweep(python, tmp_path, "--seeds", "3", *ACCURACY)
    (tmp_path / "sweeps/train/run/seed-2/run.json").unlink()
    words = ("-m", "seed_init", "sweep", "collect", "sweeps/train")
    told = support.run(python, *words, cwd=tmp_path).stdout
    assert "not run" in told
    assert "failed" not in told
    assert "1 of 3 runs have not run yet" in told.replace("has not", "have not")


def test_a_message_is_no_part_of_the_json_where_stderr_is_closed(
    python: Path, tmp_path: Path
) -> None:
    program(tmp_path)
    sweep(python, tmp_path, "--seeds", "1,", *ACCURACY)
    words = f"{python} -m seed_init sweep --json --seeds 1, --metric x -- {python} train.py 2>&-"
    done = support.run(Path("/bin/sh"), "-c", words, cwd=tmp_path)
    assert json.loads(done.stdout)["kind"] == "sweep"
