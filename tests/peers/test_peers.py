"""What others test still passes under the hook: the quick parts; `make test-peers` runs all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.peers import running
from tests.peers.judging import judge
from tests.peers.running import FAILED, PASSED, WHOLE, Arm, Outcome, make_arms, outcomes
from tests.peers.suites import EXPECTED, SUITES, Suite

QUICK = [(suite, part) for suite in SUITES for part in suite.quick]
BARE, HOOKED = Arm("without", Path("bare"), {}), Arm("with", Path("hooked"), {})


@pytest.fixture(scope="session")
def arms(tmp_path_factory: pytest.TempPathFactory) -> list[Arm]:
    try:
        return make_arms(tmp_path_factory.mktemp("peers"))
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.xdist_group("peers")
@pytest.mark.parametrize(("suite", "part"), QUICK, ids=[part for _, part in QUICK])
def test_nothing_fails_under_the_hook_alone(arms: list[Arm], suite: Suite, part: str) -> None:
    found = judge(suite, part, arms[0], arms[1:], outcomes)
    assert found.counted > 1
    assert not found.faults, "\n".join(map(" | ".join, found.faults))


class TestJudging:
    """The verdict itself, on outcomes that are made up: red where it must be."""

    def verdict(
        self, without: Mapping[str, str], under: Mapping[str, str], again: Mapping[str, str]
    ) -> list[str]:
        """Tests that are called faulty; `again` is what a second run under the hook gives."""

        def run(suite: Suite, part: str, arm: Arm, tests: Sequence[str]) -> Mapping[str, Outcome]:
            words = without if arm is BARE else again if tests else under
            return {test: Outcome(word, "why") for test, word in words.items()}

        return [test for _, test, _ in judge(SUITES[0], "test_gc", BARE, [HOOKED], run).faults]

    def test_a_test_that_fails_twice_under_the_hook_alone_is_a_fault(self) -> None:
        assert self.verdict({"a": PASSED}, {"a": FAILED}, {"a": FAILED}) == ["a"]

    def test_a_test_that_fails_without_the_hook_as_well_is_none(self) -> None:
        assert self.verdict({"a": FAILED}, {"a": FAILED}, {"a": FAILED}) == []

    def test_a_test_that_passes_when_it_is_run_again_is_none(self) -> None:
        assert self.verdict({"a": PASSED}, {"a": FAILED}, {"a": PASSED}) == []

    def test_a_test_that_is_missing_under_the_hook_is_a_fault(self) -> None:
        assert self.verdict({"a": PASSED, "b": PASSED}, {"a": PASSED}, {}) == ["b"]

    def test_a_part_that_gives_no_report_under_the_hook_is_a_fault(self) -> None:
        def run(suite: Suite, part: str, arm: Arm, tests: Sequence[str]) -> Mapping[str, Outcome]:
            if arm is BARE:
                return {"a": Outcome(PASSED)}
            return {WHOLE: Outcome(FAILED, "killed")}

        found = judge(SUITES[0], "test_gc", BARE, [HOOKED], run)
        assert (found.counted, [test for _, test, _ in found.faults]) == (0, [WHOLE])

    def test_a_part_that_gives_no_report_in_either_counts_nothing(self) -> None:
        def run(suite: Suite, part: str, arm: Arm, tests: Sequence[str]) -> Mapping[str, Outcome]:
            return {WHOLE: Outcome(FAILED, "no such module")}

        found = judge(SUITES[0], "test_gc", BARE, [HOOKED], run)
        assert (found.counted, found.faults) == (0, ())


@pytest.mark.parametrize(
    ("test", "part", "words"),
    [
        ("test_plain", "utils/tests/test_random.py", ["test_plain"]),
        (".TestMT19937::test_init", "random/tests/test_smoke.py", ["TestMT19937", "test_init"]),
        ("a.b.test_x.TestY::test_z[1-2]", "b/test_x.py", ["TestY", "test_z[1-2]"]),
        ("a.b.test_x::test_z", "b/test_x.py", ["test_z"]),
    ],
)
def test_a_test_is_named_as_pytest_wants_it(test: str, part: str, words: list[str]) -> None:
    assert running._pytest_words(test, part) == words


def test_what_is_expected_to_differ_has_its_reason() -> None:
    assert all(reason.strip() for reason in EXPECTED.values())
