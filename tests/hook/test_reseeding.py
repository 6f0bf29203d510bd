"""User code that seeds by itself: obeyed and noted, or mixed with SEED."""

from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, output, run

SEVEN, MIX = {"SEED": "7"}, {"SEED": "7", "SEED_INIT_RESEED": "mix"}

STDLIB = "import random; random.seed({}); print(random.random())"
NUMPY = "import numpy; numpy.random.seed({}); print(numpy.random.rand())"
TORCH = "import torch; torch.manual_seed({}); print(torch.rand(1).item())"
BY_LIBRARY = pytest.mark.parametrize(
    "code", [STDLIB, NUMPY, pytest.param(TORCH, marks=pytest.mark.torch)]
)


@BY_LIBRARY
class TestHonour:
    def test_obeys_whatever_the_seed_of_the_job(self, python: Path, bare: Path, code: str) -> None:
        by_hand = output(bare, "-c", code.format(42))
        for seed in ("7", "8", "off"):
            assert output(python, "-c", code.format(42), env={"SEED": seed}) == by_hand

    def test_is_said_at_debug(self, python: Path, tmp_path: Path, code: str) -> None:
        script = tmp_path / "train.py"
        script.write_text(code.replace("; ", "\n").format(42))
        done = run(python, script, env={**SEVEN, "SEED_INIT_LOG": "debug"})
        assert f"seed(42) at {script}:2 is obeyed" in done.stderr
        assert "obeyed" not in run(python, script, env=SEVEN).stderr


@BY_LIBRARY
class TestMix:
    def test_the_same_seed_gives_the_same_run(self, python: Path, code: str) -> None:
        one, two = (output(python, "-c", code.format(42), env=MIX) for _ in "12")
        assert one == two

    def test_another_seed_gives_another_run(self, python: Path, bare: Path, code: str) -> None:
        drawn = [output(bare, "-c", code.format(42))]
        for seed in ("0", "7", "8", "random"):
            drawn.append(output(python, "-c", code.format(42), env={**MIX, "SEED": seed}))
        assert len(set(drawn)) == 5

    def test_another_value_in_the_code_gives_another_run(self, python: Path, code: str) -> None:
        """So do the offsets of ranks: `seed + rank`."""
        drawn = {output(python, "-c", code.format(n), env=MIX) for n in (0, 1, 2, 2**32 - 1)}
        assert len(drawn) == 4

    def test_mixes_with_the_attempt_of_a_restarted_job(self, python: Path, code: str) -> None:
        envs = [MIX, {**MIX, "SEED_INIT_RESTART": "1"}, {**MIX, "SEED_INIT_RESTART": "2"}]
        assert len({output(python, "-c", code.format(42), env=env) for env in envs}) == 3

    def test_without_a_seed_there_is_nothing_to_mix(
        self, python: Path, bare: Path, code: str
    ) -> None:
        drawn = output(python, "-c", code.format(42), env={**MIX, "SEED": "off"})
        assert drawn == output(bare, "-c", code.format(42))


@pytest.mark.torch
def test_one_value_is_mixed_alike_for_every_library(python: Path) -> None:
    """A seed_everything(42) becomes the seed_everything of another number."""
    code = """
import json, random, numpy, torch, seed_init
random.seed(42); numpy.random.seed(42); torch.manual_seed(42); torch.cuda.manual_seed_all(42)
torch.cuda.manual_seed(42)
print(json.dumps([note["used"] for note in seed_init.status()["reseeded"]]))
"""
    used = answer(python, "-c", code, env=MIX)
    assert len(used) == 5 and len(set(used)) == 1


@pytest.mark.parametrize("value", ["-1", "2**32", "2**5000", "'run 3'", "b'x'", "1.5", "True"])
def test_random_takes_what_it_takes(python: Path, value: str) -> None:
    drawn = {
        output(python, "-c", STDLIB.format(value), env={**MIX, "SEED": seed}) for seed in "7789"
    }
    assert len(drawn) == 3


@pytest.mark.parametrize("value", ["[1, 2, 3]", "numpy.arange(3)", "numpy.int64(5)"])
def test_numpy_takes_what_it_takes(python: Path, value: str) -> None:
    drawn = {
        output(python, "-c", NUMPY.format(value), env={**MIX, "SEED": seed}) for seed in "7789"
    }
    assert len(drawn) == 3


@pytest.mark.parametrize(
    "code",
    [
        STDLIB.format("[1]"),
        NUMPY.format("-1"),
        NUMPY.format("2**32"),
        NUMPY.format("'x'"),
        NUMPY.format("1.5"),
        pytest.param(TORCH.format("2**64"), marks=pytest.mark.torch),
        pytest.param(TORCH.format("'x'"), marks=pytest.mark.torch),
        pytest.param(TORCH.format("None"), marks=pytest.mark.torch),
    ],
)
def test_the_library_itself_refuses_what_it_does_not_take(
    python: Path, bare: Path, code: str
) -> None:
    mixed, by_hand = run(python, "-c", code, env=MIX), run(bare, "-c", code)
    assert mixed.returncode == by_hand.returncode == 1
    assert mixed.stderr.splitlines()[-1] == by_hand.stderr.splitlines()[-1]


@pytest.mark.torch
def test_a_negative_seed_stands_for_the_number_that_torch_takes_it_for(python: Path) -> None:
    code = TORCH + "; torch.manual_seed({}); print(torch.rand(1).item())"
    one, two = output(python, "-c", code.format(-1, 2**64 - 1), env=MIX).splitlines()
    assert one == two


def test_a_generator_object_is_not_mixed(python: Path, bare: Path) -> None:
    code = """
import random, numpy
one = random.Random(); one.seed(5)
print(one.random(), random.Random(5).random(), numpy.random.default_rng(5).random())
"""
    assert output(python, "-c", code, env=MIX) == output(bare, "-c", code)


@pytest.mark.torch
def test_restored_states_are_untouched(python: Path, bare: Path, tmp_path: Path) -> None:
    """A checkpoint of one run, resumed in another."""
    save = """
import pickle, random, sys, numpy, torch
random.seed(1); numpy.random.seed(1); torch.manual_seed(1)
states = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
pickle.dump(states, open(sys.argv[1], "wb"))
"""
    load = """
import pickle, random, sys, numpy, torch
one, two, three = pickle.load(open(sys.argv[1], "rb"))
random.setstate(one), numpy.random.set_state(two), torch.set_rng_state(three)
print(random.random(), numpy.random.rand(), torch.rand(1).item())
"""
    output(bare, "-c", save, tmp_path / "states")
    resumed = output(python, "-c", load, tmp_path / "states", env=MIX)
    assert resumed == output(bare, "-c", load, tmp_path / "states")


@pytest.mark.torch
class TestDataLoaderWorkers:
    CODE = """
import json, random, numpy, torch, seed_init
from torch.utils.data import DataLoader
class Draws(torch.utils.data.Dataset):
    def __len__(self): return 4
    def __getitem__(self, index):
        return [random.random(), numpy.random.rand(), torch.rand(1).item(),
                len(seed_init.status()["reseeded"])]
if __name__ == "__main__":
    BEFORE
    loader = DataLoader(Draws(), num_workers=2, collate_fn=list)
    print(json.dumps([batch[0] for batch in loader]))
"""

    def drawn(self, python: Path, before: str = "pass", **env: str) -> Any:
        return answer(python, "-c", self.CODE.replace("BEFORE", before), env=env)

    def test_stay_as_pytorch_seeds_them(self, python: Path) -> None:
        """PyTorch seeds its workers itself: no user code that would be mixed or noted."""
        assert self.drawn(python, **MIX) == self.drawn(python, **SEVEN)
        assert {count for *_, count in self.drawn(python, **MIX)} == {0}

    def test_follow_the_mixed_seed_of_their_parent(self, python: Path) -> None:
        seven, again, eight = (
            self.drawn(python, "torch.manual_seed(42)", **{**MIX, "SEED": seed}) for seed in "778"
        )
        assert seven == again != eight


@pytest.mark.torch
def test_status_says_what_was_given_and_used(python: Path, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("""import json, torch, seed_init
for epoch in range(3):
    torch.manual_seed(40 + epoch)
print(json.dumps([seed_init.status()["reseeded"], torch.initial_seed()]))
""")
    [note], _ = answer(python, script, env=SEVEN)
    assert note == {
        "function": "torch.manual_seed",
        "place": f"{script}:3",
        "count": 3,
        "given": "42",
        "used": "42",
    }
    [note], used = answer(python, script, env=MIX)
    assert (note["given"], note["used"]) == ("42", str(used))


@pytest.mark.torch
def test_what_torch_seeds_for_itself_is_no_user_code(python: Path) -> None:
    """torch.manual_seed seeds the devices by the same functions that users call."""
    code = """
import json, torch, seed_init
torch.manual_seed(42)
torch.compile(lambda x: x + torch.rand(3), backend="eager")(torch.ones(3))
torch.manual_seed(43)   # by now wrapped by torch._dynamo
print(json.dumps([[n["function"], n["place"]] for n in seed_init.status()["reseeded"]]))
"""
    notes = answer(python, "-c", code, env=MIX, timeout=120)
    assert notes == [["torch.manual_seed", "<string>:3"], ["torch.manual_seed", "<string>:5"]]


@pytest.mark.torch
def test_frameworks_own_seeds_are_mixed(python: Path) -> None:
    """transformers seeds with 42 unless told otherwise, so a sweep over SEED had no effect."""
    code = "from transformers import set_seed; set_seed(42); import random; print(random.random())"
    env = {**MIX, "HF_HUB_OFFLINE": "1", "SEED_INIT_LOG": "quiet"}
    drawn = {output(python, "-c", code, env={**env, "SEED": s}, timeout=120) for s in "7789"}
    assert len(drawn) == 3


@pytest.mark.parametrize("reseed", ["honour", "mix"])
def test_a_seed_of_the_users_own_class_is_not_asked_to_show_itself(
    python: Path, bare: Path, reseed: str
) -> None:
    code = """
import random
class Seed(int):
    def __repr__(self): raise RuntimeError("shown")
class Part(float):
    def __repr__(self): raise RuntimeError("shown")
random.seed(Seed(5)); random.seed(Part(1.5)); random.seed("x" * 10**6); print(random.random())
"""
    told = output(python, "-c", code, env={**SEVEN, "SEED_INIT_RESEED": reseed})
    assert reseed == "mix" or told == output(bare, "-c", code)


def test_notes_are_bounded(python: Path) -> None:
    code = """
import random, seed_init
for n in range(3000):
    exec(compile("random.seed(1)", f"file-{n}", "exec"))
print(len(seed_init.status()["reseeded"]))
"""
    assert output(python, "-c", code, env=SEVEN) == "1000"
