"""Real launchers of ranks: which streams each rank has, and what is said where SEEDs differ."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from harness.processes import environment_of, run

PROGRAMS = Path(__file__).parent / "programs"
LATE = PROGRAMS / "ranks_late.py"
PROBE = PROGRAMS / "ranks_probe.py"
ONE_MACHINE = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "SEED_INIT_LOG": "info"}
MPIRUN = (
    *("mpirun", "--allow-run-as-root", "--oversubscribe", "-n", "2"),
    *("--mca", "btl", "self,vader", "--mca", "btl_vader_single_copy_mechanism", "none"),
)

Rank = dict[str, Any]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def url() -> str:
    return f"tcp://127.0.0.1:{free_port()}"


def start(python: Path, *arguments: Path | str, **env: str | None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(each) for each in (python, *arguments)],
        env=environment_of(python, {**ONE_MACHINE, **env}),
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(*processes: "subprocess.Popen[str]", timeout: float = 180) -> list[tuple[int, str, str]]:
    try:
        told = [each.communicate(timeout=timeout) for each in processes]
        return [(each.returncode, *texts) for each, texts in zip(processes, told, strict=True)]
    finally:
        for each in processes:
            each.kill()


def ranks_of(*texts: str) -> list[Rank]:
    lines = [line for text in texts for line in text.splitlines() if line.startswith("{")]
    return sorted(map(json.loads, lines), key=lambda each: int(each["rank"]))


def started(python: Path, *words: str, url: str, envs: tuple[dict[str, str], ...]) -> Any:
    """Two programs that are started by hand, each with its environment, and what they tell."""
    processes = [
        start(python, LATE, "started", str(rank), "2", url, *words, **env)
        for rank, env in enumerate(envs)
    ]
    return end(*processes)


SEVEN = {"SEED": "7"}
DISTINCT = {"SEED": "7", "SEED_INIT_RANKS": "distinct"}
SAME = {"SEED": "7", "SEED_INIT_RANKS": "same"}


def numbers(ranks: list[Rank], when: str) -> list[list[float]]:
    return [rank[when] for rank in ranks]


class TestRanksThatAreKnownLate:
    """As rank 0 of Lightning's `ddp`: nothing in the environment says what it is."""

    @pytest.fixture
    def late(self, python: Path, tmp_path: Path) -> Any:
        return started(python, url=f"file://{tmp_path}/store", envs=(DISTINCT, DISTINCT))

    def test_distinct_is_applied_where_they_join(self, python: Path, late: Any) -> None:
        assert [each[0] for each in late] == [0, 0], late
        ranks = ranks_of(*(each[1] for each in late))
        assert [rank["path"] for rank in ranks] == [["rank", 0], ["rank", 1]]
        assert [rank["status"] for rank in ranks] == [0, 1]
        before, after = numbers(ranks, "before"), numbers(ranks, "after")
        assert before[0] == before[1] != after[0]
        assert all(a != b for a, b in zip(*after, strict=True))
        for rank, (_, _, stderr) in enumerate(late):
            assert f"seed_init: rank {rank} of 2 (distinct streams)\n" in stderr
        # As torchrun's, which are known from the start.
        code = "import json, random, numpy, torch; print(json.dumps([random.random(), "
        code += "numpy.random.rand(), torch.rand(1).item()]))"
        known = run(python, "-c", code, env={**DISTINCT, "RANK": "1"})
        assert json.loads(known.stdout) == after[1][:3]

    def test_a_library_that_the_program_has_seeded_stays_as_it_is(self, python: Path) -> None:
        told = started(python, "own", url=url(), envs=(DISTINCT, DISTINCT))
        zero, one = numbers(ranks_of(*(each[1] for each in told)), "after")
        assert zero[2] == one[2]
        assert all(zero[at] != one[at] for at in (0, 1, 3, 4))

    def test_one_without_the_hook_holds_nobody_up(self, python: Path) -> None:
        (_, out, stderr), (_, other, _) = started(
            python, url=url(), envs=(DISTINCT, {"SEED_INIT": "0"})
        )
        assert "seed_init: 1 of 2 ranks have told their SEED within 3 s; " in stderr
        zero, one = ranks_of(out, other)
        assert (zero["path"], one["path"]) == (["rank", 0], [])


@pytest.mark.parametrize("kind", ["tcp", "file"])
def test_ranks_with_different_seeds_end_with_one_line(
    python: Path, tmp_path: Path, kind: str
) -> None:
    where = url() if kind == "tcp" else f"file://{tmp_path}/store"
    told = started(python, url=where, envs=(SEVEN, {"SEED": "8"}))
    for status, out, stderr in told:
        assert (status, out) == (78, "")
        line = stderr.splitlines()[-1]
        assert "rank 0 has SEED=7 (environment)" in line
        assert "rank 1 has SEED=8 (environment)" in line
        assert "Traceback" not in stderr


def test_seeds_that_each_rank_has_drawn_are_named_and_nobody_ends(python: Path) -> None:
    drawn = {"SEED": "random"}
    told = started(python, url=url(), envs=(drawn, drawn))
    assert [status for status, _, _ in told] == [0, 0]
    assert sum("to replay this run, draw once" in stderr for _, _, stderr in told) == 1


@pytest.mark.parametrize("policy", [SAME, DISTINCT], ids=["same", "distinct"])
def test_ranks_agree_on_the_attempt_that_torchruns_agents_count_differently(
    python: Path, policy: dict[str, str]
) -> None:
    """An agent does not count a restart that another one has asked for."""
    counts = [{**policy, "TORCHELASTIC_RESTART_COUNT": count} for count in "01"]
    told = started(python, url=url(), envs=(counts[0], counts[1]))
    assert [status for status, _, _ in told] == [0, 0], told
    ranks = ranks_of(*(out for _, out, _ in told))
    assert [rank["attempt"] for rank in ranks] == [[1], [1]]
    after = numbers(ranks, "after")
    assert (after[0] == after[1]) is (policy is SAME)
    if policy is SAME:  # the beginning of what restart 1 draws
        assert after[1] == ranks[1]["before"]
    for rank, (_, _, stderr) in enumerate(told):
        line = f"rank {rank} of 2: the streams of restart 1, which not all ranks counted"
        assert line in stderr


@pytest.mark.parametrize(
    ("env", "paths", "are_equal"),
    [
        (SEVEN, [["process", 1], ["process", 2]], False),
        (SAME, [[], []], True),
        (DISTINCT, [["rank", 0], ["rank", 1]], False),
    ],
    ids=["by default", "same", "distinct"],
)
def test_spawned_ranks(
    python: Path, env: dict[str, str], paths: list[Any], are_equal: bool
) -> None:
    """Workers of a program are never made alike, unless somebody asks for it."""
    [(status, out, stderr)] = end(start(python, LATE, "spawned", "2", url(), **env))
    assert status == 0, stderr
    ranks = ranks_of(out)
    assert [rank["path"] for rank in ranks] == paths
    zero, one = numbers(ranks, "after")
    assert (zero == one) is are_equal
    before = numbers(ranks, "before")
    assert before[0] != before[1]


class TestTorchrunOnTwoNodes:
    """Two agents on loopback, as on two machines; rank 1 dies once, and all start again."""

    def nodes(self, python: Path, **env: str) -> list[Rank]:
        """What the ranks tell. Also without the hook, torchrun hangs now and then at a restart."""
        for _ in range(2):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.start_nodes(python, **env)
        return self.start_nodes(python, **env)

    def start_nodes(self, python: Path, **env: str) -> list[Rank]:
        place = f"127.0.0.1:{free_port()}"
        words = ("-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1")
        words += ("--max-restarts=2", "--rdzv-backend=c10d", f"--rdzv-endpoint={place}")
        words += ("--rdzv-id=1", "--local-addr=127.0.0.1")
        told = end(*(start(python, *words, PROBE, "torch", **env) for _ in range(2)), timeout=90)
        assert [status for status, _, _ in told] == [0, 0], told
        return ranks_of(*(out for _, out, _ in told))

    @pytest.mark.shows("torchrun", "alike")
    def test_a_restart_has_streams_of_its_own(self, python: Path, tmp_path: Path) -> None:
        first = self.nodes(python, **DISTINCT)
        second = self.nodes(python, **DISTINCT, KILL=str(tmp_path / "killed"))
        assert (tmp_path / "killed").exists()
        assert [rank["restart"] for rank in (*first, *second)] == [[], [], [1], [1]]
        drawn = [tuple(rank["drawn"]) for rank in (*first, *second)]
        assert len(set(drawn)) == 4


Start = Callable[[Path, dict[str, str]], list[Rank]]


def by_mpi(python: Path, env: dict[str, str]) -> list[Rank]:
    told = run(
        "/usr/bin/env", *MPIRUN, python, PROBE, "mpi4py",
        env={**environment_of(python, {**ONE_MACHINE, **env}), "PATH": os.defpath}, timeout=180,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    return ranks_of(told.stdout.replace("}{", "}\n{"))


ACCELERATE = """
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_CPU
num_processes: 2
num_machines: 1
machine_rank: 0
use_cpu: true
mixed_precision: 'no'
mpirun_config: {mpirun_hostfile: FOLDER/hosts, mpirun_ccl: '1'}
"""


def by_accelerate(python: Path, env: dict[str, str]) -> list[Rank]:
    as_root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    with TemporaryDirectory() as folder:
        Path(folder, "hosts").write_text("localhost slots=2\n")
        config = Path(folder, "config.yaml")
        config.write_text(ACCELERATE.replace("FOLDER", folder))
        words = ("-m", "accelerate.commands.launch", "--config_file", config)
        where = {"PATH": f"{python.parent}:{os.defpath}", "OMPI_MCA_btl": "self,tcp"}
        env = {**ONE_MACHINE, **env, **as_root, **where}
        told = run(python, *words, PROBE, "accelerate", env=env, timeout=180)
    assert told.returncode == 0, told.stderr
    return ranks_of(told.stdout.replace("}{", "}\n{"))


def by_lightning(python: Path, env: dict[str, str]) -> list[Rank]:
    told = run(python, PROBE, "lightning", env={**ONE_MACHINE, **env}, timeout=180)
    assert told.returncode == 0, told.stderr
    return ranks_of(told.stdout)


@pytest.mark.shows("{}", "runs", "alike", "control")
@pytest.mark.parametrize(
    "launched",
    [by_mpi, by_accelerate, by_lightning],
    ids=["Open MPI", "accelerate", "Lightning"],
)
def test_the_ranks_of_a_launcher(python: Path, launched: Start) -> None:
    """Same by default, and distinct where asked, in each run; without the hook each as it likes."""
    if launched is not by_lightning and shutil.which("mpirun") is None:
        pytest.skip("Open MPI is not installed (Debian: openmpi-bin)")
    same, distinct = launched(python, SEVEN), launched(python, DISTINCT)
    assert [rank["rank"] for rank in same] == [0, 1]
    assert same[0]["drawn"] == same[1]["drawn"]
    assert launched(python, DISTINCT) == distinct
    off = launched(python, {"SEED_INIT": "0"})
    four = [rank["drawn"] for rank in (*distinct, same[0], *off)]
    assert all(len(set(each)) == len(four) for each in zip(*four, strict=True))
