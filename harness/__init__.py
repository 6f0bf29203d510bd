"""What the tests and the benchmarks both stand on, and the frame that the tests run in.

`interpreters`, `processes`, `sharing` and `waiting` run real Python processes; `programs` and
`divergence` are the programs that both run, `resuming` has trainings that are stopped and resumed,
and `trainings` those whose bits are compared, by the digests in `golden` among others. `lanes`,
`durations` and `fixtures` are plugins of pytest, which conftest.py in the root of the repository
names. Nothing here imports from `tests` or from `benchmarks`, and neither of these imports from the
other.
"""
