"""A notebook cell with the extension, under both policies, and without. No target was set.

In one shell without a page: what a kernel adds to each cell, messages for the page above all, is
the same with and without.
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
CELLS = 300

PROGRAM = f"""
import json, sys, time
import random, numpy.random, torch
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
if sys.argv[1] == "extension":
    shell.run_line_magic("load_ext", "seed_init.notebook")
for number in range(30):  # what only a first cell loads is not what a cell costs
    shell.run_cell(f"a = {{number}}")
start = time.process_time()
for number in range({CELLS}):
    shell.run_cell(f"b = {{number}}")
print(json.dumps(1000 * (time.process_time() - start) / {CELLS}))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        python = interpreters.copy_base(Path(place, "python"))
        interpreters.see_packages(python)
        interpreters.install_hook(python)

        def arm(extension: str, **variables: str) -> Arm:
            variables |= {"SEED": "7", "SEED_INIT_LOG": "quiet", "IPYTHONDIR": place}
            command = (str(python), "-c", PROGRAM, extension)
            return Arm(command, interpreters.environment(python, **variables))

        arms = {
            "no extension": arm("none"),
            "kernel": arm("extension", SEED_INIT_NOTEBOOK="kernel"),
            "cell": arm("extension", SEED_INIT_NOTEBOOK="cell"),
        }
        report(measure(arms))


def measure(arms: dict[str, Arm]) -> dict[str, list[float]]:
    """CPU milliseconds per cell of each run, in interleaved rounds."""
    measured: dict[str, list[float]] = {name: [] for name in arms}
    order = list(arms)
    for _ in range(ROUNDS):
        random.shuffle(order)
        for name in order:
            one = arms[name]
            done = subprocess.run(
                one.command, env=dict(one.environment), capture_output=True, text=True, check=True
            )
            measured[name].append(json.loads(done.stdout.splitlines()[-1]))
    return measured


def report(measured: dict[str, list[float]]) -> None:
    """Print the medians, and what the extension adds."""
    print(f"a cell that sets a variable, random, NumPy and torch imported (median of {ROUNDS})")
    without = statistics.median(measured["no extension"])
    for name, times in measured.items():
        median = statistics.median(times)
        print(f"  {name:<14} {median:.3f} ms CPU   {median - without:+.3f} ms")


if __name__ == "__main__":
    main()
