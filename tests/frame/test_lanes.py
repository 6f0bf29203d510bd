"""What each lane runs, in a project of a few tests that stands for this one."""

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import lanes
from harness.budgets import BUDGETS
from harness.repository import REPOSITORY, files

CONFTEST = 'pytest_plugins = ("harness.lanes", "harness.durations")\n'

CATALOGUES = """
import pytest

@pytest.mark.rotating(every=4)
@pytest.mark.parametrize("case", range(10))
def test_catalogue(case): pass

@pytest.mark.torch
@pytest.mark.parametrize("case", range(6))
def test_dear(case): pass

@pytest.mark.image
def test_dear_without_cases(): pass

@pytest.mark.torch
@pytest.mark.rotating(every=1)
@pytest.mark.parametrize("case", range(2))
def test_dear_at_each_commit(case): pass

@pytest.mark.parametrize("case", range(5))
def test_cheap(case): pass
"""

COLLECT = """
import itertools, json, sys
import pytest
from harness import lanes
from harness.budgets import BUDGETS

class Kept:
    def pytest_collection_finish(self, session):
        self.items = session.items

kept = Kept()
pytest.main(["-q", "--collect-only", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[kept])
chosen = {"all": [item.name for item in kept.items]}
numbers = range(lanes.CASES * max(lanes.PERIODS.values()))
for lane, number in itertools.product(("fast", "test"), numbers):
    left_out, _ = lanes.split(kept.items, lane, number)
    chosen[f"{lane} {number}"] = [item.name for item in kept.items if item not in left_out]
print(json.dumps(chosen))
"""
"""Prints the tests that each lane runs at some commits."""


class Project:
    """A folder with tests.

    Attributes:
        folder: where it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "pytest.ini").write_text("[pytest]\n")

    def python(self, *words: str) -> "subprocess.CompletedProcess[str]":
        outside = {name: text for name, text in os.environ.items() if "PYTEST" not in name}
        own = {"PYTHONPATH": str(REPOSITORY), "SEED_INIT": "0"}
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            # No plugin but those that conftest.py names.
            env={**outside, **own, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def write(self, source: str, file: str = "room/test_x.py") -> None:
        (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / file).write_text(source)

    def pytest(self, source: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a file of tests."""
        self.write(source)
        return self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *words)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


Chosen = dict[str, set[str]]


def chosen_in(project: Project, file: str) -> Chosen:
    """Lane and number of the commit -> the tests of `CATALOGUES` that run."""
    project.write(CATALOGUES, file)
    told = json.loads(project.python("-c", COLLECT).stdout.splitlines()[-1])
    return {name: set(tests) for name, tests in told.items()}


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Chosen:
    return chosen_in(Project(tmp_path_factory.mktemp("project")), "room/test_x.py")


def cases(tests: set[str], name: str) -> set[str]:
    return {test for test in tests if test.partition("[")[0] == name}


def test_commits_that_follow_each_other_run_every_case(chosen: Chosen) -> None:
    every = chosen["all"]
    assert len(every) == 10 + 6 + 1 + 2 + 5
    shares = [chosen[f"test {number}"] for number in range(2, 6)]
    assert set.union(*shares) == every
    for share in shares:
        assert cases(share, "test_cheap") == cases(every, "test_cheap")
        assert len(cases(share, "test_catalogue")) in (2, 3)
        assert len(cases(share, "test_dear")) in (1, 2)
        assert len(cases(share, "test_dear_without_cases")) == 1
        assert len(cases(share, "test_dear_at_each_commit")) == 2
    for one, other in itertools.pairwise(shares):
        assert not cases(one, "test_catalogue") & cases(other, "test_catalogue")


def test_dear_tests_of_a_large_folder_rotate_with_a_period_of_their_own(project: Project) -> None:
    period = lanes.PERIODS["tests/hook"]
    chosen = chosen_in(project, "tests/hook/test_x.py")
    shares = [chosen[f"test {number}"] for number in range(period * lanes.CASES)]
    assert set.union(*shares) == chosen["all"]
    with_it = [share for share in shares if cases(share, "test_dear_without_cases")]
    assert len(with_it) == len(shares) / period
    assert all(len(cases(share, "test_dear_at_each_commit")) == 2 for share in shares)


def test_fast_runs_nothing_dear_and_of_the_rest_a_share(chosen: Chosen) -> None:
    shares = [chosen[f"fast {number}"] for number in range(4)]
    names = {test.partition("[")[0] for share in shares for test in share}
    assert names == {"test_catalogue", "test_cheap"}
    assert len(set.union(*shares)) == 10 + 5
    assert all(len(share) <= 3 + 2 for share in shares)


def test_the_header_and_the_end_say_which_share_runs(project: Project) -> None:
    done = project.pytest(CATALOGUES, "--lane=test", "--rotation=21", "-v")
    assert "lane test: share 21 of what is dear" in done.stdout
    ran = r"^ran a share of room/test_x\.py: [23] of 10 tests, one in 4$"
    assert re.search(ran, done.stdout, re.M)
    assert re.search(r"^ran a share of room: [23] of 7 tests, ", done.stdout, re.M)


def test_without_a_lane_pytest_runs_what_it_is_asked_for(project: Project) -> None:
    done = project.pytest(CATALOGUES)
    assert "24 passed" in done.stdout
    assert "seconds by folder" not in done.stdout


# --- which share -----------------------------------------------------------------------------


def git(repository: Path, *words: str) -> str:
    identity = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
    command = ["git", "-C", str(repository), *identity, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_share_is_the_number_of_the_commit(tmp_path: Path) -> None:
    assert lanes.commit_number(tmp_path) == 0, "no repository"
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "--quiet")
    for number in (1, 2, 3):
        git(repository, "commit", "--quiet", "--allow-empty", "-m", str(number))
        assert lanes.commit_number(repository) == number


def test_where_the_history_is_not_whole_the_hash_takes_its_place(tmp_path: Path) -> None:
    whole, shallow = tmp_path / "whole", tmp_path / "shallow"
    whole.mkdir()
    git(whole, "init", "--quiet")
    for number in ("1", "2"):
        git(whole, "commit", "--quiet", "--allow-empty", "-m", number)
    git(tmp_path, "clone", "--quiet", "--depth=1", whole.as_uri(), str(shallow))
    assert lanes.commit_number(shallow) == int(git(whole, "rev-parse", "HEAD"), 16)


# --- what the lane `fast` does not start -------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "marker"),
    [
        ("subprocess.run([sys.executable, '-c', 'import torch'])", "torch"),
        ("subprocess.run([sys.executable, '-c', 'try: import torch\\nexcept: pass'])", "torch"),
        ("subprocess.run([private, '-c', 'import torch'], env={})", "torch"),
        ("subprocess.run(['sh', '-c', 'docker info || true'])", "image"),
        ("import torch", "torch"),
    ],
)
def test_a_test_that_is_not_marked_fails(project: Project, line: str, marker: str) -> None:
    source = f"""
import subprocess, sys
from harness import interpreters

def test_that_takes_no_notice(tmp_path):
    private = interpreters.copy_base(tmp_path / "own") if {"private" in line} else None
    if private: interpreters.see_packages(private)
    {line}
"""
    assert project.pytest(source, "--lane=fast").returncode == 1
    marked = source.replace("def test", f"import pytest\n@pytest.mark.{marker}\ndef test")
    assert project.pytest(marked, "--lane=fast").returncode == 5, "no tests ran"


def test_a_file_that_imports_torch_is_left_out_as_a_whole(project: Project) -> None:
    done = project.pytest("import torch\ndef test_with_it(): pass\n", "--lane=fast", "-rs")
    assert "1 skipped" in done.stdout
    assert "imports torch" in done.stdout


def test_a_process_that_is_left_behind_fails_the_run(project: Project) -> None:
    source = """
import subprocess, sys

def test_that_does_not_wait():
    late = "import time; time.sleep(0.5); import torch"
    command = ["setsid", "--fork", sys.executable, "-c", late]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

def test_of_something_else():
    import time; time.sleep(2)
"""
    done = project.pytest(source, "--lane=fast")
    assert "2 passed" in done.stdout
    assert done.returncode == 1


# --- budgets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lane", "status"), [("all", 1), ("test", 0), ("fast", 0)])
def test_over_budget_fails_the_lane_all_alone(project: Project, lane: str, status: int) -> None:
    # A folder without a budget is over it.
    done = project.pytest("def test_x(): pass\n", f"--lane={lane}")
    assert done.returncode == status
    assert re.search(r"^room +1 +0 +none  over$", done.stdout, re.M)
    assert "room/test_x.py::test_x" in done.stdout.partition("slowest")[2]


def test_every_folder_of_tests_has_a_budget_and_no_other() -> None:
    folders = {file.rpartition("/")[0] for file in files("*/test_*.py")}
    # Programs and examples may be tests themselves, which a test of ours runs.
    ours = {folder for folder in folders if re.match(r"(benchmarks/)?tests/[a-z]+$", folder)}
    assert ours == set(BUDGETS)
    assert set(lanes.PERIODS) <= ours
