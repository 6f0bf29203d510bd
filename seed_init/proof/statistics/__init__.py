# SPDX-License-Identifier: Apache-2.0
"""What the metrics of several runs say: pure functions over numbers.

summary.py        one arm: mean, spread, median, interquartile mean, interval, extremes
paired.py         two arms, paired by seed: the difference, its interval and its test
noise.py          how much of the variance is there without another seed
bootstrap.py      the interval of a mean
flips.py          the sign-flip test
power.py          which difference a number of pairs can show
distributions.py  Student's t, which the standard library does not have
scaling.py        numbers so large or small that their squares leave the range of a float
"""
