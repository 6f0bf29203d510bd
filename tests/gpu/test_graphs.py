"""On a GPU: CUDA graphs, inductor, and two processes on one device."""

import sysconfig
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from .running import ON_GPU, no_compiler, run_program, told

pytestmark = ON_GPU


class TestAGraph:
    def test_replays_the_same_numbers_in_two_runs(self, python: Path) -> None:
        one = told(python, "graph", "cuda")
        assert one == told(python, "graph", "cuda")
        # Dropout draws anew in each replay.
        assert len(set(one["masks"])) == len(one["masks"])

    def test_replays_what_it_replays_under_seeding_by_hand(self, python: Path, bare: Path) -> None:
        by_hand = told(bare, "graph", "cuda", "torch.manual_seed(7)")
        assert told(python, "graph", "cuda", DETERMINISM="off") == by_hand

    def test_follows_the_seed(self, python: Path) -> None:
        assert told(python, "graph", "cuda", SEED="8") != told(python, "graph", "cuda")

    @pytest.mark.parametrize("level", ["warn", "strict"])
    def test_is_captured_under_the_levels(self, python: Path, level: str) -> None:
        assert told(python, "graph", "cuda", DETERMINISM=level)["losses"]

    def test_is_captured_while_it_is_traced(self, python: Path, tmp_path: Path) -> None:
        traced = told(python, "graph", "cuda", SEED_INIT_TRACE=str(tmp_path / "trace"))
        assert traced == told(python, "graph", "cuda")
        assert list((tmp_path / "trace").iterdir())


class TestInductor:
    @pytest.fixture(autouse=True)
    def possible(self, python: Path) -> None:
        if reason := no_compiler():
            pytest.skip(f"triton and inductor can build nothing: {reason}")
        done = run_program(python, "has", "triton")
        if done.returncode:
            pytest.skip(f"triton cannot be imported: {done.stderr.strip().splitlines()[-1]}")

    @pytest.fixture
    def compiled(self, python: Path, tmp_path: Path) -> Callable[..., Any]:
        """Train a compiled model, each time with empty caches: the kernels are built anew."""

        def train(number: int, **env: str) -> Any:
            place = tmp_path / f"cache-{number}"
            caches = {
                "TORCHINDUCTOR_CACHE_DIR": str(place / "inductor"),
                "TRITON_CACHE_DIR": str(place / "triton"),
                "HOME": str(place),
                # A copied interpreter has no headers of its own.
                "CPATH": sysconfig.get_path("include"),
            }
            place.mkdir()
            return told(python, "train", "cuda", "compile", **caches, **env)

        return train

    @pytest.mark.parametrize("level", ["warn", "strict"])
    def test_gives_the_same_bits_in_two_runs(
        self, compiled: Callable[..., Any], level: str
    ) -> None:
        assert compiled(1, DETERMINISM=level) == compiled(2, DETERMINISM=level)

    def test_follows_the_seed(self, compiled: Callable[..., Any]) -> None:
        assert compiled(1, SEED="8") != compiled(2)


def test_two_processes_on_one_device_each_repeat_bit_for_bit(python: Path) -> None:
    """Long enough that they run at the same time."""
    words = ("train", "cuda", 500)
    alone = told(python, *words)
    with ThreadPoolExecutor(2) as at_once:
        together = [at_once.submit(told, python, *words) for _ in range(2)]
    assert [each.result() for each in together] == [alone, alone]
