"""With SEED_INIT_POOLS=item a test of pytest draws the same alone, in any order, in any worker."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.processes import run

CONFTEST = """
import json, os, random
import pytest
def draw():
    return [random.random(), random.Random().random()]
@pytest.fixture(scope="session")
def shared():
    return [draw()]
@pytest.fixture
def tell(request):
    def tell(*drawn):
        with open(os.environ["TOLD"], "a") as file:
            file.write(json.dumps([request.node.nodeid, draw(), *drawn]) + "\\n")
    return tell
"""
TESTS = """
import pytest
from conftest import draw
@pytest.fixture(scope="session")
def shared(shared):
    return [*shared, draw()]
@pytest.fixture(scope="module", params=[1, 2])
def prepared():
    yield draw()
def test_one(tell): tell()
def test_two(tell, shared): tell(shared)
@pytest.mark.parametrize("case", [1, 2])
def test_three(tell, case, prepared): tell(prepared)
class TestClass:
    def setup_class(cls): cls.drawn = draw()
    def setup_method(self): self.own = draw()
    def test_four(self, tell): tell(self.drawn, self.own)
    def test_five(self, tell): tell(self.drawn, self.own)
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(TESTS)
    return tmp_path


def drawn(python: Path, suite: Path, *words: str, **env: str) -> dict[str, Any]:
    """What each test has drawn, by its node id."""
    file = suite / "told"
    file.unlink(missing_ok=True)
    given = {"SEED": "7", "SEED_INIT_POOLS": "item", "TOLD": str(file), **env}
    given["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # loading all that are installed takes seconds
    plain = ("-q", "-p", "xdist.plugin", "-p", "no:cacheprovider")
    done = run(python, "-m", "pytest", *plain, *words, env=given, cwd=suite, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return {name: told for name, *told in lines}


def draws_in(told: Any) -> list[tuple[float, float]]:
    if told and isinstance(told[0], float):
        return [(told[0], told[1])]
    return [draw for part in told for draw in draws_in(part)]


def numbers_in(told: dict[str, Any]) -> list[float]:
    """What the tests have drawn, and once what the fixtures have drawn that several tests share."""
    own = [draw for each in told.values() for draw in draws_in(each[0])]
    of_fixtures = {draw for each in told.values() for draw in draws_in(each[1:])}
    return [number for draw in (*own, *of_fixtures) for number in draw]


@pytest.mark.shows("pytest-xdist", "runs", "workers")
def test_a_test_draws_the_same_in_any_order_alone_and_in_any_worker(
    python: Path, suite: Path
) -> None:
    expected = drawn(python, suite)
    assert len(expected) == 16
    assert drawn(python, suite) == expected
    assert drawn(python, suite, "-n", "2") == expected
    assert drawn(python, suite, "test_b.py", "test_a.py") == expected
    alone = drawn(python, suite, "test_b.py::TestClass::test_five", "test_b.py::test_two")
    assert alone == {name: expected[name] for name in alone}


@pytest.mark.shows("pytest-xdist", "alike", "seed", "control")
def test_no_two_tests_and_fixtures_draw_alike(python: Path, suite: Path) -> None:
    numbers = numbers_in(drawn(python, suite))
    assert len(set(numbers)) == len(numbers) > 50
    assert not set(numbers) & set(numbers_in(drawn(python, suite, SEED="8")))
    free = [numbers_in(drawn(python, suite, SEED_INIT="0")) for _ in range(2)]
    assert not set(free[0]) & set(free[1])


def test_by_default_tests_go_on_where_the_last_one_was(python: Path, suite: Path) -> None:
    first = "test_a.py::test_one", "test_a.py::test_two"
    in_order = drawn(python, suite, *first, SEED_INIT_POOLS="worker")
    reverse = drawn(python, suite, *reversed(first), SEED_INIT_POOLS="worker")
    assert in_order != reverse
