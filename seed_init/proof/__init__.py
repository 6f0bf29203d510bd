"""Proving that runs are the same: trace, verify, record, compare, audit, report.

`observer` runs inside the user's processes and writes what it sees to a trace directory; everything
else here runs outside of them, in the command `seed-init` or a test, and reads it.
"""
