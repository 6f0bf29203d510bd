"""The start of the command: `--help` of each subcommand, and `status`, over a bare interpreter.

Targets: `seed-init --help` at most 100 ms, `seed-init status` at most 150 ms over `python -c pass`.
"""

import statistics
import tempfile
from pathlib import Path

from benchmarks.interleaved import Arm, measure
from harness import interpreters
from seed_init.cli import SUBCOMMANDS

ROUNDS = 20

TARGETS = {"--help": 100, "status": 150}
"""The words of a command -> milliseconds over a bare interpreter, at most."""


def main() -> None:
    commands = ["--help", "status", *(f"{name} --help" for name in SUBCOMMANDS)]
    with tempfile.TemporaryDirectory() as scratch:
        bare = interpreters.copy_base(Path(scratch, "bare"))
        hooked = interpreters.link_copy(bare, Path(scratch, "hooked"))
        interpreters.install_hook(hooked)
        arms = {"python -c pass": Arm((str(bare), "-c", "pass"), interpreters.environment(bare))}
        for command in commands:
            words = (str(hooked), "-m", "seed_init", *command.split())
            arms[command] = Arm(words, interpreters.environment(hooked, SEED="7"))
        times = measure(arms, ROUNDS)
    print(f"the command seed-init (CPU time, median of {ROUNDS} interleaved runs)")
    base = statistics.median(times.pop("python -c pass"))
    print(f"  {'python -c pass':<20} {base * 1e3:7.1f} ms")
    for command, values in times.items():
        over = (statistics.median(values) - base) * 1e3
        target = f"   target {TARGETS[command]} ms" if command in TARGETS else ""
        print(f"  {command:<20} {over:7.1f} ms more{target}")


if __name__ == "__main__":
    main()
