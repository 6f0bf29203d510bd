# SPDX-License-Identifier: Apache-2.0
"""This package measures what determinism costs a program: `seed-init cost`.

choices    what is measured: each level, and each switch alone
measuring  runs the program with each of them, in turn
judging    figures of the runs, and what they say
drawing    the picture
"""
