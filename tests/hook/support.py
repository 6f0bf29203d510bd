"""Programs of the hook's tests, and directories of the interpreters that run them."""

from pathlib import Path

from harness.processes import output

PROGRAMS = Path(__file__).parent / "programs"


def program(name: str) -> Path:
    return PROGRAMS / f"{name}.py"


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
