"""`seed-init verify --resume-after`: a resumed run is lined up, and what it lacks is named.

Each case starts torch three times.
"""

import importlib.util
from pathlib import Path

import pytest

from harness.resuming.catalogue import FAULTS, LIBRARIES, RIGHT, Case, mistakes
from harness.resuming.running import verify

pytestmark = pytest.mark.torch


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.rotating(every=2)
@pytest.mark.parametrize("case", RIGHT, ids=name_of)
def test_a_run_that_is_resumed_rightly_is_identical_to_its_end(
    case: Case, python: Path, tmp_path: Path
) -> None:
    result = verify(case, python, tmp_path)
    assert mistakes(case, result) == [], result["difference"]
    # It would be no proof if nothing had been compared.
    assert result["resumed"]["compared"] > 0


@pytest.mark.rotating(every=8)
@pytest.mark.parametrize("case", FAULTS, ids=name_of)
def test_what_a_checkpoint_lacks_is_named_with_its_remedy(
    case: Case, python: Path, tmp_path: Path
) -> None:
    result = verify(case, python, tmp_path)
    assert mistakes(case, result) == [], result["difference"]
    assert result["difference"]["remedies"]


@pytest.mark.rotating(every=6)
@pytest.mark.parametrize("case", LIBRARIES, ids=name_of)
def test_what_people_resume_with_is_judged_as_it_is(
    case: Case, python: Path, tmp_path: Path
) -> None:
    if importlib.util.find_spec(case.needs) is None:
        pytest.skip(f"needs {case.needs}")
    result = verify(case, python, tmp_path)
    assert mistakes(case, result) == [], result["difference"]
