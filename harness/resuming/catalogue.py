"""What `seed-init verify --resume-after` has to say of each training in `programs/`.

`training.py` is right unless it is told a fault. The others are what people resume with, as it is.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Case:
    """A training that is stopped and resumed.

    Attributes:
        name: of the case.
        what: goes wrong, or is right, in a few words.
        level: of the first difference; None where the resumed run has to be identical.
        step: of the whole run at which it shows, from 0.
        mentions: texts that the difference must have somewhere, in its trail and remedies as well.
        words: the program and its arguments.
        after: the optimizer steps after which it is stopped.
        kill: by which signal.
        goes_on_after: the step behind which the resumed run has to be lined up.
        needs: a module that has to be there.
        ranks: how many torchrun starts; 0 for a script by itself.
    """

    name: str
    what: str
    level: str | None = None
    step: int | None = None
    mentions: tuple[str, ...] = ()
    words: tuple[str, ...] = ("training.py",)
    after: int = 10
    kill: str = "KILL"
    goes_on_after: int | None = 7
    needs: str = "torch"
    ranks: int = 0


def fault(name: str, what: str, level: str, step: int | None, *mentions: str, **other: Any) -> Case:
    """A case of `training.py`."""
    return Case(name, what, level, step, mentions, ("training.py", "--fault", name), **other)


RIGHT = (
    Case("killed", "everything in the checkpoint, in the middle of an epoch"),
    Case(
        "handler",
        "a handler of SIGTERM saves and ends",
        words=("training.py", "--handler"),
        kill="TERM",
        goes_on_after=9,
    ),
)

FAULTS = (
    fault("optimizer", "the optimizer's state is not loaded", "optimizer", 8, "exp_avg"),
    fault("scheduler", "the scheduler begins anew", "rate", 9, "scheduler.state_dict()"),
    fault("scaler", "the GradScaler begins anew", "scaler", 8, "4096.0", "1024.0"),
    fault(
        "generators", "no generator is restored", "draw", 8, "numpy", "random", "torch", "step 0"
    ),
    fault("random", "one generator of three is not restored", "draw", 8, "random (as after step"),
    fault("drawn", "restored too early: an iterator draws", "draw", 8, "torch", "after iter("),
    fault(
        "noise",
        "two runs differ after the stop, resumed or not",
        "loss",
        13,
        "never stopped",
        "seed-init verify",
        goes_on_after=7,
    ),
    fault("place", "the epoch begins again", "batch", 8, "replayed", "batch 0 of epoch 1 again"),
    fault("epoch", "the order of another epoch", "batch", 8, "replayed", "batch 2 of epoch 0"),
    fault("skipped", "a batch is left out", "batch", 8, "skipped", "batch 3 of epoch 1"),
    fault("shuffle", "another order in the middle of an epoch", "batch", 8, "another order"),
    fault(
        "half",
        "the weights are saved in half precision",
        "parameter",
        None,
        "never seen",
        "1.weight",
        goes_on_after=None,
    ),
    fault(
        "torn",
        "two files of different moments",
        "parameter",
        None,
        "never together",
        "4.weight",
        "step 8",
        goes_on_after=None,
    ),
    fault(
        "cut",
        "the checkpoint was half written",
        "status",
        None,
        "os.replace",
        after=9,
        goes_on_after=None,
    ),
    fault("counted", "the epochs are counted from the start again", "trace", 18, "more steps"),
    fault("attribute", "a running mean in no state_dict()", "loss", 8, "the same"),
)

LIBRARIES = (
    Case(
        "lightning",
        "Lightning as it is keeps no generator",
        "draw",
        12,
        ("torch", "replayed"),
        ("with_lightning.py",),
        after=14,
        goes_on_after=11,
        needs="lightning",
    ),
    Case(
        "lightning_states",
        "Lightning with a callback that keeps them",
        words=("with_lightning.py", "--states"),
        after=14,
        goes_on_after=11,
        needs="lightning",
    ),
    Case(
        "trainer",
        "Hugging Face's Trainer in the middle of an epoch",
        words=("with_trainer.py",),
        needs="transformers",
    ),
    Case(
        "accelerate",
        "Accelerate's save_state after an epoch",
        words=("with_accelerate.py",),
        after=14,
        goes_on_after=11,
        needs="accelerate",
    ),
    Case(
        "torchdata",
        "torchdata's StatefulDataLoader in the middle of an epoch",
        words=("with_torchdata.py",),
        needs="torchdata",
    ),
    Case(
        "plain_loader",
        "PyTorch's DataLoader in its place",
        "batch",
        8,
        ("another order", "StatefulDataLoader"),
        ("with_torchdata.py", "--plain"),
        needs="torchdata",
    ),
    Case(
        "ranks",
        "DistributedDataParallel on two ranks, after an epoch",
        words=("with_ranks.py",),
        after=14,
        goes_on_after=11,
        ranks=2,
    ),
    Case(
        "ranks_order",
        "the same with the order of the first epoch again",
        "batch",
        12,
        ("replayed", "batch 0 of epoch 0 again"),
        ("with_ranks.py", "--same-order"),
        after=14,
        kill="TERM",
        goes_on_after=11,
        ranks=2,
    ),
    Case(
        "torchdata_workers",
        "the same with workers",
        words=("with_torchdata.py", "--workers", "2"),
        needs="torchdata",
    ),
)

CASES = RIGHT + FAULTS + LIBRARIES


def mistakes(case: Case, result: dict[str, Any]) -> list[str]:
    """What a result of `verify --resume-after` has wrong about a case, one line each.

    Args:
        case: the case.
        result: what `--json` printed.
    """
    wanted = "identical" if case.level is None else "different"
    if result["verdict"] != wanted:
        return [f"{result['verdict']} instead of {wanted}: {result['reason']}"]
    wrong = []
    goes_on_after = result["resumed"]["goes_on_after"]
    if goes_on_after != case.goes_on_after:
        wrong.append(f"lined up behind step {goes_on_after} instead of {case.goes_on_after}")
    found = result["difference"]
    if found is None:
        return wrong
    if found["level"] != case.level:
        wrong.append(f"level {found['level']} instead of {case.level}")
    if found["step"] != case.step:
        wrong.append(f"step {found['step']} instead of {case.step}")
    told = json.dumps(found)
    return wrong + [f"no mention of {text}" for text in case.mentions if text not in told]
