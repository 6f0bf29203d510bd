"""Run real Python processes, in an environment that says everything."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import interpreters

Completed = subprocess.CompletedProcess[str]


def run(
    python: Path | str,
    *arguments: Path | str,
    env: Mapping[str, str | None] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    timeout: float = 60,
) -> Completed:
    """Run a Python with nothing of this process's environment that could matter.

    Args:
        python: the interpreter, or any other program.
        arguments: what follows it.
        env: on top of the minimal environment; None takes a variable away.
        cwd: where it runs; "/" if not given, so that no relative path works by chance.
        stdin: what it reads.
        timeout: seconds until the test fails.
    """
    return subprocess.run(
        [str(part) for part in (python, *arguments)],
        env=environment_of(python, env or {}),
        cwd=cwd or "/",
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
    )


def in_a_directory_that_is_gone(folder: Path, *command: Path | str, **variables: str) -> Completed:
    """Run a Python in a directory that is removed before it starts.

    Args:
        folder: where the directory is made.
        command: the interpreter and what follows it.
        variables: put into its environment.
    """
    gone = folder / "gone"
    gone.mkdir()
    env = {**environment_of(command[0], {}), **variables}
    script = 'rmdir "$PWD"; exec "$@"'
    return run("/bin/sh", "-c", script, "sh", *command, cwd=gone, env=env)


def environment_of(python: Path | str, env: Mapping[str, str | None]) -> dict[str, str]:
    """The minimal environment of a Python, with `env` on top; None takes a variable away."""
    environment = interpreters.environment(Path(python))
    for name, value in env.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    return environment


def output(python: Path | str, *arguments: Path | str, **options: Any) -> str:
    """What a program prints; it must succeed. Its stderr shows when it does not."""
    done = run(python, *arguments, **options)
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def answer(python: Path | str, *arguments: Path | str, **options: Any) -> Any:
    """The JSON that a program prints as its last line."""
    return json.loads(output(python, *arguments, **options).splitlines()[-1])
