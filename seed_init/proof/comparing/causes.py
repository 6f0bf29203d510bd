# SPDX-License-Identifier: Apache-2.0
"""Known causes of a difference, and what to do about each: a setting or a line of code.

What is first observed is not yet the cause. The table says what usually is, for what was observed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from seed_init.proof.comparing.difference import Difference


@dataclass(frozen=True)
class Cause:
    """One known cause.

    Attributes:
        applies: whether it can be what was observed. The second argument is the perturbation that
            broke equality, or None.
        cause: what it is.
        remedy: a setting or a line of code.
    """

    applies: Callable[[Difference, str | None], bool]
    cause: str
    remedy: str


def _broke(name: str) -> Callable[[Difference, str | None], bool]:
    return lambda difference, broke: broke == name


def _level(*levels: str) -> Callable[[Difference, str | None], bool]:
    return lambda difference, broke: difference.level in levels and broke is None


def _operator(*words: str) -> Callable[[Difference, str | None], bool]:
    return lambda difference, broke: (
        difference.level == "operator"
        and any(word in (difference.operator or "") for word in words)
    )


def _rung(name: str) -> Callable[[Difference, str | None], bool]:
    return lambda difference, broke: difference.rung == name


TABLE = (
    Cause(
        _rung("inductor"),
        "the code that inductor generates, or which of its kernels a benchmark chooses "
        '(mode="max-autotune")',
        "leave the mode out, or keep TORCHINDUCTOR_CACHE_DIR from run to run; "
        'torch.compile(backend="aot_eager") repeats itself here',
    ),
    Cause(
        _rung("aot_eager"),
        "AOTAutograd: what it traces, or what it computes a second time in the backward pass, is "
        "another graph from run to run",
        'torch.compile(backend="eager") repeats itself here; take what is read while a graph is '
        "traced (the clock, a set's order) out of the compiled part",
    ),
    Cause(
        _rung("eager"),
        "not the compiler: runs differ with the same operators uncompiled",
        "TORCH_COMPILE_DISABLE=1 seed-init verify -- CMD looks at every operator",
    ),
    Cause(
        _broke("hash seed"),
        "the order of a set, or hash(), of texts",
        "use sorted(...) over the set; PYTHONHASHSEED=0, as in the image, hides it",
    ),
    Cause(
        _broke("listing order"),
        "files are taken in the order in which the file system lists them",
        "use sorted(os.listdir(...)), sorted(glob.glob(...)) or sorted(path.iterdir())",
    ),
    Cause(
        _broke("CPU load"),
        "which thread or process is first decides something",
        "use map instead of as_completed or imap_unordered; "
        "join threads before their result is read",
    ),
    Cause(
        _broke("address layout"),
        "the order of a set of objects, or id() or hash() of objects",
        "use a list or a dict, or sorted(..., key=...) with a key of the contents",
    ),
    Cause(
        _broke("temporary directory"),
        "the path of a temporary file gets into the result",
        "use the file's name below the directory, or its contents",
    ),
    Cause(
        _broke("start time"),
        "the time of day gets into the result",
        "count steps instead of seconds; pass the date as an argument",
    ),
    Cause(
        _operator("index_put", "index_add", "scatter_add", "scatter_reduce", "put_", "bincount"),
        "several threads add to one place in the order in which they come",
        "DETERMINISM=warn or strict: PyTorch has a deterministic version",
    ),
    Cause(
        _operator("convolution", "cudnn", "slow_conv"),
        "cuDNN chooses another algorithm from run to run",
        "CUDNN_BENCHMARK=0 and CUDNN_DETERMINISTIC=1, or DETERMINISM=warn",
    ),
    Cause(
        _operator("mm", "addmm", "bmm", "baddbmm", "linear"),
        "cuBLAS with several streams, or another number of threads",
        "CUBLAS_WORKSPACE_CONFIG=:4096:8 before the start; fix OMP_NUM_THREADS",
    ),
    Cause(
        _operator("upsample", "interpolate", "_ctc_loss", "embedding_bag", "max_pool", "cumsum"),
        "the operator has no deterministic version on this device",
        "DETERMINISM=strict names it; use another operator, or run this one on the CPU",
    ),
    Cause(
        _level("operator"),
        "an operator whose result depends on timing, or memory that nobody has written",
        "DETERMINISM=strict; TORCH_FILL_UNINITIALIZED_MEMORY=1 shows reads of unwritten memory",
    ),
    Cause(
        _level("draw", "generator"),
        "code that draws or seeds only in some runs, or from the clock or the operating system",
        "seed-init audit -- CMD lists seeding and unseeded generators; "
        "SEED_INIT_UNSEEDED=derive (the default) seeds the latter",
    ),
    Cause(
        lambda difference, broke: difference.level == "worker",
        "whichever worker of the pool is free takes the next task, and each worker draws from a "
        "stream of its own",
        "SEED_INIT_POOLS=item gives each task a stream of its own; seed_init.stream(number of the "
        "task) does so by hand",
    ),
    Cause(
        _level("batch"),
        "a DataLoader worker with a generator of its own, or data in another order",
        "leave SEED_INIT_UNSEEDED=derive; sort file lists; no as_completed or imap_unordered "
        "in the dataset",
    ),
    Cause(
        _level("line", "module", "loss", "parameter", "gradient"),
        "a value from outside PyTorch: the clock, os.urandom, a process number, a generator "
        "without a seed, a thread that is not waited for",
        "seed-init audit -- CMD lists reads of the clock and of os.urandom with their lines",
    ),
    Cause(
        _level("seed"),
        "code seeds a generator with what is not the same in every run: the clock, a process "
        "number, os.urandom",
        "leave the seed out, and SEED_INIT_UNSEEDED=derive (the default) seeds the generator from "
        "SEED; or pass a number",
    ),
    Cause(
        _level("output"),
        "a generator inside a compiled library, which SEED may not reach (Polars, OpenCV, igraph)",
        "give that library's own function a seed; seed-init audit -- CMD lists what is known",
    ),
    Cause(
        _level("output"),
        "threads or processes, whose order decides a sum, a choice or a line's place",
        "run it with one thread (OMP_NUM_THREADS=1, under DETERMINISM=portable "
        "SEED_INIT_THREADS=1, and POLARS_MAX_THREADS=1) to see whether it is that; join them, or "
        "sort what they give",
    ),
    Cause(
        _level("output"),
        "times, paths or process numbers in what is printed",
        "only where such a line shows no result: leave it out with --ignore-output REGEX",
    ),
    Cause(
        _level("file"),
        "dates or random names in what is written",
        "write contents only, or compare another file with --file",
    ),
    Cause(
        _level("trace", "status"),
        "the number of steps depends on the clock or on what runs beside it",
        "count steps instead of seconds",
    ),
)
"""In the order in which they are told."""


NOT_SEEDED = {
    "cause": "nothing is seeded: SEED is not set, or off",
    "remedy": "SEED=7 seed-init verify -- CMD",
}


MACHINES: dict[tuple[str, bool], list[dict[str, str]]] = {
    ("CPUs", False): [
        {
            "cause": "a library takes as many threads as there are CPUs, and the order of a sum "
            "depends on the number of threads",
            "remedy": "DETERMINISM=portable: the same number of threads on every machine "
            "(SEED_INIT_THREADS)",
        },
        {
            "cause": "the program itself counts CPUs, as for a number of workers",
            "remedy": "pass a number: num_workers=4, Pool(4)",
        },
    ],
    ("CPUs", True): [
        {
            "cause": "the program itself counts CPUs, as for a number of workers",
            "remedy": "pass a number: num_workers=4, Pool(4)",
        },
        {
            "cause": "a library that DETERMINISM=portable does not cover takes as many threads as "
            "there are CPUs",
            "remedy": "set that library's own number of threads; docs/reference/libraries.md lists "
            "what is covered",
        },
    ],
    ("instructions", False): [
        {
            "cause": "a library has other kernels for a CPU with other instructions, which round "
            "otherwise",
            "remedy": "DETERMINISM=portable: the same kernels on every x86-64 CPU with AVX2",
        },
    ],
    ("instructions", True): [
        {
            "cause": "a library that DETERMINISM=portable does not cover has other kernels for a "
            "CPU with other instructions",
            "remedy": "set that library's own switch; docs/reference/libraries.md lists what is "
            "covered",
        },
    ],
    ("emulator", True): [
        {
            "cause": "an operator or a library that DETERMINISM=portable does not cover",
            "remedy": "use another operator there; docs/why/portability.md lists what is covered",
        },
    ],
}
"""Kind of machine, and whether level `portable` held -> what is known to cause a difference."""

MACHINES["emulator", False] = MACHINES["instructions", False]


RESUMING: dict[str, tuple[str, str]] = {
    "none": (
        "there is no checkpoint yet, or the program does not look for one",
        "stop later: --resume-after a number of steps after which there is a checkpoint; or give "
        "the words that resume with --resume-command",
    ),
    "unreadable": (
        "the checkpoint was half written when the run was stopped",
        "write it under another name and rename it when it is whole (os.replace), and keep the one "
        "before; let the program fall back on that one if reading fails",
    ),
    "parameters": (
        "the checkpoint was half written, holds two moments, or other numbers than the training "
        "had (an average, half precision, another model)",
        "save everything at one moment between two steps, under another name that is then renamed "
        "(os.replace), in the type in which it is trained",
    ),
    "optimizer": (
        "the state of the optimizer is not saved, or not loaded",
        "save optimizer.state_dict(), and load it after the optimizer was made",
    ),
    "rate": (
        "the scheduler is not saved, or not loaded, or made anew after the optimizer was loaded",
        "save scheduler.state_dict(), and load it after optimizer.load_state_dict",
    ),
    "option": (
        "the options of the optimizer are other ones in the resumed run",
        "save optimizer.state_dict(), which holds them, and load it",
    ),
    "scaler": (
        "the GradScaler begins anew",
        "save scaler.state_dict(), and load it",
    ),
    "generators": (
        "the generators are not in the checkpoint, or not restored: a new process starts from SEED "
        "again",
        "save random.getstate(), numpy.random.get_state(), torch.get_rng_state() and "
        "torch.cuda.get_rng_state_all(), and restore them last; or number the attempts "
        "(SEED_INIT_RESTART), which gives each its own numbers",
    ),
    "drawn": (
        "something draws between the restoring and the first step, such as the iterator of a "
        "DataLoader, or the making of a model",
        "restore the generators last: after everything is made, and if in the middle of an epoch "
        "after iter(loader)",
    ),
    "data": (
        "the place in the data is not in the checkpoint: the epoch, the batch in it, or the order",
        "use torchdata's StatefulDataLoader and save its state_dict(); or save at the end of an "
        "epoch; call sampler.set_epoch(epoch) with the epoch that goes on",
    ),
    "contents": (
        "the generators that the data set draws from are not restored, or live in workers",
        "restore the generators before iter(loader), from which workers get their seeds; the "
        "checkpoint has to hold generators of the data set's own as well",
    ),
    "length": (
        "the number of the epoch or of the step is not restored, or the end is counted from where "
        "the process started",
        "save the number with the checkpoint, and count to the same end",
    ),
    "other": (
        "the loss depends on what is in no checkpoint: buffers, a running average, a queue, a "
        "cache, or a place in data that no DataLoader gives",
        "save it with the checkpoint; state_dict() of the model has registered buffers only",
    ),
}
"""What a resumed run may lack -> its cause and what to do about it."""


def remedies_of_resuming(kinds: Iterable[str]) -> list[dict[str, str]]:
    """What to do about what a resumed run lacks, as `remedies` gives it.

    Args:
        kinds: keys of `RESUMING`, in the order in which they are told; each is told once.
    """
    return [
        {"cause": RESUMING[kind][0], "remedy": RESUMING[kind][1]} for kind in dict.fromkeys(kinds)
    ]


def remedies_of_machine(kind: str, is_portable: bool) -> list[dict[str, str]]:
    """What is known to cause a difference on another machine, as `remedies` gives it.

    Args:
        kind: of the machine (`machines.CPUS` and so on).
        is_portable: whether the runs had level `portable`.
    """
    return MACHINES[kind, is_portable]


def remedies(difference: Difference, broke: str | None) -> list[dict[str, str]]:
    """What is known to cause such a difference: a list of {"cause": ..., "remedy": ...}.

    Args:
        difference: what was observed.
        broke: the perturbation that broke equality; None where plain repetition did.
    """
    return [
        {"cause": known.cause, "remedy": known.remedy}
        for known in TABLE
        if known.applies(difference, broke)
    ][:3]
