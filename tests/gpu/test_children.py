"""On a GPU: PyTorch's own answer to forked children, and spawned ones with streams of their own."""

import json
from pathlib import Path

import pytest

from .running import ON_GPU, told

pytestmark = ON_GPU

REFUSED = "RuntimeError: Cannot re-initialize CUDA in forked subprocess"


def test_a_forked_child_is_refused_by_pytorchs_own_message(python: Path) -> None:
    """Although the hook has seeded it: that starts no CUDA and hides no error."""
    answers = told(python, "children", "fork", "cuda")["children"]
    assert all(each.startswith(REFUSED) for each in answers)


def test_without_the_hook_the_message_is_the_same(python: Path, bare: Path) -> None:
    ours, theirs = (told(each, "children", "fork", "cuda")["children"] for each in (python, bare))
    assert ours == theirs


@pytest.mark.parametrize("how", ["spawn", "idle"])
def test_children_that_may_use_cuda_have_streams_of_their_own(python: Path, how: str) -> None:
    """Spawned ones, and forked ones of a parent that has not started CUDA."""
    drawn = told(python, "children", how, "cuda")
    streams = [json.dumps(each) for each in [drawn["parent"], *drawn["children"]]]
    assert all(each.startswith(("[", "null")) for each in streams)
    assert len(set(streams)) == 4
    assert told(python, "children", how, "cuda") == drawn


def test_children_inherit_the_stream_where_that_is_asked_for(python: Path) -> None:
    drawn = told(python, "children", "spawn", "cuda", SEED_INIT_CHILDREN="inherit")
    assert {json.dumps(each) for each in drawn["children"]} == {json.dumps(drawn["parent"])}
