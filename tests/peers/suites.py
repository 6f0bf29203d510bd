"""The suites that are run, and the tests that are known to differ under the hook."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """A test suite of somebody else.

    Attributes:
        name: what `make test-peers PEERS=…` calls it.
        parts: modules of CPython's package `test`, or files below the package's directory. Each
            runs in a process of its own.
        package: the installed package whose own tests are run by pytest, or the folder of
            `.cache/peers` that has them; None for CPython's.
        options: what pytest is given for them.
        quick: the parts that `make test` runs as well.
    """

    name: str
    parts: tuple[str, ...]
    package: str | None = None
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


SUITES = (
    Suite(
        "cpython",
        (
            "test_atexit",
            "test_cmd_line",
            "test_cmd_line_script",
            "test_concurrent_futures",
            "test_faulthandler",
            "test_fork1",
            "test_gc",
            "test_import",
            "test_importlib",
            "test_multiprocessing_fork",
            "test_multiprocessing_forkserver",
            "test_multiprocessing_main_handling",
            "test_multiprocessing_spawn",
            "test_os",
            "test_posix",
            "test_random",
            "test_runpy",
            "test_secrets",
            "test_signal",
            "test_site",
            "test_subprocess",
            "test_tempfile",
            "test_thread",
            "test_threadedtempfile",
            "test_threading",
            "test_threading_local",
            "test_threadsignals",
            "test_uuid",
            "test_venv",
            "test_warnings",
            "test_weakref",
        ),
        quick=("test_atexit", "test_gc", "test_random", "test_uuid", "test_warnings"),
    ),
    Suite(
        "numpy",
        (
            "random/tests/test_direct.py",
            "random/tests/test_generator_mt19937.py",
            "random/tests/test_generator_mt19937_regressions.py",
            "random/tests/test_random.py",
            "random/tests/test_randomstate.py",
            "random/tests/test_randomstate_regression.py",
            "random/tests/test_regression.py",
            "random/tests/test_seed_sequence.py",
            "random/tests/test_smoke.py",
        ),
        package="numpy",
        # NumPy's conftest.py needs hypothesis, which none of these tests uses.
        options=("--noconftest",),
        quick=("random/tests/test_seed_sequence.py", "random/tests/test_smoke.py"),
    ),
    Suite(
        "joblib",
        (
            "test/test_hashing.py",
            "test/test_memory.py",
            "test/test_module.py",
            "test/test_parallel.py",
        ),
        package="joblib",
    ),
    Suite(
        "sklearn",
        (
            "ensemble/tests/test_forest.py",
            "model_selection/tests/test_split.py",
            "utils/tests/test_indexing.py",  # resample and shuffle
            "utils/tests/test_random.py",
        ),
        package="sklearn",
    ),
)

# Where they can be had: tools/peer-suites.sh brings them from Debian.
PYTORCH = Suite(
    "pytorch",
    ("test/test_dataloader.py", "test/test_fx.py", "test/test_multiprocessing.py"),
    package="pytorch",
    # PyTorch's conftest.py is for pytest 7, and these tests use nothing of it.
    options=("--noconftest",),
)

EXPECTED: dict[str, str] = {
    ".TestFunctionalTracing::test_nn_functional_pad": "it fails without the hook as well where "
    "deterministic algorithms are on: torch.nn.functional.pad then asks the traced input for its "
    "device (torch/nn/functional.py), which a trace into that function cannot answer",
}
"""Tests that fail under the hook and are right to: their name, and why that is no harm."""
