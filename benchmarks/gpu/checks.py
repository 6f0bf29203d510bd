"""The questions, most valuable first: a function asks one, a row of `CHECKS` says when."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

from benchmarks.gpu import judging, price
from benchmarks.gpu.judging import BITS, FAIL, HOST, INFO, NOT_RUN, PASS, TIME, Outcome, verdict
from benchmarks.gpu.room import GPU_PROGRAMS, MODELS, PROGRAMS, Room, events, short
from harness.repository import REPOSITORY

REPEATS, REPEATED_STEPS = 30, 3
REHEARSED_REPEATS = 2

RESERVE = 100.0
"""Seconds that the measurement of the price leaves for what comes after it."""


@dataclass(frozen=True)
class Check:
    """A row of the table.

    Attributes:
        name: as it is printed.
        ask: asks, and judges.
        answer: HOST, BITS or TIME: what the answer comes from.
        seconds: about how long it takes; with less left it is not run.
        alone: whether nothing else may run beside it, because it measures time or takes memory.
    """

    name: str
    ask: Callable[[Room], Outcome]
    answer: str
    seconds: float
    alone: bool = False


def facts(room: Room, level: str) -> Outcome:
    """Which torch, CUDA, cuDNN and GPU, and which attention PyTorch chooses."""
    done = room.program("facts", DETERMINISM=level)
    told = done.last_line()
    if not done.well or told is None:
        return judging.broke(done.why(), done.cut)
    shown = {name: told[name] for name in told if "attention" in name or level == "off"}
    return Outcome(INFO, ", ".join(f"{name} {value}" for name, value in shown.items()), told)


def attention(room: Room, level: str) -> Outcome:
    """Are 30 backward passes through attention equal, and what does one take?"""
    done = room.program("attention", DETERMINISM=level)
    told = done.last_line()
    if not done.well or told is None:
        return judging.broke(done.why(), done.cut)
    return judging.attention(level, told)


def products(room: Room) -> Outcome:
    """What does a small product take on the host, and are all results of one product equal?"""
    told = {}
    for level in ("off", "warn"):
        done = room.program("products", DETERMINISM=level)
        told[level] = done.last_line()
        if not done.well or told[level] is None:
            return judging.broke(done.why(), done.cut)
    return judging.products(told["off"], told["warn"])


def end_digests(room: Room) -> Outcome:
    """Are the digests of the final weights in a trace those of the weights, twice?"""
    runs, digests = [], []
    for _ in range(2):
        trace = room.folder("end") / "trace"
        done = room.program("end", SEED_INIT_TRACE=str(trace))
        if not done.well:
            return judging.broke(done.why(), done.cut)
        runs.append(done)
        ends = events(trace, "end")
        digests.append([one for end in ends for final in end["final"] for one in final["digests"]])
    own = runs[0].out.splitlines()
    right = digests[0] == digests[1] == own and len(own) == 3
    detail = f"two runs equal: {digests[0] == digests[1]}; as by hand: {digests[0] == own}"
    return Outcome(verdict(right), detail)


def workers(room: Room, traced: bool) -> Outcome:
    """Does a training with forked workers come to its end on a device that lags?"""
    trace = room.folder("workers") / "trace"
    # A device that computes nothing lags only if it is told to.
    lag = "1000000" if room.rehearsal else None
    traced_to = str(trace) if traced else None
    done = room.program("workers", SEED_INIT_TRACE=traced_to, NULLCUDA_KERNEL_NS=lag)
    if not done.well:
        return judging.broke(done.why(), done.cut)
    steps = len(events(trace, "step")) if traced else 120
    return Outcome(verdict(steps == 120), f"{steps} of 120 steps" if traced else "came to its end")


def audit(room: Room, level: str) -> Outcome:
    """Does audit let a program on CUDA run, and name its operators?"""
    words = [room.hooked, "-m", "seed_init", "audit", "--", room.hooked]
    done = room.command([*words, PROGRAMS / "audited.py"], DETERMINISM=level)
    text = done.out + done.err
    if "done" not in done.out or "ended with status" in text or done.late:
        return judging.broke(done.why(), done.cut)
    found = sorted(set(re.findall(r"aten::(\w+)|(\w+_cuda\w*)(?=[;,])", text)))
    names = [one or two for one, two in found]
    return judging.audit(level, names)


def verify(room: Room) -> Outcome:
    """Are two trainings on CUDA identical, and does verify say so?"""
    words = [room.hooked, "-m", "seed_init", "verify", "--", room.hooked]
    done = room.command([*words, GPU_PROGRAMS / "train.py", "cuda", 60], timeout=150)
    if done.late:
        return judging.broke(done.why(), done.cut)
    first = done.out.splitlines()[0] if done.out else short(done.err)
    return Outcome(verdict(done.status == 0), first)


def bits(room: Room, level: str) -> Outcome:
    """Are 30 short trainings of each model of benchmarks/cost equal?"""
    repeats = REHEARSED_REPEATS if room.rehearsal else REPEATS
    done = room.program(
        "bits",
        *(MODELS, repeats, REPEATED_STEPS),
        DETERMINISM=level,
        SEED_INIT_LOG="quiet",
        timeout=240,
    )
    models = done.lines()
    if not done.well and done.cut:
        return judging.broke(f"{len(models)} models done; {done.why()}", cut=True)
    if not done.well:
        return judging.broke(f"after {len(models)} models: {done.why()}")
    return judging.bits(level, models, len(price.MODEL_NAMES))


def alerts(room: Room) -> Outcome:
    """Does the deterministic attention of `warn` make operators in other threads raise?"""
    done = room.program("alerts", DETERMINISM="warn")
    if not done.well:
        return judging.broke(done.why(), done.cut)
    detail = f"{done.out} errors in another thread during 500 backward passes"
    return Outcome(verdict(done.out == "0"), detail)


PLAN = {
    "instruments": ["steps", "window"],
    "window": {"optimizer": 0, "call": 3, "operators": True},
}
"""Of a closer look at the fourth step, which is in the capture of programs/graph.py."""


def graph(room: Room, how: str) -> Outcome:
    """Is a CUDA graph captured and replayed, plain, with a trace, and under the closer look?"""
    trace = room.folder("graph")
    if how == "closer look":
        (trace / "plan.json").write_text(json.dumps(PLAN))
    traced = None if how == "plain" else str(trace)
    done = room.program(GPU_PROGRAMS / "graph.py", "cuda", SEED_INIT_TRACE=traced)
    if not done.well:
        return judging.broke(done.why(), done.cut)
    whole = "incomplete" not in done.err
    return Outcome(verdict(whole), "replayed" if whole else short(done.err))


def fork(room: Room, recorded: bool) -> Outcome:
    """Does the import of torch leave CUDA alone, so that a forked child can use it?"""
    record = str(room.folder("fork") / "record.json") if recorded else None
    done = room.program("fork", SEED_INIT_RECORD=record)
    if not done.well:
        return judging.broke(done.why(), done.cut)
    right = "started: False" in done.out and "child: [" in done.out
    return Outcome(verdict(right), short(done.out))


def waits(room: Room) -> Outcome:
    """Does a traced step never wait for the device?"""
    trace = room.folder("waits") / "trace"
    done = room.program("waits", SEED_INIT_TRACE=str(trace))
    if not done.well:
        return judging.broke(done.why(), done.cut)
    steps = len(events(trace, "step"))
    right = steps == 51 and "incomplete" not in done.err
    return Outcome(verdict(right), f"{steps} of 51 steps" + ("" if right else short(done.err)))


def doctor(room: Room) -> Outcome:
    """Does the doctor find each GPU able to multiply?"""
    done = room.command([room.hooked, "-m", "seed_init", "doctor", "--json"])
    try:
        findings = json.loads(done.out)["findings"]
    except ValueError:
        return judging.broke(done.why(), done.cut)
    gpu = [each for each in findings if each["check"] == "gpu"]
    return Outcome(verdict(gpu[0]["result"] == "ok"), f"{gpu[0]['result']}: {gpu[0]['detail']}")


def trace_cost(room: Room) -> Outcome:
    """What does a trace cost a step of 100 million parameters in bfloat16?"""
    trace = str(room.folder("trace") / "trace")
    quiet = "quiet"
    done = room.program("traced", MODELS, 8, 16, SEED_INIT_TRACE=trace, SEED_INIT_LOG=quiet)
    told = done.last_line()
    if not done.well or told is None:
        return judging.broke(done.why(), done.cut)
    return judging.trace(told)


def compiled(room: Room) -> Outcome:
    """Does inductor compile the same code three times, from empty caches, under `warn`?"""
    if room.rehearsal:
        return Outcome(NOT_RUN, f"{judging.MEANS_NOTHING}: Triton needs a device")
    seen = []
    for number in range(3):
        if number > 1 and room.left() < 60:
            break
        done = room.program(
            "compiled",
            timeout=60,
            DETERMINISM="warn",
            TORCHINDUCTOR_CACHE_DIR=str(room.place / f"inductor-{number}"),
            TRITON_CACHE_DIR=str(room.place / f"triton-{number}"),
        )
        if not done.well:
            return judging.broke(done.why(), done.cut)
        seen.append(done.out.splitlines()[-1])
    return Outcome(verdict(len(set(seen)) == 1), f"digests: {', '.join(seen)}")


def suite(room: Room, file: str) -> Outcome:
    """Do the tests of tests/gpu pass?"""
    if room.rehearsal:
        return Outcome(NOT_RUN, f"{judging.MEANS_NOTHING}: tests/nullcuda has the tests for that")
    missing = [name for name in ("pytest", "xdist", "pytest_timeout") if find_spec(name) is None]
    if missing:
        return Outcome(NOT_RUN, f"{', '.join(missing)} not installed in {sys.executable}")
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "--no-header"]
    command += ["-p", "no:cacheprovider", "--timeout", "200", f"tests/gpu/{file}.py"]
    environment = {**os.environ, "SEED_INIT": "0", "SEED_INIT_REQUIRE_GPU": "1"}
    late = False
    try:
        text = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=max(10.0, room.left() - 5),
        ).stdout
    except subprocess.TimeoutExpired as ended:
        text = ended.stdout.decode(errors="replace") if isinstance(ended.stdout, bytes) else ""
        late = True
    (room.out / f"{file}.txt").write_text(text)
    failed = re.findall(r"^(?:FAILED|ERROR) tests/gpu/\S+::(\S+)", text, re.MULTILINE)
    if late:
        return Outcome(NOT_RUN, f"the time of the run was over; {file}.txt has what was done")
    last = short(text.strip().splitlines()[-1]) if text.strip() else "pytest printed nothing"
    right = not failed and " passed" in last
    return Outcome(PASS if right else FAIL, f"{last} {' '.join(failed[:8])}".strip())


def cost(room: Room) -> Outcome:
    """What does `warn` cost against `off`, beside its peers?"""
    return price.measure(room, RESERVE)


LEVELS = ("off", "warn", "strict")
FILES = ("devices", "children", "graphs", "settings", "models", "operators")

CHECKS = (
    *(Check(f"facts, {level}", partial(facts, level=level), HOST, 10) for level in LEVELS),
    *(
        Check(f"attention, {level}", partial(attention, level=level), BITS, 15, alone=True)
        for level in LEVELS
    ),
    Check("products", products, HOST, 20, alone=True),
    *(
        Check(f"bits, {level}", partial(bits, level=level), BITS, 60)
        for level in ("warn", "strict", "off", "fast")
    ),
    Check("end: final digests", end_digests, HOST, 15),
    Check("forked workers", partial(workers, traced=False), HOST, 25),
    Check("forked workers, traced", partial(workers, traced=True), HOST, 25),
    Check("audit, off", partial(audit, level="off"), HOST, 20),
    Check("audit, warn", partial(audit, level="warn"), HOST, 20),
    Check("verify", verify, HOST, 40),
    Check("alerts in a thread", alerts, HOST, 12),
    *(
        Check(f"graph, {how}", partial(graph, how=how), HOST, 10)
        for how in ("plain", "traced", "closer look")
    ),
    Check("fork", partial(fork, recorded=False), HOST, 10),
    Check("fork, recorded", partial(fork, recorded=True), HOST, 10),
    Check("no waiting", waits, HOST, 10),
    Check("doctor", doctor, HOST, 10),
    Check("price", cost, TIME, 60, alone=True),
    Check("trace", trace_cost, TIME, 25, alone=True),
    Check("inductor", compiled, BITS, 45, alone=True),
    *(
        Check(f"tests/gpu/{file}", partial(suite, file=f"test_{file}"), BITS, 25, True)
        for file in FILES
    ),
)
"""What is asked, in the order of value. Neighbours that may run beside each other do."""
