"""Tasks of Dask have streams of their own, by key, in whichever worker they run."""

from pathlib import Path

from harness.processes import output, run


def test_the_commands_of_the_lane_run_with_the_hook(python: Path) -> None:
    done = run(python.parent / "dask", "--version", env={"SEED": "seven"})
    assert done.returncode == 78, done.stderr
    shown = output(python.parent / "dask", "--version", env={"SEED": "7"})
    assert shown.startswith("dask, version")
