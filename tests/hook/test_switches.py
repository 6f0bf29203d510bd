"""Variables by which libraries beside torch choose deterministic algorithms."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, output, run
from seed_init.hook import strictness, switches

from .support import program

ALWAYS = {
    "NCCL_NVLS_ENABLE": "0",
    "NVTE_ALLOW_NONDETERMINISTIC_ALGO": "0",
    "FLASH_ATTENTION_DETERMINISTIC": "1",
    "MAMBA_DETERMINISTIC": "1",
    "CAUSAL_CONV1D_DETERMINISTIC": "1",
}
UNTIL_2_9 = {"TORCHINDUCTOR_SHAPE_PADDING": "0", "TORCHINDUCTOR_DYNAMIC_SCALE_RBLOCK": "0"}
FROM_2_10 = {"TORCHINDUCTOR_DETERMINISTIC": "1"}
CONTRADICTIONS = {
    "NCCL_ALGO": ("Tree", "Ring"),
    "NCCL_NVLS_ENABLE": ("1", "0"),
    "NVTE_ALLOW_NONDETERMINISTIC_ALGO": ("1", "0"),
    "FLASH_ATTENTION_DETERMINISTIC": ("0", "1"),
    "MAMBA_DETERMINISTIC": ("0", "1"),
    "CAUSAL_CONV1D_DETERMINISTIC": ("0", "1"),
}
QUIET = {"SEED": "7", "SEED_INIT_LOG": "quiet"}


def exported(python: Path, release: str, **env: str) -> dict[str, str]:
    """What a process with a release of torch exports; without importing torch."""
    code = (
        "import json, os\n"
        "from seed_init.hook import state, switches\n"
        f"switches.export(state.settings, {release!r})\n"
        "print(json.dumps({n: os.environ[n] for n in switches.NAMES if n in os.environ}))"
    )
    found: dict[str, str] = answer(python, "-c", code, env={**QUIET, **env})
    return found


@pytest.mark.parametrize(
    ("release", "level", "wanted"),
    [
        ("2.6.0+cu118", "warn", ALWAYS | UNTIL_2_9),
        ("2.9.1", "strict", ALWAYS | UNTIL_2_9),
        ("2.10.0a0+git1234", "warn", ALWAYS | FROM_2_10),
        ("3.0.0", "strict", ALWAYS | FROM_2_10),
        ("2.6.0", "fast", {}),
        ("2.10.0", "off", {}),
    ],
)
def test_a_level_exports_what_its_release_reads(
    python: Path, release: str, level: str, wanted: dict[str, str]
) -> None:
    assert exported(python, release, DETERMINISM=level) == wanted


def test_inductors_switch_goes_with_the_deterministic_algorithms(python: Path) -> None:
    """As torch.use_deterministic_algorithms sets it."""
    name = "TORCH_DETERMINISTIC_ALGORITHMS"
    assert exported(python, "2.10.0", DETERMINISM="off", **{name: "1"}) == FROM_2_10
    assert exported(python, "2.10.0", DETERMINISM="warn", **{name: "0"}) == ALWAYS


def test_what_the_user_has_set_stays(python: Path) -> None:
    given = {"FLASH_ATTENTION_DETERMINISTIC": "0", "MAMBA_DETERMINISTIC": "1yes"}
    assert exported(python, "2.10.0", **given) == ALWAYS | FROM_2_10 | given


def test_an_empty_variable_is_none(python: Path) -> None:
    assert exported(python, "2.10.0", NCCL_NVLS_ENABLE="") == ALWAYS | FROM_2_10


def test_nvls_is_left_to_whoever_chooses_nccls_algorithm(python: Path) -> None:
    found = exported(python, "2.10.0", NCCL_ALGO="Ring")
    assert "NCCL_NVLS_ENABLE" not in found


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_strict_refuses_what_contradicts_it(python: Path, name: str) -> None:
    value, instead = CONTRADICTIONS[name]
    env = {"SEED": "7", "DETERMINISM": "strict", name: value}
    done = run(python, "-c", "print('user code ran')", env=env)
    assert (done.stdout, done.returncode) == ("", 78)
    assert done.stderr == (
        f"seed_init: under DETERMINISM=strict {name}='{value}' is not accepted; "
        f"use {instead} or leave it unset\n"
    )


def test_strict_takes_what_agrees_with_it(python: Path) -> None:
    agreeing = {name: instead for name, (_, instead) in CONTRADICTIONS.items()}
    env = {**QUIET, "DETERMINISM": "strict", **agreeing, "NCCL_NVLS_ENABLE": "2"}
    assert output(python, "-c", "print('user code ran')", env=env) == "user code ran"


@pytest.mark.parametrize("level", ["off", "fast", "warn"])
def test_no_other_level_refuses_anything(python: Path, level: str) -> None:
    given = {name: value for name, (value, _) in CONTRADICTIONS.items()}
    env = {**QUIET, "DETERMINISM": level, **given}
    assert output(python, "-c", "print('user code ran')", env=env) == "user code ran"


@pytest.mark.parametrize(
    ("value", "is_fixed"),
    [
        (None, True),
        ("", True),
        ("Ring", True),
        ("ring", True),
        ("RING,CollnetChain", True),
        ("^NVLS", True),
        ("^NVLS,NVLSTree,Tree", True),
        ("allreduce:ring", True),
        ("allreduce:ring;broadcast:tree", True),
        ("Tree", False),
        ("NVLS", False),
        ("NVLSTree", False),
        ("PAT", False),
        ("Ring,Tree", False),
        ("^Ring", False),
        ("^Tree", False),
        ("allreduce:tree,ring", False),
        ("broadcast:ring;allreduce:nvls", False),
    ],
)
def test_which_values_of_nccl_algo_fix_the_order_of_sums(value: str, is_fixed: bool) -> None:
    assert switches.nccl_is_fixed(value) is is_fixed


def test_status_shows_the_users_nccl_algo_in_place_of_nvls(python: Path) -> None:
    env = {**QUIET, "NCCL_ALGO": "Ring"}
    rows = json.loads(output(python, "-m", "seed_init", "status", "--json", env=env))["switches"]
    assert rows["NCCL_ALGO"] == {"value": "Ring", "origin": "environment", "now": "Ring"}
    assert "NCCL_NVLS_ENABLE" not in rows


def test_what_is_refused_before_torch_is_the_table(python: Path) -> None:
    """strictness has the names once more, so that strict processes need not load the table."""
    of_every_release = {
        switch.name
        for switch in switches.TABLE
        if (switch.since, switch.until) == (switches.FIRST, switches.LAST)
    }
    assert {name.decode() for name in strictness.SWITCHES} == {*of_every_release, "NCCL_ALGO"}
    assert set(CONTRADICTIONS) == {*of_every_release, "NCCL_ALGO"}


def test_status_shows_each_with_its_origin(python: Path) -> None:
    env = {**QUIET, "MAMBA_DETERMINISTIC": "0"}
    state = json.loads(output(python, "-m", "seed_init", "status", "--json", env=env))
    rows = state["switches"]
    assert rows["NCCL_NVLS_ENABLE"] == {"value": "0", "origin": "DETERMINISM=warn", "now": None}
    assert rows["MAMBA_DETERMINISTIC"] == {"value": "0", "origin": "environment", "now": "0"}
    assert (
        "MAMBA_DETERMINISTIC='0' is kept, but only with 1 does its library repeat its results"
        in state["not_covered"]
    )
    text = output(python, "-m", "seed_init", "status", env=env)
    [line] = [line for line in text.splitlines() if "NCCL_NVLS_ENABLE" in line]
    assert line.split() == ["NCCL_NVLS_ENABLE", "0", "DETERMINISM=warn"]


@pytest.mark.torch
def test_they_are_set_when_torch_is_imported_and_children_know_whose_they_are(
    python: Path,
) -> None:
    """A child under another level takes back what is its parent's, and not what is the user's."""
    told = answer(
        python,
        program("switches"),
        env={**QUIET, "MAMBA_DETERMINISTIC": "1", "NVTE_ALLOW_NONDETERMINISTIC_ALGO": "1"},
    )
    assert told["before"] == {"MAMBA_DETERMINISTIC": "1", "NVTE_ALLOW_NONDETERMINISTIC_ALGO": "1"}
    both = [{**ALWAYS, **of_torch, **told["before"]} for of_torch in (UNTIL_2_9, FROM_2_10)]
    assert told["after"] in both
    assert told["loaded"] == []
    if "TORCHINDUCTOR_DETERMINISTIC" in told["after"]:
        assert told["inductor"]["deterministic"] is True
    else:
        assert told["inductor"] == {
            "shape_padding": False,
            "dynamic_scale_rblock": False,
            "deterministic": None,
        }
    assert told["child under off"] == {**told["before"], "workspace": None}
    assert told["child under warn"] == {**told["after"], "workspace": ":4096:8"}


@pytest.mark.torch
def test_warn_says_in_a_line_what_contradicts_it(python: Path) -> None:
    env = {"SEED": "7", "NCCL_ALGO": "Tree"}
    done = run(python, "-c", "import random, numpy.random, torch", env=env)
    assert done.stderr == (
        "seed_init: SEED=7 (environment), DETERMINISM=warn\n"
        "seed_init: NCCL_ALGO='Tree' is kept, but only with Ring does its library repeat its "
        "results\n"
    )


@pytest.mark.torch
def test_strict_refuses_at_the_import_what_only_this_release_reads(python: Path) -> None:
    given: dict[str, Any] = {name: "1" for name in UNTIL_2_9} | dict.fromkeys(FROM_2_10, "0")
    env = {"SEED": "7", "DETERMINISM": "strict", **given}
    done = run(python, "-c", "print('before', flush=True); import torch", env=env)
    assert (done.stdout, done.returncode) == ("before\n", 78)
    assert done.stderr.startswith("seed_init: under DETERMINISM=strict TORCHINDUCTOR_")
