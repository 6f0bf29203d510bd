"""Programs and libraries that do unusual things with generators and processes go on as before."""

from pathlib import Path
from typing import Any

import pytest

from harness.interpreters import stdlib_of
from harness.processes import answer, output, run

SEVEN = {"SEED": "7"}


class TestGevent:
    CODE = """
from gevent import monkey
monkey.patch_all()
import gevent, json, multiprocessing, numpy, os, random, threading, time
drawn = []
def work(number):
    time.sleep(0.01 * number)
    drawn.append([random.random(), random.Random().random(), numpy.random.default_rng().random()])
gevent.joinall([gevent.spawn(work, n) for n in range(4)])
thread = threading.Thread(target=work, args=(1,)); thread.start(); thread.join()
reading, writing = os.pipe()
if os.fork() == 0:
    work(0); os.write(writing, json.dumps(drawn[-1]).encode()); os._exit(0)
os.wait()
print(json.dumps([*drawn, json.loads(os.read(reading, 4096))]))
"""

    def test_patched_programs_are_seeded(self, python: Path) -> None:
        told = [answer(python, "-c", self.CODE, env=SEVEN) for _ in "12"]
        assert told[0] == told[1]
        for drawn in zip(*told[0], strict=True):
            assert len(set(drawn)) == 6

    def test_nothing_that_it_patches_is_loaded_before_it(self, python: Path) -> None:
        code = """
import sys; print('threading' in sys.modules)
from gevent import monkey; monkey.patch_all(); import threading, random
print(monkey.is_module_patched('threading'), random.random())
"""
        done = run(python, "-W", "error", "-c", code, env=SEVEN)
        assert done.stdout.split()[:2] == ["False", "True"], done.stderr


class TestPytestRandomly:
    """`python -m pytest` with pytest-randomly and xdist; it seeds before each test itself."""

    TESTS = """
import json, os, pathlib, random, numpy, pytest
@pytest.mark.parametrize("n", range(8))
def test_draws(n):
    drawn = [random.random(), numpy.random.rand(), random.Random().random(),
             numpy.random.default_rng().random()]
    pathlib.Path(os.environ["TOLD"], f"{n}.json").write_text(json.dumps(drawn[:2]))
"""

    @pytest.mark.slow
    @pytest.mark.parametrize("workers", ["0", "2"])
    @pytest.mark.parametrize("reseed", ["honour", "mix"])
    def test_tests_pass_and_draw_the_same(
        self, python: Path, tmp_path: Path, workers: str, reseed: str
    ) -> None:
        (tmp_path / "test_it.py").write_text(self.TESTS)
        runs = []
        for number in ("1", "2"):
            told = tmp_path / number
            told.mkdir()
            done = run(
                python,
                *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", workers),
                *("--randomly-seed=1234", "test_it.py"),
                env={**SEVEN, "TOLD": str(told), "SEED_INIT_RESEED": reseed},
                cwd=tmp_path,
                timeout=180,
            )
            assert "8 passed" in done.stdout, done.stdout + done.stderr
            runs.append([(told / f"{n}.json").read_text() for n in range(8)])
        assert runs[0] == runs[1]


@pytest.mark.torch
class TestTorchCompile:
    CODE = """
import torch
def step(x):
    torch.manual_seed(3)
    return x + torch.rand(4)
plain = step(torch.zeros(4))
compiled = torch.compile(step, backend="eager")(torch.zeros(4))
noise = torch.compile(lambda x: torch.nn.functional.dropout(x), backend="eager")(torch.ones(64))
print(torch.equal(plain, compiled), noise.sum().item(), torch.seed() > 0)
"""

    @pytest.mark.parametrize("reseed", ["honour", "mix"])
    def test_with_the_eager_backend_gives_what_eager_gives(self, python: Path, reseed: str) -> None:
        env = {**SEVEN, "SEED_INIT_RESEED": reseed}
        one, two = (output(python, "-c", self.CODE, env=env, timeout=180) for _ in "12")
        assert one == two
        assert one.startswith("True")

    def test_gives_no_warning_for_our_sake(self, python: Path, tmp_path: Path) -> None:
        """It would trace into what stands in for random.seed, and stop there with a warning."""
        script = tmp_path / "compiled.py"
        script.write_text("""
import random, torch
def step(x):
    random.seed(4)
    return x + 1
print(torch.compile(step, backend="eager")(torch.ones(1)).item(), random.random())
""")
        done = run(python, script, env={**SEVEN, "SEED_INIT_LOG": "quiet"}, timeout=180)
        assert done.stdout == "2.0 0.23604808973743452\n"
        assert "Graph break" not in done.stderr

    def test_functions_that_stand_in_can_be_scripted(
        self, python: Path, bare: Path, tmp_path: Path
    ) -> None:
        script = tmp_path / "scripted.py"
        script.write_text("""
import torch
@torch.jit.script
def draw(n: int):
    torch.manual_seed(5)
    return torch.rand(n)
print(draw(3))
""")
        assert output(python, script, env=SEVEN) == output(bare, script)


class TestCopies:
    """Copying, pickling and restoring a generator gives the same numbers as before."""

    @pytest.mark.parametrize(
        "made",
        [
            "random.Random(5)",
            "random.Random()",
            "Dice(5)",
            "numpy.random.default_rng(5)",
            "numpy.random.default_rng()",
            "numpy.random.RandomState()",
            "numpy.random.Generator(numpy.random.Philox())",
            "numpy.random.Generator(numpy.random.SFC64(5))",
            "numpy.random.SeedSequence()",
        ],
    )
    def test_equal_the_original(self, python: Path, made: str) -> None:
        code = f"""
import copy, pickle, random, numpy
class Dice(random.Random):
    pass
def draw(one):
    if isinstance(one, numpy.random.SeedSequence): return list(one.generate_state(4))
    return one.random() if hasattr(one, "random") else one.rand()
one = {made}
draw(one)
copies = [copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))]
if isinstance(one, numpy.random.SeedSequence):
    copies += [numpy.random.SeedSequence(one.entropy)]
value = draw(one)
print(all(draw(other) == value for other in copies[1:]))
"""
        assert output(python, "-c", code, env=SEVEN) == "True"

    def test_do_not_move_the_numbers_of_the_next_generator(self, python: Path) -> None:
        code = """
import copy, pickle, random, sys, numpy
one, two = random.Random(), numpy.random.default_rng()
for _ in range(int(sys.argv[1])):
    copy.deepcopy([one, two]), pickle.loads(pickle.dumps(two))
print(random.Random().random(), numpy.random.default_rng().random())
"""
        assert output(python, "-c", code, "0", env=SEVEN) == output(
            python, "-c", code, "3", env=SEVEN
        )

    def test_a_pickle_loads_where_there_is_no_hook(self, python: Path, bare: Path) -> None:
        save = """
import pickle, random, sys, numpy
made = [random.Random(), numpy.random.default_rng(), numpy.random.SeedSequence()]
open(sys.argv[1], "wb").write(pickle.dumps(made))
print(pickle.loads(pickle.dumps(made))[0].random(), made[1].random(), made[2].entropy)
"""
        load = """
import pickle, sys
one, two, three = pickle.load(open(sys.argv[1], "rb"))
print(one.random(), two.random(), three.entropy)
"""
        path = str(Path(output(bare, "-c", "import tempfile; print(tempfile.mkdtemp())"), "made"))
        told = output(python, "-c", save, path, env=SEVEN)
        assert output(bare, "-c", load, path) == told


class TestSubclasses:
    def test_of_random_go_on_as_before(self, python: Path, bare: Path) -> None:
        """Those that take other arguments, seed otherwise, or bring their own source."""
        code = """
import random
class Loaded(random.Random):
    def __init__(self, bias, seed):
        self.bias = bias
        super().__init__(seed)
class Counted(random.Random):
    calls = 0
    def seed(self, a=None, version=2):
        self.calls += 1
        super().seed(a, version)
class Constant(random.Random):
    def random(self): return 0.25
    def seed(self, *arguments): pass
counted = Counted(5)
print(Loaded(3, 5).random(), Loaded(3, 5).choice(range(100)), counted.random(), counted.calls,
      Constant().uniform(0, 8), Constant(3).random(), random.Random(5).getrandbits(70))
"""
        assert output(python, "-c", code, env=SEVEN) == output(bare, "-c", code)

    def test_of_bit_generators_go_on_as_before(self, python: Path) -> None:
        """One that cannot be made from a seed alone is left alone over a fork."""
        code = """
import os, numpy
class Odd(numpy.random.PCG64):
    def __init__(self, name):
        super().__init__()
        self.name = name
held = numpy.random.Generator(Odd("x"))
if os.fork() == 0:
    print(held.random(), flush=True); os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]), held.random())
"""
        lines = output(python, "-c", code, env=SEVEN).splitlines()
        assert lines[1] == f"0 {lines[0]}"

    def test_generators_from_another_bit_generator(self, python: Path, bare: Path) -> None:
        code = """
import numpy
from numpy.random import Generator, MT19937, PCG64, Philox, SFC64, RandomState
print([Generator(kind(5)).random() for kind in (MT19937, PCG64, Philox, SFC64)],
      RandomState(PCG64(5)).rand(), Generator(PCG64(5).jumped(2)).random(),
      [one.random() for one in numpy.random.default_rng(5).spawn(2)])
"""
        assert output(python, "-c", code, env=SEVEN) == output(bare, "-c", code)


def test_classes_that_cannot_be_hashed_or_compared_are_no_trouble_at_a_fork(python: Path) -> None:
    """Everything that is alive is looked at, whatever its class does."""
    code = """
import os, numpy
class Odd(type):
    def __eq__(self, other): raise RuntimeError("compared")
    __hash__ = None
class One(metaclass=Odd):
    def __getattribute__(self, name): raise RuntimeError("asked")
held, kept = numpy.random.default_rng(), []
kept.append(One())
kept.append(kept)
if os.fork() == 0:
    print(held.random(), flush=True); os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]), held.random())
"""
    child, parent = output(python, "-c", code, env=SEVEN).splitlines()
    assert parent.startswith("0 ") and parent != f"0 {child}"


def test_a_subinterpreter_is_seeded_and_draws(python: Path) -> None:
    code = """
import random
try: import _xxsubinterpreters as interpreters
except ImportError: import _interpreters as interpreters
one = interpreters.create()
interpreters.run_string(one, '''
import random, tempfile
print(random.random(), random.Random().random(), flush=True)
random.seed(5)
''')
interpreters.destroy(one)
print(random.random(), random.Random().random())
"""
    first, second = output(python, "-c", code, env=SEVEN).splitlines()
    assert first == second


@pytest.mark.slow
def test_daemon_threads_may_make_generators_until_the_end(python: Path) -> None:
    code = """
import random, threading, numpy
def work():
    while True:
        random.Random().random(), numpy.random.default_rng().random(), random.seed()
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
import time; time.sleep(0.2)
"""
    for _ in range(3):
        done = run(python, "-c", code, env={**SEVEN, "SEED_INIT_LOG": "debug"})
        assert done.returncode == 0
        assert "Traceback" not in done.stderr


def test_many_threads_make_generators_at_once(python: Path) -> None:
    code = """
import random, threading, numpy
drawn = []
def work():
    for _ in range(200):
        drawn.append((random.Random().random(), numpy.random.default_rng().random()))
threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len({a for a, _ in drawn}), len({b for _, b in drawn}), hash(tuple(sorted(drawn))))
"""
    one, two = (output(python, "-c", code, env=SEVEN) for _ in "12")
    assert one == two and one.startswith("3200 3200 ")


@pytest.mark.slow
def test_a_million_generators_leave_nothing_behind(python: Path) -> None:
    """What is tracked goes with the generator."""
    code = """
import random, resource, numpy
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
def make(): random.Random(), numpy.random.default_rng()
for _ in range(2000): make()
before = peak()
for _ in range(60000): make()
print(peak() - before)
"""
    assert int(output(python, "-c", code, env=SEVEN, timeout=120)) < 4000  # KiB


def test_generators_that_are_gone_are_not_kept_for_the_next_fork(python: Path) -> None:
    code = """
import gc, os, numpy
def fork():
    if os.fork() == 0: os._exit(0)
    os.wait()
for _ in range(20):
    made = [numpy.random.default_rng() for _ in range(50)]
    fork()
del made
fork()
print(sum(type(one) is numpy.random.PCG64 for one in gc.get_objects()))
"""
    assert output(python, "-c", code, env=SEVEN) == "0"


def test_a_numpy_without_the_patch_point_is_said_and_works(fresh: Any) -> None:
    python = fresh("hooked")
    library = stdlib_of(python) / "seed_init/libraries/numpy.py"
    text = library.read_text()
    assert '"randbits"' in text
    library.unlink()
    library.write_text(text.replace('"randbits"', '"gone"'))
    for compiled in library.parent.rglob("numpy.*.pyc"):
        compiled.unlink()
    done = run(python, "-c", "import numpy; print(numpy.random.rand())", env=SEVEN)
    assert done.stdout == "0.07630828937395717\n"
    assert "generators without a seed stay unseeded" in done.stderr
