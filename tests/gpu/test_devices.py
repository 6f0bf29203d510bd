"""On a GPU: every device is seeded before anything draws from it, whenever CUDA starts."""

from pathlib import Path
from typing import Any

import pytest

from .running import ON_GPU, facts, told

pytestmark = ON_GPU

BY_HAND = "torch.manual_seed(7)"


def devices(python: Path, code: str = "", **env: str | None) -> Any:
    return told(python, "devices", code, **env)


def test_the_hook_does_not_start_cuda(python: Path) -> None:
    assert devices(python)["early"] is False


def test_the_first_numbers_of_every_device_are_those_of_seeding_by_hand(
    python: Path, bare: Path
) -> None:
    found = devices(python)
    assert found["devices"] == len(facts()["devices"])
    assert found == devices(bare, BY_HAND)


def test_without_the_hook_they_differ_from_run_to_run(bare: Path) -> None:
    """What the test above would show if the hook did nothing."""
    assert devices(bare)["numbers"] != devices(bare)["numbers"]


def test_the_initial_seed_of_every_device_is_that_of_the_job(python: Path) -> None:
    found = devices(python)
    assert set(found["seeds"]) == {7} and found["cpu"] == 7


@pytest.mark.parametrize("seed", ["8", "4294967295"])
def test_another_seed_gives_other_numbers(python: Path, seed: str) -> None:
    found = devices(python, SEED=seed)
    assert set(found["seeds"]) == {int(seed)}
    assert found["numbers"] != devices(python)["numbers"]


@pytest.mark.parametrize(
    "code",
    [
        "torch.manual_seed(9)",
        "torch.cuda.manual_seed_all(9)",
        "torch.cuda.manual_seed(5); torch.cuda.manual_seed_all(9)",
        "torch.manual_seed(5); torch.cuda.manual_seed_all(9)",
    ],
)
def test_a_seed_for_all_devices_that_waits_for_cuda_wins_over_the_hooks(
    python: Path, bare: Path, code: str
) -> None:
    found = devices(python, code)
    assert set(found["seeds"]) == {9} and found["early"] is False
    assert found["numbers"] == devices(bare, code)["numbers"]


def test_a_seed_for_the_current_device_leaves_the_hooks_to_the_others(python: Path) -> None:
    seeds = devices(python, "torch.cuda.manual_seed(5)")["seeds"]
    assert seeds[0] == 5 and set(seeds[1:]) <= {7}


def test_a_seed_after_the_start_of_cuda_is_taken_at_once(python: Path, bare: Path) -> None:
    code = "torch.cuda.init(); torch.cuda.manual_seed_all(9)"
    found = devices(python, code)
    assert found["early"] is True and set(found["seeds"]) == {9}
    assert found["numbers"] == devices(bare, code)["numbers"]


def test_reseed_reaches_a_cuda_that_has_started(python: Path, bare: Path) -> None:
    code = "torch.rand(9, device='cuda'); import seed_init; seed_init.reseed()"
    assert devices(python, code)["numbers"] == devices(bare, BY_HAND)["numbers"]


def test_devices_that_are_chosen_after_the_import_of_torch_are_seeded(python: Path) -> None:
    """What the driver shows is decided when CUDA starts."""
    last = len(facts()["devices"]) - 1
    code = f"import os; os.environ['CUDA_VISIBLE_DEVICES'] = '{last}'"
    found = devices(python, code, CUDA_VISIBLE_DEVICES=None)
    assert found["devices"] == 1 and found["seeds"] == [7]


def test_devices_that_are_hidden_after_the_import_of_torch_are_no_error(python: Path) -> None:
    code = "import os; os.environ['CUDA_VISIBLE_DEVICES'] = ''"
    assert devices(python, code)["numbers"] == []


def test_a_seed_is_mixed_on_the_devices_too(python: Path) -> None:
    code = "torch.cuda.manual_seed_all(9)"
    one, two = (devices(python, code, SEED_INIT_RESEED="mix", SEED=seed) for seed in ("7", "8"))
    assert one["seeds"] != two["seeds"] and 9 not in one["seeds"]
    assert devices(python, code, SEED_INIT_RESEED="mix") == one
