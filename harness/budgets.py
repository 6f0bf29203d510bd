"""How many seconds the tests of each folder may take, added up (`harness.durations`).

On 2 cores that nobody else uses, with about a third of head room. Those of `all` are what a whole
run took beside other work, 90 minutes in all. Over budget fails `make test-all`; a folder that is
not here is over budget. A change that makes a folder dearer raises its number here, where a
reviewer sees it.
"""

from typing import NamedTuple


class Budget(NamedTuple):
    """Seconds that the tests of a folder may take, in each lane."""

    fast: float
    test: float
    all: float


BUDGETS = {
    "benchmarks/tests/cost": Budget(10, 60, 100),
    "benchmarks/tests/gpu": Budget(10, 15, 20),
    "benchmarks/tests/micro": Budget(10, 60, 50),
    "benchmarks/tests/portability": Budget(5, 5, 5),
    "benchmarks/tests/sweeps": Budget(10, 10, 10),
    "tests/distribution": Budget(15, 60, 40),
    "tests/divergence": Budget(0, 180, 2600),
    "tests/engines": Budget(0, 0, 0),  # in a lane of their own, make test-engines
    "tests/estimators": Budget(15, 20, 20),
    "tests/docs": Budget(15, 100, 160),
    "tests/frame": Budget(40, 50, 50),
    "tests/gpu": Budget(10, 60, 200),
    "tests/hook": Budget(130, 500, 2000),
    "tests/image": Budget(0, 480, 2000),
    "tests/local": Budget(15, 60, 150),
    "tests/nullcuda": Budget(0, 100, 450),
    "tests/peers": Budget(10, 40, 100),
    "tests/programs": Budget(0, 130, 1000),
    "tests/proof": Budget(80, 500, 2800),
    "tests/sweeps": Budget(60, 120, 160),
}
