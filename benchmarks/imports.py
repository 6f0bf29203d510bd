"""`import torch` with the hook, which seeds it and sets its flags, and without. Target: 1.01."""

import tempfile
from pathlib import Path

from benchmarks.interleaved import Arm, measure, report
from harness import interpreters

ROUNDS = 45


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        bare, hooked = interpreters.bare_and_hooked(Path(place))

        def arm(executable: Path, **variables: str) -> Arm:
            return Arm(
                (str(executable), "-c", "import torch"),
                interpreters.environment(executable, **variables),
            )

        arms = {"no hook": arm(bare), "SEED=7": arm(hooked, SEED="7")}
        report("import torch", measure(arms, ROUNDS))


if __name__ == "__main__":
    main()
