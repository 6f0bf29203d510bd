"""A unit of work of an engine with the hook, which gives it streams of its own, and without.

Empty units, so that nothing but the engine and the hook is measured. Targets: 0.3 ms for a task of
Ray or Dask, 1 ms for a partition of Spark. Needs the engines (`make test-engines` installs them).
"""

import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from benchmarks.interleaved import Arm
from harness import interpreters
from harness.repository import REPOSITORY

ROUNDS = 7
VENV = REPOSITORY / ".venv-engines"

TIMING = """
import json, time

def timed(units, run):
    run()  # what only the first units load is not what a unit costs
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start) / units
"""

DASK = """
from distributed import Client, LocalCluster

def empty(_):
    pass

with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
    with Client(cluster) as client:
        def run():
            client.gather(client.map(empty, range(1000), pure=False))
        print(json.dumps({"task": timed(1000, run)}))
"""

RAY = """
import ray

ray.init(
    num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
    _node_ip_address="127.0.0.1",
)

@ray.remote
def empty():
    pass

@ray.remote(num_cpus=0)
class Actor:
    def empty(self):
        pass

actor = Actor.remote()
told = {"task": timed(1000, lambda: ray.get([empty.remote() for _ in range(1000)]))}
calls = timed(1000, lambda: ray.get([actor.empty.remote() for _ in range(1000)]))
print(json.dumps({**told, "call of an actor": calls}))
"""

SPARK = """
from pyspark import SparkContext

context = SparkContext("local[1]", "empty")
context.setLogLevel("OFF")

def empty(rows):
    pass

def run():
    context.range(0, 300, numSlices=300).foreachPartition(empty)

print(json.dumps({"partition": timed(300, run)}))
"""


class Engine(NamedTuple):
    """What is run of an engine.

    Attributes:
        distribution: the Python distribution that tells its version.
        program: prints the milliseconds of each kind of unit as JSON.
        target: milliseconds that a unit may cost more.
        variables: the program's.
    """

    distribution: str
    program: str
    target: float
    variables: dict[str, str]


ENGINES = {
    "Dask": Engine("distributed", DASK, 0.3, {}),
    "Ray": Engine("ray", RAY, 0.3, {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}),
    "Spark": Engine(
        "pyspark",
        SPARK,
        1.0,
        {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "127.0.0.1"},
    ),
}


def main() -> None:
    sites = list(VENV.glob("lib/python3*/site-packages"))
    if not sites:
        sys.exit(f"benchmarks: no engines in {VENV.name}: run make test-engines")
    interpreters.before_packages.extend(sites)
    with tempfile.TemporaryDirectory(prefix="b", dir="/tmp") as place:  # Ray's sockets: short
        pythons = interpreters.bare_and_hooked(Path(place))
        for name, engine in ENGINES.items():
            if name == "Spark" and shutil.which("java") is None:
                print("Spark: not measured, because there is no java")
                continue
            [found] = metadata.distributions(name=engine.distribution, path=[str(sites[0])])
            print(
                f"an empty unit of {name} {found.version} (median of {ROUNDS} interleaved runs; "
                f"target +{engine.target} ms)"
            )
            report(measure(arms(engine, *pythons, place)))


def arms(engine: Engine, bare: Path, hooked: Path, place: str) -> dict[str, Arm]:
    """The commands that are measured against each other; the first one is without the hook."""

    def arm(python: Path, **variables: str) -> Arm:
        environment = interpreters.environment(
            python, **engine.variables, SEED_INIT_LOG="quiet", TMPDIR=place, **variables
        )
        names = {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python)}
        return Arm((str(python), "-c", TIMING + engine.program), {**environment, **names})

    return {
        "no hook": arm(bare),
        "SEED=7": arm(hooked, SEED="7"),
        "SEED_INIT_TASKS=same": arm(hooked, SEED="7", SEED_INIT_TASKS="same"),
    }


def measure(commands: dict[str, Arm]) -> dict[str, dict[str, list[float]]]:
    """Run every arm once a round, in random order.

    Returns:
        Kind of unit -> name of the arm -> milliseconds per unit in each round.
    """
    times: dict[str, dict[str, list[float]]] = {}
    order = list(commands)
    for _ in range(ROUNDS):
        random.shuffle(order)
        for name in order:
            for kind, milliseconds in told(commands[name]):
                of_kind = times.setdefault(kind, {each: [] for each in commands})
                of_kind[name].append(milliseconds)
    return times


def told(arm: Arm) -> Iterator[tuple[str, float]]:
    """What one run prints: kinds of units, and milliseconds per unit."""
    done = subprocess.run(
        arm.command,
        env=arm.environment,
        cwd="/",
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield from json.loads(done.stdout.splitlines()[-1]).items()


def report(times: dict[str, dict[str, list[float]]]) -> None:
    """Print the medians, and what each arm adds to the first one."""
    for kind, by_arm in times.items():
        base: float | None = None
        for name, values in by_arm.items():
            middle = statistics.median(values)
            line = f"  {kind:<18} {name:<22} {middle:7.3f} ms"
            if base is None:
                base = middle
            else:
                line += f"   {middle - base:+.3f} ms"
            print(line)


if __name__ == "__main__":
    main()
