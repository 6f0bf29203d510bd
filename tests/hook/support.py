"""Run real Python processes, in an environment that says everything."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "programs"
REPOSITORY = Path(__file__).parents[2]

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


def environment_of(python: Path | str, env: Mapping[str, str | None]) -> dict[str, str]:
    """The minimal environment of a Python, with `env` on top; None takes a variable away."""
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
    library = Path(python).parent.parent / "lib"
    if any(library.glob("libpython*")):  # a Python that was built shared
        environment["LD_LIBRARY_PATH"] = str(library)
    if "TMPDIR" in os.environ:
        environment["TMPDIR"] = os.environ["TMPDIR"]
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


def once(kept: Path, make: Callable[..., Any], *arguments: Any) -> Any:
    """What `make(*arguments)` returned when it was first asked for: for runs that take seconds.

    Args:
        kept: the directory of the fixture of that name, which pytest's processes share.
        make: gives something that JSON can hold.
        arguments: told apart by their repr.
    """
    key = repr((make.__module__, make.__qualname__, arguments))
    file = kept / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            file.write_text(json.dumps(make(*arguments)))
    return json.loads(file.read_text())


def program(name: str) -> Path:
    return PROGRAMS / f"{name}.py"


def stdlib_of(python: Path) -> Path:
    """The stdlib directory of a private prefix."""
    return python.parent.parent / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"


def site_packages_of(python: Path | str) -> Path:
    """The directory that a Python looks for .pth files in."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(output(python, "-c", code, env={"SEED_INIT": "0"}))


def write_defaults(prefix: Path, text: str) -> Path:
    """Write a prefix's own defaults file."""
    path = prefix / "etc/seed_init/defaults"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
