"""The arms set what they say, in the words of the contract, and nothing else."""

import pytest

from benchmarks.cost.arms import ARMS, SEED, Arm, chosen
from seed_init.hook.startup import ACCEPTED, CUBLAS_DETERMINISTIC

LEVELS = [arm for arm in ARMS.values() if arm.group == "levels"]
SWITCHES = [arm for arm in ARMS.values() if arm.group == "switches"]
PEERS = [arm for arm in ARMS.values() if arm.group == "peers"]


@pytest.mark.parametrize("arm", ARMS.values(), ids=lambda arm: arm.name)
def test_an_arm_sets_only_what_the_contract_accepts(arm: Arm) -> None:
    assert set(arm.environment) <= set(ACCEPTED)
    for variable, value in arm.environment.items():
        words = (
            CUBLAS_DETERMINISTIC if variable == "CUBLAS_WORKSPACE_CONFIG" else ACCEPTED[variable]
        )
        assert value in (words or {SEED, "off"})


def test_there_is_an_arm_for_every_level() -> None:
    levels = {arm.environment["DETERMINISM"] for arm in LEVELS if arm.hooked}
    assert levels == {"off", "fast", "warn", "strict", "portable"}


@pytest.mark.parametrize("arm", ARMS.values(), ids=lambda arm: arm.name)
def test_an_arm_is_what_seed_init_cost_sets_with_its_seed(arm: Arm) -> None:
    given = {"PATH": "/bin", "SEED": "9", "DETERMINISM": "strict", "CUDNN_BENCHMARK": "1"}
    assert arm.choice.environment(given) == {"PATH": "/bin", **arm.environment}
    assert arm.choice.name == arm.name


@pytest.mark.parametrize("arm", SWITCHES, ids=lambda arm: arm.name)
def test_a_switch_adds_one_variable_to_a_level(arm: Arm) -> None:
    level = ARMS[arm.environment["DETERMINISM"]]
    added = set(arm.environment.items()) - set(level.environment.items())
    assert len(added) == 1
    assert len(arm.environment) == len(level.environment) + 1


@pytest.mark.parametrize("arm", [ARMS["none"], *PEERS], ids=lambda arm: arm.name)
def test_for_the_others_the_hook_seeds_nothing_and_sets_no_flag(arm: Arm) -> None:
    assert not arm.hooked
    assert arm.environment == {"SEED": "off", "DETERMINISM": "off"}


@pytest.mark.parametrize("arm", PEERS, ids=lambda arm: arm.name)
def test_the_lines_of_a_peer_are_counted_without_the_import_of_torch(arm: Arm) -> None:
    compile(arm.lines, arm.name, "exec")
    written = [line for line in arm.lines.splitlines() if line]
    assert arm.lines_of_code() == len(written) - written.count("import torch")


def test_seed_init_needs_no_line() -> None:
    assert all(arm.lines_of_code() == 0 for arm in (*LEVELS, *SWITCHES))


def test_the_base_is_always_among_the_chosen() -> None:
    assert [arm.name for arm in chosen(["warn"])] == ["off", "warn"]
    assert chosen(["levels", "switches", "peers"]) == list(ARMS.values())


def test_an_unknown_arm_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match=r"--arms slow: there is no such arm.*levels.*strict"):
        chosen(["off", "slow"])
