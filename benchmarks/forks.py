"""A fork with the hook, which gives the child streams of its own, and without. Target: 0.3 ms.

The children exit at once, so that nothing but the fork and the hook's callbacks is measured.
"""

import json
import random
import statistics
import subprocess
import tempfile
from pathlib import Path

from benchmarks.interleaved import Arm
from harness import interpreters

ROUNDS = 9
FORKS = {
    "random numpy.random": 300,
    # A fork copies the tables of all the memory that torch has, which takes ten times as long.
    "random numpy.random torch": 100,
}
"""Modules that the program imports -> how often it forks in one run."""

TARGET = 0.3
"""Milliseconds per fork."""

PROGRAM = """
import json, os, resource, sys, time

def fork(times):
    for _ in range(times):
        child = os.fork()
        if child == 0:
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            sys.exit("a child failed")

def cpu():
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

libraries, hold, forks = sys.argv[1:]
forks = int(forks)
for library in libraries.split():
    __import__(library)
if hold == "hold":
    held = sys.modules["numpy.random"].default_rng(), sys.modules["random"].Random()
fork(30)  # what only a first fork loads is not what a fork costs
start, busy = time.perf_counter(), cpu()
fork(forks)
wall, busy = time.perf_counter() - start, cpu() - busy
print(json.dumps([1000 * wall / forks, 1000 * busy / forks]))
"""

Measured = dict[str, list[tuple[float, float]]]


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        bare, hooked = interpreters.bare_and_hooked(Path(place))
        for libraries, forks in FORKS.items():

            def arm(executable: Path, hold: str = "", **variables: str) -> Arm:
                command = (str(executable), "-c", PROGRAM, libraries, hold, str(forks))  # noqa: B023
                # Not what it says at its start, and not what threads do.
                variables |= {"SEED_INIT_LOG": "quiet", "OMP_NUM_THREADS": "1"}
                return Arm(command, interpreters.environment(executable, **variables))

            arms = {
                "no hook": arm(bare),
                "SEED=7": arm(hooked, SEED="7"),
                "SEED_INIT_CHILDREN=inherit": arm(hooked, SEED="7", SEED_INIT_CHILDREN="inherit"),
            }
            report(f"a fork with {libraries}", measure(arms))
            arms = {
                "no hook": arm(bare, "hold"),
                "SEED=7": arm(hooked, "hold", SEED="7"),
            }
            report(
                f"a fork with {libraries}, holding default_rng() and Random() without a seed",
                measure(arms),
            )


def measure(arms: dict[str, Arm]) -> Measured:
    """Run every arm once a round, in random order.

    Returns:
        Name to milliseconds per fork in each round: by the clock, and of the CPU in parent and
        child.
    """
    times: Measured = {name: [] for name in arms}
    order = list(arms)
    for _ in range(ROUNDS):
        random.shuffle(order)
        for name in order:
            done = subprocess.run(
                arms[name].command, env=arms[name].environment, check=True, stdout=subprocess.PIPE
            )
            wall, busy = json.loads(done.stdout)
            times[name].append((wall, busy))
    return times


def report(title: str, times: Measured) -> None:
    """Print the medians, and what each arm adds to the first one."""
    print(f"{title} (median of {ROUNDS} interleaved runs; target +{TARGET} ms)")
    base: tuple[float, float] | None = None
    for name, values in times.items():
        wall, busy = (statistics.median(one) for one in zip(*values))
        line = f"  {name:<28} {wall:7.3f} ms, CPU {busy:7.3f} ms"
        if base is None:
            base = wall, busy
        else:
            line += f"   {wall - base[0]:+.3f} ms per fork, CPU {busy - base[1]:+.3f} ms"
        print(line)


if __name__ == "__main__":
    main()
