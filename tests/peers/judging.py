"""What the outcomes of a suite without the hook and with it say about the hook."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.peers.running import FAILED, PASSED, WHOLE, Arm, Outcome
from tests.peers.suites import EXPECTED, Suite

Run = Callable[[Suite, str, Arm, Sequence[str]], Mapping[str, Outcome]]


@dataclass(frozen=True)
class Verdict:
    """What a part of a suite says.

    Attributes:
        counted: tests that pass without the hook and were run in all interpreters.
        faults: (interpreter, test, text of the failure) of what fails under the hook alone.
        expected: tests that fail under the hook alone and may.
    """

    counted: int
    faults: tuple[tuple[str, str, str], ...]
    expected: tuple[str, ...]


def judge(suite: Suite, part: str, bare: Arm, hooked: Sequence[Arm], run: Run) -> Verdict:
    """Run a part of a suite in all interpreters, and what differs once more.

    Args:
        suite: the suite.
        part: one of its parts.
        bare: the interpreter without the hook.
        hooked: those with it.
        run: `running.outcomes`.
    """
    without = run(suite, part, bare, ())
    counted = {test for test, outcome in without.items() if outcome.word == PASSED}
    faults, expected = [], set()
    for arm in hooked:
        under = run(suite, part, arm, ())
        counted &= set(under)
        for test in _only_under_the_hook(without, under):
            if test in EXPECTED:
                expected.add(test)
            elif again := _again(suite, part, bare, arm, run, test):
                faults.append((arm.name, test, again))
    return Verdict(len(counted), tuple(faults), tuple(sorted(expected)))


def _only_under_the_hook(without: Mapping[str, Outcome], under: Mapping[str, Outcome]) -> list[str]:
    """Tests that fail, or are missing, under the hook and neither without it."""
    failed = [test for test, outcome in under.items() if outcome.word == FAILED]
    missing = [] if WHOLE in without or WHOLE in under else [t for t in without if t not in under]
    return [test for test in (*failed, *missing) if not _failed(without, test)]


def _failed(outcomes: Mapping[str, Outcome], test: str) -> bool:
    # Where the part gave no report without the hook, none of its tests can be compared.
    found = outcomes.get(test) or outcomes.get(WHOLE)
    return found is not None and found.word == FAILED


def _again(suite: Suite, part: str, bare: Arm, arm: Arm, run: Run, test: str) -> str:
    """The text of the failure if it is there again, under the hook alone; otherwise empty."""
    chosen = () if test == WHOLE else (test,)
    under = run(suite, part, arm, chosen)
    failed = next((o for o in under.values() if o.word == FAILED), None)
    if failed is None and (test == WHOLE or test in under):
        return ""  # chance: the test passes when it is run again
    if any(o.word == FAILED for o in run(suite, part, bare, chosen).values()):
        return ""  # chance, or the test needs those before it
    return failed.text if failed is not None else "it is not run"
