"""Streams of 1,000 children of one process: as independent as numbers can show.

Everything here is fixed by SEED, so no test fails by chance: the bounds say how unlikely it is
that streams which are independent would have failed them when SEED=7 was chosen.
"""

from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer
from harness.sharing import once

from .support import program

STREAMS, DRAWS = 1_000, 10_000

# The correlation of two independent streams has mean 0 and standard deviation 1/√(DRAWS - 1),
# and is as good as normal.
DEVIATION = (DRAWS - 1) ** -0.5

# Of the 499,500 pairs of 1,000 streams the largest |r| is then near 4.9 deviations. All are below
# 6.5 but for 1 in 25,000 such sets of streams, and all below 4 in 1 of 10¹³.
LARGEST = (4 * DEVIATION, 6.5 * DEVIATION)

# The root of the mean of r² is DEVIATION, give or take 0.1 % (half of √(2 / 499,500), since r² has
# a deviation of √2 times its mean). 1 % is ten times that.
RMS = (0.99 * DEVIATION, 1.01 * DEVIATION)

# Two streams that overlap anywhere have numbers in common. Independent ones hardly ever do: of
# 10⁷ numbers out of 2⁵³ two agree with a probability of 0.6 %.
COMMON = 0


def draw(python: Path, library: str, kind: str) -> Any:
    # A product of matrices is all that threads would speed up.
    env = {"SEED": "7", "SEED_INIT_LOG": "quiet", "OMP_NUM_THREADS": "1"}
    return answer(python, program("streams_apart"), library, kind, env=env)


@pytest.fixture(params=["random", "numpy", pytest.param("torch", marks=pytest.mark.torch)])
def told(python: Path, kept: Path, request: pytest.FixtureRequest) -> Any:
    """What the program says of the streams of children, in each library."""
    return once(kept, draw, python, request.param, "derived")


class TestStreamsOfChildren:
    @pytest.mark.slow
    def test_have_seeds_that_differ_in_their_low_32_bits(self, told: Any) -> None:
        assert told["seeds"] == STREAMS

    def test_begin_with_eight_draws_that_no_other_has(self, told: Any) -> None:
        assert told["beginnings"] == STREAMS

    def test_have_no_pair_that_is_correlated(self, told: Any) -> None:
        assert LARGEST[0] < told["largest"] < LARGEST[1]

    def test_are_as_correlated_as_independent_ones(self, told: Any) -> None:
        assert RMS[0] < told["rms"] < RMS[1]

    def test_do_not_overlap(self, told: Any) -> None:
        assert told["common"] == COMMON


class TestWhatTheTestsAboveFindOut:
    @pytest.mark.slow
    def test_streams_that_repeat(self, python: Path, kept: Path) -> None:
        repeated = once(kept, draw, python, "numpy", "repeated")
        assert repeated["seeds"] == repeated["beginnings"] == STREAMS // 2
        assert repeated["largest"] > LARGEST[1]
        assert repeated["rms"] > RMS[1]
        assert repeated["common"] >= STREAMS // 2 * DRAWS

    @pytest.mark.slow
    def test_streams_that_overlap(self, python: Path, kept: Path) -> None:
        """Neither their beginnings nor their correlations show it."""
        shifted = once(kept, draw, python, "numpy", "shifted")
        assert shifted["beginnings"] == STREAMS
        assert shifted["largest"] < LARGEST[1]
        assert shifted["common"] >= STREAMS // 2 * (DRAWS - 1)
