# SPDX-License-Identifier: Apache-2.0
"""The hook: what seeds a process, from the start of Python to its exit.

These modules import the standard library only, and each other.
"""
