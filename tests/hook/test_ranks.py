"""Two ranks of torchrun that really train together: gloo, DistributedDataParallel."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from harness.processes import output, run
from harness.sharing import once

from .support import program

pytestmark = pytest.mark.torch

Rank = dict[str, Any]
Ranks = Callable[..., list[Rank]]

LAUNCHER = (
    *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
    # Or torchrun gives the ranks the machine's own name to meet at. Where no name service knows
    # it, they ask again and again, and appear to hang.
    "--local-addr=127.0.0.1",
)


def start(python: Path, mode: str, seed: str, attempt: int) -> list[Rank]:
    env = {"SEED": seed, "SEED_INIT_RANKS": mode, "OMP_NUM_THREADS": "1"}
    env["GLOO_SOCKET_IFNAME"] = "lo"  # gloo would look the name up as well
    with TemporaryDirectory() as place:
        file = Path(place, "ranks.json")
        done = run(python, *LAUNCHER, program("ranks_gloo"), file, env=env, timeout=180)
        assert done.returncode == 0, done.stderr
        told: list[Rank] = json.loads(file.read_text())
    assert len(told) == 2
    return told


@pytest.fixture
def ranks(python: Path, kept: Path) -> Ranks:
    """What each rank drew and made, in a mode of SEED_INIT_RANKS."""

    def ranks(mode: str, seed: str = "7", attempt: int = 1) -> list[Rank]:
        # Each attempt is one start of torchrun, which takes seconds.
        told: list[Rank] = once(kept, start, python, mode, seed, attempt)
        return told

    return ranks


both_modes = pytest.mark.parametrize("mode", ["same", "distinct"])

SEEDED = ("draws", "model", "model in DDP", "order")


class TestSame:
    """The default."""

    @pytest.mark.parametrize("what", SEEDED)
    def test_ranks_have_the_same(self, ranks: Ranks, what: str) -> None:
        """The order as well: a loader that only shuffles gives both ranks the same batches."""
        zero, one = ranks("same")
        assert zero[what] == one[what]

    def test_they_draw_what_a_script_draws_that_was_seeded_by_hand(
        self, python: Path, ranks: Ranks
    ) -> None:
        by_hand = "import random, numpy, torch\n"
        by_hand += "random.seed(7); numpy.random.seed(7); torch.manual_seed(7)\n"
        by_hand += "print([random.random(), float(numpy.random.rand()), float(torch.rand(1))])"
        drawn = output(python, "-c", by_hand, env={"SEED_INIT": "0"})
        assert str(ranks("same")[0]["draws"]) == drawn

    def test_ddp_leaves_the_model_as_it_is(self, ranks: Ranks) -> None:
        for rank in ranks("same"):
            assert rank["model in DDP"] == rank["model"]


class TestDistinct:
    def test_ranks_draw_apart_in_every_library(self, ranks: Ranks) -> None:
        zero, one = ranks("distinct")
        assert all(a != b for a, b in zip(zero["draws"], one["draws"], strict=True))

    @pytest.mark.parametrize("what", ["model", "order"])
    def test_ranks_differ_in_their(self, ranks: Ranks, what: str) -> None:
        zero, one = ranks("distinct")
        assert zero[what] != one[what]

    def test_ddp_gives_both_the_model_of_rank_0(self, ranks: Ranks) -> None:
        zero, one = ranks("distinct")
        assert zero["model in DDP"] == one["model in DDP"] == zero["model"]

    def test_neither_rank_is_one_of_those_that_are_the_same(self, ranks: Ranks) -> None:
        same = ranks("same")[0]
        for rank in ranks("distinct"):
            assert rank["model"] != same["model"] and rank["order"] != same["order"]


class TestInBothModes:
    @both_modes
    def test_the_same_seed_gives_the_same_run(self, ranks: Ranks, mode: str) -> None:
        assert ranks(mode, attempt=2) == ranks(mode)

    @both_modes
    @pytest.mark.parametrize("what", SEEDED)
    def test_another_seed_gives_another_run(self, ranks: Ranks, mode: str, what: str) -> None:
        seven, eight = ranks(mode), ranks(mode, seed="8")
        assert all(a[what] != b[what] for a, b in zip(seven, eight, strict=True))

    @both_modes
    def test_a_plain_loader_gives_every_rank_all_of_the_data(self, ranks: Ranks, mode: str) -> None:
        for rank in ranks(mode):
            assert sorted(rank["order"]) == list(range(32))

    @both_modes
    def test_distributed_sampler_parts_the_data(self, ranks: Ranks, mode: str) -> None:
        zero, one = (rank["order by DistributedSampler"] for rank in ranks(mode))
        assert len(zero) == len(one) == 16
        assert sorted(zero + one) == list(range(32))

    @both_modes
    def test_distributed_sampler_shuffles_by_its_own_seed_0_whatever_SEED_says(
        self, ranks: Ranks, mode: str
    ) -> None:
        """PyTorch's default, so that ranks agree; `DistributedSampler(seed=...)` changes it."""
        what = "order by DistributedSampler"
        seven, eight = ranks(mode), ranks(mode, seed="8")
        assert [rank[what] for rank in seven] == [rank[what] for rank in eight]
