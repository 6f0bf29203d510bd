"""Two arms, paired by seed: the difference against scipy, and what is degenerate."""

import math
from random import Random

import pytest

from seed_init.proof.statistics.paired import HIGHER, LOWER, correlation, difference
from seed_init.proof.statistics.summary import summary

stats = pytest.importorskip("scipy.stats")


def arms(
    count: int, shift: float = 0.5, own: float = 0.5, seed: int = 1
) -> tuple[dict[int, float], dict[int, float]]:
    """Two arms whose values of one seed have something in common."""
    draw = Random(seed)
    both = [draw.gauss(0, 1) for _ in range(count)]
    run = {n: each + own * draw.gauss(0, 1) for n, each in enumerate(both)}
    return run, {n: each + shift + own * draw.gauss(0, 1) for n, each in enumerate(both)}


def test_a_difference_has_what_scipy_says() -> None:
    run, against = arms(12)
    found = difference(run, against)
    differences = [against[seed] - run[seed] for seed in run]
    assert (found.n, found.unpaired) == (12, ())
    assert found.mean == pytest.approx(stats.tmean(differences), rel=1e-12)
    assert found.sd == pytest.approx(stats.tstd(differences), rel=1e-12)
    assert found.correlation == pytest.approx(
        stats.pearsonr(list(run.values()), list(against.values())).statistic, rel=1e-12
    )
    assert found.gain == pytest.approx(
        (stats.tvar(list(run.values())) + stats.tvar(list(against.values())))
        / stats.tvar(differences),
        rel=1e-10,
    )
    interval = summary(dict(enumerate(differences))).interval
    assert found.interval == pytest.approx(interval, rel=1e-12)


def test_the_correlation_is_the_published_one() -> None:
    """Anscombe, Graphs in statistical analysis, 1973: 0.816 in each of his four sets."""
    x = [10.0, 8.0, 13.0, 9.0, 11.0, 14.0, 6.0, 4.0, 12.0, 7.0, 5.0]
    y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    assert correlation(x, y) == pytest.approx(0.81642, abs=5e-6)


def test_the_sign_is_against_minus_run_and_lower_turns_only_the_wins() -> None:
    run, against = {0: 1.0, 1: 2.0, 2: 3.0, 3: 5.0}, {0: 1.5, 1: 2.25, 2: 3.0, 3: 4.0}
    higher, lower, unsaid = (difference(run, against, better) for better in (HIGHER, LOWER, None))
    assert higher.mean == lower.mean == -0.0625
    assert (higher.wins, lower.wins, unsaid.wins) == (0.5, 0.25, 0.5)
    assert higher.ties == lower.ties == 0.25


def test_the_other_way_round_only_the_sign_changes() -> None:
    run, against = arms(10)
    one, other = difference(run, against), difference(against, run)
    assert one.mean is not None and other.mean == -one.mean
    assert (one.p, one.sd, one.correlation) == (other.p, other.sd, other.correlation)
    assert (one.smallest_effect, one.more_seeds) == (other.smallest_effect, other.more_seeds)


def test_runs_are_paired_by_their_seed_whatever_their_order() -> None:
    run, against = arms(9)
    assert difference(run, dict(reversed(against.items()))) == difference(run, against)


def test_a_seed_without_a_value_in_both_arms_is_left_out_and_named() -> None:
    run = {0: 1.0, 1: 2.0, 2: math.nan, 3: None, 4: 4.0}
    against = {0: 2.0, 1: 3.5, 2: 1.0, 3: None, 5: 1.0}
    found = difference(run, against)
    assert (found.n, found.mean) == (2, 1.25)
    assert found.unpaired == (4, 2, 5)


def test_no_pair_gives_no_number() -> None:
    found = difference({0: 1.0}, {1: 1.0})
    assert (found.n, found.unpaired) == (0, (0, 1))
    assert {found.mean, found.p, found.wins, found.interval, found.smallest_effect} == {None}


def test_one_pair_shows_nothing() -> None:
    found = difference({7: 1.0}, {7: 2.0})
    assert (found.n, found.mean, found.p, found.wins) == (1, 1.0, 1.0, 1.0)
    assert (found.sd, found.interval, found.correlation, found.more_seeds) == (None,) * 4


def test_two_pairs_have_an_interval_and_no_effect_that_they_could_show() -> None:
    found = difference({0: 1.0, 1: 2.0}, {0: 2.0, 1: 2.5})
    assert (found.p, found.smallest_effect) == (0.5, None)
    assert found.interval is not None
    assert found.more_seeds is not None and found.more_seeds >= 4


def test_two_arms_that_are_equal_differ_by_nothing() -> None:
    run, _ = arms(8)
    found = difference(run, run)
    assert (found.mean, found.sd, found.interval) == (0.0, 0.0, (0.0, 0.0))
    assert (found.p, found.flips, found.wins, found.ties) == (1.0, 1, 0.0, 1.0)
    assert (found.correlation, found.gain, found.more_seeds) == (pytest.approx(1.0), None, None)


@pytest.mark.parametrize("count, missing", [(3, 3), (6, 0), (30, 0)])
def test_a_difference_that_never_varies_needs_only_enough_pairs(count: int, missing: int) -> None:
    run = {n: 0.9 + 0.01 * n for n in range(count)}
    against = {n: 0.9 + 0.01 * (n + 1) for n in range(count)}  # equal on paper, not as floats
    found = difference(run, against)
    assert (found.sd, found.gain, found.more_seeds) == (0.0, None, missing)
    assert found.smallest_effect == (None if count < 6 else 0.0)
    if count == 6:
        assert found.p == 2 / 2**6


def test_an_arm_that_does_not_vary_has_no_correlation() -> None:
    found = difference(dict.fromkeys(range(6), 0.5), {n: 0.1 * n for n in range(6)})
    assert found.correlation is None
    assert found.gain == pytest.approx(1.0)


def test_the_smallest_effect_is_in_the_unit_of_the_metric() -> None:
    run, against = arms(10)
    here = difference(run, against)
    far = difference(*({n: each * 1024 for n, each in arm.items()} for arm in (run, against)))
    assert here.smallest_effect is not None and here.sd is not None
    assert far.smallest_effect == 1024 * here.smallest_effect
    assert 0.9 < here.smallest_effect / here.sd < 1.1  # about 1 for ten pairs
    assert (far.p, far.more_seeds, far.gain) == (here.p, here.more_seeds, here.gain)


def test_more_seeds_is_what_the_power_of_the_observed_effect_needs() -> None:
    run, against = arms(10, shift=0.3)
    found = difference(run, against)
    assert found.mean is not None and found.sd is not None
    by_t = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    about = by_t**2 / (found.mean / found.sd) ** 2 + 2
    assert found.more_seeds is not None
    assert found.more_seeds + 10 == pytest.approx(about, abs=1)


def test_values_at_the_end_of_the_range_of_a_float_are_compared() -> None:
    found = difference({0: -1.7e308, 1: -1.6e308}, {0: 1.7e308, 1: 1.5e308})
    assert found.mean == math.inf
    assert found.p == 0.5
