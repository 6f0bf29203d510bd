"""The frame of every test, of tests/ and of benchmarks/tests: harness/__init__.py describes it."""

pytest_plugins = ("harness.lanes", "harness.durations", "harness.fixtures")
