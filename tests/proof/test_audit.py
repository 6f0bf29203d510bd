"""`seed-init audit`: what another run may not repeat, with its line and how often."""

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.processes import Completed, run
from seed_init.libraries import uncovered
from seed_init.proof.auditing import collecting
from seed_init.proof.observer.audit import held_generators, nondeterministic, operators
from seed_init.proof.trace import journal

PROGRAMS = Path(__file__).parent / "programs"

FINDS = re.compile(r"# finds (\S+) (\d+) (.+)$")
"""What the programs say of their lines: kind, count, and what is called."""


def audit(python: Path, *words: str, cwd: Path = PROGRAMS, **env: str | None) -> Completed:
    """Run `seed-init audit` as a user does."""
    asked: dict[str, str | None] = {"SEED": "7", **env}
    return run(python, "-m", "seed_init", "audit", *words, env=asked, cwd=cwd, timeout=240)


def result(python: Path, to: Path, *command: str, **env: str | None) -> dict[str, Any]:
    """The JSON of an audit of a program, which must succeed."""
    options = ("--json", "--force", "-o", str(to / "audit.json"))
    done = audit(python, *options, "--", str(python), *command, **env)
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads((to / "audit.json").read_text())
    return parsed


def expected(program: str) -> list[tuple[str, str, int, int, str]]:
    found = []
    for number, line in enumerate((PROGRAMS / program).read_text().splitlines(), 1):
        match = FINDS.search(line)
        if match:
            kind, count, what = match.groups()
            number += line.lstrip().startswith("#")
            found.append((kind, program, number, int(count), what))
    return sorted(found)


def found(audited: dict[str, Any]) -> list[tuple[str, str, int, int, str]]:
    names = ("kind", "file", "line", "count", "what")
    return sorted(tuple(one[name] for name in names) for one in audited["findings"])


def details(audited: dict[str, Any], kind: str) -> set[str]:
    return {one["detail"] for one in audited["findings"] if one["kind"] == kind}


# --- each kind ------------------------------------------------------------------------------


def test_each_kind_is_found_with_file_line_and_count_and_in_a_forked_child(
    python: Path, tmp_path: Path
) -> None:
    audited = result(python, tmp_path, "audit_plain.py")
    assert found(audited) == expected("audit_plain.py")
    assert details(audited, "unseeded") == {"derived from SEED"}
    assert audited["processes"] == 2 and audited["not_seen"] == []
    first = audited["findings"][0]
    assert (first["function"], first["text"]) == (
        "generators",
        "np.random.default_rng()  # finds unseeded 1 np.random.default_rng()",
    )


@pytest.mark.parametrize(
    "env",
    [{"SEED": "off"}, {"SEED": None}, {"SEED_INIT_UNSEEDED": "leave"}],
    ids=["SEED=off", "no SEED", "SEED_INIT_UNSEEDED=leave"],
)
def test_it_says_that_unseeded_generators_come_from_the_operating_system(
    python: Path, tmp_path: Path, env: dict[str, str | None]
) -> None:
    audited = result(python, tmp_path, "audit_plain.py", **env)
    kinds = [one for one in expected("audit_plain.py") if one[0] == "unseeded"]
    assert [one for one in found(audited) if one[0] == "unseeded"] == kinds
    assert details(audited, "unseeded") == {"from the operating system"}


def test_functions_that_no_code_of_python_calls_work_as_ever(python: Path, tmp_path: Path) -> None:
    """A thread's function and one for the end are called by C: there is no frame below them."""
    code = """
import _thread, atexit, os, random, time
calls = (os.listdir, "."), (os.scandir, "."), (random.seed, 3), (os.urandom, 4), (time.time,)
for function, *arguments in calls:
    atexit.register(function, *arguments)
    _thread.start_new_thread(function, tuple(arguments))
deadline = time.monotonic() + 30
while _thread._count() and time.monotonic() < deadline:
    time.sleep(0.01)
"""
    plan = {"instruments": ["auditing", "seeds", "perturbing"], "listing": "a key", "clock": 5}
    journal.write_plan(tmp_path, plan)
    env = {"SEED": "7", "SEED_INIT_TRACE": str(tmp_path), "SEED_INIT_LOG": "quiet"}
    done = run(python, "-c", code, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    [process] = journal.read(tmp_path)
    assert process.of("failed") == [] and len(process.of("audited")) == 1


def test_without_a_seed_explicit_seeding_overrides_none(python: Path, tmp_path: Path) -> None:
    kinds = {
        one["kind"] for one in result(python, tmp_path, "audit_plain.py", SEED="off")["findings"]
    }
    assert "reseeding" not in kinds and "clock" in kinds


def test_seeding_that_is_mixed_with_seed_overrides_none(python: Path, tmp_path: Path) -> None:
    audited = result(python, tmp_path, "audit_plain.py", SEED_INIT_RESEED="mix")
    assert "reseeding" not in {one["kind"] for one in audited["findings"]}


def test_nothing_is_found_in_a_clean_program(python: Path, tmp_path: Path) -> None:
    audited = result(python, tmp_path, "audit_clean.py")
    assert found(audited) == [] and audited["not_seen"] == []


@pytest.mark.torch
def test_nothing_is_found_in_a_clean_program_with_torch(python: Path, tmp_path: Path) -> None:
    audited = result(python, tmp_path, "audit_clean.py", "torch")
    assert found(audited) == [] and audited["not_seen"] == []


@pytest.mark.torch
def test_torch_generators_operators_and_flags_are_found(python: Path, tmp_path: Path) -> None:
    audited = result(python, tmp_path, "audit_torch.py")
    assert found(audited) == expected("audit_torch.py")
    assert details(audited, "operator") == {
        "cpu: no deterministic version",
        "cpu: deterministic with torch.use_deterministic_algorithms(True)",
        "cpu in IndexBackward0: deterministic with torch.use_deterministic_algorithms(True)",
    }


@pytest.mark.torch
def test_operators_without_a_deterministic_version_are_found_with_the_flag_off_and_ignored_warnings(
    python: Path, tmp_path: Path
) -> None:
    for env in ({"DETERMINISM": "off"}, {"PYTHONWARNINGS": "ignore"}):
        audited = result(python, tmp_path, "audit_torch.py", **env)
        lines = {(line, count, what) for _, _, line, count, what in found(audited)}
        want = [
            one
            for one in expected("audit_torch.py")
            if one[4] in ("aten::put_", "aten::max_unpool2d")
        ]
        assert len(want) == 2 and {one[2:] for one in want} <= lines


@pytest.mark.torch
def test_workers_that_draw_from_the_same_state_are_found(python: Path, tmp_path: Path) -> None:
    audited = result(python, tmp_path, "audit_workers.py")
    assert found(audited) == expected("audit_workers.py")
    assert details(audited, "clones") == {"the same state in 2 of 2 workers"}


COPIES = ("billiard", "multiprocess", "multiprocessing")
METHODS = ("fork", "spawn", "forkserver")

PROCESS = "process.start()"
POOL = "pool = there.Pool(2, initializer, (there.Barrier(2), numbers))"


def clones(
    python: Path, to: Path, method: str, cases: str, **env: str | None
) -> set[tuple[str, str, str]]:
    """What is found in two children of each copy: the generator, the detail, the line's text."""
    command = ("audit_children.py", method, ",".join(COPIES), cases)
    audited = result(python, to, *command, **env)
    assert audited["not_seen"] == []
    found = [one for one in audited["findings"] if one["kind"] == "clones"]
    return {(one["what"], one["detail"], one["text"]) for one in found}


def in_all(what: str) -> tuple[str, str, str]:
    """The finding where the children of all copies began in one state."""
    children = f"{2 * len(COPIES)} children of {', '.join(COPIES)}"
    return what, f"the same state in {children}", PROCESS


def in_each_pool(what: str) -> set[tuple[str, str, str]]:
    return {(what, f"the same state in 2 children of {package}", POOL) for package in COPIES}


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_children_that_draw_from_the_same_state_are_found(
    python: Path, tmp_path: Path, method: str
) -> None:
    held = ("argument choice", "argument noise['train']", "__main__.shared")
    expected = {*map(in_all, held), *in_each_pool("random"), *in_each_pool("__main__.own")}
    assert clones(python, tmp_path, method, "held,alike") == expected


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_children_with_streams_of_their_own_are_no_finding(
    python: Path, tmp_path: Path, method: str
) -> None:
    assert clones(python, tmp_path, method, "untouched,alone,repeating") == set()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_that_inherit_are_found_but_for_those_that_seed(
    python: Path, tmp_path: Path, method: str
) -> None:
    inheriting = {"SEED_INIT_CHILDREN": "inherit"}
    expected = set(map(in_all, ("random", "numpy.random", "__main__.unseeded")))
    assert clones(python, tmp_path, method, "untouched,seeded,apart", **inheriting) == expected


@pytest.mark.slow
def test_forked_children_without_a_seed_are_found(python: Path, tmp_path: Path) -> None:
    """They are clones without the hook, too; `random` is seeded in each by Python."""
    expected = set(map(in_all, ("numpy.random", "__main__.unseeded")))
    assert clones(python, tmp_path, "fork", "untouched,seeded", SEED="off") == expected


BITS = (np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox)


@pytest.mark.parametrize("kind", BITS)
def test_a_generator_is_drawn_from_or_seeded(kind: type[np.random.BitGenerator]) -> None:
    generator = np.random.Generator(kind(1))
    read = held_generators.reader(generator)
    assert read is not None
    before = read()
    assert not held_generators.is_drawn(before, read())
    generator.integers(2, dtype=np.uint32)
    assert held_generators.is_drawn(before, read())
    generator.random(100_000)
    assert held_generators.is_drawn(before, read())
    generator.bit_generator.state = kind(2).state
    assert not held_generators.is_drawn(before, read())
    generator.bit_generator.state = kind(1).jumped().state
    assert not held_generators.is_drawn(before, read())


def test_the_generator_of_random_is_drawn_from_or_seeded() -> None:
    generator = random.Random(1)
    read = held_generators.reader(generator)
    assert read is not None
    before = read()
    generator.random()
    assert held_generators.is_drawn(before, read())
    generator.randbytes(10_000_000)
    assert held_generators.is_drawn(before, read())
    generator.seed(2)
    assert not held_generators.is_drawn(before, read())


def test_even_increments_of_pcg_do_not_keep_us_looking() -> None:
    bits = np.random.PCG64(1)
    before = bits.state
    numbers = {**before["state"], "inc": 2}
    later = {**before, "state": {**numbers, "state": numbers["state"] ^ 1}}
    assert not held_generators.is_drawn({**before, "state": numbers}, later)


@pytest.mark.torch
def test_libraries_with_generators_of_their_own_are_listed(python: Path, tmp_path: Path) -> None:
    audited = result(python, tmp_path, "audit_libraries.py")
    assert found(audited) == expected("audit_libraries.py")
    assert audited["covered"] == ["cv2"] and audited["indirect"] == {}
    assert details(audited, "library") == {uncovered.REMEDIES["tokenizers"]}
    assert result(python, tmp_path, "audit_libraries.py", SEED="off")["covered"] == []


def test_a_library_that_another_library_imports_is_no_finding(python: Path, tmp_path: Path) -> None:
    helper = tmp_path / "site-packages/helper.py"
    helper.parent.mkdir()
    helper.write_text("import tokenizers\n")
    words = ("--fail-on", "any", "--", str(python), "-c", "import helper")
    done = audit(python, *words, PYTHONPATH=str(helper.parent))
    assert done.returncode == 0, done.stderr
    assert "library tokenizers: imported by helper; has a generator of its own" in done.stdout


@pytest.mark.torch
def test_ranks_are_merged(python: Path, tmp_path: Path) -> None:
    launch = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "audit_torch.py")
    # torchrun gives each rank one thread, with which no operator of this program is shared out.
    audited = result(python, tmp_path, *launch)
    doubled = [
        (kind, file, line, 2 * count, what)
        for kind, file, line, count, what in expected("audit_torch.py")
    ]
    assert found(audited) == doubled
    assert {tuple(one["ranks"]) for one in audited["findings"]} == {(0, 1)}


@pytest.mark.torch
def test_a_notebook_is_executed_and_its_cells_are_named(python: Path, tmp_path: Path) -> None:
    sources = ["import numpy as np\nnp.random.default_rng()", "import os\nlist(os.scandir())"]
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [], "source": text}
        | {"execution_count": None}
        for n, text in enumerate(sources)
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    (tmp_path / "n.ipynb").write_text(json.dumps(notebook))
    for name, text in (
        ("jupyter", 'shift; exec jupyter-execute "$@"'),
        ("jupyter-execute", f"exec {python} -c 'from nbclient.cli import main; main()' \"$@\""),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    before = (tmp_path / "n.ipynb").read_bytes()
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = audit(python, "--json", "-o", "a.json", "--", "n.ipynb", cwd=tmp_path, **env)
    assert done.returncode == 0, done.stderr
    assert found(json.loads((tmp_path / "a.json").read_text())) == [
        ("listing", "Cell In[2]", 2, 1, "os.scandir"),
        ("unseeded", "Cell In[1]", 2, 1, "np.random.default_rng()"),
    ]
    assert (tmp_path / "n.ipynb").read_bytes() == before


# --- the program goes on as without ---------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("program", ["audit_numbers.py", "audit_compiled.py"])
@pytest.mark.parametrize("level", ["warn", "off"])
def test_an_audited_program_computes_and_warns_what_it_does_without(
    python: Path, tmp_path: Path, program: str, level: str
) -> None:
    env = {"SEED": "7", "DETERMINISM": level}
    plain = run(python, program, env=env, cwd=PROGRAMS, timeout=240)
    to = str(tmp_path / "found")
    audited = audit(python, "-o", to, "--", str(python), program, DETERMINISM=level)
    assert plain.returncode == audited.returncode == 0, plain.stderr + audited.stderr
    assert (audited.stdout, audited.stderr) == (plain.stdout, plain.stderr)
    shown = Path(to).read_text()
    if program == "audit_compiled.py":
        assert "not seen: operators are not seen after torch.compile is called" in shown
    else:
        assert shown.count("6x  aten::put_") == 2


# --- the command ----------------------------------------------------------------------------


def test_findings_are_shown_by_kind_after_the_programs_output(python: Path, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import time\nprint(input(), time.time() > 0)\n")
    asked = ("-m", "seed_init", "audit", "--", str(python), "one.py")
    done = run(python, *asked, env={"SEED": "7"}, cwd=tmp_path, stdin="read\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "read True\n"
        "clock: wall clocks read\n"
        "  one.py:2  1x  time.time  print(input(), time.time() > 0)\n"
        "  remedy: keep it to log lines and file names: take no seed, decision or number from it\n"
    )


def test_json_is_alone_on_stdout(python: Path) -> None:
    done = audit(python, "--json", "--", str(python), "-c", "print('said')")
    assert json.loads(done.stdout)["findings"] == [] and done.stderr == "said\n"
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (("clock",), 1),
        (("any",), 1),
        (("entropy", "clock"), 1),
        (("entropy,clock",), 1),
        (("entropy",), 0),
        ((), 0),
    ],
)
def test_fail_on(python: Path, kinds: tuple[str, ...], status: int) -> None:
    words = [word for kind in kinds for word in ("--fail-on", kind)]
    done = audit(python, *words, "--", str(python), "-c", "import time; time.time()")
    assert (done.returncode, done.stderr) == (status, "")


def test_fail_on_any_passes_where_nothing_is_found(python: Path) -> None:
    done = audit(python, "--fail-on", "any", "--", str(python), "-c", "pass")
    assert (done.returncode, done.stdout) == (0, "nothing found in 1 process\n")


@pytest.mark.parametrize(
    "event, kinds, is_blind",
    [
        ("failed", ["clock"], True),
        ("failed", [], False),
        ("unseen", ["operator"], True),
        ("unseen", ["clock"], False),
        ("process", ["operator"], False),
    ],
)
def test_what_was_not_seen_counts_for_the_kinds_that_it_may_be(
    event: str, kinds: list[str], is_blind: bool
) -> None:
    process = journal.Process({"event": "process"}, Path(), [{"event": event, "what": "a part"}])
    assert collecting.is_blind([process], kinds) == is_blind


def test_fail_on_does_not_pass_where_a_part_of_the_audit_failed(python: Path) -> None:
    code = """
from seed_init.proof.observer import core
core.guarded(lambda: 1 / 0)()
"""
    for words, status in ((("--fail-on", "any"), 4), ((), 0)):
        done = audit(python, *words, "--", str(python), "-c", code)
        assert done.returncode == status, done.stderr
        assert "not seen: " in done.stdout and "ZeroDivisionError" in done.stdout


def test_another_kind_is_refused(python: Path) -> None:
    done = audit(python, "--fail-on", "clocks", "--", str(python), "-c", "pass")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "'clocks' is no kind of finding; give unseeded, " in done.stderr


def test_the_commands_own_failure_is_2_and_what_was_found_is_shown(python: Path) -> None:
    code = "import sys, time; time.time(); sys.exit(3)"
    done = audit(python, "--fail-on", "any", "--", str(python), "-c", code)
    assert (done.returncode, done.stderr) == (
        2,
        "seed-init audit: the command ended with status 3\n",
    )
    assert "<string>:1  1x  time.time" in done.stdout


def test_a_killed_program_keeps_what_was_found(python: Path) -> None:
    code = "import os, time; [time.time() for _ in range(8)]; os.kill(os.getpid(), 9)"
    done = audit(python, "--", str(python), "-c", code)
    assert done.returncode == 2 and "ended with status 137" in done.stderr
    assert "<string>:1  8x  time.time" in done.stdout


def test_a_command_that_cannot_be_started_is_one_line(python: Path) -> None:
    done = audit(python, "--", "no-such-command")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("seed-init audit: no-such-command: no such command in PATH; ")
    assert done.stderr.count("\n") == 1


def test_a_command_that_nobody_observed_is_not_called_clean(python: Path) -> None:
    done = audit(python, "--", "true")
    assert done.returncode == 2
    assert done.stdout.startswith("not seen: no process of the command was observed: ")


@pytest.mark.parametrize(
    "kind, remedy",
    [
        ("flash", "deterministic with DETERMINISM=warn"),
        ("efficient", "deterministic with DETERMINISM=warn"),
        ("cudnn", "no deterministic version"),
    ],
)
def test_it_is_said_when_fused_attention_on_cuda_is_deterministic(kind: str, remedy: str) -> None:
    rule = nondeterministic.rule_for(f"_scaled_dot_product_{kind}_attention_backward", {}, "cuda")
    assert rule is not None
    assert operators.remedy(rule) == remedy


def test_audit_does_not_overwrite_a_file(python: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    words = ("-o", "mine", "--", str(python), "-c", "pass")
    refused = run(python, "-m", "seed_init", "audit", *words, env={"SEED": "7"}, cwd=tmp_path)
    assert refused.returncode == 2
    assert (tmp_path / "mine").read_text() == "mine"
    forced = run(
        python, "-m", "seed_init", "audit", "--force", *words, env={"SEED": "7"}, cwd=tmp_path
    )
    assert forced.returncode == 0, forced.stderr
    assert (tmp_path / "mine").read_text() != "mine"
