"""The public functions, in a process that the hook has seeded."""

import json
from pathlib import Path

import pytest

from harness.processes import answer, output, run

from .support import program

SEED = {"SEED": "7", "SEED_INIT_LOG": "quiet"}


def shown(python: Path, code: str, **env: str) -> str:
    return output(python, "-c", f"import seed_init; {code}", env={**SEED, **env})


def test_seed_is_that_of_the_process(python: Path) -> None:
    assert shown(python, "print(seed_init.seed())") == "7"
    code = (
        "import os\nif os.fork() == 0: print(seed_init.seed(), flush=True); os._exit(0)\nos.wait()"
    )
    derived = "from seed_init.hook.streams import derive; print(derive(7, ('fork', 1)))"
    assert shown(python, code) == shown(python, derived)


@pytest.mark.slow
@pytest.mark.parametrize("env", [{"SEED": "off"}, {"SEED_INIT": "0"}, {"SEED": ""}])
def test_seed_is_none_where_nothing_is_seeded(python: Path, env: dict[str, str]) -> None:
    if env == {"SEED": ""} and Path("/etc/seed_init/defaults").exists():
        pytest.skip("this machine has /etc/seed_init/defaults")
    assert shown(python, "print(seed_init.seed(), seed_init.reseed())", **env) == "None None"


def test_it_works_without_the_hook(python: Path, bare: Path) -> None:
    """Code that asks for a seed must not get none because the hook is missing."""
    code = "import random; drawn = seed_init.reseed(), random.random(); random.seed(7); "
    code += "print(seed_init.seed(), drawn == (7, random.random()))"
    assert shown(python, code) == "7 True"
    package = Path(output(python, "-c", "import seed_init; print(seed_init.__path__[0])")).parent
    code = f"import sys; sys.path.append({str(package)!r}); import seed_init; {code}"
    assert output(bare, "-c", code, env=SEED) == "7 True"


def test_reseed_starts_streams_over(python: Path) -> None:
    code = """pass
import random, numpy.random
one = random.random(), numpy.random.rand()
print(seed_init.reseed())
print(one == (random.random(), numpy.random.rand()))"""
    assert shown(python, code) == "7\nTrue"


def test_reseed_takes_the_place_of_seed(python: Path) -> None:
    """For libraries imported now and later, and for children."""
    code = """
import os, random
print(seed_init.reseed(8), seed_init.seed())
import numpy.random
print(random.random(), numpy.random.rand(), flush=True)
if os.fork() == 0: print(random.random(), flush=True); os._exit(0)
os.wait()
print(seed_init.reseed(), random.random())"""
    by_env = """
import os, random
print(8, 8)
import numpy.random
print(random.random(), numpy.random.rand(), flush=True)
if os.fork() == 0: print(random.random(), flush=True); os._exit(0)
os.wait()
random.seed(8)
print(8, random.random())"""
    assert shown(python, f"pass\n{code}") == shown(python, f"pass\n{by_env}", SEED="8")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_reseed_takes_the_place_of_seed_for_workers(python: Path, method: str) -> None:
    reseeded = output(python, program("reseeding"), method, "8", env=SEED)
    assert reseeded == output(python, program("reseeding"), method, env={**SEED, "SEED": "8"})


def test_reseed_reaches_workers_of_a_fork_server_that_runs_already(python: Path) -> None:
    """The server has the environment that it was started with."""
    late, early = (
        output(python, program("reseeding_late"), when, env=SEED).split()
        for when in ("late", "early")
    )
    assert late[0] != early[0]
    assert late[1] == early[1]


@pytest.mark.parametrize("seed", ["'7'", "7.0", "True", "b'7'", "[7]", "float('nan')", "1j"])
def test_reseed_refuses_what_is_no_integer(python: Path, seed: str) -> None:
    done = run(python, "-c", f"import seed_init; seed_init.reseed({seed})", env=SEED)
    assert done.stderr.splitlines()[-1].startswith(
        "TypeError: seed must be an integer or None, not"
    )


@pytest.mark.parametrize("seed", ["-1", "2**32", "10**5000"])
def test_reseed_refuses_what_is_out_of_range(python: Path, seed: str) -> None:
    done = run(python, "-c", f"import seed_init; seed_init.reseed({seed})", env=SEED)
    assert done.stderr.splitlines()[-1].startswith("ValueError: seed must be from 0 to 4294967295")


@pytest.mark.parametrize("seed", ["0", "2**32 - 1", "numpy.int64(5)", "numpy.uint32(5)"])
def test_reseed_accepts_whole_numbers_of_any_type(python: Path, seed: str) -> None:
    code = (
        f"import numpy; print(seed_init.reseed({seed}) == {seed}, type(seed_init.seed()).__name__)"
    )
    assert shown(python, code) == "True int"


def test_a_refused_reseed_changes_nothing(python: Path) -> None:
    code = """pass
import random
try: seed_init.reseed(-1)
except ValueError: pass
drawn = random.random(); random.seed(7); print(seed_init.seed(), drawn == random.random())"""
    assert shown(python, code) == "7 True"


@pytest.mark.torch
def test_generators_have_streams_of_their_own(python: Path) -> None:
    code = """pass
import json, torch
g = seed_init.generator
def draw(generator): return torch.rand(1, generator=generator).item()
print(json.dumps({
    "numbered": [draw(g()), draw(g())],
    "named": [draw(g(stream="a")), draw(g(stream="a")), draw(g(stream="b"))],
    "default": torch.rand(1).item(),
    "device": str(g("cpu").device),
}))"""
    told, again, other = (
        answer(python, "-c", f"import seed_init; {code}", env={**SEED, **env})
        for env in ({}, {}, {"SEED": "8"})
    )
    assert told == again
    one, same, another = told["named"]
    assert one == same
    assert len({*told["numbered"], one, another, told["default"], *other["numbered"]}) == 7
    assert told["device"] == "cpu"


@pytest.mark.torch
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_generators_are_numbered_anew_in_each_process(python: Path, method: str) -> None:
    path = ("process", 1, "generator", 1)
    derived = f"from seed_init.hook.streams import derive; print(derive(7, {path}))"
    assert output(python, program("child_generator"), method, env=SEED) == shown(python, derived)


@pytest.mark.torch
def test_reseed_numbers_generators_anew(python: Path) -> None:
    code = "first = seed_init.generator().initial_seed(); seed_init.reseed(); "
    code += "print(first == seed_init.generator().initial_seed())"
    assert shown(python, code) == "True"


@pytest.mark.parametrize("stream", ["1", "b'a'", "('a',)"])
def test_a_stream_has_a_name_or_none(python: Path, stream: str) -> None:
    done = run(python, "-c", f"import seed_init; seed_init.generator(stream={stream})", env=SEED)
    assert "TypeError: stream must be text or None, not " in done.stderr


RESEED = """
import seed_init
seed_init.reseed(7)
import random, numpy.random
print(random.random(), numpy.random.rand(), flush=True)
if os.fork() == 0:
    print(random.random(), numpy.random.rand(), flush=True)
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("env", [{}, {"SEED": "off"}, {"SEED_INIT": "0"}], ids=str)
@pytest.mark.parametrize("first", ["import random, numpy.random, os", "import os"])
def test_reseed_holds_where_nothing_was_asked_for(
    python: Path, env: dict[str, str], first: str
) -> None:
    told = output(python, "-c", first + RESEED, env={"SEED_INIT_LOG": "quiet", **env})
    assert told == output(python, "-c", first + RESEED, env=SEED)
    assert told.startswith("0.32383276483316237 0.07630828937395717\n")


@pytest.mark.torch
def test_a_generator_is_random_where_nothing_is_seeded(python: Path) -> None:
    code = "import torch; print(torch.rand(1, generator=seed_init.generator()).item())"
    code = f"{code}; print(torch.rand(1, generator=seed_init.generator()).item())"
    assert len(set(shown(python, code, SEED="off").split())) == 2


@pytest.mark.torch
def test_worker_init_fn_seeds_random_and_numpy_from_the_workers_torch_seed(python: Path) -> None:
    code = """pass
import json, random, numpy, torch
told = []
for seed, worker in ((1, 0), (1, 0), (1, 1), (2, 0), (2**32 + 1, 0)):
    torch.manual_seed(seed)
    seed_init.worker_init_fn(worker)
    told.append([random.random(), numpy.random.rand(), torch.initial_seed()])
print(json.dumps(told))"""
    told = answer(python, "-c", f"import seed_init; {code}", env=SEED)
    assert told[0] == told[1]
    for library in (0, 1):
        assert len({drawn[library] for drawn in told}) == 4
    assert [drawn[2] for drawn in told] == [1, 1, 1, 2, 2**32 + 1]


def test_status_is_json_and_says_what_holds(python: Path) -> None:
    code = "import random, json; print(json.dumps(seed_init.status()))"
    status = json.loads(shown(python, code, CUDNN_BENCHMARK="1"))
    assert status["seed"] == 7
    assert status["path"] == []
    assert status["rank"] is None
    assert status["seeded"] == {"random": 7}
    assert status["not_covered"] == []
    assert status["hook"] == "active"
    assert {"name": "SEED", "value": "7", "origin": "environment"} in status["settings"]
    assert status["flags"]["CUDNN_BENCHMARK"] == {
        "value": "1",
        "origin": "environment",
        "now": None,
    }
    assert [Path(path).name for path in status["installed"]] == [
        *("_seed_init_startup.py", "sitecustomize.py", "seed_init.pth")
    ]


def test_status_of_a_child_says_its_place(python: Path) -> None:
    code = """pass
import os, json
if os.fork() == 0: print(json.dumps(seed_init.status()["path"]), flush=True); os._exit(0)
os.wait()"""
    assert shown(python, code) == '["fork", 1]'


def test_status_imports_no_library(python: Path) -> None:
    code = "seed_init.status(); import sys; print({'torch', 'numpy'} & set(sys.modules))"
    assert shown(python, code) == "set()"


def test_status_with_seed_init_0(python: Path) -> None:
    code = "status = seed_init.status(); print(status['hook'], *status['not_covered'])"
    assert shown(python, code, SEED_INIT="0") == "off SEED_INIT=0: nothing is seeded"


@pytest.mark.parametrize("hash_seed", [None, "random"])
def test_status_tells_that_hash_order_is_not_fixed(python: Path, hash_seed: str | None) -> None:
    code = "import seed_init; print(*seed_init.status()['not_covered'])"
    told = output(python, "-c", code, env={**SEED, "PYTHONHASHSEED": hash_seed})
    assert told.startswith("PYTHONHASHSEED is not in effect")


def test_status_tells_that_isolated_python_ignores_pythonhashseed(python: Path) -> None:
    code = "import seed_init; print(*seed_init.status()['not_covered'])"
    assert output(python, "-I", "-c", code, env=SEED).startswith("PYTHONHASHSEED is not in effect")


def test_the_package_names_what_it_gives(python: Path) -> None:
    names = "generator reseed seed status stream worker worker_init_fn"
    assert shown(python, "print(*seed_init.__all__)") == names
    done = run(python, "-c", "import seed_init; seed_init.nothing", env=SEED)
    assert done.stderr.endswith("AttributeError: module 'seed_init' has no attribute 'nothing'\n")
