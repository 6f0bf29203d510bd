"""Run a small test suite under pytest-randomly, which shuffles it and seeds each test."""

import json
import tempfile
from pathlib import Path

import pytest

SUITE = """
import random

import numpy as np
import pytest

@pytest.mark.parametrize("case", range(8))
def test_case(case, record_property):
    record_property("drawn", [case, random.random(), np.random.rand()])
"""


class Collector:
    def __init__(self):
        self.drawn = []

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.drawn.append(dict(report.user_properties)["drawn"])


with tempfile.TemporaryDirectory() as directory:
    suite = Path(directory, "test_suite.py")
    suite.write_text(SUITE)
    collector = Collector()
    # The names of the tests decide as well, and begin where the root is.
    options = ["-q", "-p", "no:cacheprovider", f"--rootdir={directory}"]
    status = pytest.main([*options, directory], plugins=[collector])
assert status == 0
print(json.dumps({"result": collector.drawn}))
