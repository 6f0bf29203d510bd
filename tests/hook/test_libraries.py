"""Libraries with generators of their own: each draws from SEED, here and in every worker."""

from pathlib import Path
from typing import Any

import pytest

from harness.processes import answer, output, run
from harness.repository import REPOSITORY
from harness.sharing import once
from seed_init.hook import seeding, startup
from seed_init.libraries import uncovered

from .support import program

SMALL = ("cv2", "PIL.Image", "polars", "leidenalg", "sentencepiece")
"""Libraries that import no torch; they share a process."""

IN_LOADER = (*SMALL, "webdataset")

CONSTANT = ("cv2", "PIL.Image")
"""Libraries that draw the same numbers in every run and worker when nobody seeds them."""


def drawn(python: str, how: str, methods: str, names: list[str], seed: str, number: int) -> Any:
    """What a run of the program draws.

    Args:
        seed: "" for the control.
        number: of the run.
    """
    env = {"SEED": seed} if seed else {"SEED_INIT": "0"}
    return answer(python, program("libraries"), how, methods, *names, env=env, timeout=300)


class Runs:
    """Runs of the program with some libraries, each started when it is first asked for."""

    def __init__(self, kept: Path, python: Path, how: str, methods: str, names: "list[str]"):
        self.kept, self.arguments = kept, (str(python), how, methods, names)

    def __call__(self, seed: str, number: int = 1) -> Any:
        return once(self.kept, drawn, *self.arguments, seed, number)


@pytest.fixture(scope="session")
def processes(kept: Path, python: Path) -> "dict[str, Runs]":
    """Library -> runs with multiprocessing children."""
    small = Runs(kept, python, "processes", "fork,spawn", list(SMALL))
    tensorflow = Runs(kept, python, "processes", "fork", ["tensorflow"])
    return {**dict.fromkeys(SMALL, small), "tensorflow": tensorflow}


@pytest.fixture(scope="session")
def loader(kept: Path, python: Path) -> Runs:
    """Runs with DataLoader workers."""
    return Runs(kept, python, "loader", "fork,spawn", list(IN_LOADER))


def workers_of(run: Any, name: str) -> "list[Any]":
    return [worker[name] for method, told in run.items() if method != "main" for worker in told]


def distinct(drawn: "list[Any]") -> int:
    return len({str(one) for one in drawn})


@pytest.mark.parametrize("name", [*SMALL, "tensorflow"])
class TestInProcesses:
    @pytest.mark.slow
    def test_three_runs_draw_the_same(self, processes: "dict[str, Runs]", name: str) -> None:
        runs = [
            processes[name]("7", number)
            for number in ((1, 2) if name == "tensorflow" else (1, 2, 3))
        ]
        mains = [(one["main"][name], workers_of(one, name)) for one in runs]
        assert distinct(mains) == 1

    @pytest.mark.slow
    def test_seed_matters(self, processes: "dict[str, Runs]", name: str) -> None:
        seven, eight = processes[name]("7"), processes[name]("8")
        assert seven["main"][name] != eight["main"][name]
        both = [*workers_of(seven, name)[:2], *workers_of(eight, name)[:2]]
        assert distinct(both) == 4

    @pytest.mark.slow
    def test_children_have_streams_of_their_own(
        self, processes: "dict[str, Runs]", name: str
    ) -> None:
        told = processes[name]("7")
        for method in told.keys() - {"main"}:
            each = [worker[name] for worker in told[method]]
            assert distinct([told["main"][name], *each]) == 3

    @pytest.mark.slow
    def test_without_the_hook(self, processes: "dict[str, Runs]", name: str) -> None:
        """The hole, open."""
        one, two = processes[name](""), processes[name]("", 2)
        if name in CONSTANT:
            assert one["main"][name] == two["main"][name] == workers_of(one, name)[0]
            assert distinct(workers_of(one, name)) == 1
        else:
            assert one["main"][name] != two["main"][name]


@pytest.mark.torch
@pytest.mark.parametrize("name", IN_LOADER)
class TestInLoaderWorkers:
    def test_workers_and_epochs_have_streams_of_their_own(self, loader: Runs, name: str) -> None:
        told = loader("7")
        assert distinct([told["main"][name], *workers_of(told, name)]) == 1 + 2 * 2

    def test_an_epoch_is_repeated_where_torchs_state_is_restored(
        self, loader: Runs, name: str
    ) -> None:
        told = loader("7")
        drawn = [worker[name] for worker in told["fork"]]
        assert drawn[4:] == drawn[:2]
        # Torch is then where it was after the first epoch, whatever starts the workers.
        assert [worker[name] for worker in told["spawn"]] == drawn[2:4]

    def test_another_run_draws_the_same(self, loader: Runs, name: str) -> None:
        one, two = loader("7"), loader("7", 2)
        assert workers_of(one, name) == workers_of(two, name)
        assert one["main"][name] == two["main"][name]


def test_no_library_is_imported_for_it(python: Path) -> None:
    code = (
        "import random, numpy.random, sys; from seed_init.hook import startup; "
        "print(sorted(startup.LIBRARIES.keys() & sys.modules.keys()))"
    )
    assert output(python, "-c", code, env={"SEED": "7"}) == "['numpy.random', 'random']"


def test_children_are_seeded_where_random_is_not_imported(python: Path) -> None:
    code = """
import os, sys
from PIL import Image
assert "random" not in sys.modules
for _ in "123":
    if _ == "3" or os.fork() == 0:
        print(Image.effect_noise((4, 2), 50).tobytes().hex(), flush=True); break
    os.wait()
"""
    one, two = (output(python, "-c", code, env={"SEED": "7"}).split() for _ in "12")
    assert one == two and distinct(one) == 3


class TestOwnSeeds:
    """A program that seeds such a library by itself."""

    CODE = """
import cv2, json, numpy, polars, seed_init
def draw():
    noise = numpy.zeros(2, numpy.float32); cv2.randn(noise, 0, 1)
    return [noise.tolist(), polars.Series(range(1000)).shuffle()[:2].to_list()]
cv2.setRNGSeed(-5); polars.set_random_seed(seed=5)
notes = [[note["function"], note["given"], note["used"]] for note in seed_init.status()["reseeded"]]
print(json.dumps([draw(), notes]))
"""

    def test_is_obeyed_and_noted(self, python: Path, bare: Path) -> None:
        draws, notes = answer(python, "-c", self.CODE, env={"SEED": "7"})
        assert notes == [
            ["cv2.setRNGSeed", str(2**64 - 5), str(2**64 - 5)],
            ["polars.set_random_seed", "5", "5"],
        ]
        code = self.CODE.replace(", seed_init", "").replace("notes = ", "notes = [] #")
        assert answer(bare, "-c", code)[0] == draws

    @pytest.mark.slow
    def test_is_mixed_with_seed(self, python: Path) -> None:
        env = {"SEED_INIT_RESEED": "mix"}
        seven, again, eight = (
            answer(python, "-c", self.CODE, env={**env, "SEED": seed})[0] for seed in "778"
        )
        assert seven == again
        assert seven[0] != eight[0] and seven[1] != eight[1]


class TestSentencePiece:
    """Once seeded, all threads and batches of sentencepiece start from that one seed."""

    CODE = f"""
import json, runpy, threading
draw = runpy.run_path({str(program("libraries"))!r})["sentencepiece"]
told = [draw(), draw()]
for _ in "12":
    thread = threading.Thread(target=lambda: told.append(draw()))
    thread.start(); thread.join()
print(json.dumps(told))
"""

    def test_batches_and_threads_are_as_distinct_as_without_seeds(self, python: Path) -> None:
        told = answer(python, "-c", self.CODE, env={"SEED": "7"})
        assert distinct([sampled for draws in told for sampled in draws]) > 8
        assert distinct(told) == 4
        assert answer(python, "-c", self.CODE, env={"SEED": "7"}) == told

    def test_a_seed_of_the_programs_own_is_obeyed(self, python: Path, bare: Path) -> None:
        by_hand = "import sentencepiece; sentencepiece.SetRandomGeneratorSeed(5)\ntold = ["
        code = self.CODE.replace("told = [", by_hand)
        # The last of each: which thread takes which sentence of a batch is scheduling.
        by_us, by_itself = answer(python, "-c", code, env={"SEED": "7"}), answer(bare, "-c", code)
        assert [draws[2] for draws in by_us] == [draws[2] for draws in by_itself]


class TestLeidenalg:
    CODE = """
import igraph, json, leidenalg, random, seed_init
graph = igraph.Graph(n=300, edges=[(n, (n * n + 3) % 300) for n in range(300)])
def find(**seed):
    return leidenalg.find_partition(graph, leidenalg.ModularityVertexPartition, **seed).membership
state = random.getstate()
told = [find(), find()]
seed_init.reseed(7)
print(json.dumps([*told, find(), find(seed=5), seed_init.status()["unseeded"]]))
"""

    @pytest.mark.slow
    def test_each_optimiser_has_a_stream_of_its_own(self, python: Path) -> None:
        one, two, again, seeded, made = answer(python, "-c", self.CODE, env={"SEED": "7"})
        assert one != two and again == one
        assert made == {"leidenalg": 1}  # since the streams started over; not what was given a seed
        assert answer(python, "-c", self.CODE, env={"SEED": "8"})[3] == seeded


class TestUnknownReleases:
    """Such a library must never end a program that runs without us."""

    @pytest.mark.parametrize("name", ["cv2", "leidenalg", "polars", "sentencepiece", "webdataset"])
    def test_a_module_of_that_name_is_named_and_left_alone(
        self, python: Path, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / f"{name}.py").write_text("mine = True\n")
        script = tmp_path / "train.py"
        script.write_text(
            f"import os, {name}, seed_init\n"
            "print(seed_init.status()['not_covered'], flush=True)\n"
            "if os.fork() == 0: os._exit(0)\n"
            "print(os.wait()[1])\n"
        )
        done = run(python, script, env={"SEED": "7"})
        assert done.returncode == 0, done.stderr
        assert f"{name} is not seeded: " in done.stdout and done.stdout.endswith("\n0\n")
        (line,) = done.stderr.splitlines()
        assert line.startswith(
            f"seed_init: {name} is not seeded: {tmp_path / name}.py is no release "
        )
        assert line.endswith("; seed it in your code")


class TestDGL:
    """DGL seeds a generator for each of its threads; only old releases run with this torch."""

    CODE = """
import json, os, dgl, torch
def draw():
    start = torch.arange(10000)
    edges = start % 1000, (start * 7919 + start // 1000) % 1000
    return dgl.sampling.random_walk(dgl.graph(edges), torch.arange(50), length=4)[0].tolist()
told = []
for _ in "12":
    ours, theirs = os.pipe()
    if os.fork() == 0:
        torch.set_num_threads(1); dgl.utils.set_num_threads(1)
        os.write(theirs, json.dumps(draw()).encode()); os._exit(0)
    told.append(json.loads(os.read(ours, 10**6))); os.wait()
told += [draw(), draw()]
dgl.seed(5); told.append(draw())
print(json.dumps(told))
"""

    @pytest.fixture(autouse=True)
    def installed(self, python: Path) -> None:
        if run(python, "-c", "import dgl", env={"DGLBACKEND": "pytorch"}).returncode:
            pytest.skip("no DGL that runs with this torch is installed: pip install dgl==1.1.3")

    def test_draws_from_seed_here_and_in_children(self, python: Path, tmp_path: Path) -> None:
        env = {"DGLBACKEND": "pytorch", "HOME": str(tmp_path)}
        one, two, other = (
            answer(python, "-c", self.CODE, env={**env, "SEED": seed}) for seed in "778"
        )
        assert one == two and distinct(one) == 5
        assert distinct([*one, *other]) == 9 and one[4] == other[4]


OTHERS = {
    "networkit": "networkit.generators.ErdosRenyiGenerator(99, 0.1).generate().numberOfEdges()",
    "mlx.core": "mlx.core.random.normal((4,)).tolist()",
}
"""Libraries that no lock of ours has -> a draw."""


@pytest.mark.parametrize("name", OTHERS)
def test_other_libraries_where_they_are_installed(python: Path, name: str) -> None:
    code = f"import {name}; print([{OTHERS[name]} for _ in range(9)])"
    if run(python, "-c", code).returncode:
        pytest.skip(f"{name} is not installed")
    one, two, other = (output(python, "-c", code, env={"SEED": seed}) for seed in "778")
    assert one == two != other


def test_the_page_names_every_library() -> None:
    page = (REPOSITORY / "docs/reference/libraries.md").read_text().lower()
    shown = {"cv2": "opencv", "PIL.Image": "pillow", "mlx.core": "mlx", "paddle": "paddlepaddle"}
    names = (startup.LIBRARIES.keys() - set(seeding.PROMISED)) | uncovered.REMEDIES.keys()
    assert [name for name in names if f"{shown.get(name, name)}".lower() not in page] == []
