"""Two containers on a network of their own, with torchrun over both."""

import re

import pytest
from containers import Done, Project

pytestmark = [pytest.mark.image, pytest.mark.usefixtures("all_cores")]

FILE = ("-f", "examples/cluster/docker-compose.yml")


def run(project: Project, name: str, **variables: str) -> set[str]:
    """The hashes that the ranks print, after a run of both nodes to their end."""
    settings = {"RUN": name, **variables}
    done = project.compose(*FILE, "up", "--no-color", timeout=300, **settings)
    project.compose(*FILE, "down", "--timeout=1", **settings)
    ranks = dict(re.findall(r"rank (\d): weights sha256 ([0-9a-f]{64})", done.stdout))
    assert sorted(ranks) == ["0", "1"], done
    return set(ranks.values())


def compare(project: Project, *names: str, status: int) -> Done:
    records = [f"examples/cluster/records/{name}.json" for name in names]
    return project.train("seed-init", "compare", *records, status=status)


def test_two_nodes_train_the_same_weights_in_each_run(project: Project) -> None:
    (first,) = run(project, "first", SEED="7")
    (second,) = run(project, "second", SEED="7")
    (other,) = run(project, "other", SEED="8")
    assert first == second != other
    for node in ("node0", "node1"):
        done = compare(project, f"first-{node}", f"second-{node}", status=0)
        assert re.search(r"compared: [1-9]\d* steps", done.stdout), done
        compare(project, f"first-{node}", f"other-{node}", status=1)


def test_without_the_hook_two_nodes_train_other_weights_in_each_run(project: Project) -> None:
    first, second = (run(project, name, SEED_INIT="0") for name in ("first", "second"))
    assert not first & second
