# SPDX-License-Identifier: Apache-2.0
"""The statistics of a sweep where the truth is known: what is behind docs/why/sweep-statistics.md.

`python -m benchmarks.sweeps` draws the metrics of many sweeps from distributions whose mean is
known, hands them to `seed_init/proof/statistics`, and prints how often an interval contains the
mean, how often a test of nothing says p < 0.05, how often an effect that can be shown is shown, and
how often the bound of the noise holds. `python -m benchmarks.sweeps effects` prints the table
`BY_FLIPS` of `seed_init/proof/statistics/power.py`, and `speed` what the statistics take.
"""
