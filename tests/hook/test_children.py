"""Workers that a program makes for itself: streams of their own, the same in every run."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.interpreters import stdlib_of
from harness.processes import answer, output, run
from harness.sharing import once

from .support import program

METHODS = ("fork", "spawn", "forkserver")
Drawn = list[float]


def children(python: Path, how: str, method: str, *libraries: str, **env: str) -> Any:
    arguments = (program("children"), how, method, *(libraries or ("random", "numpy")))
    return answer(python, *arguments, env={"SEED": "7", **env})


def values(answer: dict[str, Any]) -> list[Drawn]:
    return [answer["parent"], *answer["children"].values()]


def assert_all_differ(drawn: list[Drawn]) -> None:
    """In each library no two processes draw the same."""
    for of_one_library in zip(*drawn, strict=True):
        assert len(set(of_one_library)) == len(drawn)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("how", ["process", "pool", "executor", "nested"])
def test_workers_get_distinct_streams_stable_from_run_to_run(
    python: Path, how: str, method: str
) -> None:
    told = children(python, how, method)
    assert len(told["children"]) == (9 if how == "nested" else 3)
    assert_all_differ(values(told))
    assert children(python, how, method) == told


def test_forked_children_get_distinct_streams_stable_from_run_to_run(python: Path) -> None:
    told = children(python, "os_fork", "none")
    assert len(told["children"]) == 6
    assert_all_differ(values(told))
    assert children(python, "os_fork", "none") == told


@pytest.mark.slow
def test_loky_workers_get_distinct_streams_stable_from_run_to_run(python: Path) -> None:
    told = children(python, "loky", "none")
    assert len(told["children"]) == 3
    assert_all_differ(values(told))
    assert children(python, "loky", "none") == told


COPIES = ("billiard", "multiprocess", "parallel")


def copies(python: Path, kept: Path, method: str, number: int = 0, **env: str) -> Any:
    """What the workers of several copies of multiprocessing draw; `number` asks for another run.

    "parallel" is a copy that nobody has heard of.
    """
    library = kept / "copies"
    once(kept, make_copy, str(python), str(library))
    return once(kept, run_copies, str(python), str(library), method, number, env)


def make_copy(python: str, library: str) -> None:
    source, target = stdlib_of(Path(python)) / "multiprocessing", Path(library, "parallel")
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    for file in target.glob("*.py"):
        # Its parts in C have an underscore.
        file.write_text(re.sub("(?<!_)multiprocessing", target.name, file.read_text()))


def run_copies(python: str, library: str, method: str, number: int, env: dict[str, str]) -> Any:
    env = {"SEED": "7", "PYTHONPATH": library, **env}
    return answer(python, program("copies"), method, *COPIES, env=env, timeout=120)


# What is drawn by the functions of `random` and NumPy, and from what is made in the worker; behind
# that is what the program holds from before, which a spawned worker makes anew.
MADE_THERE = slice(0, 4)


class TestCopiesOfMultiprocessing:
    @pytest.mark.slow
    @pytest.mark.parametrize("method", METHODS)
    def test_their_workers_get_distinct_streams(
        self, python: Path, kept: Path, method: str
    ) -> None:
        told = copies(python, kept, method)
        assert len(told) == 1 + 5 * len(COPIES)
        assert_all_differ([one["drawn"] for one in told.values()])

    @pytest.mark.slow
    def test_the_start_method_does_not_matter(self, python: Path, kept: Path) -> None:
        fork, spawn, forkserver = (
            {name: one["drawn"][MADE_THERE] for name, one in copies(python, kept, method).items()}
            for method in METHODS
        )
        assert fork == spawn == forkserver

    def test_the_streams_are_stable_from_run_to_run(self, python: Path, kept: Path) -> None:
        assert copies(python, kept, "fork") == copies(python, kept, "fork", 2)

    def test_their_workers_follow_the_seed(self, python: Path, kept: Path) -> None:
        seven, eight = (copies(python, kept, "fork", SEED=seed) for seed in ("7", "8"))
        assert_all_differ([one["drawn"] for told in (seven, eight) for one in told.values()])

    @pytest.mark.parametrize("method", METHODS)
    def test_no_worker_takes_itself_for_the_main_process(
        self, python: Path, kept: Path, method: str
    ) -> None:
        told = copies(python, kept, method)
        assert [name for name, one in told.items() if one["main"]] == ["parent"]

    @pytest.mark.slow
    def test_without_the_hook_spawned_workers_differ(self, python: Path, kept: Path) -> None:
        """So they must with the hook; and from run to run they do not repeat."""
        told = copies(python, kept, "spawn", SEED_INIT="0")
        drawn = [one["drawn"] for one in told.values()]
        assert_all_differ(drawn)
        seeded = [one["drawn"] for one in copies(python, kept, "spawn").values()]
        assert_all_differ(drawn + seeded)

    def test_children_are_clones_where_they_are_asked_to_be(self, python: Path) -> None:
        """billiard seeds `random` in a child that it has forked, as CPython does."""
        code = """
import billiard, multiprocess, numpy, random
def draw(queue): queue.put([random.random(), numpy.random.rand()])
def drawn(library, method):
    context = library.get_context(method)
    queue = context.SimpleQueue()
    process = context.Process(target=draw, args=(queue,))
    process.start(); process.join()
    return queue.get()
told = [drawn(library, "fork") for library in (billiard, multiprocess) for _ in "12"]
print([random.random(), numpy.random.rand()] == told[0] and told == [told[0]] * 4)
"""
        env = {"SEED": "7", "SEED_INIT_CHILDREN": "inherit"}
        assert output(python, "-c", code, env=env) == "True"

    @pytest.mark.torch
    def test_torch_is_seeded_with_the_stream_of_the_documented_path(
        self, python: Path, tmp_path: Path
    ) -> None:
        script = tmp_path / "second.py"
        script.write_text("""
import multiprocess
def draw(queue):
    import torch
    queue.put(torch.initial_seed())
if __name__ == "__main__":
    from seed_init.hook.streams import derive
    context = multiprocess.get_context("spawn")
    queue = context.SimpleQueue()
    _, second = [context.Process(target=draw, args=(queue,)) for _ in "12"]
    second.start(); second.join()
    print(queue.get() == derive(7, ("process", "multiprocess", 2)))
""")
        assert output(python, script, env={"SEED": "7"}) == "True"


WORKER = """
import json, sys, types
import random
hook = sys.modules.get("seed_init.hook")
print(json.dumps([random.random(), hook is not None and hook.state.is_main()]))
"""


class TestWorkersOfLibrariesThatTellThemNothing:
    """What a library starts as a program, and would draw what the main process draws."""

    @pytest.mark.parametrize(
        "command",
        [
            ("-m", "anyio.to_process"),
            ("-m", "ppft"),
            ("-c", "from strange.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)"),
        ],
    )
    def test_no_two_draw_alike(self, python: Path, tmp_path: Path, command: tuple[str]) -> None:
        """Their numbers are others in every run, as without the hook."""
        for file in ("anyio/to_process.py", "strange/spawn.py", "ppft.py"):
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).with_name("__init__.py").touch()
            (tmp_path / file).write_text(WORKER)
        (tmp_path / "strange/spawn.py").write_text(f"def spawn_main(**_): exec({WORKER!r})")
        env = {"SEED": "7", "PYTHONPATH": str(tmp_path)}
        traced = {**env, "SEED_INIT_TRACE": str(tmp_path / "trace")}
        told = [answer(python, *command, env=each) for each in (env, traced)]
        told.append(answer(python, "-c", WORKER, env=env))
        assert len({drawn for drawn, _ in told}) == 3
        assert [is_main for _, is_main in told] == [False, False, True]

    @pytest.mark.parametrize(
        ("command", "place"),
        [
            (("-c", "from multiprocessing.spawn import spawn_main; import random"), []),
            (("-m", "anyio.to_process"), ["worker", "anyio.to_process"]),
        ],
    )
    def test_a_trace_names_a_place_that_is_the_same_in_every_run(
        self, python: Path, tmp_path: Path, command: tuple[str], place: list[str]
    ) -> None:
        """`verify` pairs the processes of two runs by it."""
        (tmp_path / "anyio").mkdir()
        (tmp_path / "anyio/__init__.py").touch()
        (tmp_path / "anyio/to_process.py").write_text(WORKER)
        env = {"SEED": "7", "PYTHONPATH": str(tmp_path), "SEED_INIT_TRACE": str(tmp_path / "trace")}
        output(python, *command, env=env)
        (file,) = (tmp_path / "trace").glob("*.jsonl")
        assert json.loads(file.read_text().splitlines()[0])["path"] == place

    @pytest.mark.parametrize(
        "command",
        [("-m", "tools.spawn"), ("-c", "from tools.spawn import run; run()")],
    )
    def test_a_program_of_such_a_name_is_a_program(
        self, python: Path, tmp_path: Path, command: tuple[str]
    ) -> None:
        (tmp_path / "tools").mkdir()
        (tmp_path / "tools/spawn.py").write_text(WORKER + "def run(): pass")
        env = {"SEED": "7", "PYTHONPATH": str(tmp_path)}
        told = answer(python, *command, env=env)
        assert told == answer(python, "-c", WORKER, env=env)
        assert told[1] is True


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python tells its interpreters apart")
def test_each_interpreter_of_a_process_gets_a_stream_of_its_own(python: Path) -> None:
    code = """
import _interpreters, random
for _ in range(2):
    _interpreters.exec(_interpreters.create(), "import random; print(random.random(), flush=True)")
print(random.random())
"""
    lines = output(python, "-c", code, env={"SEED": "7"}).splitlines()
    assert len(set(lines)) == 3
    assert output(python, "-c", code, env={"SEED": "7"}).splitlines() == lines


def test_without_the_hook_forked_children_differ_from_run_to_run(bare: Path) -> None:
    """What the tests above would show if the hook did nothing."""
    told = children(bare, "process", "fork", "random")
    assert told != children(bare, "process", "fork", "random")


@pytest.mark.slow
def test_the_start_method_does_not_matter(python: Path) -> None:
    """A worker is known by its place among its siblings, whatever made it."""
    fork, spawn, forkserver = (children(python, "process", method) for method in METHODS)
    drawn = [sorted(told["children"].values()) for told in (fork, spawn, forkserver)]
    assert drawn[0] == drawn[1] == drawn[2]


def test_libraries_that_the_fork_server_has_imported_do_not_matter(python: Path) -> None:
    told = children(python, "process", "forkserver")
    assert children(python, "preload", "forkserver") == told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "method"), [("process", "fork"), ("process", "spawn"), ("os_fork", "none")]
)
def test_workers_follow_the_seed(python: Path, how: str, method: str) -> None:
    seven, eight = (children(python, how, method, SEED=seed) for seed in ("7", "8"))
    assert_all_differ(values(seven) + values(eight))


@pytest.mark.parametrize("how", ["process", "os_fork"])
def test_workers_do_not_disturb_their_parent(python: Path, how: str) -> None:
    told = children(python, how, "fork", "random", "numpy")
    code = "import random, numpy, json"
    code += "\nfor _ in range(2): print(json.dumps([random.random(), numpy.random.rand()]))"
    assert output(python, "-c", code, env={"SEED": "7"}).splitlines() == [
        str(told["parent"]),
        str(told["parent after"]),
    ]


@pytest.mark.torch
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_torch_gets_a_stream_of_its_own_in_each_worker(python: Path, method: str) -> None:
    told = children(python, "process", method, "torch", "random")
    assert_all_differ(values(told))
    if method == "fork":
        assert children(python, "process", method, "torch", "random") == told


class TestInherit:
    """SEED_INIT_CHILDREN=inherit: children are clones, as without the hook."""

    def test_where_nothing_is_seeded_the_platform_does_what_it_does(self, python: Path) -> None:
        code = """
import os, random
random.seed(5)
for _ in range(2):
    if os.fork() == 0:
        print(random.random(), flush=True); os._exit(0)
    os.wait()
"""
        env = {"SEED": "off", "SEED_INIT_CHILDREN": "inherit"}
        assert len(set(output(python, "-c", code, env=env).split())) == 2

    @pytest.mark.parametrize(
        ("how", "method"), [("process", "fork"), ("pool", "fork"), ("os_fork", "none")]
    )
    def test_forked_children_go_on_where_their_parent_is(
        self, python: Path, how: str, method: str
    ) -> None:
        """Of `random` as well, which CPython reseeds from the OS in a forked child."""
        told = children(python, how, method, SEED_INIT_CHILDREN="inherit")
        for child, drawn in told["children"].items():
            # A grandchild goes on where its parent is, which has drawn once.
            assert child.endswith(".0") or drawn == told["parent after"]
        assert children(python, how, method, SEED_INIT_CHILDREN="inherit") == told

    @pytest.mark.parametrize("how", ["process", "pool"])
    def test_spawned_children_start_like_their_parent(self, python: Path, how: str) -> None:
        told = children(python, how, "spawn", SEED_INIT_CHILDREN="inherit")
        assert list(told["children"].values()) == [told["parent"]] * 3

    def test_children_of_a_fork_server_start_like_their_parent(self, python: Path) -> None:
        for how in ("process", "preload"):
            told = children(python, how, "forkserver", SEED_INIT_CHILDREN="inherit")
            assert list(told["children"].values()) == [told["parent"]] * 3


@pytest.mark.slow
@pytest.mark.parametrize("tree", range(6))
def test_no_two_processes_of_a_tree_share_a_stream(python: Path, tree: int) -> None:
    """Forks, processes, threads that fork, other programs and new seeds, in any order."""
    env = {"SEED": "7", "SEED_INIT_LOG": "quiet"}
    told = answer(python, program("process_tree"), str(tree), env=env)
    places = [(tuple(path), seed) for path, seed, *_ in told]
    assert len(set(places)) == len(places) > 5
    assert all(random_is_right and numpy_is_right for *_, random_is_right, numpy_is_right in told)
    assert answer(python, program("process_tree"), str(tree), env=env) == told


def test_forks_of_a_multiprocessing_worker_get_streams_of_their_own(python: Path) -> None:
    code = """
import multiprocessing, os, random
def work():
    print(random.random(), flush=True)
    for _ in range(3):
        if os.fork() == 0:
            print(random.random(), flush=True); os._exit(0)
        os.wait()
for _ in range(2):
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start(); process.join()
"""
    lines = output(python, "-c", code, env={"SEED": "7"}).splitlines()
    assert len(set(lines)) == 8
    assert output(python, "-c", code, env={"SEED": "7"}).splitlines() == lines


class TestSignals:
    @pytest.mark.slow
    def test_what_a_handler_raises_around_a_fork_reaches_the_program(self, python: Path) -> None:
        """Here while the fork waits for a thread that draws."""
        code = """
import numpy, os, signal, threading, time
def alarm(*_): raise TimeoutError("mine")
signal.signal(signal.SIGALRM, alarm)
threading.Thread(target=lambda: numpy.random.rand(60_000_000), daemon=True).start()
time.sleep(0.1)
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    if os.fork() == 0:
        os._exit(0)
    os.wait(); time.sleep(20)
except TimeoutError as error:
    print("caught", error)
finally:
    print("finally")
"""
        env = {"SEED": "7", "SEED_INIT_LOG": "quiet"}
        assert output(python, "-c", code, env=env).split() == ["caught", "mine", "finally"]

    @pytest.mark.slow
    def test_a_handler_may_fork(self, python: Path) -> None:
        """In the middle of our preparing another fork, too."""
        code = """
import os, random, signal, time
reading, writing = os.pipe()
def child():
    if os.fork() == 0:
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.write(writing, f"{random.random()}\\n".encode()); os._exit(0)
signal.signal(signal.SIGALRM, lambda *_: child())
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
end = time.monotonic() + 2
while time.monotonic() < end:
    child()
    try: os.wait()
    except InterruptedError: pass
signal.setitimer(signal.ITIMER_REAL, 0)
try:
    while True: os.wait()
except ChildProcessError: os.close(writing)
drawn = os.fdopen(reading).read().split()
print(len(drawn) > 50, len(drawn) - len(set(drawn)))
"""
        assert output(python, "-c", code, env={"SEED": "7"}) == "True 0"


@pytest.mark.torch
def test_where_nothing_is_seeded_a_fork_changes_nothing(python: Path, bare: Path) -> None:
    """SEED=off; a thread is alive, which would otherwise be asked whether it draws."""
    code = """
import os, threading, torch
torch.manual_seed(0)
threading.Thread(target=threading.Event().wait, daemon=True).start()
if os.fork() == 0:
    print(torch.rand(2).tolist(), flush=True); os._exit(0)
os.wait(); print(torch.rand(2).tolist(), flush=True); os._exit(0)
"""
    told = output(python, "-c", code, env={"SEED": "off"})
    assert told == output(bare, "-c", code)


@pytest.mark.slow
def test_a_fork_has_the_stream_of_its_documented_path(python: Path) -> None:
    """However many there are, and from the new seed right after `reseed`."""
    code = """
import json, os, random, numpy, seed_init
from seed_init.hook.streams import derive
def drawn():
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps([random.random(), numpy.random.rand()]).encode())
        os._exit(0)
    os.wait()
    return json.loads(os.read(reading, 100))
told = [drawn() for _ in range(40)]
seed_init.reseed(9)
told += [drawn() for _ in range(3)]
wanted = []
for seed, number in [(7, k) for k in range(1, 41)] + [(9, k) for k in range(41, 44)]:
    value = derive(seed, ("fork", number))
    wanted.append([random.Random(value).random(), numpy.random.RandomState(value).rand()])
print(told == wanted)
"""
    assert output(python, "-c", code, env={"SEED": "7"}) == "True"


def test_forks_of_single_and_many_threads_are_numbered_on(python: Path) -> None:
    code = """
import os, random, threading
drawn = []
def fork():
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, str(random.random()).encode()); os._exit(0)
    drawn.append(os.read(reading, 100))
def fork_often():
    for _ in range(5): fork()
for _ in range(3):
    fork(); fork()
    threads = [threading.Thread(target=fork_often) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(len(drawn), len(set(drawn)), hash(tuple(sorted(drawn))))
"""
    env = {"SEED": "7", "SEED_INIT_LOG": "quiet"}
    one, two = (output(python, "-c", code, env=env) for _ in "12")
    assert one == two and one.startswith("66 66 ")


@pytest.mark.torch
@pytest.mark.parametrize("before", ["pass", "torch.cuda.manual_seed_all(3)"])
def test_a_forked_child_seeds_a_cuda_that_starts_there(python: Path, before: str) -> None:
    """As torch.manual_seed would; also where the parent has queued a seed of its own."""
    code = f"""
import os, torch, seed_init
{before}
if os.fork() == 0:
    [(call, _)] = [one for one in torch.cuda._lazy_seed_tracker.get_calls() if one]
    seeded = []
    class Generator:
        manual_seed = seeded.append
    torch.cuda.default_generators = (Generator, Generator)
    call()
    print(seeded == [seed_init.seed()] * 2 and torch.initial_seed() == seed_init.seed() != 7,
          flush=True)
    os._exit(0)
os.wait()
"""
    assert output(python, "-c", code, env={"SEED": "7"}) == "True"


def test_another_global_bit_generator_of_numpy_is_seeded_as_well(python: Path) -> None:
    """numpy.random.seed refuses every kind but its own."""
    code = """
import json, os, numpy, seed_init
numpy.random.set_bit_generator(numpy.random.PCG64(1))
for _ in range(2):
    if os.fork() == 0:
        print(numpy.random.rand(), flush=True); os._exit(0)
    os.wait()
print(numpy.random.rand()); seed_init.reseed(); print(numpy.random.rand())
"""
    lines = output(python, "-c", code, env={"SEED": "7"}).splitlines()
    assert len(set(lines)) == 4
    assert output(python, "-c", code, env={"SEED": "7"}).splitlines() == lines


def test_a_forked_thread_pool_keeps_count(python: Path) -> None:
    """Threads that fork at the same time number their children apart, and without gaps."""
    told = answer(python, program("forking_threads"), env={"SEED": "7"})
    code = "import json, random; from seed_init.hook.streams import derive; print(json.dumps(["
    code += "random.Random(derive(7, ('fork', number))).random() for number in range(1, 15)]))"
    assert sorted(told) == sorted(answer(python, "-c", code))


def test_workers_of_forked_children_get_distinct_streams(python: Path) -> None:
    """A spawned worker is told its place in full, that of its parent included."""
    fork, spawn = (
        answer(python, program("tree_under_forks"), method, env={"SEED": "7"})
        for method in ("fork", "spawn")
    )
    assert fork == spawn
    assert len(set(fork)) == 3


def test_a_fork_waits_for_a_thread_that_loads_what_the_fork_needs(python: Path) -> None:
    """A module that is being loaded is in `sys.modules`, without its functions."""
    code = """
import os, sys, threading, time
from importlib.machinery import SourceFileLoader as Loader
run, loading = Loader.exec_module, threading.Event()
def slowly(self, module):
    if module.__name__ == "seed_init.hook.children":
        loading.set()
        time.sleep(0.5)
    run(self, module)
Loader.exec_module = slowly
threading.Thread(target=__import__, args=("random",)).start()
loading.wait(20)
child = os.fork()
if child == 0:
    os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = run(python, "-c", code, env={"SEED": "7"})
    assert (done.stdout, done.stderr, done.returncode) == ("3\n", "", 0)


@pytest.mark.torch
@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("how", ["bare", "pool", "subprocess"])
def test_a_child_forked_while_a_thread_draws_does_not_hang(
    python: Path, how: str, library: str
) -> None:
    """Seeding takes the lock that the thread held, and nobody in the child lets it go."""
    env = {"SEED": "7", "SEED_INIT_LOG": "quiet"}
    assert output(python, program("forks_while_drawing"), how, library, env=env) == "done"


def test_a_lock_that_a_fork_would_take_with_it_is_waited_for_in_vain_and_left(python: Path) -> None:
    code = """
import os, numpy.random
lock = numpy.random.mtrand._rand._bit_generator.lock
with lock:
    if os.fork() == 0:
        os._exit(5)
print(os.waitstatus_to_exitcode(os.wait()[1]), lock.locked())
"""
    assert output(python, "-c", code, env={"SEED": "7", "SEED_INIT_LOG": "quiet"}) == "5 False"


@pytest.mark.torch
def test_a_lock_lost_in_one_fork_is_not_waited_for_in_the_next(python: Path) -> None:
    code = """
import os, torch
from seed_init.libraries.torch import library
library.lock_generators = lambda: True
library.is_locked = lambda: True
import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()
if os.fork() == 0:
    library.lock_generators = lambda: os._exit(9)
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
os._exit(0)
"""
    done = run(python, "-c", code, env={"SEED": "7"})
    assert done.stdout == "0\n"
    not_seeded = "torch is not seeded in this child: another thread drew from it at the fork"
    assert done.stderr.splitlines()[1:] == [f"seed_init: {not_seeded}"] * 2


def test_programs_that_subprocess_starts_do_not_number_the_children(python: Path) -> None:
    code = """
import os, random, subprocess, sys
for _ in range(int(sys.argv[1])):
    subprocess.run(["true"], preexec_fn=os.setsid)
if os.fork() == 0:
    print(random.random(), flush=True); os._exit(0)
os.wait()
"""
    drawn = {output(python, "-c", code, count, env={"SEED": "7"}) for count in ("0", "3")}
    assert len(drawn) == 1


def test_forks_in_c_that_tell_only_the_child_do_not_draw_alike(python: Path) -> None:
    """uWSGI forks its workers so. Nobody has numbered them; `reseed` makes them repeat."""
    code = """
import ctypes, json, os, random, seed_init
for number in range(3):
    if ctypes.PyDLL(None).fork() == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        told = [random.random(), seed_init.status()["path"][:2]]
        seed_init.reseed(number)
        print(json.dumps([*told, random.random()]), flush=True); os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
"""
    told = []
    for _ in "12":
        lines = output(python, "-c", code, env={"SEED": "7"}).splitlines()
        told.append(list(zip(*map(json.loads, lines), strict=True)))
    (drawn, places, again), (others, _, repeated) = told
    assert len({*drawn, *others}) == 6
    assert places == (["fork", 0],) * 3
    assert again == repeated and len(set(again)) == 3


def test_a_library_first_imported_in_a_worker_is_seeded_there(python: Path) -> None:
    told = [answer(python, program("late_import"), env={"SEED": "7"}) for _ in range(2)]
    assert told[0] == told[1]
    assert len(set(told[0])) == 3


@pytest.mark.slow
def test_no_worker_says_anything(python: Path) -> None:
    for method in METHODS:
        arguments = (program("children"), "process", method, "numpy")
        done = run(python, *arguments, env={"SEED": "7"})
        assert done.stderr == "seed_init: SEED=7 (environment), DETERMINISM=warn\n"


def loader(python: Path, *arguments: str, **env: str) -> Any:
    return answer(python, program("loader"), *arguments, env={"SEED": "7", **env})


@pytest.mark.torch
class TestDataLoader:
    def test_forked_workers_draw_what_they_draw_under_explicit_seeding(
        self, python: Path, bare: Path
    ) -> None:
        """PyTorch seeds them, after us."""
        told = loader(python, "fork", "0")
        assert_all_differ([told[0][0], told[0][1], told[1][0], told[1][1]])
        assert told == loader(bare, "fork", "0", BY_HAND="1")

    def test_spawned_workers_draw_what_forked_ones_draw(self, python: Path) -> None:
        assert loader(python, "spawn", "0") == loader(python, "fork", "0")

    def test_persistent_workers_go_on_in_the_second_epoch(self, python: Path) -> None:
        told = loader(python, "fork", "1")
        assert_all_differ([told[0][0], told[0][1], told[1][0], told[1][1]])
        assert told == loader(python, "fork", "1")


def ranks(python: Path, directory: Path, **env: str) -> tuple[list[Drawn], str]:
    """What each of two ranks of torchrun draws, and their stderr."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    env = {"SEED": "7", "OMP_NUM_THREADS": "1", **env}
    done = run(python, *launcher, program("rank"), directory, env=env)
    assert done.returncode == 0, done.stderr
    return [json.loads((directory / f"{rank}.json").read_text()) for rank in "01"], done.stderr


@pytest.mark.torch
class TestRanks:
    def test_of_torchrun_draw_the_same_by_default(self, python: Path, tmp_path: Path) -> None:
        told, stderr = ranks(python, tmp_path)
        by_hand = "import torch, random; torch.manual_seed(7); random.seed(7)"
        by_hand += "; print([random.random(), torch.rand(1).item()])"
        assert [str(one) for one in told] == [output(python, "-c", by_hand, env={"SEED": "7"})] * 2
        for rank in range(2):
            line = "seed_init: SEED=7 (environment), DETERMINISM=warn, "
            assert stderr.count(f"{line}rank {rank} of 2 (same streams)\n") == 1

    def test_of_torchrun_draw_apart_where_asked(self, python: Path, tmp_path: Path) -> None:
        told, _ = ranks(python, tmp_path, SEED_INIT_RANKS="distinct")
        assert_all_differ(told)
        by_hand = "import torch, random; from seed_init.hook.streams import derive\n"
        by_hand += "for rank in range(2): torch.manual_seed(derive(7, ('rank', rank))); "
        by_hand += "random.seed(derive(7, ('rank', rank))); "
        by_hand += "print([random.random(), torch.rand(1).item()])"
        assert [str(one) for one in told] == output(
            python, "-c", by_hand, env={"SEED": "7"}
        ).splitlines()


@pytest.mark.parametrize(
    ("variable", "size"),
    [
        ("RANK", "WORLD_SIZE"),
        ("SLURM_PROCID", "SLURM_NTASKS"),
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
        ("PMI_RANK", "PMI_SIZE"),
        ("PMIX_RANK", "SLURM_NTASKS"),
        ("SUBMITIT_LOCAL_GLOBALID", "SUBMITIT_LOCAL_NTASKS"),
    ],
)
def test_a_rank_is_known_by_its_launchers_variable(python: Path, variable: str, size: str) -> None:
    code = "import numpy.random, seed_init; print(seed_init.seed(), seed_init.status()['rank'])"
    derived = "from seed_init.hook.streams import derive; print(derive(7, ('rank', 3)))"
    env = {"SEED": "7", variable: "3", size: "4"}
    same = run(python, "-c", code, env=env)
    assert same.stdout == "7 3\n"
    assert same.stderr.endswith(", rank 3 of 4 (same streams)\n")
    distinct = run(python, "-c", code, env={**env, "SEED_INIT_RANKS": "distinct"})
    assert distinct.stdout == f"{output(python, '-c', derived)} 3\n"
    assert distinct.stderr.endswith(", rank 3 of 4 (distinct streams)\n")


def test_a_batch_script_of_slurm_is_no_rank_and_mpirun_in_it_counts(python: Path) -> None:
    """sbatch sets SLURM_PROCID=0 in the script, and all that it starts without srun inherit it."""

    def rank(**env: str) -> str:
        code = "import seed_init; print(seed_init.status()['rank'])"
        return output(python, "-c", code, env={"SEED": "7", "SLURM_PROCID": "0", **env})

    assert rank(SLURM_NTASKS="4") == "None"
    assert rank(SLURM_STEP_ID="0") == "0"
    # mpirun starts one daemon on each machine by srun, whose variables the ranks inherit.
    assert rank(SLURM_STEP_ID="0", OMPI_COMM_WORLD_RANK="3") == "3"


@pytest.mark.parametrize("rank", ["", "x", "-1", "1.0", "٣", "9" * 5000])
def test_a_rank_that_is_no_number_is_no_rank(python: Path, rank: str) -> None:
    code = "import seed_init; print(seed_init.status()['rank'])"
    env = {"SEED": "7", "RANK": rank, "SEED_INIT_RANKS": "distinct"}
    assert output(python, "-c", code, env=env) == "None"
