"""Run the suites of others with the hook and without it; exit status 1 if the hook breaks one."""

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import machine
from tests.peers.judging import Verdict, judge
from tests.peers.running import make_arms, outcomes
from tests.peers.suites import EXPECTED, PYTORCH, SUITES, Suite


def main() -> int:
    suites = (*SUITES, PYTORCH)
    names = sys.argv[1:] or [suite.name for suite in suites]
    chosen = [suite for suite in suites if suite.name in names]
    unknown = set(names) - {suite.name for suite in suites}
    if unknown:
        known = ", ".join(suite.name for suite in suites)
        print(f"test-peers: no suite {min(unknown)!r}; there are {known}", file=sys.stderr)
        return 2
    print(machine.description(), flush=True)
    with tempfile.TemporaryDirectory() as place:
        try:
            bare, *hooked = make_arms(Path(place))
        except FileNotFoundError as error:
            print(f"test-peers: {error}", file=sys.stderr)
            return 2
        parts = [(suite, part) for suite in chosen for part in suite.parts]

        def verdict(suite: Suite, part: str) -> Verdict:
            began = time.monotonic()
            found = judge(suite, part, bare, hooked, outcomes)
            tell(suite, part, found, time.monotonic() - began)
            return found

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            verdicts = list(pool.map(verdict, *zip(*parts)))
    faults = sum(len(found.faults) for found in verdicts)
    print(f"{sum(found.counted for found in verdicts)} tests, {faults} fail under the hook alone")
    for test in sorted({test for found in verdicts for test in found.expected}):
        print(f"expected: {test}: {EXPECTED[test]}")
    # A verdict on nothing is none.
    return int(faults > 0 or any(found.counted == 0 for found in verdicts))


def tell(suite: Suite, part: str, found: Verdict, seconds: float) -> None:
    """Print one part's line, and what is wrong."""
    word = "FAILED" if found.faults else ("ok" if found.counted else "NOTHING COMPARED")
    print(f"{suite.name} {part}: {word}, {found.counted} tests, {seconds:.0f} s", flush=True)
    for arm, test, text in found.faults:
        lines = "\n".join(f"    {line}" for line in text.splitlines()[-15:])
        print(f"  fails under the hook alone ({arm}): {test}\n{lines}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
