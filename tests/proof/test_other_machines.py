"""`seed-init verify --portable`: runs as on other machines, imitated on this one."""

import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seed_init.hook import portability
from seed_init.proof.comparing import causes
from seed_init.proof.running import conditions, emulator, machines, runner
from seed_init.proof.trace import journal
from seed_init.proof.trace.steps import end_of, steps_of
from seed_init.proof.verifying import imitating
from seed_init.proof.verifying.imitating import NO_LEVEL
from seed_init.proof.verifying.runs import Outcome

from . import support
from .verified import PROGRAMS, by_command, told

PROGRAM = PROGRAMS / "machine_dependent.py"
AVX512 = frozenset(("avx", "avx2", "avx512f"))

QUICK = ("--portable", "--no-perturb", "--no-locate", "--json")

needs_two_cpus = pytest.mark.skipif(
    machines.usable_cpus() < 2, reason="with one CPU there is no run with fewer"
)
needs_avx = pytest.mark.skipif(
    "avx" not in machines.cpu_features(), reason="this CPU has no AVX that could be left out"
)


def _why_not_emulated() -> str:
    try:
        emulator.find((), os.environ)
    except emulator.CannotEmulate as error:
        return str(error)
    return ""


# Where qemu is may be a directory that the minimal environment of the tests does not have.
ON_PATH = {"PATH": os.environ["PATH"]}

needs_qemu = pytest.mark.skipif(bool(_why_not_emulated()), reason=_why_not_emulated())


def verified(
    python: Path, place: Path, what: str, *options: str, **variables: str | None
) -> dict[str, Any]:
    """What `verify` tells of the program, without the thread count that tests have otherwise."""
    env: dict[str, str | None] = {"OMP_NUM_THREADS": None, **variables}
    done = by_command(python, place, *QUICK, *options, "--", python, PROGRAM, what, env=env)
    return told(done)


def outcomes(result: dict[str, Any]) -> dict[str, str]:
    return {machine["machine"]: machine["outcome"] for machine in result["machines"]}


def test_a_program_that_asks_nothing_of_the_machine_is_the_same_on_all(
    python: Path, tmp_path: Path
) -> None:
    result = verified(python, tmp_path, "none")
    assert result["verdict"] == "identical"
    assert set(outcomes(result).values()) == {"same"}
    arms = machines.imitated({})
    assert list(outcomes(result)) == [machine.name for machine in arms.machines]
    for line in arms.left_out:
        assert line in result["not_compared"]


@needs_two_cpus
@needs_avx
def test_sums_by_threads_and_instructions_differ_and_the_level_is_named_which_keeps_them(
    python: Path, tmp_path: Path
) -> None:
    result = verified(python, tmp_path, "product")
    assert (result["verdict"], result["broke_equality"]) == ("different", "one CPU")
    found = outcomes(result)
    assert (found["one CPU"], found["no AVX"]) == ("differs", "differs")
    assert result["difference"]["level"] == "output"
    remedies = result["difference"]["remedies"]
    assert remedies == causes.remedies_of_machine(machines.CPUS, False)
    assert remedies[0]["remedy"].startswith("DETERMINISM=portable: ")


@needs_two_cpus
def test_under_the_level_the_same_program_is_identical_and_what_was_not_imitated_is_told(
    python: Path, tmp_path: Path
) -> None:
    result = verified(python, tmp_path, "product", DETERMINISM="portable")
    assert result["verdict"] == "identical", result
    assert set(outcomes(result).values()) == {"same"}
    # That arm would be refused, or would change nothing: it is not shown as green.
    assert not {"AVX2", "no AVX"} & set(outcomes(result))
    assert any(line.startswith("no AVX: DETERMINISM=") for line in result["not_compared"])


@needs_two_cpus
def test_a_program_that_counts_cpus_differs_under_the_level_too_and_is_told_to_pass_a_number(
    python: Path, tmp_path: Path
) -> None:
    result = verified(python, tmp_path, "count", DETERMINISM="portable")
    found = outcomes(result)
    by_count = [name for name in found if name.endswith(("CPU", "CPUs"))]
    assert [found[name] for name in by_count] == ["differs", "differs"]
    assert (result["verdict"], result["broke_equality"]) == ("different", "one CPU")
    assert result["difference"]["remedies"][0]["remedy"].startswith("pass a number: ")


@needs_two_cpus
def test_a_machine_on_which_the_hook_refuses_to_start_is_neither_equal_nor_different(
    python: Path, tmp_path: Path
) -> None:
    result = verified(python, tmp_path, "fails")
    assert (result["verdict"], outcomes(result)["one CPU"]) == ("unproven", "refused")
    assert result["machines"][0]["told"] == "one CPU is not accepted"
    assert result["reason"].endswith("not compared, as shown below: one CPU")


@pytest.mark.parametrize(
    ("level", "reason"), [("warn", "not compared, as shown below: "), ("portable", NO_LEVEL)]
)
def test_a_command_without_the_hook_is_called_the_same_on_no_machine_that_only_it_would_tell_of(
    python: Path, tmp_path: Path, level: str, reason: str
) -> None:
    words = *QUICK, "--", "/bin/echo", "always the same"
    env: dict[str, str | None] = {"OMP_NUM_THREADS": None, "DETERMINISM": level}
    result = told(by_command(python, tmp_path, *words, env=env))
    assert result["verdict"] == "unproven"
    assert reason in result["reason"]
    found = outcomes(result)
    assert found.pop("one CPU", "same") == "same"
    assert set(found.values()) == {"failed"}


def test_each_machine_has_its_line_and_each_run_its_machine(python: Path, tmp_path: Path) -> None:
    words = ("--portable", "--no-perturb", "--", python, PROGRAM, "none")
    headline, *lines = by_command(python, tmp_path, *words).stdout.splitlines()
    others = ", ".join(machine.name for machine in machines.imitated({}).machines)
    assert headline.endswith(f"(SEED=7): on this machine, and as with {others}")
    for machine in machines.imitated({}).machines:
        [run] = [line for line in lines if line.endswith(f"s  as with {machine.name}")]
        number = run.split()[1]
        told = re.escape(f"machine {machine.name} (run {number}): the same")
        assert any(re.match(told, line) for line in lines)


# What is imitated


def names(**given: Any) -> list[str]:
    given = {"environment": {}, "cpus": 2, "features": AVX512, **given}
    return [machine.name for machine in machines.imitated(**given).machines]


def test_what_is_imitated_depends_on_the_machine() -> None:
    assert names() == ["one CPU", "4 CPUs", "AVX2", "no AVX"]
    assert names(cpus=1) == ["4 CPUs", "AVX2", "no AVX"]
    assert names(cpus=64) == ["one CPU", "32 CPUs", "AVX2", "no AVX"]
    assert names(features=frozenset(("avx", "avx2"))) == ["one CPU", "4 CPUs", "no AVX"]
    assert names(features=frozenset()) == ["one CPU", "4 CPUs"]


def test_each_machine_that_is_left_out_has_a_line() -> None:
    for given, beginnings in (
        ({"cpus": 1}, ["one CPU"]),
        ({"features": frozenset(("avx", "avx2"))}, ["AVX2", "AVX-512"]),
        ({"features": frozenset()}, ["other instructions"]),
        ({"environment": {"DETERMINISM": "portable"}}, ["no AVX"]),
    ):
        arms = machines.imitated(**{"environment": {}, "cpus": 2, "features": AVX512, **given})
        assert [line.partition(":")[0] for line in arms.left_out] == beginnings


def test_what_the_user_or_the_level_sets_goes_to_the_other_machine_as_well() -> None:
    user = {"OMP_NUM_THREADS": "3", "ATEN_CPU_CAPABILITY": "avx512"}
    level = {"DETERMINISM": "portable"}
    set_by_level = {variable.name for variable in portability.TABLE} | set(portability.UNSET)
    for environment, kept in ((user, set(user)), (level, set_by_level)):
        for machine in machines.imitated(environment, 2, AVX512).machines:
            assert not kept & set(machine.variables), machine.name
    threads = machines.imitated(user, 2, AVX512).machines[1].variables
    # These two follow OMP_NUM_THREADS, which stays.
    assert not {"MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"} & set(threads)


def test_a_level_that_no_hook_keeps_is_none() -> None:
    off = {"DETERMINISM": "portable", "SEED_INIT": "0"}
    assert machines.imitated(off, 2, AVX512) == machines.imitated({}, 2, AVX512)


def test_one_thread_is_advised_by_the_variable_that_the_level_accepts() -> None:
    remedies = [cause.remedy for cause in causes.TABLE if "one thread" in cause.remedy]
    assert remedies
    assert all("SEED_INIT_THREADS=1" in remedy for remedy in remedies)


def test_instructions_that_are_imitated_in_part_or_not_at_all_are_told() -> None:
    arms = machines.imitated({"ATEN_CPU_CAPABILITY": "avx512"}, 2, AVX512)
    assert [machine.name for machine in arms.machines if machine.part] == [
        "AVX2 in part",
        "no AVX in part",
    ]
    everything = dict.fromkeys(machines.AVX2, "x")
    arms = machines.imitated(everything, 2, AVX512)
    assert "AVX2" not in " ".join(machine.name for machine in arms.machines)
    assert any(line.startswith("AVX2: ") and "only --emulate" in line for line in arms.left_out)


@needs_two_cpus
def test_one_cpu_is_what_the_command_and_its_children_may_use(python: Path, tmp_path: Path) -> None:
    code = "import os; os.fork(); print(len(os.sched_getaffinity(0)), os.cpu_count())"
    one = conditions.on_machine(machines.Machine("one CPU", machines.CPUS, affinity=1, cpus=1))
    done = support.run(tmp_path, python, "-c", code, condition=one)
    assert support.stdout(done) == b"1 1\n" * 2
    assert machines.usable_cpus() == len(os.sched_getaffinity(0)) > 1


# Only the first steps


@pytest.mark.torch
def test_a_run_that_is_stopped_has_its_first_steps_alone(python: Path, tmp_path: Path) -> None:
    plan = imitating.stopped(journal.DEFAULT_PLAN, 2)
    done = support.run(tmp_path, python, PROGRAMS / "verified_training.py", plan=plan)
    assert done.status == 0
    [process] = done.processes()
    assert [step.call for step in steps_of(process)] == [0, 1]
    assert end_of(process) is not None
    # Not what a whole run leaves.
    assert not (tmp_path / "out").exists()
    _shared_steps_alone_are_compared(done, process)


def _shared_steps_alone_are_compared(done: runner.Run, cut: journal.Process) -> None:
    def outcome(events: list[dict[str, Any]]) -> Outcome:
        processes = [journal.Process(cut.header, cut.file, events)]
        return Outcome("run", done, processes, {}, 0.0, False)

    *begin, end = cut.events
    assert (begin[-1]["event"], end["event"]) == ("step", "end")
    ended_later = {**end, "generators": {name: "elsewhere" for name in end["generators"]}}
    whole = outcome([*begin, {**begin[-1], "call": 2}, ended_later])
    short = outcome(cut.events)
    assert imitating.cut_difference(whole, short, 2) is None
    ended_by_itself = imitating.cut_difference(whole, short, 3)
    assert ended_by_itself is not None
    assert ended_by_itself.level == "trace"
    failed = replace(short, run=replace(done, status=1))
    by_status = imitating.cut_difference(whole, failed, 2)
    assert by_status is not None
    assert (by_status.level, by_status.values) == ("status", [0, 1])
    too_long = replace(short, run=replace(done, status=runner.TIMED_OUT, timeout=9.0))
    assert imitating.cut_difference(whole, too_long, 3) is None
    other = outcome([*begin[:-1], {**begin[-1], "loss": begin[-2]["loss"]}, end])
    difference = imitating.cut_difference(whole, other, 2)
    assert difference is not None
    assert (difference.level, difference.step) == ("loss", 1)


def test_steps_are_emulated_as_far_as_the_time_allows() -> None:
    assert imitating.affordable(seconds=2, made=100, limit=600) == imitating.MOST_STEPS
    assert imitating.affordable(seconds=100, made=10, limit=1800) == 2
    assert imitating.affordable(seconds=3600, made=1, limit=10) == 1


# The emulator


@pytest.mark.parametrize(
    ("options", "words", "said"),
    [
        pytest.param(
            ("--emulate", "Haswel"), ("PYTHON", "-c", "0"), "is no CPU of qemu", marks=needs_qemu
        ),
        pytest.param(
            ("--emulate", "Haswell"), ("sh", "-c", "true"), "cannot run sh under", marks=needs_qemu
        ),
        (("--emulate", ","), ("true",), "',' names no CPU"),
        (("--emulate-steps", "3"), ("true",), "--emulate-steps needs --emulate"),
    ],
)
def test_what_cannot_be_emulated_is_said_in_one_line_before_any_run(
    python: Path, tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...], said: str
) -> None:
    command = [str(python) if word == "PYTHON" else word for word in words]
    done = by_command(python, tmp_path, *options, "--", *command, env=ON_PATH)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_qemu_it_is_said_what_to_install(python: Path, tmp_path: Path) -> None:
    done = by_command(
        *(python, tmp_path, "--emulate", "Haswell", "--", python, "-c", "0"),
        env={"PATH": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "apt-get install qemu-user" in done.stderr


def test_a_qemu_that_computes_wrongly_is_refused(python: Path, tmp_path: Path) -> None:
    old = tmp_path / "qemu-x86_64"
    old.write_text("#!/bin/sh\necho qemu-x86_64 version 7.2.22, of Debian\n")
    old.chmod(0o755)
    done = by_command(
        *(python, tmp_path, "--emulate", "Haswell", "--", python, "-c", "0"),
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs qemu 10.0 or newer" in done.stderr
    assert "version 7.2.22, which may compute wrongly" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("exit 1", "is of a release that it does not tell"),
        ('[ "$1" != --version ] || echo qemu-x86_64 version 10.0.3', "names no CPU"),
    ],
)
def test_an_emulator_that_tells_nothing_is_named(tmp_path: Path, script: str, told: str) -> None:
    program = tmp_path / "qemu-x86_64"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(emulator.CannotEmulate, match=told) as error:
        emulator.find(("Haswell",), {"PATH": str(tmp_path)})
    assert str(program) in str(error.value)
    assert "install qemu-user of Debian 13 or newer" in str(error.value)


@needs_qemu
def test_an_emulated_cpu_differs_where_the_instructions_decide(
    python: Path, tmp_path: Path
) -> None:
    # One thread, so that only the instructions are left.
    found = verified(
        python, tmp_path, "product", "--emulate", "Nehalem", OMP_NUM_THREADS="1", **ON_PATH
    )
    emulated = found["machines"][-1]
    assert (emulated["machine"], emulated["kind"]) == ("emulated Nehalem", "emulator")
    expected = outcomes(found).get("no AVX", "same")
    assert emulated["outcome"] == expected
    assert outcomes(found)["4 CPUs" if machines.usable_cpus() <= 4 else "one CPU"] == "same"
    # The emulator warns on stderr of what it does not know: no word of that is the program's.
    assert "TCG" not in str(found)


@needs_qemu
def test_a_process_that_leaves_the_emulator_proves_nothing(python: Path, tmp_path: Path) -> None:
    found = verified(python, tmp_path, "child", "--emulate", "Haswell", **ON_PATH)
    assert found["verdict"] == "unproven"
    [failure] = found["failures"]
    assert "runs on this machine's own CPU" in failure["what"]
    assert failure["runs"] == [found["runs"][-1]["name"]]


@needs_qemu
def test_a_cpu_that_the_level_refuses_is_told_so_and_is_not_called_the_same(
    python: Path, tmp_path: Path
) -> None:
    options = ("--emulate", "Nehalem")
    found = verified(python, tmp_path, "none", *options, DETERMINISM="portable", **ON_PATH)
    assert (found["verdict"], outcomes(found)["emulated Nehalem"]) == ("unproven", "refused")
    assert "AVX2" in found["machines"][-1]["told"]


@needs_qemu
def test_an_emulator_is_checked_with_operations_that_have_one_right_result(
    python: Path, tmp_path: Path
) -> None:
    there = emulator.find(("Haswell",), os.environ)
    assert there.fault("Haswell", str(python)) is None
    wrong = tmp_path / "qemu-x86_64"
    wrong.write_text('#!/bin/sh\nshift 2\nexec "$1" -c "print(1, 1)"\n')
    wrong.chmod(0o755)
    faulty = emulator.Emulator(str(wrong), "qemu-x86_64 of a test", ("Haswell",))
    assert "otherwise than this machine" in str(faulty.fault("Haswell", str(python)))


def test_a_script_is_emulated_with_the_python_that_its_first_line_names(tmp_path: Path) -> None:
    script = tmp_path / "program"
    environment = {"PATH": os.environ["PATH"]}

    def words(first: str) -> list[str]:
        script.write_text(f"{first}\nprint(1)\n")
        script.chmod(0o755)
        command = emulator.commands.Command(str(script), ("program", "--steps", "3"))
        return emulator.python_of(command, environment, tmp_path)

    python = os.path.realpath(sys.executable)
    expected = [python, "-u", str(script), "--steps", "3"]
    assert words(f"#!{python} -u") == expected
    assert words("#!/usr/bin/env python3")[0] == shutil.which("python3")
    for other in ("#!/bin/sh", "print(1)"):
        with pytest.raises(emulator.CannotEmulate, match="cannot run program under qemu"):
            words(other)
