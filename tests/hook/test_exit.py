"""What a program leaves to its end happens there: finalizers run, and buffered data is written.

The cycles below hang on the module `__main__`. CPython collects them while it ends
(Python/pylifecycle.c, finalize_modules), unless something holds them back, as `gc.freeze()` does.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.processes import output, run

FINALIZER = """
class Global:
    def __del__(self):
        print("finalized")

    def method(self):
        return 1

cycle = [Global()]
cycle.append(cycle)
"""

WRITER = """
class Writer:
    def __init__(self, path):
        self.file = open(path, "w")
        self.file.write("x" * 10)
        self.me = self

    def __del__(self):
        self.file.write("last")
        self.file.close()

def function_of_the_module():
    return writer

writer = Writer("out.txt")
"""

ENVIRONMENTS: dict[str, Mapping[str, str | None]] = {
    "idle": {},
    "seeded": {"SEED": "7"},
    "flags only": {"SEED": "off", "DETERMINISM": "strict"},
    "off": {"SEED_INIT": "0"},
    # Both ways into the hook: the .pth line acts where PYTHONPATH is set.
    "through the .pth line": {"SEED": "7", "PYTHONPATH": "/nonexistent"},
}

each_environment = pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS)


@each_environment
def test_finalizers_of_global_objects_run_at_exit(
    python: Path, tmp_path: Path, env: Mapping[str, str]
) -> None:
    # As a file: the names of a `-c` program go another way when Python ends.
    (tmp_path / "program.py").write_text(FINALIZER)
    assert output(python, tmp_path / "program.py", env=env) == "finalized"


@each_environment
def test_what_a_finalizer_writes_at_exit_is_not_lost(
    python: Path, tmp_path: Path, env: Mapping[str, str]
) -> None:
    (tmp_path / "program.py").write_text(WRITER)
    output(python, tmp_path / "program.py", env=env, cwd=tmp_path)
    assert (tmp_path / "out.txt").read_text() == "x" * 10 + "last"


def test_finalizers_run_at_exit_where_a_library_was_seeded(python: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import random\nimport numpy\n" + FINALIZER)
    assert output(python, tmp_path / "program.py", env={"SEED": "7"}) == "finalized"


@each_environment
def test_nothing_is_kept_from_the_garbage_collector(python: Path, env: Mapping[str, str]) -> None:
    code = "import gc; print(gc.get_freeze_count())"
    assert output(python, "-c", code, env=env) == "0"


def test_a_program_that_ends_by_system_exit_is_finalized(python: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(FINALIZER + "\nraise SystemExit(3)\n")
    done = run(python, tmp_path / "program.py", env={"SEED": "7"})
    assert (done.returncode, done.stdout) == (3, "finalized\n")
