"""How many seconds the tests of each folder may take, added up (`harness.durations`).

Measured on 2 cores, and about a third on top. Over budget fails `make test-all`; a folder that is
not here is over budget. What makes a folder dearer has to be seen in the change that makes it so.
"""

from typing import NamedTuple


class Budget(NamedTuple):
    """Seconds that the tests of a folder may take, in each lane."""

    fast: float
    test: float
    all: float


BUDGETS: dict[str, Budget] = {}
