"""Generators that user code makes without a seed draw from SEED."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.processes import answer, output, run

from .support import program

WAYS = (
    "default_rng()",
    "RandomState()",
    "SeedSequence()",
    "a child of SeedSequence()",
    "MT19937()",
    "PCG64()",
    "PCG64DXSM()",
    "Philox()",
    "SFC64()",
    "numpy.random.seed()",
    "random.Random()",
    "a subclass of random.Random",
    "random.seed()",
)
SEVEN = {"SEED": "7"}

PINNED = [169901117860808535283578869405178801680, 480096079, 2831840803, 2302108162]


@pytest.fixture(scope="module")
def drawn(python: Path) -> dict[str, Any]:
    """What every way of making a generator draws, by the environment of the run."""
    runs = {
        "first": SEVEN,
        "second": SEVEN,
        "seed 8": {"SEED": "8"},
        "leave": {**SEVEN, "SEED_INIT_UNSEEDED": "leave"},
        "leave again": {**SEVEN, "SEED_INIT_UNSEEDED": "leave"},
        "off": {"SEED": "off"},
        "off again": {"SEED": "off"},
    }
    return {name: answer(python, program("generators"), env=env) for name, env in runs.items()}


@pytest.mark.parametrize("way", WAYS)
class TestEveryWay:
    @pytest.mark.slow
    def test_is_the_same_from_run_to_run(self, drawn: dict[str, Any], way: str) -> None:
        assert drawn["first"][way] == drawn["second"][way]

    def test_follows_the_seed(self, drawn: dict[str, Any], way: str) -> None:
        assert not set(drawn["first"][way]) & set(drawn["seed 8"][way])

    def test_gives_each_generator_a_stream_of_its_own(
        self, drawn: dict[str, Any], way: str
    ) -> None:
        others = [value for other in WAYS if other != way for value in drawn["first"][other]]
        one, two = drawn["first"][way]
        assert one != two
        assert not {one, two} & set(others)

    @pytest.mark.parametrize("setting", ["leave", "off"])
    def test_stays_unseeded_where_asked(
        self, drawn: dict[str, Any], way: str, setting: str
    ) -> None:
        assert drawn[setting][way] != drawn[f"{setting} again"][way]


def test_without_the_hook_they_differ_from_run_to_run(bare: Path) -> None:
    """The hole, open."""
    one, two = (answer(bare, program("generators")) for _ in "12")
    assert all(one[way] != two[way] for way in WAYS)


def test_a_generator_with_a_seed_of_its_own_is_left_alone(python: Path, bare: Path) -> None:
    code = """
import json, random, numpy
print(json.dumps([random.Random(5).random(), random.Random("x").random(),
                  numpy.random.default_rng(5).random(), numpy.random.RandomState(5).rand(),
                  numpy.random.default_rng([1, 2]).random()]))
"""
    assert answer(python, "-c", code, env=SEVEN) == answer(bare, "-c", code)


def test_making_generators_does_not_shift_the_main_streams(python: Path) -> None:
    code = """
import json, random, numpy, sys
for _ in range(int(sys.argv[1])):
    random.Random(), numpy.random.default_rng()
print(json.dumps([random.random(), numpy.random.rand()]))
"""
    assert answer(python, "-c", code, "0", env=SEVEN) == answer(python, "-c", code, "3", env=SEVEN)


def test_libraries_count_their_generators_apart(python: Path) -> None:
    """A `random.Random()` more, in some library, moves none of NumPy's."""
    code = """
import json, random, numpy, sys
for _ in range(int(sys.argv[1])):
    random.Random()
print(numpy.random.default_rng().random())
"""
    assert output(python, "-c", code, "0", env=SEVEN) == output(python, "-c", code, "3", env=SEVEN)


@pytest.mark.torch
def test_those_of_a_module_that_is_imported_do_not_shift_the_programs(
    python: Path, tmp_path: Path
) -> None:
    """scipy.stats makes some while it is imported; another release of it may make more."""
    (tmp_path / "making.py").write_text(
        "import numpy, random\nmade = numpy.random.default_rng(), random.Random()\n"
        "drawn = [made[0].random(), made[1].random()]\n"
    )
    code = f"""
import sys; sys.path.append({str(tmp_path)!r})
import json, numpy, random
if sys.argv[1:]: import making
drawn = [numpy.random.default_rng().random(), random.Random().random()]
print(json.dumps([drawn, making.drawn if sys.argv[1:] else []]))
"""
    (alone, _), (drawn, by_module) = (
        answer(python, "-c", code, *words, env=SEVEN) for words in ((), ("importing",))
    )
    assert drawn == alone
    assert not set(drawn) & set(by_module)


def test_a_streams_path_is_the_documented_one(python: Path) -> None:
    code = """
import numpy
from seed_init.hook.streams import derive_entropy
made = [numpy.random.SeedSequence().entropy for _ in "12"]
print(made == [derive_entropy(7, ("unseeded", "numpy", "__main__", k)) for k in (1, 2)])
"""
    assert output(python, "-c", code, env=SEVEN) == "True"


class TestTorch:
    CODE = """
import json, torch
one, two = torch.seed(), torch.seed()
drawn = torch.rand(1).item()
torch.manual_seed(two)
torch.cuda.seed_all(), torch.cuda.seed()   # queued: nothing initialises CUDA for it
calls = filter(None, torch.cuda._lazy_seed_tracker.get_calls())
queued = [call.__closure__ for call, _ in calls]
seeds = [cell.cell_contents for cells in queued for cell in cells]
print(json.dumps([one, two, drawn, torch.rand(1).item(), torch.initial_seed(), seeds]))
"""

    @pytest.mark.torch
    def test_seed_draws_from_the_seed(self, python: Path) -> None:
        one, two = (answer(python, "-c", self.CODE, env=SEVEN) for _ in "12")
        assert one == two
        first, second, drawn, again, initial, _ = one
        assert first % 2**32 != second % 2**32
        assert (drawn, initial) == (again, second)
        eight = answer(python, "-c", self.CODE, env={"SEED": "8"})
        assert not set(one[:3]) & set(eight[:3])

    @pytest.mark.torch
    def test_cuda_devices_get_a_seed_that_is_known(self, python: Path) -> None:
        """What is queued for a CUDA that starts later, without a device here."""
        *_, seven = answer(python, "-c", self.CODE, env=SEVEN)
        *_, eight = answer(python, "-c", self.CODE, env={"SEED": "8"})
        assert len(set(seven[-2:])) == 2
        assert not set(seven[-2:]) & set(eight)

    @pytest.mark.torch
    def test_seed_is_left_alone_where_asked(self, python: Path) -> None:
        env = {**SEVEN, "SEED_INIT_UNSEEDED": "leave"}
        one, two = (answer(python, "-c", self.CODE, env=env) for _ in "12")
        assert one[:2] != two[:2]


class TestWarn:
    CODE = """import random, numpy
def make():
    return random.Random(), numpy.random.default_rng()
for _ in range(3):
    make()
random.seed()
numpy.random.seed()
"""

    def warned(self, python: Path, script: Path, **env: str) -> list[str]:
        done = run(python, script, env={**SEVEN, "SEED_INIT_UNSEEDED": "warn", **env})
        assert done.returncode == 0
        return [line for line in done.stderr.splitlines() if "DETERMINISM" not in line]

    def test_names_file_and_line_once_a_place(self, python: Path, tmp_path: Path) -> None:
        script = tmp_path / "train.py"
        script.write_text(self.CODE)
        assert self.warned(python, script) == [
            f"seed_init: random.Random() without a seed at {script}:3",
            f"seed_init: a NumPy generator without a seed at {script}:3",
            f"seed_init: random.seed() without a seed at {script}:6",
            f"seed_init: a NumPy generator without a seed at {script}:7",
        ]

    def test_leaves_them_alone(self, python: Path) -> None:
        env = {**SEVEN, "SEED_INIT_UNSEEDED": "warn"}
        one, two = (answer(python, program("generators"), env=env) for _ in "12")
        assert all(one[way] != two[way] for way in WAYS)

    @pytest.mark.parametrize("env", [{"SEED_INIT_LOG": "quiet"}, {"SEED": "off"}])
    def test_is_silent_where_asked(self, python: Path, tmp_path: Path, env: dict[str, str]) -> None:
        script = tmp_path / "train.py"
        script.write_text(self.CODE)
        assert self.warned(python, script, **env) == []

    def test_copies_and_what_stays_unpredictable_are_not_named(self, python: Path) -> None:
        code = """
import copy, pickle, random, tempfile, numpy
one, two = random.Random(5), numpy.random.default_rng(5)
copy.deepcopy([one, two]), copy.copy(one), pickle.loads(pickle.dumps(two))
tempfile.TemporaryDirectory().cleanup(), random.SystemRandom()
"""
        done = run(python, "-c", code, env={**SEVEN, "SEED_INIT_UNSEEDED": "warn"})
        assert len(done.stderr.splitlines()) == 1


class TestThreads:
    CODE = """
import json, numpy, random, sys, threading, time
drawn = {}
def work(number):
    for count in range(3):
        time.sleep(float(sys.argv[1 + number % 2]))
        drawn.setdefault(str(number), []).append([numpy.random.default_rng().random(),
                                                  random.Random().random()])
threads = [threading.Thread(target=work, args=(n,), name=NAME) for n in range(4)]
for thread in threads: thread.start(); BETWEEN
for thread in threads: thread.join()
drawn["main"] = [[numpy.random.default_rng().random(), random.Random().random()]]
print(json.dumps(drawn, sort_keys=True))
"""

    def drawn(
        self, python: Path, even: str, odd: str, name: str = "None", between: str = ""
    ) -> Any:
        code = self.CODE.replace("NAME", name).replace("BETWEEN", between)
        return answer(python, "-c", code, even, odd, env=SEVEN)

    def test_do_not_depend_on_each_other(self, python: Path) -> None:
        """However far one is when another makes a generator."""
        told = [self.drawn(python, *delays) for delays in (("0", "0.02"), ("0.02", "0"))]
        assert told[0] == told[1]
        pairs = [tuple(pair) for pairs in told[0].values() for pair in pairs]
        assert all(len(set(values)) == 13 for values in zip(*pairs, strict=True))

    def test_of_one_name_are_numbered_by_their_first_generator(self, python: Path) -> None:
        arguments = ("0", "0", "'worker'")
        told = [self.drawn(python, *arguments, between="thread.join()") for _ in "12"]
        assert told[0] == told[1]
        firsts = {pairs[0][0] for pairs in told[0].values()}
        assert len(firsts) == 5

    NAMED = """
import json, numpy, os, threading, time, uuid
from concurrent.futures import ThreadPoolExecutor
def draw(told, name):
    told[name] = numpy.random.default_rng().random()
def in_thread(label, name):
    thread = threading.Thread(target=draw, args=(told, label), name=name)
    thread.start(); thread.join()
told = {}
for number in range(2):
    in_thread(f"Dask's {number}", f"0-Dask-Default-Threads-{os.getpid()}-{number}")
    in_thread(f"by process {number}", f"worker-{os.getpid()}_{number}")
    in_thread(f"by parent {number}", f"of {os.getppid()}: {number}")
    in_thread(f"by starter {number}", f"of {threading.get_ident()}: {number}")
    in_thread(f"by address {number}", f"<Reader object at {hex(id(object()))}>")
    in_thread(f"by uuid {number}", f"subshell-{uuid.uuid4()}")
    in_thread(f"by hexadecimals {number}", f"job-{uuid.uuid4().hex}")
    in_thread(f"by port {number}", f"tcp://127.0.0.1:{40000 + os.getpid() % 10000}-{number}")
def name_itself():
    thread = threading.current_thread()
    thread.name = f"thread {thread.ident} {thread.native_id}"
    draw(told, "by itself")
thread = threading.Thread(target=name_itself); thread.start(); thread.join()
with ThreadPoolExecutor(1, thread_name_prefix=f"pool of {os.getpid()}") as pool:
    pool.submit(draw, told, "in a pool").result()
print(json.dumps(told))
"""

    def test_what_changes_from_run_to_run_is_no_part_of_a_name(
        self, python: Path, bare: Path
    ) -> None:
        one, two = (answer(python, "-c", self.NAMED, env=SEVEN) for _ in "12")
        assert one == two
        eight = answer(python, "-c", self.NAMED, env={"SEED": "8"})
        unseeded = [answer(bare, "-c", self.NAMED) for _ in "12"]
        runs = (one, eight, *unseeded)
        assert len({value for told in runs for value in told.values()}) == 4 * len(one) == 72

    def test_a_thread_without_a_name_that_can_be_read_has_a_stream(
        self, python: Path, bare: Path
    ) -> None:
        code = """
import random, threading
class Odd(threading.Thread):
    name = property(lambda self: self.names[self], lambda self, name: None)
class Bare(threading.Thread):
    name = None
for kind in (Odd, Bare):
    thread = kind(target=lambda: print(random.Random().random())); thread.start(); thread.join()
"""
        one, two = (output(python, "-c", code, env=SEVEN).split() for _ in "12")
        assert one == two and len(set(one)) == len(output(bare, "-c", code).split()) == 2

    def test_a_number_of_the_users_is(self, python: Path) -> None:
        """Whatever number the process happens to have."""
        code = """
import json, numpy, os, sys, threading
from seed_init.hook.streams import derive_entropy
os.getpid = lambda: int(sys.argv[1])
def draw():
    made.append(numpy.random.SeedSequence().entropy)
made, wanted = [], []
names = ["Thread-4711 (draw)", "ThreadPoolExecutor-4711_4711", "worker-7", "worker-47110",
         "http://host:8080", "2024-05-01", "column 0x1f", "crc 0c0ffee0",
         "5df41881-3aed-5515-88a7-2f4a814cf09e", "9e107d9d372bb6826bd81d3542a419d6"]
for name in names:
    thread = threading.Thread(target=draw, name=name); thread.start(); thread.join()
    path = ("thread", name, 1, "unseeded", "numpy", "__main__", 1)
    wanted.append(derive_entropy(7, path))
print(made == wanted)
"""
        assert [output(python, "-c", code, pid, env=SEVEN) for pid in ("7", "4711")] == ["True"] * 2

    def test_a_temporary_module_goes_without_its_name(self, python: Path, tmp_path: Path) -> None:
        """What some libraries copy a configuration into, to import it."""
        code = """
import importlib, os, sys, tempfile, numpy
with tempfile.TemporaryDirectory() as directory:
    handle, path = tempfile.mkstemp(".py", dir=directory)
    os.write(handle, b"import numpy\\ndef make(): return numpy.random.default_rng().random()")
    sys.path.insert(0, directory)
    module = importlib.import_module(os.path.basename(path)[:-3])
    print(module.make(), module.make())
"""
        env = {**SEVEN, "TMPDIR": str(tmp_path)}
        one, two = (output(python, "-c", code, env=env) for _ in "12")
        assert one == two
        assert len(set(one.split())) == 2


HELD = """
import json, multiprocessing, random, sys
import numpy

class Noise:
    def __init__(self):
        philox = numpy.random.Generator(numpy.random.Philox())
        self.generators = [numpy.random.default_rng(), philox]
        self.state, self.random = numpy.random.RandomState(), random.Random()
        self.seeded = [numpy.random.default_rng(5), random.Random(5)]
        self.restored = numpy.random.default_rng()
        self.restored.bit_generator.state = numpy.random.PCG64(5).state

    def draw(self):
        free = [one.random() for one in self.generators]
        free += [self.state.rand(), self.random.random()]
        return free, [one.random() for one in self.seeded] + [self.restored.random()]

at_top = numpy.random.default_rng()

def work(noise, queue):
    free, fixed = noise.draw()
    queue.put([free + [at_top.random()], fixed])

if __name__ == "__main__":
    context, noise, told = multiprocessing.get_context(sys.argv[1]), Noise(), []
    queue = context.SimpleQueue()
    for _ in range(3):
        process = context.Process(target=work, args=(noise, queue))
        process.start(); told.append(queue.get()); process.join()
    free, fixed = noise.draw()
    print(json.dumps([*told, [free + [at_top.random()], fixed]]))
"""


class TestHeldFromBeforeAWorker:
    """A generator that was made before workers came into being would be a clone in each."""

    def told(self, python: Path, tmp_path: Path, method: str, **env: str) -> Any:
        script = tmp_path / "held.py"
        script.write_text(HELD)
        return answer(python, script, method, env={**SEVEN, **env})

    @pytest.mark.slow
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_each_worker_has_a_stream_of_its_own(
        self, python: Path, tmp_path: Path, method: str
    ) -> None:
        told = self.told(python, tmp_path, method)
        for one_generator in zip(*(free for free, _ in told), strict=True):
            assert len(set(one_generator)) == 4
        assert self.told(python, tmp_path, method) == told

    @pytest.mark.slow
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_a_seeded_or_restored_one_goes_on_as_it_is(
        self, python: Path, bare: Path, tmp_path: Path, method: str
    ) -> None:
        told = self.told(python, tmp_path, method)
        by_hand = self.told(bare, tmp_path, method)
        assert [fixed for _, fixed in told] == [fixed for _, fixed in by_hand]

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_they_stay_clones_where_children_inherit(
        self, python: Path, tmp_path: Path, method: str
    ) -> None:
        told = self.told(python, tmp_path, method, SEED_INIT_CHILDREN="inherit")
        assert told == [told[0]] * 4

    def test_without_the_hook_they_are_clones(self, bare: Path, tmp_path: Path) -> None:
        """The hole, open."""
        free = [free for free, _ in self.told(bare, tmp_path, "fork")]
        assert free == [free[0]] * 4

    def test_copies_have_streams_of_their_own_and_what_was_restored_has_not(
        self, python: Path
    ) -> None:
        """Whatever way a generator came into being that the worker holds."""
        code = """
import copy, gc, json, os, pickle, random, numpy
state = random.Random(5).getstate()
restored = random.Random(); restored.setstate(state)
free = [random.Random(), numpy.random.default_rng(), numpy.random.default_rng()]
free += copy.deepcopy(free[:2]) + [copy.copy(free[0])]
fixed = [random.Random(5), restored, copy.deepcopy(random.Random(5)),
         pickle.loads(pickle.dumps(random.Random(5))), numpy.random.default_rng(5)]
gc.freeze()   # as its documentation advises before a fork
free += [numpy.random.default_rng()]
reading, writing = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        drawn = [[one.random() for one in free], [one.random() for one in fixed]]
        os.write(writing, json.dumps(drawn).encode() + b"\\n"); os._exit(0)
    os.wait()
os.close(writing)
print(json.dumps([json.loads(line) for line in os.fdopen(reading)]))
"""
        (free, fixed), (others, again) = answer(python, "-c", code, env=SEVEN)
        assert not set(free) & set(others)
        assert fixed == again
        assert set(fixed[:4]) == {0.6229016948897019}

    def test_a_fork_of_a_fork_has_streams_of_its_own(self, python: Path) -> None:
        code = """
import os, random, numpy
a, b = random.Random(), numpy.random.default_rng()
def tell(): print(a.random(), b.random(), flush=True)
for _ in range(2):
    if os.fork() == 0:
        tell()
        if os.fork() == 0:
            tell()
            os._exit(0)
        os.wait()
        os._exit(0)
    os.wait()
tell()
"""
        lines = output(python, "-c", code, env=SEVEN).splitlines()
        assert len({value for line in lines for value in line.split()}) == 10
        assert output(python, "-c", code, env=SEVEN).splitlines() == lines

    def test_a_worker_can_be_forked_while_it_is_drawn_from(self, python: Path) -> None:
        code = """
import os, threading, numpy
held = numpy.random.default_rng()
threading.Thread(target=lambda: [held.random(10**6) for _ in range(100)], daemon=True).start()
for _ in range(20):
    if os.fork() == 0:
        os._exit(0)
    os.wait()
print("done", flush=True)
os._exit(0)
"""
        assert output(python, "-c", code, env=SEVEN) == "done"


@pytest.mark.torch
class TestDataLoader:
    """Generators that a dataset makes in a worker, or holds from before."""

    RUNS: ClassVar[dict[Any, Any]] = {}

    def epochs(self, python: Path, *arguments: str, **env: str) -> Any:
        """What is drawn; a run is shared between tests, because a spawned one takes its time."""
        key = (python, arguments, *sorted(env.items()))
        if key not in self.RUNS:
            self.RUNS[key] = self.run(python, *arguments, **env)
        return self.RUNS[key]

    def run(self, python: Path, *arguments: str, **env: str) -> Any:
        return answer(python, program("augmenting"), *arguments, env={**SEVEN, **env}, timeout=300)

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    @pytest.mark.parametrize("persistent", ["0", "1"])
    def test_workers_and_epochs_do_not_repeat_each_other(
        self, python: Path, method: str, persistent: str
    ) -> None:
        told = self.epochs(python, method, persistent)
        for drawn in zip(*(worker for epoch in told for worker in epoch), strict=True):
            assert len(set(drawn)) == 6  # two workers in three epochs
        assert self.run(python, method, persistent) == told

    def test_without_the_hook_workers_repeat_what_they_hold(self, bare: Path) -> None:
        """The hole, open: the second number is of a generator held from before."""
        told = self.epochs(bare, "fork", "0")
        assert len({worker[1] for epoch in told for worker in epoch}) == 1

    def test_the_start_method_does_not_matter(self, python: Path) -> None:
        assert self.epochs(python, "fork", "0") == self.epochs(python, "spawn", "0")

    def test_a_resumed_run_that_restores_torch_gets_the_streams_of_the_epoch(
        self, python: Path
    ) -> None:
        """They follow the seed that PyTorch gives a worker, not the count of processes."""
        whole = self.epochs(python, "fork", "0")
        assert self.epochs(python, "fork", "0", RESUME_AT="2") == whole[2:]


def test_status_counts_what_was_derived(python: Path) -> None:
    code = """
import json, random, numpy, seed_init
random.Random(), random.Random(5), numpy.random.default_rng(), numpy.random.RandomState()
print(json.dumps(seed_init.status()["unseeded"]))
"""
    assert answer(python, "-c", code, env=SEVEN) == {"random": 1, "numpy": 2}


def test_reseed_numbers_from_the_start(python: Path) -> None:
    code = """
import numpy, seed_init
print(numpy.random.default_rng().random())
seed_init.reseed()
print(numpy.random.default_rng().random())
"""
    assert len(set(output(python, "-c", code, env=SEVEN).splitlines())) == 1


def test_reseed_of_a_program_that_nobody_asked_to_seed_derives_from_its_value(python: Path) -> None:
    code = """
import numpy, random, seed_init
seed_init.reseed(7)
print(numpy.random.default_rng().random(), random.Random().random())
"""
    values = [output(python, "-c", code) for _ in "12"]
    assert values[0] == values[1]
    assert output(python, "-c", code.replace("seed_init.reseed(7)", ""), env=SEVEN) == values[0]


def test_the_numbers_are_pinned(python: Path) -> None:
    """Part of the contract, as the seeds of workers are."""
    code = """
import json
from seed_init.hook.streams import derive_entropy, is_derived, mix
values = [derive_entropy(7, ("unseeded", "numpy", 1)), mix(7, 42), mix(7, 2**40), mix(7, "x")]
print(json.dumps([values, [is_derived(values[0]), is_derived(values[0] + 1)]]))
"""
    values, known = answer(python, "-c", code)
    assert values == PINNED
    assert known == [True, False]


@pytest.mark.slow
def test_mixing_keeps_what_differs_apart(python: Path) -> None:
    """A permutation: ranks that offset their seed stay apart, whatever the numbers."""
    code = """
import json
from seed_init.hook.streams import mix
print(json.dumps([len({mix(7, n) for n in range(200_000)}),
                  len({mix(seed, 42) for seed in range(20_000)})]))
"""
    assert answer(python, "-c", code) == [200_000, 20_000]


def test_the_class_looks_as_before(python: Path, bare: Path) -> None:
    code = """
import inspect, pickle, random, numpy
for one in (random.Random.seed, random.seed, numpy.random.seed):
    print(inspect.signature(one), one.__name__, one.__qualname__, one.__doc__)
print(pickle.loads(pickle.dumps(numpy.random.seed)).__name__)
"""
    assert output(python, "-c", code, env=SEVEN) == output(bare, "-c", code)
