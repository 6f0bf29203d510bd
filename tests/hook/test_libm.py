"""Under level portable, a C library that computes without FMA stops the process."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from harness.processes import Completed, run
from seed_init.hook import libm, refusals

PORTABLE = {"SEED": "7", "DETERMINISM": "portable"}
PROGRAM = "print('user code ran')"
WITHOUT_FMA = "glibc.cpu.hwcaps=-FMA"

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc's functions")
# By its path: what runs under test gets a PATH without the directories of this machine's own.
QEMU = shutil.which("qemu-x86_64") or ""
has_qemu = pytest.mark.skipif(not QEMU, reason="no qemu-user")


def assert_refused(done: Completed, *texts: str) -> None:
    assert (done.stdout, done.returncode) == ("", 78)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("qemu-x86_64: ")]
    assert len(lines) == 1
    for text in ("seed_init: DETERMINISM=portable ", *texts):
        assert text in lines[0]


@on_linux
def test_variables_that_hide_fma_are_named(python: Path) -> None:
    for hidden in (WITHOUT_FMA, "glibc.cpu.hwcaps=-AVX2"):
        done = run(python, "-c", PROGRAM, env={**PORTABLE, "GLIBC_TUNABLES": hidden})
        assert_refused(done, f"GLIBC_TUNABLES='{hidden}'", "take glibc.cpu.hwcaps out")


@on_linux
@has_qemu
def test_a_cpu_without_fma_is_refused_before_any_library_is_loaded(python: Path) -> None:
    done = run(QEMU, "-cpu", "IvyBridge", python, "-c", PROGRAM, env=PORTABLE)
    assert_refused(done, "this CPU has no FMA", "use a CPU with FMA and AVX2")


@on_linux
def test_other_levels_run_without_fma(python: Path) -> None:
    env = {"SEED": "7", "DETERMINISM": "strict", "GLIBC_TUNABLES": WITHOUT_FMA}
    assert run(python, "-c", PROGRAM, env=env).returncode == 0


@on_linux
def test_each_entry_of_the_table_tells_the_variants_apart(python: Path) -> None:
    code = (
        "import math; from seed_init.hook.libm import TABLE; "
        "wrong = lambda name, given, result: getattr(math, name)(*given).hex() != result; "
        "print([entry[0] for entry in TABLE if wrong(*entry)])"
    )
    every = str([name for name, _, _ in libm.TABLE])
    assert run(python, "-c", code, env={"SEED_INIT": "0"}).stdout.strip() == "[]"
    hidden = {"SEED_INIT": "0", "GLIBC_TUNABLES": WITHOUT_FMA}
    assert run(python, "-c", code, env=hidden).stdout.strip() == every


def test_a_machine_that_is_not_x86_64_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.uname()
    arm = os.uname_result((*here[:4], "aarch64"))
    monkeypatch.setattr(os, "uname", lambda: arm)
    with pytest.raises(refusals.Refusal, match="this machine is aarch64"):
        libm.check()
