"""`seed-init portability`: what a machine computes as one hash, and whether another one agrees.

One machine can be several: the C library and OpenBLAS have variables by which they choose what they
would choose on another CPU. PyTorch is hidden where it is not needed, because its import takes
seconds.
"""

import copy
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.processes import Completed, run
from seed_init.proof.arithmetic import agreement, asking, probe
from seed_init.proof.arithmetic.fingerprint import Fingerprint, Row
from seed_init.proof.comparing import facts
from seed_init.proof.comparing.environments import explain
from seed_init.proof.trace import records, schemas

from . import recorded

SCHEMA = json.loads((schemas.FOLDER / "portability-1.schema.json").read_text())

WITHOUT_FMA = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2"}
OTHER_BLAS = {"OPENBLAS_CORETYPE": "Nehalem"}

needs_fma = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or " fma " not in Path("/proc/cpuinfo").read_text(),
    reason="the C library has another variant only on x86-64 CPUs with FMA, by glibc",
)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, str | None]]:
    """The variables of an environment in which libraries cannot be imported."""

    def hide(*names: str, code: str = "raise ImportError('it is hidden')") -> dict[str, str | None]:
        folder = tmp_path_factory.mktemp("hidden")
        for name in names:
            (folder / f"{name}.py").write_text(code)
        return {"PYTHONPATH": str(folder)}

    return hide


def command(
    python: Path, *words: Path | str, env: dict[str, str | None], timeout: float = 120
) -> Completed:
    return run(python, "-m", "seed_init", "portability", *words, env=env, timeout=timeout)


def fingerprint(python: Path, **env: str | None) -> dict[str, Any]:
    done = command(python, "--json", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    content: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(content, SCHEMA)
    schemas.check("portability-1")(content)
    return content


@pytest.fixture(scope="module")
def here(python: Path, hidden: Callable[..., dict[str, str | None]]) -> dict[str, Any]:
    """What this machine computes without PyTorch."""
    return fingerprint(python, **hidden("torch"))


@pytest.fixture
def file(here: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "here.json"
    path.write_text(json.dumps(here))
    return path


def results(content: dict[str, Any]) -> dict[str, str]:
    return {f"{row['library']} {row['probe']}": row["result"] for row in content["rows"]}


def test_the_same_machine_is_the_same(
    python: Path, hidden: Callable[..., dict[str, str | None]], here: dict[str, Any], file: Path
) -> None:
    done = command(python, "--compare", file, env=hidden("torch"))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "SAME"
    assert f"compared: {len(here['rows'])} rows" in lines
    assert "it is hidden" in here["missing"]["torch"] and here["failed"] == {}


@pytest.mark.parametrize(
    ("env", "kind", "name"),
    [
        pytest.param(WITHOUT_FMA, "libm", "python sin, cos, tan", marks=needs_fma),
        (OTHER_BLAS, "BLAS", "numpy matrix product"),
    ],
)
def test_what_another_machine_computes_is_named_with_what_to_do(
    python: Path,
    hidden: Callable[..., dict[str, str | None]],
    here: dict[str, Any],
    file: Path,
    env: dict[str, str],
    kind: str,
    name: str,
) -> None:
    done = command(python, "--json", "--compare", file, env={**hidden("torch"), **env})
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)
    assert (found["verdict"], found["same"]) == ("different", False)
    assert name in found["differ"][kind]
    assert found["here"]["hash"] != here["hash"] == found["there"]["hash"]
    assert any(line.startswith(agreement.MEANINGS[kind].words) for line in found["cures"])
    assert not {"version", "sum"} & found["differ"].keys()


def test_rows_that_one_side_does_not_have_are_never_equal(
    python: Path, hidden: Callable[..., dict[str, str | None]], here: dict[str, Any], file: Path
) -> None:
    done = command(python, "--compare", file, env=hidden("numpy", "scipy", "torch"))
    assert (done.returncode, done.stderr) == (4, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "UNPROVEN"
    [lacking] = [line for line in lines if line.startswith("not compared")]
    assert all(
        f"numpy {row['probe']}" in lacking for row in here["rows"] if row["library"] == "numpy"
    )


def test_a_probe_that_computes_something_else_changes_its_row_and_the_hash(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = asking.ask([str(python)], ["python"])
    code = asking.PROBE.read_text()
    assert code.count('each("exp", "expm1")') == 1
    other = tmp_path / "probe.py"
    other.write_text(code.replace('each("exp", "expm1")', 'each("exp")'))
    monkeypatch.setattr(asking, "PROBE", other)
    after = asking.ask([str(python)], ["python"])
    assert after.hash != before.hash
    assert [str(row) for row in agreement.compare(before, after).differ] == ["python exp"]


def test_a_crash_is_one_line_that_names_the_library(
    python: Path, hidden: Callable[..., dict[str, str | None]]
) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    done = command(python, env=hidden("numpy", code=code))
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("seed-init portability: ")
    assert "was ended by SIGSEGV at numpy" in line


def test_a_probe_that_ends_its_process_hides_no_other_probe(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = asking.ask([str(python)], ["python"])
    program = tmp_path / "probe.py"
    crash = 'lambda: os.kill(os.getpid(), 11) or each("exp")'
    program.write_text(asking.PROBE.read_text().replace('lambda: each("exp", "expm1")', crash))
    monkeypatch.setattr(asking, "PROBE", program)
    found = asking.ask([str(python)], ["python"])
    assert found.failed == {"python exp": "the process was ended by SIGSEGV"}
    assert found.rows == tuple(row for row in whole.rows if row.probe != "exp")
    assert agreement.compare(whole, found).verdict == "unproven"


def test_a_setting_that_only_the_probes_process_can_refuse_ends_with_78(
    python: Path, tmp_path: Path
) -> None:
    program = "import os; os.write(2, b'seed_init: this cannot be kept\\n'); os._exit(78)"
    (tmp_path / "numpy.py").write_text(program)
    done = command(python, env={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == "seed-init portability: this cannot be kept\n"


WRONG: dict[str, Callable[[dict[str, Any]], str]] = {
    "not JSON": lambda content: "{",
    "other JSON": lambda content: json.dumps({"format": 1}),
    "another format": lambda content: json.dumps({**content, "format": 2}),
    "changed rows": lambda content: json.dumps({**content, "rows": content["rows"][1:]}),
}


@pytest.mark.parametrize("what", [*WRONG, "a directory", "nothing"])
def test_a_wrong_file_is_one_line_that_says_what_to_give(
    python: Path, here: dict[str, Any], tmp_path: Path, what: str
) -> None:
    path = tmp_path / "other.json"
    if what == "a directory":
        path.mkdir()
    elif what in WRONG:
        path.write_text(WRONG[what](copy.deepcopy(here)))
    # No probe may run for it: this Python has no time for one.
    env: dict[str, str | None] = {"PYTHONPATH": str(tmp_path)}
    (tmp_path / "numpy.py").write_text("import time; time.sleep(600)")
    done = command(python, "--compare", path, env=env, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("seed-init portability: ") and str(path) in line
    assert line.endswith("give a file that seed-init portability --json has written")


def test_an_emulator_that_is_not_there_is_one_line(python: Path, tmp_path: Path) -> None:
    done = command(python, "--emulate", "Haswell", env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "seed-init portability: --emulate needs qemu-x86_64, which PATH does not have; install "
        "qemu-user (apt-get install qemu-user; Debian 13 has a release that is new enough)\n"
    )


@pytest.mark.torch
def test_every_probe_of_this_release_works_and_the_level_is_that_of_the_environment(
    python: Path,
) -> None:
    found = fingerprint(python, DETERMINISM="portable", SEED_INIT_THREADS="3")
    assert found["failed"] == found["missing"] == {}
    assert {row["library"] for row in found["rows"]} == {"python", "numpy", "scipy", "torch"}
    assert {row["kind"] for row in found["rows"]} == agreement.MEANINGS.keys()
    assert len(results(found)) == len(found["rows"])
    assert found["settings"] == {"DETERMINISM": "portable", "SEED_INIT_THREADS": "3"}
    assert found["chosen"]["PyTorch's threads"] == "3"
    assert found["chosen"]["PyTorch's instruction set"] == "AVX2"
    assert found["chosen"]["NumPy's OpenBLAS"] == "Haswell"


# --- records ---


def test_a_record_carries_the_fingerprint_which_is_kept_for_the_next_one(
    python: Path, tmp_path: Path
) -> None:
    def record(name: str, **env: str) -> dict[str, Any]:
        file = tmp_path / f"{name}.json"
        variables = {"XDG_CACHE_HOME": str(tmp_path / "cache"), **env}
        done = recorded.by_command(python, file, python, "-c", "import numpy", env=variables)
        assert done.returncode == 0, done.stderr
        return recorded.valid(file)

    first = record("first")
    assert {row["library"] for row in first["arithmetic"]["rows"]} == {"python", "numpy", "scipy"}
    [kept] = (tmp_path / "cache/seed_init").iterdir()
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps({**content, "chosen": {"by": "the test"}}))
    again = record("again")
    assert again["arithmetic"]["chosen"] == {"by": "the test"}
    assert explain(first, again) == []
    # What is damaged is no answer.
    kept.write_text(json.dumps({**content, "hash": "0" * 16}))
    assert record("repaired")["arithmetic"] == first["arithmetic"]

    other = record("other", **OTHER_BLAS)
    assert other["arithmetic"]["chosen"]["NumPy's OpenBLAS"] == "Nehalem"
    [found] = [each for each in explain(first, other) if each.what == "the machines' arithmetic"]
    assert (found.first, found.second) == (first["arithmetic"]["hash"], other["arithmetic"]["hash"])
    assert "BLAS" in found.why and "set DETERMINISM=portable on both machines" in found.why


def test_a_home_directory_that_is_not_there_is_not_made(python: Path, tmp_path: Path) -> None:
    file, home = tmp_path / "record.json", tmp_path / "nonexistent"
    env = {"HOME": str(home), "XDG_CACHE_HOME": ""}
    done = recorded.by_command(python, file, python, "-c", "pass", env=env)
    assert done.returncode == 0, done.stderr
    assert recorded.valid(file)["arithmetic"] is not None
    assert not home.exists()


def test_a_record_of_a_former_version_has_no_fingerprint_and_is_read(
    python: Path, tmp_path: Path
) -> None:
    file = tmp_path / "record.json"
    recorded.by_variable(python, file, "-c", "import random")
    content = recorded.valid(file)
    assert content.pop("arithmetic") is None
    file.write_text(json.dumps(content))
    former = records.load(file)
    assert explain(former, former) == []
    assert facts.facts_of(former, [""])["arithmetic"] == {}


# --- two fingerprints ---


def test_what_is_asked_has_probes() -> None:
    assert tuple(probe.LIBRARIES) == asking.LIBRARIES


ROWS = (
    Row("python", "version", "version", "3.11"),
    Row("python", "libm", "exp", "a" * 12),
    Row("torch", "BLAS", "matrix product", "b" * 12),
)


def test_the_order_of_the_rows_does_not_matter_and_each_of_them_does() -> None:
    whole = Fingerprint(ROWS)
    assert Fingerprint(ROWS[::-1]).hash == whole.hash
    for number, row in enumerate(ROWS):
        without = Fingerprint((*ROWS[:number], *ROWS[number + 1 :]))
        changed = Row(row.library, row.kind, row.probe, "another")
        other = Fingerprint((*ROWS[:number], changed, *ROWS[number + 1 :]))
        assert len({whole.hash, without.hash, other.hash}) == 3
        assert agreement.compare(whole, other).differ == (row,)
        assert agreement.compare(whole, without).not_compared == (str(row),)


def test_nothing_that_could_be_compared_is_no_agreement() -> None:
    assert agreement.compare(Fingerprint(ROWS), Fingerprint(())).verdict == "nothing in common"
    assert agreement.compare(Fingerprint(()), Fingerprint(())).verdict == "nothing in common"


def test_a_kind_of_a_later_version_is_named_as_well() -> None:
    other = Fingerprint((*ROWS[:2], Row("torch", "new", "matrix product", "c" * 12)))
    found = agreement.compare(other, Fingerprint(ROWS))
    assert list(found.kinds) == ["new"]
    assert agreement.cures(found.kinds, ["warn", "portable"]) == [
        "other functions: set DETERMINISM=portable on both machines"
    ]


def test_under_the_level_nobody_is_told_to_set_the_level() -> None:
    [line] = agreement.cures(["BLAS"], ["portable", "portable"])
    assert line.startswith("BLAS: DETERMINISM=portable does not make these equal here")
    assert "set DETERMINISM" not in line
