"""Each perturbation reaches the program, and changes nothing else in it."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.processes import output
from harness.waiting import until
from seed_init.proof.running import busy_cpus, conditions
from seed_init.proof.running.conditions import Condition

from .support import are_gone, kill, run, starting, stdout, with_variable

SENSITIVE = """
import json, os, random, sys, tempfile, time
from pathlib import Path

def parents():
    found = {}
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            stat = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(pid)] = int(stat[1])
    return found

def siblings():
    # What runs beside this process's keeper, started by the same one.
    found = parents()
    return list(found.values()).count(found[os.getppid()]) - 1

def hours():
    # How far the clock is from the one of the file system, which nothing can change here.
    Path(tempfile.gettempdir(), "now").touch()
    return round((time.time() - Path(tempfile.gettempdir(), "now").stat().st_mtime) / 3600)

random.seed(3)
print(json.dumps({
    "address layout": id(object()),
    "hash seed": hash("a text"),
    "listing order": os.listdir("data"),
    "CPU load": siblings(),
    "temporary directory": tempfile.gettempdir(),
    "start time": hours(),
    "nothing": [sorted(os.listdir("data")), random.random(), sorted({"b", "a"}), sys.path],
}))
"""


@pytest.fixture(autouse=True)
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place of this test's own: beside another run the directory would get another name.

    Not below tmp_path, whose name is too long for the sockets in it.
    """
    with tempfile.TemporaryDirectory(prefix="conditions-") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with data in it."""
    (tmp_path / "data").mkdir()
    for name in ("one.txt", "two.txt", "three.txt", "four.txt"):
        (tmp_path / "data" / name).touch()
    return tmp_path


def changing(*names: str, variant: int = 1) -> Condition:
    return Condition("changed", names, variant=variant)


def told(
    place: Path, python: Path, condition: Condition, source: str = SENSITIVE, **options: Any
) -> Any:
    done = run(place, python, "-c", source, condition=condition, **options)
    assert done.status == 0, done.last_errors()
    return json.loads(stdout(done))


needs_layout = pytest.mark.skipif(
    not conditions.can_fix_layout(), reason="address randomisation cannot be switched off here"
)


@needs_layout
def test_two_base_runs_see_the_same_in_everything(place: Path, python: Path) -> None:
    first, second = (told(place, python, conditions.base()) for _ in range(2))
    assert first == second
    assert first["CPU load"] == first["start time"] == 0


@needs_layout
@pytest.mark.parametrize("name", conditions.PERTURBATIONS)
def test_a_perturbation_changes_what_it_names_and_nothing_else(
    place: Path, python: Path, name: str
) -> None:
    base, changed = (
        told(place, python, condition) for condition in (conditions.base(), changing(name))
    )
    # Addresses: what lets a process see another world lies in its memory, too.
    differ = {key for key in base if base[key] != changed[key]}
    assert differ | {conditions.LAYOUT} == {name, conditions.LAYOUT}
    assert name in differ
    for key, wanted in (("CPU load", busy_cpus.cpus()), ("start time", 25)):
        assert changed[key] == (wanted if key == name else 0)
    assert sorted(base["listing order"]) == sorted(changed["listing order"])


def test_all_of_them_at_once_leave_an_insensitive_program_alone(place: Path, python: Path) -> None:
    base, changed = (
        told(place, python, condition) for condition in (conditions.base(), conditions.perturbed(1))
    )
    assert {key for key in base if base[key] == changed[key]} == {"nothing"}


@pytest.mark.slow
def test_two_runs_of_a_perturbed_condition_and_its_single_changes_agree(
    place: Path, python: Path
) -> None:
    """Else the condition that finds which change counts would not change it in the same way."""
    condition = conditions.perturbed(variant=2)
    whole = told(place, python, condition)
    assert [each.name for each in conditions.single_changes(condition)] == list(
        conditions.PERTURBATIONS
    )
    for single in conditions.single_changes(condition):
        if single.name not in (conditions.LAYOUT, conditions.LOAD):  # random, and a count
            assert told(place, python, single)[single.name] == whole[single.name]
    for name in (conditions.HASH_SEED, conditions.LISTING, conditions.TEMPORARY, conditions.START):
        assert whole[name] != told(place, python, changing(name))[name]


def test_the_hash_seed_is_fixed_where_the_user_has_none_and_is_the_users_otherwise(
    place: Path,
) -> None:
    show = ("sh", "-c", "echo $PYTHONHASHSEED")
    for given, base, changed in (
        (None, "0", "1"),
        ("random", "0", "1"),
        ("5", "5", "6"),
        ("4294967295", "4294967295", "0"),
    ):
        env = {"PYTHONHASHSEED": given}
        assert stdout(run(place, *show, env=env)).decode().strip() == base
        done = run(place, *show, env=env, condition=changing(conditions.HASH_SEED))
        assert stdout(done).decode().strip() == changed


LISTING = """
import glob, json, os, pickle, shutil
from pathlib import Path

def scanned(path):
    with os.scandir(path) as entries:
        found = [(entry.name, entry.is_file(), entry.stat().st_size) for entry in entries]
        assert next(entries, None) is None
    return [os.fsdecode(name) for name, is_file, _ in found if is_file]

opened = os.open("data", os.O_RDONLY)
os.chdir("data")
ways = {
    "listdir()": os.listdir(),
    "listdir(None)": os.listdir(None),
    "listdir(path=)": os.listdir(path=Path.cwd()),
    "listdir(bytes)": [os.fsdecode(name) for name in os.listdir(b".")],
    "listdir(fd)": os.listdir(opened),
    "scandir()": scanned(None),
    "scandir(bytes)": scanned(b"."),
    "scandir(fd)": scanned(opened),
    "walk": next(os.walk("."))[2],
    "fwalk": next(os.fwalk("."))[2],
    "glob": glob.glob("*"),
    "rglob": [path.name for path in Path().rglob("*")],
    "Path.glob": [path.name for path in Path().glob("*.txt")],
    "iterdir": [path.name for path in Path().iterdir()],
}
for wrong, error in (("missing", FileNotFoundError), (1.5, TypeError)):
    for function in (os.listdir, os.scandir):
        try:
            function(wrong)
        except error:
            continue
        raise AssertionError(function)
assert pickle.loads(pickle.dumps(os.listdir)) is os.listdir
assert {os.listdir, os.scandir} <= os.supports_fd
assert shutil.rmtree.avoids_symlink_attacks
os.scandir(".").close()
print(json.dumps(ways))
"""


def test_every_way_to_list_a_directory_gives_the_same_other_order(
    place: Path, python: Path
) -> None:
    base = told(place, python, conditions.base(), LISTING)
    changed = told(place, python, changing(conditions.LISTING), LISTING)
    order = {json.dumps(names) for names in changed.values()}
    assert len(order) == 1, changed
    for way, names in changed.items():
        assert sorted(names) == sorted(base[way])
        assert names[0] != base[way][0]


def test_a_directory_of_two_is_always_turned_round(place: Path, python: Path) -> None:
    for number in range(8):
        (place / f"pair-{number}").mkdir()
        for name in ("a", "b"):
            (place / f"pair-{number}" / f"{name}{number}").touch()
    source = "import json, os; print(json.dumps([os.listdir(f'pair-{i}') for i in range(8)]))"
    base = told(place, python, conditions.base(), source)
    changed = told(place, python, changing(conditions.LISTING), source)
    assert changed == [names[::-1] for names in base]


IMPORTING = """
import json, os, pkgutil, sys, sysconfig
from importlib import metadata, resources
import package.first, package.second
print(json.dumps([
    [(each.metadata["Name"], str(each.locate_file(""))) for each in metadata.distributions()],
    [point.name for point in metadata.entry_points(group="console_scripts")],
    [each.name for each in pkgutil.iter_modules()],
    os.listdir(sysconfig.get_path("stdlib")),
    os.listdir(os.path.join(sysconfig.get_path("stdlib"), "json")),
    package.__path__ and [name for name in sys.modules if name.startswith("package")],
]))
"""


def test_imports_and_the_directories_of_python_keep_their_order(place: Path, python: Path) -> None:
    (place / "package").mkdir()  # a namespace package: found by looking into directories
    for name in ("first", "second"):
        (place / f"package/{name}.py").write_text(f"NAME = {name!r}")
    base, changed = (
        told(place, python, condition, IMPORTING)
        for condition in (conditions.base(), changing(conditions.LISTING))
    )
    assert len(base[0]) > 20
    assert base == changed


CLOCK = """
import json, time
from datetime import date, datetime
ways = {
    "time": time.time(),
    "time_ns": time.time_ns() / 1e9,
    "clock_gettime": time.clock_gettime(time.CLOCK_REALTIME),
    "clock_gettime_ns": time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9,
    "localtime": time.mktime(time.localtime()),
    "localtime(None)": time.mktime(time.localtime(None)),
    "gmtime": time.mktime(time.gmtime()),
    "strftime": time.mktime(time.strptime(time.strftime("%Y %j %H:%M:%S"), "%Y %j %H:%M:%S")),
    "ctime": time.mktime(time.strptime(time.ctime())),
    "asctime": time.mktime(time.strptime(time.asctime())),
}
given = [time.ctime(0), time.asctime(time.gmtime(0)), time.gmtime(5).tm_sec, time.localtime(7)[5],
         time.strftime("%Y", time.gmtime(0))]
measured = [time.monotonic(), time.clock_gettime(time.CLOCK_MONOTONIC), time.perf_counter()]
print(json.dumps([ways, given, measured, datetime.now().timestamp()]))
"""


def test_the_clock_of_the_module_time_is_shifted_in_every_way_to_ask_it(
    place: Path, python: Path
) -> None:
    base, _, before, now = told(place, python, conditions.base(), CLOCK, env={"TZ": "UTC"})
    changed, given, measured, true = told(
        place, python, changing(conditions.START), CLOCK, env={"TZ": "UTC"}
    )
    assert conditions.CLOCK_SHIFT == 25 * 3600 + 60 + 1
    for way in base:
        # A shift of 25 hours, and the seconds between the two runs; those are fewer than 30 min.
        assert 0 <= changed[way] - base[way] - conditions.CLOCK_SHIFT + 1 < 1800, way
        assert abs(base[way] - now) < 2
    # A time that is given is not shifted, nor what measures, nor (documented) datetime.
    epoch = "Thu Jan  1 00:00:00 1970"
    assert given == [epoch, epoch, 5, 7, "1970"]
    assert all(0 <= after - ahead < 1800 for ahead, after in zip(before, measured))
    assert 0 <= true - now < 1800


MAPS = """
import json, re
found = {}
for line in open("/proc/self/maps"):
    for name in ("[heap]", "[stack]", "libc", "/bin/"):
        if name in line:
            found.setdefault(name, line.split("-")[0])
print(json.dumps(found))
"""


@needs_layout
def test_the_layout_is_fixed_in_the_base_condition_and_random_where_that_is_changed(
    place: Path, python: Path
) -> None:
    base = [told(place, python, conditions.base(), MAPS) for _ in range(2)]
    changed = [told(place, python, changing(conditions.LAYOUT), MAPS) for _ in range(2)]
    assert base[0] == base[1]
    for name in base[0]:
        assert len({base[0][name], changed[0][name], changed[1][name]}) == 3, name
    assert run(place, "true").layout == "fixed"
    assert run(place, "true", condition=changing(conditions.LAYOUT)).layout == "random"
    assert conditions.limits(conditions.perturbed(1)) == []


SET = """
import json
class Thing:
    def __init__(self, name):
        self.name = name
class Small:
    __slots__ = ()
# The first few objects of a process lie in holes that start-up leaves after the perturbation.
kept = [Thing(name) for name in range(64)], [Small() for _ in range(64)]
things = {Thing(name) for name in "abcdefgh"}
smalls = [Small() for _ in range(8)]
print(json.dumps([
    "".join(thing.name for thing in things),
    [smalls.index(small) for small in set(smalls)],
]))
"""


@needs_layout
def test_small_sets_of_objects_come_in_another_order_where_the_layout_is_changed(
    place: Path, python: Path
) -> None:
    """Randomised addresses alone do not change it: the bits that count lie within a page."""
    base = [told(place, python, conditions.base(), SET) for _ in range(2)]
    assert base[0] == base[1]
    every = [
        told(place, python, changing(conditions.LAYOUT, variant=variant), SET)
        for variant in (1, 2, 3, 4)
    ]
    for which in (0, 1):
        # Not against the base run: it lacks the instrument, whose own objects move the others.
        assert len({str(each[which]) for each in every}) > 1  # two may agree by chance


def test_a_layout_that_cannot_be_fixed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "can_fix_layout", lambda: False)
    assert conditions.limits(conditions.base()) == []
    (line,) = conditions.limits(conditions.perturbed(1))
    assert line.startswith("address layout: randomisation cannot be switched off here")


def test_a_run_goes_on_where_the_kernel_forbids_a_fixed_layout(place: Path, python: Path) -> None:
    """As Docker's default seccomp profile does; here by a filter that forbids personality."""
    filtered = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
PERSONALITY, ALLOW, EPERM = 135, 0x7FFF0000, 0x00050000 | 1
# Load the number of the call and its argument; let the question 0xffffffff through.
program = [(0x20, 0, 0, 0), (0x15, 0, 3, PERSONALITY), (0x20, 0, 0, 16),
           (0x15, 1, 0, 0xFFFFFFFF), (0x06, 0, 0, EPERM), (0x06, 0, 0, ALLOW)]
code = b"".join(struct.pack("HBBI", *each) for each in program)
buffer = ctypes.create_string_buffer(code)
head = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.create_string_buffer(head), 0, 0) == 0, ctypes.get_errno()
from pathlib import Path
from seed_init.proof.running import conditions, runner as running
done = running.run(["true"], conditions.base(), Path("run"), plan={"instruments": []})
lines = conditions.limits(conditions.perturbed(1))
print(done.status, done.layout, conditions.can_fix_layout(), len(lines))
"""
    with starting(filtered, place) as process:
        printed, errors = process.communicate(timeout=60)
    assert printed.split() == ["0", "random", "False", "1"], errors


TRAINING = """
import hashlib, json, os, torch
from torch.utils.data import DataLoader, TensorDataset

names = sorted(os.listdir("data"))
features = torch.randn(64, len(names))
loader = DataLoader(TensorDataset(features, features.sum(1)), 16, shuffle=True, num_workers=2)
layers = [torch.nn.Linear(len(names), 8), torch.nn.Dropout(), torch.nn.Linear(8, 1)]
model = torch.nn.Sequential(*layers)
optimizer = torch.optim.AdamW(model.parameters())
for feature, target in loader:
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(feature).squeeze(1), target).backward()
    optimizer.step()
content = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
print(json.dumps(hashlib.sha256(content).hexdigest()))
"""


@pytest.mark.torch
def test_a_training_with_workers_is_the_same_in_every_condition(place: Path, python: Path) -> None:
    plan = {"instruments": ["steps", "end"]}
    every = (
        conditions.base(),
        conditions.perturbed(1),
        Condition("without hooks", (conditions.LISTING,), observed=False),
    )
    base, *others = (told(place, python, condition, TRAINING, plan=plan) for condition in every)
    assert others == [base, base]


TEMPORARY = """
import json, multiprocessing.connection, os, tempfile
place = tempfile.gettempdir()
listener = multiprocessing.connection.Listener(family="AF_UNIX")
print(json.dumps([place, os.listdir(place)]))
open(os.path.join(place, "left"), "w").close()
"""


def test_every_run_has_an_empty_temporary_directory_that_is_removed_afterwards(
    place: Path, python: Path
) -> None:
    base = [told(place, python, conditions.base(), TEMPORARY) for _ in range(2)]
    changed = told(place, python, changing(conditions.TEMPORARY), TEMPORARY)
    for directory, names in (*base, changed):
        assert len(names) == 1  # multiprocessing's own, for its socket
        assert not Path(directory).exists()
    assert len(changed[0]) > len(base[0][0])


def test_load_is_there_on_every_cpu_and_gone_when_the_block_ends() -> None:
    with busy_cpus.Load() as beside:
        pids = [process.pid for process in beside.processes]
        assert len(pids) == busy_cpus.cpus()
        assert not are_gone(pids)
        for pid in pids:  # busy: its time on a CPU grows
            stat = Path(f"/proc/{pid}/stat")
            until("work", lambda stat=stat: int(stat.read_text().split()[13]) > 2)
    assert are_gone(pids)


def test_load_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    source = """
import time
from seed_init.proof.running.busy_cpus import Load
with Load() as load:
    print(*(process.pid for process in load.processes), flush=True)
    time.sleep(600)
"""
    process = starting(source, tmp_path)
    assert process.stdout is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    try:
        assert len(pids) == busy_cpus.cpus() and not are_gone(pids)
        process.kill()
        process.wait()
        until("their end", lambda: are_gone(pids))
    finally:
        kill(pids)
        process.communicate()


def test_without_hooks_only_the_end_is_observed_with_perturbations_or_not() -> None:
    plan = {"instruments": ["steps", "end"], "option": 1}
    assert conditions.plan_of(conditions.base(), plan) == plan
    assert conditions.plan_of(conditions.without_hooks(), plan) == {"instruments": ["end"]}
    assert conditions.plan_of(
        Condition("without hooks", (conditions.LISTING,), observed=False), plan
    ) == {
        "instruments": ["perturbing", "end"],
        "listing": "listing 1",
    }
    assert conditions.plan_of(changing(conditions.START), plan) == {
        "instruments": ["perturbing", "steps", "end"],
        "option": 1,
        "clock": conditions.CLOCK_SHIFT,
    }


def test_an_unknown_perturbation_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(
        ValueError, match="unknown perturbation 'moon': accepted are address layout, hash"
    ):
        changing("hash seed", "moon")


def test_the_package_is_not_needed_by_the_load_nor_the_launcher() -> None:
    """They run with -I -S, by whatever interpreter runs the command."""
    source = f"import runpy; runpy.run_path({conditions.launcher.__file__!r})"
    assert output(sys.executable, "-I", "-S", "-c", source) == ""
    assert with_variable("seed_init.load-of-nobody") == []
