"""Records and traces of real shapes, made without a run, and thousands of ways to damage them.

Nothing here imports torch: a trace is written by the journal, as the instruments write it, and a
record is assembled from it by the code that assembles those of runs.
"""

import copy
import json
import shutil
import struct
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from seed_init.proof.auditing import collecting
from seed_init.proof.comparing.difference import Difference, Source
from seed_init.proof.trace import journal, machine, records
from seed_init.proof.verifying.verdict import DIFFERENT, Verification, VerifiedRun

FLAGS = {"CUDNN_BENCHMARK": "0", "cudnn_enabled": True, "float32_matmul_precision": "highest"}
NAMES = [f"layers.{number}.weight" for number in range(5)]

Change = Callable[[Any], Any]


# --- records of real shapes ---------------------------------------------------------------


def vector(random: Random, length: int) -> str:
    return b64encode(random.randbytes(8 * length)).decode()


def step(random: Random, call: int, optimizer: int = 0, tensors: int = 5) -> dict[str, Any]:
    """A step as the instrument writes it."""
    value = struct.unpack("f", struct.pack("f", random.random()))[0]
    losses: list[Any] = [[value, struct.pack(">d", value).hex()]]
    if call == 2:
        losses += [["nan", struct.pack(">d", float("nan")).hex()], [None, "0" * 16]]
    parameters = vector(random, tensors)
    if call == 3:
        # Its last tensor could not be read, in every run.
        raw = b64decode(parameters)[:-8] + struct.pack("<q", journal.UNREADABLE)
        parameters = b64encode(raw).decode()
    return {
        "event": "step",
        "optimizer": optimizer,
        "call": call,
        "rng": {"torch": random.randbytes(8).hex(), "cuda:0": f"7:{call}"},
        "gradients": vector(random, tensors),
        "parameters": parameters,
        "loss": losses,
    }


def events(random: Random, rank: int | None, steps: int) -> Iterator[dict[str, Any]]:
    """What a program that trains writes from its start to its end."""
    variables = {"OMP_NUM_THREADS": "1", "SEED": "7"}
    yield {
        "event": "facts",
        "moment": "start",
        "main": True,
        "cwd": "/workspace",
        "python": {
            "version": "3.11.7",
            "implementation": "cpython",
            "executable": "/usr/bin/python3",
            "prefix": "/usr",
            "hash_seed": "0",
            "path": ["/workspace", "/usr/lib/python3.11"],
        },
        "environment": variables,
        "settings": [{"name": "SEED", "value": "7", "origin": "environment"}],
    }
    versions = dict.fromkeys(("git_commit", "cuda", "hip", "nccl", "mkl", "onednn", "openmp"), "1")
    yield {
        "event": "facts",
        "moment": "torch",
        "path": ["/workspace"],
        "environment": variables,
        "torch": {"version": "2.6.0", **versions, "cudnn": 90100, "cpu_capability": "AVX2"},
        "flags": FLAGS,
    }
    yield {"event": "flags", "values": {"CUDNN_BENCHMARK": "0"}, "place": None}
    yield {"event": "file", "mode": "read", "path": "/workspace/a.bin", "size": 4, "changed": 17}
    yield {"event": "file", "mode": "written", "path": "/workspace/b.bin"}
    for kind in ("gradients", "parameters"):
        yield {
            "event": "tensors",
            "optimizer": 0,
            "kind": kind,
            "names": NAMES,
            "shapes": [[2, 3], None, [], [1], [4]],
            "dtypes": ["float32", None, "float32", "float32", "float32"],
        }
    yield {"event": "start", "optimizer": 0, "parameters": vector(random, 5)}
    for call in range(steps):
        yield step(random, call)
        if call == 1:
            yield {"event": "flags", "values": {"CUDNN_BENCHMARK": "1"}, "place": "train.py:3"}
            yield step(random, 0, optimizer=1, tensors=2)
    yield {"event": "files", "more": {"read": 2, "written": 0}}
    yield {"event": "failed", "what": "seed_init.proof.observer.instruments.steps.after failed"}
    yield {
        "event": "facts",
        "moment": "end",
        "modules": ["/workspace/train.py"],
        "seeds": {
            "seed": 7,
            "restart": [],
            "path": [],
            "seeded": {"random": 7, "torch": 7},
            "unseeded": {"numpy": 1},
            "reseeded": [
                {"function": "torch.manual_seed", "place": "train.py:9", "given": "3", "used": "3",
                 "count": 1}
            ],
            "not_covered": ["PYTHONHASHSEED is not fixed"],
        },
        "path": ["/workspace"],
        "environment": {**variables, "OMP_NUM_THREADS": "2"},
        "flags": {**FLAGS, "CUDNN_BENCHMARK": "1"},
        "threads": {"intraop": 1, "interop": 1},
        "devices": [
            {"name": "H200", "uuid": None, "capability": "9.0", "memory": 1 << 37,
             "processors": 132}
        ],
        "distributed": None if rank is None else "gloo",
        "raised": None,
    }  # fmt: skip
    yield {
        "event": "end",
        "generators": {"random": "0" * 16, "torch": random.randbytes(8).hex()},
        "final": [{"optimizer": 0, "digests": [random.randbytes(32).hex() for _ in range(5)]}],
        "compiled": False,
    }


def trace(directory: Path, seed: int, *, ranks: int = 0, steps: int = 4) -> Path:
    """The trace directory of a run, with a worker beside its program or its ranks.

    Args:
        directory: is made.
        seed: two runs with one seed are the same.
        ranks: how many; 0 for a program without ranks.
        steps: of each.
    """
    random = Random(seed)
    journal.write_plan(directory, records.PLAN)
    records.begin(directory, ["python", "train.py"], "command")
    for number in range(max(1, ranks) + 1):
        worker = number == max(1, ranks)
        rank = number if ranks and not worker else None
        head = {
            "event": "process",
            "format": journal.FORMAT,
            "pid": 100 + number,
            "parent": 99,
            "path": ["DataLoader", 0] if worker else [],
            "rank": rank,
            "world": None if rank is None else str(ranks),
            "argv": ["python", "train.py"],
            "started": 1.7e9 + number,
        }
        lines = [head, {"event": "end", "generators": {"random": "1" * 16}, "final": []}]
        if not worker:
            lines[1:] = events(random, rank, steps)
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (directory / f"{10 + number}-{100 + number}.jsonl").write_text(text)
    return directory


def verdict() -> dict[str, Any]:
    """What `verify` puts into a record."""
    difference = Difference(
        "operator",
        "aten::mul gives unequal results",
        step=1,
        optimizer=0,
        tensor=NAMES[0],
        operator="aten::mul",
        source=Source("train.py", 9, "main", "loss.backward()"),
        values=["1a2b", None],
        runs=["run 1", "run 2"],
        trail=["steps 0 to 0 are equal"],
        remedies=[{"cause": "atomics", "remedy": "DETERMINISM=strict"}],
    )
    made = Verification(
        DIFFERENT,
        ("python", "train.py"),
        "7",
        [VerifiedRun("run 1", "base", ("hash seed",), True, 0, 2.5)],
        {"runs": 3, "steps": 4, "files": ["b.bin"], "generators": ["torch"]},
        ["files: none matches x"],
        "hash seed",
        difference,
    ).to_json()
    return made


def record(directory: Path, seed: int, *, ranks: int = 0, steps: int = 4) -> dict[str, Any]:
    """The record of such a run, with a verdict and an audit in it."""
    made = records.assemble(
        trace(directory, seed, ranks=ranks, steps=steps),
        ended=1.7e9 + 9,
        status=0,
        how="exit",
        seconds=9.0,
    )
    found = collecting.Finding("clock", "time.time", "", "train.py", 3, "main", "t = time()")
    made["packages"] = {"numpy": "2.0.0", "torch": "2.6.0"}
    made["image"] = {"torch": "2.6.0", "base_digest": "sha256:1"}
    made["cpu"] = {**machine.cpu(), "model": "a processor", "capability": "AVX2"}
    made |= {"verdict": verdict(), "audit": {"findings": [found.to_json()]}}
    content: dict[str, Any] = json.loads(json.dumps(made))
    return content


# --- ways to damage -----------------------------------------------------------------------

DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 0.5, 10**9, -(2**63), 2**64, 10**400, 1e308),
    *("", "x", "0", "nan", "\udcff", "\x1b[31m\n", "x" * 5000, "AAAA", "1970-01-01T00:00:00+00:00"),
    *([], {}, [[]], [None], ["x"], [0, 1], {"": None}, {"event": "step"}, [{}] * 3, DEEP),
)
"""Values that do not belong where they are put."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value within another one, its own included."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from places(value[index], (*path, index))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """What is at a path."""
    for name in path:
        value = value[name]
    return value


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value, with something else at a path; it is changed in place."""
    if not path:
        return new
    at(value, path[:-1])[path[-1]] = new
    return value


def damaged(random: Random, value: Any) -> Any:
    """The value, in place, with one thing in it that is not as it was."""
    path = random.choice(list(places(value)))
    here = at(value, path)
    within = at(value, path[:-1]) if path else None
    kind = random.randrange(7)
    if kind == 0 and path:
        del within[path[-1]]
        return value
    if kind == 1 and isinstance(within, list):
        within.insert(path[-1], copy.deepcopy(random.choice([here, *STRANGE])))
        return value
    if kind == 2 and isinstance(within, dict):
        within[random.choice(["x", "", *within])] = within.pop(path[-1])
        return value
    if kind == 3 and isinstance(here, str) and here:
        cut = random.randrange(len(here))
        others = [
            here[:cut],
            here + here[cut:],
            here[:cut] + random.choice("=é\0") + here[cut + 1 :],
        ]
        return put(value, path, random.choice(others))
    if kind == 4 and isinstance(here, (int, float)):
        return put(value, path, random.choice([-here, here + 1, here * 2**40, str(here)]))
    if kind == 5:
        other = at(value, random.choice(list(places(value))))
        return put(value, path, copy.deepcopy(other))
    return put(value, path, copy.deepcopy(random.choice(STRANGE)))


def unpacked(text: str) -> bytes:
    return zlib.decompress(b64decode(text))


def packed(content: bytes) -> str:
    return b64encode(zlib.compress(content)).decode()


def damaged_within(random: Random, content: dict[str, Any]) -> dict[str, Any]:
    """A record, in place, with one thing that is not as it was in what is packed."""
    found = [
        path
        for path in places(content["trace"])
        if isinstance(text := at(content["trace"], path), str) and text.startswith("eJ")
    ]
    path = random.choice(found)
    inside = unpacked(at(content["trace"], path))
    try:
        inside = json.dumps(damaged(random, json.loads(inside))).encode()
    except ValueError:  # no JSON, but columns of numbers
        cut = random.randrange(len(inside) + 1)
        more = random.randbytes(random.choice([1, 8, 64]))
        inside = random.choice([inside[:cut], inside + more, inside[:cut] + more, b""])
    put(content["trace"], path, packed(inside))
    return content


def damaged_text(random: Random, text: str) -> bytes:
    """The text of a file, with one thing in it that is not as it was."""
    raw = text.encode("utf-8", "surrogatepass")
    cut, end = sorted(random.randrange(len(raw)) for _ in range(2))
    return random.choice(
        [
            raw[:cut],
            raw[:cut] + raw[end:],
            raw[:cut] + random.randbytes(3) + raw[cut:],
            raw[:cut] + raw[end:] + raw[cut:end],
            raw + raw[cut:end],
            raw[:cut] + b"[" * 100_000,
            raw.replace(b'": 0', b'": NaN', 1),
            raw.replace(b'": 0', b'": 1e999', 1),
            raw.replace(b'": 1', b'": ' + b"9" * 5000, 1),
            raw.replace(b"{", b'{"schema": 1, "schema": 2, ', 1),
        ]
    )


def records_damaged(seed: int, number: int, whole: list[dict[str, Any]]) -> Iterator[bytes]:
    """Damaged records, as the contents of files.

    Args:
        seed: of the damage.
        number: how many.
        whole: records to damage.
    """
    random = Random(seed)
    for index in range(number):
        content = copy.deepcopy(whole[index % len(whole)])
        kind = random.randrange(8)
        if kind == 0:
            yield damaged_text(random, json.dumps(content))
            continue
        for _ in range(random.choice([1, 1, 2])):
            content = damaged_within(random, content) if kind > 4 else damaged(random, content)
            if not isinstance(content, dict) or not isinstance(content.get("trace"), dict):
                break
        yield json.dumps(content).encode()


def traces_damaged(seed: int, number: int, whole: Path, place: Path) -> Iterator[Path]:
    """Damaged trace directories, one after the other at the same place.

    Args:
        seed: of the damage.
        number: how many.
        whole: the trace to damage.
        place: where it is.
    """
    random = Random(seed)
    files = sorted(path.name for path in whole.iterdir())
    for _ in range(number):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole, place)
        file = place / random.choice(files)
        text = file.read_text()
        if file.suffix == ".json" or random.randrange(6) == 0:
            content = damaged(random, json.loads(text)) if file.suffix == ".json" else None
            raw = damaged_text(random, text) if random.randrange(4) == 0 else None
            file.write_bytes(raw or json.dumps(content).encode())
        else:
            lines = [json.loads(line) for line in text.splitlines()]
            lines = damaged(random, lines)
            if not isinstance(lines, list):
                lines = [lines]
            file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        yield place


def read_by_all(a: Path, b: Path) -> str:
    """Everything that reads records, of two of them. Raises what it raises."""
    from seed_init.cli import compare
    from seed_init.proof.comparing import comparison
    from seed_init.proof.reporting import page
    from seed_init.proof.reporting.view.report import report

    found = comparison.compare(a, b)
    text = "".join(compare.as_lines(found)) + json.dumps(found.to_json())
    made = report([a, b])
    text += page.render(made) + json.dumps(made.as_json(), allow_nan=False)
    return text + json.dumps(report([b]).as_json())
