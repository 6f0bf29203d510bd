# SPDX-License-Identifier: Apache-2.0
"""The bits that this machine's libraries compute, as a short table and one hash.

`probe` is a program that computes the table and imports nothing of this package. `asking` runs the
probe in a process of its own. `fingerprint` has the table and its hash. `agreement` compares two
tables, and says what a difference means. `kept` keeps a table for later records of this boot.
"""
