"""The instrument `window` in a program: it waits for torch, and never imports it by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.processes import run
from seed_init.proof.trace import journal

PROGRAMS = Path(__file__).parent / "programs"

PLAN = {
    "instruments": ["steps", "end", "window"],
    "window": {"optimizer": 0, "call": 0, "operators": True},
}


def observed(python: Path, place: Path, source: str) -> tuple[str, journal.Process]:
    """What a program prints, and what was written about it, of which nothing failed."""
    journal.write_plan(place / "trace", PLAN)
    env = {"SEED": "7", "SEED_INIT_TRACE": str(place / "trace"), "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = ""  # its being there has the hook start from its .pth
    done = run(python, "-c", source, env=env, cwd=place)
    assert done.returncode == 0, done.stderr
    [process] = journal.read(place / "trace")
    assert process.of("failed") == []
    return done.stdout.strip(), process


def test_a_program_that_imports_no_torch_gets_none_and_its_draws_are_seen(
    python: Path, tmp_path: Path
) -> None:
    source = "import random, sys\nrandom.random()\nprint('torch' in sys.modules)"
    printed, process = observed(python, tmp_path, source)
    assert printed == "False"
    assert [(event["generator"], event["line"]) for event in process.of("draw")] == [("random", 2)]


@pytest.mark.torch
def test_torch_may_come_to_be_found_only_after_the_hook_has_started(
    fresh: Callable[[str], Path], tmp_path: Path
) -> None:
    """As in a virtual environment over another's packages, or where a .pth adds them later."""
    python = fresh("hooked")
    [packages] = python.parent.parent.glob("lib/python3*/site-packages/packages.pth")
    packages.rename(packages.with_name("zz_packages.pth"))
    source = "import torch\ntorch.rand(2)"
    _, process = observed(python, tmp_path, source)
    [operator] = [event for event in process.of("operator") if event["name"] == "aten::rand"]
    assert operator["line"] == 2


def seeds_of(python: Path, place: Path, *words: str) -> tuple[str, list[tuple[str, str, str]]]:
    """What `programs/seeded.py` prints, and the seeds that were noted: generator, call, value."""
    journal.write_plan(place / "trace", {"instruments": ["seeds"]})
    env = {"SEED": "7", "SEED_INIT_TRACE": str(place / "trace"), "OMP_NUM_THREADS": "1"}
    done = run(python, PROGRAMS / "seeded.py", *words, env=env, cwd=place)
    assert done.returncode == 0, done.stderr
    [process] = journal.read(place / "trace")
    assert process.of("failed") == []
    noted = process.of("seed")
    assert all(Path(event["file"]).name == "seeded.py" for event in noted)
    assert [event["line"] for event in noted] == sorted(event["line"] for event in noted)
    return done.stdout, [(each["generator"], each["name"], each["given"]) for each in noted]


def test_every_seed_that_code_gives_is_noted_and_none_that_it_does_not(
    python: Path, tmp_path: Path
) -> None:
    printed, seeds = seeds_of(python, tmp_path)
    # What has no seed is what it is without anybody looking.
    assert printed == run(python, PROGRAMS / "seeded.py", env={"SEED": "7"}).stdout
    # What `spawn` makes is told apart by a key, which is a seed as well.
    assert [each for each in dict.fromkeys(seeds) if not each[1].endswith(".spawn")] == [
        ("random", "random.Random", "1"),
        ("random", "random.seed", "2"),
        ("numpy", "np.random.default_rng", "3"),
        ("numpy", "np.random.default_rng", "[4, 5]"),
        ("numpy", "np.random.default_rng", "(4, 6)"),
        ("numpy", "np.random.RandomState", "6"),
        ("numpy", "np.random.seed", "7"),
        ("numpy", "np.random.Philox", "8"),
        ("numpy", "np.random.SeedSequence", "9"),
        ("random", "random.Random", "'ten'"),
    ]


@pytest.mark.torch
def test_the_seeds_of_torchs_generators_are_noted_but_not_the_hooks(
    python: Path, tmp_path: Path
) -> None:
    _, seeds = seeds_of(python, tmp_path, "torch")
    names = [(name, given) for generator, name, given in seeds if generator == "torch"]
    assert names[:2] == [("torch.manual_seed", "11"), ("torch.Generator().manual_seed", "12")]
    assert [name for name, _ in names[2:]] == ["torch.Generator().seed"]
