"""Programs whose answer is known: what `seed-init verify` has to say of each, and where.

The programs in `programs/` look like what people write; a docstring says what goes wrong. The line
that has to be named ends in `# HERE`: the first that hands PyTorch something else than in
another run, or at which PyTorch computes something else from the same.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

PROGRAMS = Path(__file__).parent / "programs"
MARK = "# HERE"

IN_TRAINING = frozenset(
    ("trace", "batch", "draw", "loss", "gradient", "parameter", "module", "operator", "line")
)
"""Levels of a difference that training steps show."""

SAYS_AS_MUCH = {
    "step": IN_TRAINING,
    # What a tool names as a field of the difference is checked as a field.
    "module": IN_TRAINING,
    "operator": IN_TRAINING,
    "line": IN_TRAINING,
    "draw": frozenset(("draw", "operator", "line")),
    "gradient": frozenset(("gradient", "operator", "line")),
    "parameter": frozenset(("parameter", "operator", "line")),
    "file": frozenset(("file", "operator", "line")),
}
"""Level that must be named -> the levels that say it or more; of the others, only itself."""


@dataclass(frozen=True)
class Expected:
    """Where the first difference is to be found. What is None is not asked for.

    Attributes:
        level: what kind of difference: one of those in `proof.comparing.difference`, or `step`
            for any in training.
        step: from 0.
        rank: of the process.
        tensor: qualified name of the parameter or gradient, or the key of a tensor in a file.
        module: qualified name.
        operator: without overload and without the underscore of the in-place form.
        generator: whose draws differ.
        mentions: a text that the difference must have somewhere.
        perturbation: what has to be named as having broken equality; None: nothing, because
            runs differ with nothing changed.
    """

    level: str
    step: int | None = None
    rank: int | None = None
    tensor: str | None = None
    module: str | None = None
    operator: str | None = None
    generator: str | None = None
    mentions: str | None = None
    perturbation: str | None = None


@dataclass(frozen=True)
class Case:
    """A program under some settings.

    Attributes:
        name: of the case; several may share a program.
        file: in `programs/`.
        what: goes wrong, or is right, in a few words.
        kind: `caught`: any two runs differ. `clean`: none do. `latent`: none do until something
            is changed that must not matter.
        expected: the answer; None for a clean one.
        environment: on top of `running.ENVIRONMENT`.
        how: what runs it.
        options: of `verify`.
        is_chance: whether the step at which two runs part is chance. The runs of a closer look may
            then part before the step that is looked at, and a later line is named.
    """

    name: str
    file: str
    what: str
    kind: Literal["caught", "clean", "latent"]
    expected: Expected | None = None
    environment: dict[str, str] = field(default_factory=dict)
    how: Literal["script", "torchrun", "notebook"] = "script"
    options: tuple[str, ...] = ()
    is_chance: bool = False

    @property
    def path(self) -> Path:
        return PROGRAMS / self.file

    @cached_property
    def here(self) -> tuple[int, str] | None:
        """The line that is marked: its number, in its file or its cell, and its text."""
        lines = [line for cell in cells_of(self.path) for line in enumerate(cell, 1)]
        marked = [(number, line.strip()) for number, line in lines if line.endswith(MARK)]
        assert len(marked) <= 1, f"{self.file}: more than one line ends in {MARK}"
        return marked[0] if marked else None


def cells_of(path: Path) -> list[list[str]]:
    """The lines of each cell of a notebook; a program is one cell."""
    text = path.read_text()
    if path.suffix != ".ipynb":
        return [text.splitlines()]
    return ["".join(cell["source"]).splitlines() for cell in json.loads(text)["cells"]]


LEAVE = {"SEED_INIT_UNSEEDED": "leave"}
TWO_THREADS = {"OMP_NUM_THREADS": "2"}

CAUGHT = (
    Case(
        "numpy_generator",
        "numpy_noise.py",
        "np.random.default_rng() without a seed",
        "caught",
        Expected("line", step=0),
        LEAVE,
    ),
    Case(
        "generator_in_workers",
        "worker_noise.py",
        "default_rng() held by a data set, in workers",
        "caught",
        Expected("batch", step=0),
        LEAVE,
    ),
    Case(
        "random_object",
        "sample_order.py",
        "random.Random() without a seed decides the order",
        "caught",
        Expected("line", step=0),
        LEAVE,
    ),
    Case(
        "torch_seed",
        "torch_seed.py",
        "torch.seed() in the middle",
        "caught",
        Expected("draw", step=2, generator="torch"),
        LEAVE,
    ),
    Case(
        "extra_draw",
        "extra_draw.py",
        "as many extra draws as time went by",
        "caught",
        Expected("draw", step=3, generator="torch"),
    ),
    Case(
        "draw_on_one_rank",
        "rank_draw.py",
        "extra draws on rank 1 of 2",
        "caught",
        Expected("draw", step=2, rank=1, generator="torch"),
        how="torchrun",
    ),
    Case(
        "as_completed",
        "as_completed.py",
        "results in the order of as_completed",
        "caught",
        Expected("line", step=0),
    ),
    Case(
        "imap_unordered",
        "imap_unordered.py",
        "batches in the order of imap_unordered",
        "caught",
        Expected("line"),
        is_chance=True,
    ),
    Case(
        "clock_rate",
        "clock_rate.py",
        "learning rate from the clock",
        "caught",
        Expected("parameter", step=3, tensor="0.weight"),
    ),
    Case(
        "urandom_in_module",
        "urandom_module.py",
        "os.urandom in a layer",
        "caught",
        Expected("module", step=0, module="noise"),
    ),
    Case(
        "hogwild",
        "hogwild_threads.py",
        "threads update shared weights",
        "caught",
        Expected("step"),
    ),
    Case(
        "index_backward",
        "indexed_weight.py",
        "backward of w[i] on two threads",
        "caught",
        Expected("operator", step=0, operator="aten::index_put", module="table"),
        TWO_THREADS | {"DETERMINISM": "off"},
    ),
    Case(
        "thread_count",
        "threads_in_turn.py",
        "torch.set_num_threads in the middle",
        "caught",
        Expected("operator", step=2, operator="aten::native_batch_norm", module="norm"),
    ),
    Case(
        "bit_flip",
        "bit_flip.py",
        "a bit of a gradient flips",
        "caught",
        Expected("gradient", step=3, tensor="last.weight"),
    ),
    Case(
        "clock_buffer",
        "clock_buffer.py",
        "a buffer follows the clock",
        "caught",
        Expected("module", step=0, module="pace"),
    ),
    Case(
        "timed_dropout",
        "timed_dropout.py",
        "dropout by a generator seeded with the time",
        "caught",
        Expected("operator", step=0, operator="aten::rand", module="dropout"),
    ),
    Case(
        "uuid_scale",
        "uuid_scale.py",
        "loss scaled by a UUID",
        "caught",
        Expected("operator", step=0, operator="aten::mul"),
    ),
    Case(
        "thread_race",
        "thread_race.py",
        "a layer adds up in threads",
        "caught",
        # Whether threads collide in the first step already is chance.
        Expected("module", step=None, module="total"),
    ),
    Case(
        "rounded_gradient",
        "rounded_gradient.py",
        "an autograd function with os.urandom in its backward",
        "caught",
        Expected("line", step=0),
    ),
    Case(
        "left_behind",
        "left_behind.py",
        "a file that each run leaves to the next",
        "caught",
        Expected("operator", step=0, operator="aten::sub"),
    ),
    Case(
        "notebook",
        "notebook_clock.ipynb",
        "a notebook whose noise follows the clock",
        "caught",
        Expected("operator", step=0, operator="aten::mul"),
        how="notebook",
    ),
    Case(
        "stamped_weights",
        "stamped_weights.py",
        "the final weights are changed after training",
        "caught",
        Expected("parameter", tensor="2.bias"),
    ),
    Case(
        "printed_time",
        "printed_time.py",
        "only what is printed differs",
        "caught",
        Expected("output", mentions="took"),
    ),
    Case(
        "exit_status",
        "output_exists.py",
        "the second run ends with another status",
        "caught",
        Expected("status"),
    ),
    Case(
        "file_content",
        "dated_checkpoint.py",
        "only a tensor in a file differs",
        "caught",
        Expected("file", tensor="seconds", mentions="checkpoint.pt"),
        options=("--file", "checkpoint.pt"),
    ),
)

LATENT = (
    Case(
        "set_of_texts",
        "label_set.py",
        "classes numbered in the order of a set of texts",
        "latent",
        Expected("line", step=0, perturbation="hash seed"),
    ),
    Case(
        "feature_hashing",
        "hashed_features.py",
        "words into buckets by hash()",
        "latent",
        Expected("line", step=0, perturbation="hash seed"),
    ),
    Case(
        "listing",
        "listed_shards.py",
        "shards in the order of os.listdir",
        "latent",
        Expected("line", step=0, perturbation="listing order"),
    ),
    Case(
        "temporary_path",
        "split_by_path.py",
        "split by a checksum of full paths",
        "latent",
        Expected("line", step=0, perturbation="temporary directory"),
    ),
    Case(
        "date",
        "daily_seed.py",
        "today's date as a seed",
        "latent",
        Expected("line", step=0, perturbation="start time"),
    ),
    Case(
        "set_of_objects",
        "set_of_objects.py",
        "samples in the order of a set of objects",
        "latent",
        Expected("line", step=0, perturbation="address layout"),
    ),
)

CLEAN = (
    Case("attention", "attention_dropout.py", "attention with dropout", "clean"),
    Case("digits", "digits_cnn.py", "convolutions, two workers, torch and random", "clean"),
    Case("char_gpt", "char_gpt.py", "a GPT with tied weights, sampling at its end", "clean"),
    Case("encoder", "transformer_encoder.py", "TransformerEncoder on padded data", "clean"),
    Case("numpy_in_workers", "numpy_workers.py", "np.random in persistent workers", "clean"),
    Case("accumulation", "scaled_accumulation.py", "GradScaler with accumulation", "clean"),
    Case("two_optimizers", "two_optimizers.py", "an adversarial network", "clean"),
    Case("two_ranks", "two_ranks.py", "DDP over gloo", "clean", how="torchrun"),
    Case("notebook_clean", "notebook_noise.ipynb", "a notebook", "clean", how="notebook"),
    # Programs that are caught above, under the settings that mend them: the defaults.
    Case("derived_numpy", "numpy_noise.py", "default_rng(), derived", "clean"),
    Case("derived_in_workers", "worker_noise.py", "held default_rng(), derived", "clean"),
    Case("derived_random", "sample_order.py", "random.Random(), derived", "clean"),
    Case(
        "deterministic_index",
        "indexed_weight.py",
        "backward of w[i], deterministic algorithms",
        "clean",
        environment=TWO_THREADS,
    ),
)

CASES = CAUGHT + LATENT + CLEAN


def mistakes(case: Case, verdict: dict[str, Any]) -> list[str]:
    """What a result of `verify` has wrong about where a case differs, one line each.

    Args:
        case: one with an expected difference.
        verdict: what `verify --json` printed; its verdict is `different`.
    """
    expected, found = case.expected, verdict["difference"]
    assert expected is not None
    levels = SAYS_AS_MUCH.get(expected.level, frozenset((expected.level,)))
    wrong = []
    if found["level"] not in levels:
        wrong.append(f"level {found['level']} instead of {expected.level}")
    for name in ("step", "rank", "tensor", "module", "generator"):
        wanted = getattr(expected, name)
        if wanted is not None and found[name] != wanted:
            wrong.append(f"{name} {found[name]} instead of {wanted}")
    if expected.operator and _plain(found["operator"]) != expected.operator:
        wrong.append(f"operator {found['operator']} instead of {expected.operator}")
    if expected.mentions and expected.mentions not in json.dumps(found):
        wrong.append(f"no mention of {expected.mentions}")
    if verdict["broke_equality"] != expected.perturbation:
        wrong.append(f"broken by {verdict['broke_equality']} instead of {expected.perturbation}")
    return wrong + _wrong_line(case, found["source"])


def _plain(operator: str | None) -> str | None:
    """`aten::index_put` of `aten::_index_put_impl_`, `aten::index_put_`, `aten::index_put.out`."""
    if operator is None:
        return None
    namespace, _, name = operator.partition("::")
    name = name.partition(".")[0].rstrip("_")
    return f"{namespace}::{name.removeprefix('_').removesuffix('_impl')}"


def _wrong_line(case: Case, source: dict[str, Any] | None) -> list[str]:
    if case.here is None:
        return []
    number, text = case.here
    place = f"{case.file}:{number}"
    if source is None:
        return [f"no line instead of {place}"]
    right = source["line"] == number
    if case.how == "notebook":
        # A cell's code is in a file of the kernel's, which may be gone.
        right = right and source["text"] in ("", text)
    else:
        right = right and source["text"] == text and Path(source["file"]).name == case.file
    return [] if right else [f"line {source['file']}:{source['line']} instead of {place}"]
