"""What a check found, and what it is worth. Nothing in here runs anything."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.gpu.alerts import operators

PASS, FAIL, INFO, NOT_RUN = "PASS", "FAIL", "INFO", "not run"

HOST, BITS, TIME = "host", "bits", "time"
"""What an answer comes from: the program's own side, what the GPU computed, how long that took."""

PRICE_GOAL = 1.03
"""Of `warn` against `off`: the geometric mean over the models."""

TRACE_GOAL = 1.02
"""Of a step with a trace, of 100 million parameters in bfloat16, against one without."""

HOST_GOAL = 2.0
"""Of a small product's time on the host under `warn`, against `off`. With a regular expression
compiled on each call it is 8 or more."""

MEANS_NOTHING = "means nothing without a GPU"


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes:
        verdict: PASS, FAIL, INFO or NOT_RUN.
        detail: one line.
        told: what the evidence keeps.
        broken: whether a program did not come to its end: that is worth a FAIL anywhere.
    """

    verdict: str
    detail: str
    told: Mapping[str, Any] = field(default_factory=dict)
    broken: bool = False


def verdict(right: bool) -> str:
    return PASS if right else FAIL


def broke(why: str, cut: bool = False) -> Outcome:
    """A program did not come to its end, by a fault or because the time was over."""
    if cut:
        return Outcome(NOT_RUN, why)
    return Outcome(FAIL, why, broken=True)


def rehearsed(outcome: Outcome, answer: str) -> Outcome:
    """What an outcome is worth where nothing computes.

    An answer of the host is judged as everywhere. What the device computes or how long it takes
    says nothing: results are what happened to be in memory.
    """
    if outcome.broken or outcome.verdict == NOT_RUN or answer == HOST:
        return outcome
    return replace(outcome, verdict=INFO, detail=f"{MEANS_NOTHING}: {outcome.detail}")


def attention(level: str, told: Mapping[str, Any]) -> Outcome:
    """One result each under `warn` and `strict`, but not where cuDNN's attention is asked for.

    Args:
        level: of determinism.
        told: what programs/attention.py printed.
    """
    kinds = {name: each for name, each in told.items() if isinstance(each, dict)}
    shown = [
        f"{name}: "
        + (each.get("error") or f"{each['results']} ({each['backend']}, {each['ms']} ms)")
        for name, each in kinds.items()
    ]
    detail = "results of 30: " + ", ".join(shown)
    if level == "off":
        return Outcome(INFO, detail, told)
    own = [each for name, each in kinds.items() if not name.startswith("cudnn")]
    right = all(each.get("results") == 1 for each in own) and len(own) == 3
    right = right and told.get("warn_only") == (level == "warn")
    return Outcome(verdict(right), detail, told)


def bits(level: str, models: Sequence[Mapping[str, Any]], of: int) -> Outcome:
    """Equal results of each model, except where PyTorch says that it has no deterministic version.

    Args:
        level: of determinism; under `off` and `fast` nothing is promised.
        models: a line of programs/bits.py for each.
        of: how many models there are.
    """
    differ = [f"{each['model']} {each['results']}" for each in models if (each["results"] or 1) > 1]
    named = [each["model"] for each in models if (each["results"] or 1) > 1 and each["warned"]]
    raised = [f"{each['model']} ({words(each['error'])})" for each in models if each["error"]]
    equal = sum(each["results"] == 1 for each in models)
    repeats = models[0]["repeats"] if models else 0
    parts = [f"{equal} of {of} models with one result in {repeats} repeats"]
    if differ:
        parts.append(f"results: {', '.join(differ)}")
    if named:
        parts.append(f"PyTorch warned in {', '.join(named)}")
    if raised:
        parts.append(f"raised in {', '.join(raised)}")
    told = {"models": list(models)}
    detail = "; ".join(parts)
    if level in ("off", "fast"):
        ended = len(models) == of and not raised
        return Outcome(INFO if ended else FAIL, detail, told, broken=not ended)
    alerted = all("determinis" in each["error"] for each in models if each["error"])
    right = len(models) == of and len(named) == len(differ)
    right = right and (alerted if level == "strict" else not raised)
    return Outcome(verdict(right), detail, told)


def words(error: str) -> str:
    """An error's operator, where it is one of determinism; else how it begins."""
    return next(iter(operators(error)), error[:80])


def audit(level: str, names: Sequence[str]) -> Outcome:
    """What the audit of programs/audited.py has to name: index_reduce, which has no other version.

    A sum over one dimension (cumsum) and the backward pass of attention have a deterministic
    version, which `warn` takes.
    """
    found = " ".join(names)
    right = "index_reduce" in found
    if level == "warn":
        right = right and "cumsum" not in found and "attention" not in found
    return Outcome(verdict(right), f"named: {', '.join(names) or 'nothing'}")


def products(off: Mapping[str, Any], warn: Mapping[str, Any]) -> Outcome:
    """The host's time of a small product under `warn` and `off`, and one result in all streams."""
    times = {kind: (off[f"{kind}_us"], warn[f"{kind}_us"]) for kind in ("mm", "linear")}
    shown = [f"{kind} {one} µs under off, {two} under warn" for kind, (one, two) in times.items()]
    cheap = all(two <= HOST_GOAL * one for one, two in times.values())
    detail = f"{'; '.join(shown)}; {warn['results']} result(s) of 200 products on 4 streams"
    return Outcome(
        verdict(cheap and warn["results"] == 1), detail, {"off": dict(off), "warn": dict(warn)}
    )


def trace(told: Mapping[str, Any]) -> Outcome:
    """The median block of steps with a trace against that without."""
    plain, traced = statistics.median(told["plain_ms"]), statistics.median(told["traced_ms"])
    ratio = traced / plain
    detail = (
        f"{ratio:.3f} (goal {TRACE_GOAL}): {plain:.2f} ms a step without, {traced:.2f} with, "
        f"{told['parameters'] / 1e6:.0f} million parameters"
    )
    return Outcome(verdict(ratio <= TRACE_GOAL), detail, {**told, "ratio": round(ratio, 4)})


def price(means: Mapping[str, float], missing: Mapping[str, str], models: int) -> Outcome:
    """`warn` within the goal, and no dearer than any peer of the same run.

    Args:
        means: arm -> geometric mean against `off`, of the arms that came through.
        missing: arm -> why it was not run.
        models: how many the means are of.
    """
    shown = [f"{name} {value:.3f}" for name, value in means.items()]
    shown += [f"{name} not run: {why}" for name, why in missing.items()]
    detail = f"against off, {models} models: {', '.join(shown)} (goal of warn {PRICE_GOAL})"
    told = {"means": {name: round(value, 4) for name, value in means.items()}}
    if "warn" not in means:
        return Outcome(FAIL, f"warn was not measured; {detail}", told, broken=True)
    beside = [name for name in PEERS if name in means]
    dearer = [name for name in beside if means["warn"] > means[name] + noise(means)]
    if dearer:
        detail += f"; warn is dearer than {', '.join(dearer)}"
    if means["warn"] > PRICE_GOAL or dearer:
        return Outcome(FAIL, detail, told)
    return Outcome(PASS if beside else INFO, detail, told)


PEERS = ("recipe", "lightning", "hf")


def noise(means: Mapping[str, float]) -> float:
    """How far `off` is from itself in the same run: less is no difference."""
    return abs(means.get("off-again", 1.0) - 1.0)
