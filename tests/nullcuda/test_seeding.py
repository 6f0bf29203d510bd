"""Seeding never starts CUDA, and reaches every device when CUDA starts."""

from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer
from harness.sharing import once

from .running import PROGRAMS, NullCuda

DEVICES = 3

pytestmark = pytest.mark.torch


def ask(python: str, place: str, directory: str, code: str, control: bool) -> Any:
    """What `devices.py` says with SEED=7; without the hook under `control`."""
    env = NullCuda(Path(place)).env(devices=DEVICES, log=Path(directory, f"{code}-{control}.log"))
    env |= {"SEED_INIT": "0"} if control else {"SEED": "7"}
    return answer(python, PROGRAMS / "devices.py", code, env=env)


@pytest.fixture
def told(python: Path, kept: Path, null_cuda: NullCuda) -> Any:
    return once(kept, ask, str(python), str(null_cuda.place), str(kept), "", False)


@pytest.fixture
def by_hand(python: Path, kept: Path, null_cuda: NullCuda) -> Any:
    """After `torch.manual_seed(9)` of the user's, which waits for CUDA as ours does."""
    code = "torch.manual_seed(9)"
    return once(kept, ask, str(python), str(null_cuda.place), str(kept), code, False)


@pytest.fixture
def control(python: Path, kept: Path, null_cuda: NullCuda) -> Any:
    """Without the hook."""
    return once(kept, ask, str(python), str(null_cuda.place), str(kept), "", True)


def test_seeding_starts_no_cuda(told: Any, by_hand: Any) -> None:
    assert told["early"] is False and by_hand["early"] is False


def test_the_seed_reaches_every_device_when_cuda_starts(told: Any) -> None:
    assert told["cpu"] == 7 and told["seeds"] == [7] * DEVICES


def test_the_users_own_seed_reaches_every_device_instead(by_hand: Any) -> None:
    assert by_hand["cpu"] == 9 and by_hand["seeds"] == [9] * DEVICES


def test_a_seed_after_the_start_holds_at_once(told: Any) -> None:
    assert told["again"] == [8] * DEVICES


def test_without_the_hook_no_device_has_the_seed(control: Any) -> None:
    """What the tests above would show if the hook did nothing."""
    assert not {7, 9} & {control["cpu"], *control["seeds"]}


def test_children_forked_before_cuda_starts_have_seeds_of_their_own(told: Any) -> None:
    """The same one on each of their devices."""
    first, second = (set(each["seeds"]) for each in told["children"])
    assert len(first) == len(second) == 1
    assert len(first | second | {7}) == 3


def test_a_child_forked_after_cuda_has_started_is_refused_by_pytorchs_own_message(
    told: Any, control: Any
) -> None:
    """The hook seeds the child, which must neither start CUDA nor hide the error."""
    assert told["late"] == control["late"]
    assert "Cannot re-initialize CUDA in forked subprocess" in told["late"]["raised"]


def test_the_devices_follow_each_unit_of_work(python: Path, null_cuda: NullCuda) -> None:
    """Also a unit in which CUDA starts; no unit starts CUDA."""

    def units(**env: str) -> Any:
        given = {**null_cuda.env(devices=DEVICES), **env}
        return answer(python, PROGRAMS / "units.py", env=given)

    told = units(SEED="7")
    assert told["is early"] is False
    cpu, devices = told["starting"]
    assert devices == [cpu] * DEVICES
    assert told["after"] == told["at last"] == [7, [7] * DEVICES]
    assert told["late"][0] == told["starting"]
    drawn = [seed for seed, _ in (*told["early"], *told["late"])]
    assert len({7, *drawn}) == 5
    assert all(devices == [seed] * DEVICES for seed, devices in told["late"])
    assert units(SEED_INIT="0") != units(SEED_INIT="0")
