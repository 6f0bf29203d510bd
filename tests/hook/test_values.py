"""What a program draws is what it would draw if it had seeded by hand."""

from pathlib import Path

import pytest

from harness.processes import output, run

from .support import program

SEED = {"SEED": "7"}

BY_HAND = {
    "random": "import random; random.seed(7)",
    "numpy": "import numpy; numpy.random.seed(7)",
    "torch": "import torch; torch.manual_seed(7)",
}
DRAW = {
    "random": "import random; print(random.random(), random.randrange(10**9), random.gauss(0, 1))",
    "numpy": "import numpy; print(numpy.random.rand(3), numpy.random.permutation(9))",
    "torch": "import torch; print(torch.rand(3).tolist(), torch.randperm(9).tolist())",
}


@pytest.mark.parametrize(
    "library", ["random", "numpy", pytest.param("torch", marks=pytest.mark.torch)]
)
def test_values_are_those_of_explicit_seeding(python: Path, bare: Path, library: str) -> None:
    by_hand = output(bare, "-c", f"{BY_HAND[library]}\n{DRAW[library]}")
    assert output(python, "-c", DRAW[library], env=SEED) == by_hand
    assert output(bare, "-c", DRAW[library]) != by_hand


@pytest.mark.torch
@pytest.mark.parametrize(
    "order", [("random", "numpy", "torch"), ("torch", "numpy", "random")], ids="-".join
)
def test_import_order_does_not_matter(python: Path, bare: Path, order: tuple[str, ...]) -> None:
    draws = "\n".join(DRAW[library] for library in sorted(DRAW))
    recipe = "\n".join(BY_HAND[library] for library in order)
    seeded = output(
        python, "-c", "\n".join(f"import {name}" for name in order) + f"\n{draws}", env=SEED
    )
    assert seeded == output(bare, "-c", f"{recipe}\n{draws}")


@pytest.mark.parametrize(
    "draw",
    [
        "from random import random; print(random())",
        "import random as r; print(r.random())",
        "import importlib; print(importlib.import_module('random').random())",
        "print(__import__('random').random())",
        "import tempfile, random; print(random.random())",
    ],
)
def test_random_is_seeded_however_it_is_imported(python: Path, bare: Path, draw: str) -> None:
    assert output(python, "-c", draw, env=SEED) == output(
        bare, "-c", "import random; random.seed(7); print(random.random())"
    )


@pytest.mark.parametrize(
    "draw",
    [
        "from numpy.random import rand; print(rand(3))",
        "import numpy.random as npr; print(npr.rand(3))",
        "from numpy import random; print(random.rand(3))",
        "import numpy as np; print(np.random.rand(3))",
    ],
)
def test_numpy_is_seeded_however_it_is_imported(python: Path, bare: Path, draw: str) -> None:
    assert output(python, "-c", draw, env=SEED) == output(
        bare, "-c", "import numpy; numpy.random.seed(7); print(numpy.random.rand(3))"
    )


@pytest.mark.torch
def test_torch_is_seeded_by_a_from_import_of_a_submodule(python: Path, bare: Path) -> None:
    draw = "from torch.nn import Linear; print(Linear(2, 2).weight.tolist())"
    by_hand = f"import torch; torch.manual_seed(7); {draw}"
    assert output(python, "-c", draw, env=SEED) == output(bare, "-c", by_hand)


def test_seeds_differ(python: Path) -> None:
    drawn = {output(python, "-c", DRAW["random"], env={"SEED": seed}) for seed in ("7", "8")}
    assert len(drawn) == 2


def test_seed_off_leaves_libraries_alone(python: Path) -> None:
    drawn = {output(python, "-c", DRAW["random"], env={"SEED": "off"}) for _ in range(2)}
    assert len(drawn) == 2


@pytest.mark.parametrize("text", ["0", "4294967295", " 7 ", "007", "\t7\n"])
def test_seed_accepts_whole_numbers_with_space_and_zeros(python: Path, text: str) -> None:
    code = f"import random; seeded = random.getstate(); random.seed({int(text)})"
    code += "; print(random.getstate() == seeded)"
    assert output(python, "-c", code, env={"SEED": text}) == "True"


def test_a_subprocess_gives_what_it_gives_by_hand(python: Path) -> None:
    """A program started by a program is a program of its own, not a worker."""
    draw = DRAW["random"]
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {draw!r}])"
    noisy = f"import random; random.random(); {nested}"
    by_hand = output(python, "-c", draw, env=SEED)
    assert output(python, "-c", nested, env=SEED) == by_hand
    assert output(python, "-c", noisy, env=SEED) == by_hand


def test_nothing_is_seeded_where_neither_seed_nor_defaults_are(python: Path) -> None:
    if Path("/etc/seed_init/defaults").exists():
        pytest.skip("this machine has /etc/seed_init/defaults")
    code = "import random, sys; print('seed_init' in str(sys.meta_path)); print(random.random())"
    one, other = output(python, "-c", code), output(python, "-c", code)
    assert one.splitlines()[0] == "False"
    assert one != other


def test_seed_init_0_is_the_way_out(python: Path) -> None:
    """It wins over every other variable, good or bad."""
    env = {"SEED_INIT": " 0 ", "SEED": "bad", "DETERMINISM": "bad"}
    code = "import random, sys; print('seed_init' in str(sys.meta_path)); print(random.random())"
    one, other = (run(python, "-c", code, env=env) for _ in range(2))
    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout.splitlines()[0] == "False"
    assert one.stdout != other.stdout


def test_a_drawn_seed_is_told_and_replays_the_run(python: Path) -> None:
    code = "import os, random; print(os.environ['SEED'], random.random())"
    drawn = run(python, "-c", code, env={"SEED": "random"})
    seed, value = drawn.stdout.split()
    assert drawn.stderr == f"seed_init: SEED={seed} (SEED=random), DETERMINISM=warn\n"
    assert output(python, "-c", code, env={"SEED": seed}) == f"{seed} {value}"


def test_each_run_draws_another_seed(python: Path) -> None:
    code = "import os; print(os.environ['SEED'])"
    assert len({output(python, "-c", code, env={"SEED": "random"}) for _ in range(3)}) == 3


def test_a_drawn_seed_reaches_children_and_is_told_once(python: Path) -> None:
    done = run(python, program("nested_seed"), env={"SEED": "random"})
    seeds = done.stdout.split()
    assert len(seeds) == 3 and len(set(seeds)) == 1
    assert done.stderr.count("SEED=") == 1 + 1  # its value and its origin, in one line


def test_user_code_that_seeds_is_obeyed(python: Path, bare: Path) -> None:
    code = "import random; random.seed(1); print(random.random())"
    assert output(python, "-c", code, env=SEED) == output(bare, "-c", code)


@pytest.mark.parametrize(
    "draw",
    [
        "import random; print(random.SystemRandom().random())",
        "import secrets; print(secrets.token_hex())",
        "import uuid; print(uuid.uuid4())",
        "import tempfile; print(tempfile.mktemp())",
    ],
)
def test_what_must_differ_differs(python: Path, draw: str) -> None:
    """Whatever is seeded (test_entropy.py has the whole list)."""
    assert len({output(python, "-c", draw, env=SEED) for _ in range(2)}) == 2


def test_a_program_of_the_users_that_hides_a_library_is_named(python: Path, tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text("mine = True\n")
    (tmp_path / "train.py").write_text("import random; print('user code ran')\n")
    done = run(python, tmp_path / "train.py", env=SEED)
    assert (done.stdout, done.returncode) == ("", 78)
    assert done.stderr == (
        f"seed_init: random was imported from {tmp_path / 'random.py'}, which is not the library "
        "of that name; rename that file, or set SEED_INIT=0 to run without seeding\n"
    )
