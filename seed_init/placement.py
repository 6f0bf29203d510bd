"""Where the hook lives in a Python installation, and putting it there and taking it away.

A base interpreter gets it in its stdlib directory, the one place that every virtual
environment made from it keeps, plus a .pth line in site-packages for the case that a
foreign sitecustomize on PYTHONPATH hides ours. A virtual environment gets no sitecustomize:
its .pth line is never hidden, and nothing of the user's has to make room for it.
"""

import importlib.util
import os
import py_compile
import shutil
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = Path(__file__).parent
KEPT = "_seed_init_kept_sitecustomize"
MARKER = "INSTALLED_BY_SEED_INIT"

STARTUP = "_seed_init_startup"
PTH_NAME = "seed_init.pth"
# One short ASCII line each: Python compiles it at every start, and a byte beyond ASCII stops
# every interpreter in a C locale (cpython#103161).
PTH_VIRTUAL = f"import {STARTUP}\n"
# Only PYTHONPATH can put a foreign sitecustomize before the one in the stdlib directory.
PTH_BASE = f'import os; "PYTHONPATH" in os.environ and __import__("{STARTUP}")\n'

# Whatever the umask: a hook that a user cannot read is skipped by Python with two lines.
READABLE_FILE = 0o644
READABLE_DIRECTORY = 0o755

# How a file of ours is told from the user's: text that every release writes.
MARK = {
    "sitecustomize.py": '"""Installed as `sitecustomize`: start seeding',
    f"{STARTUP}.py": '"""What runs at the start of every Python process: read the settings',
    PTH_NAME: "import ",
}


class PlacementError(Exception):
    """The hook cannot be put there or taken away. Its text is one line for the user."""


@dataclass(frozen=True)
class Placement:
    """The paths of the hook in one Python installation.

    Attributes:
        library: the directory that gets the package and, in a base interpreter, the
            sitecustomize: the stdlib directory, or site-packages of a virtual environment.
        site_packages: the directory that gets the .pth file.
        virtual: True for a virtual environment.
    """

    library: Path
    site_packages: Path
    virtual: bool

    @property
    def sitecustomize(self) -> Path:
        return self.library / "sitecustomize.py"

    @property
    def startup(self) -> Path:
        return self.library / f"{STARTUP}.py"

    @property
    def package(self) -> Path:
        return self.library / "seed_init"

    @property
    def pth(self) -> Path:
        return self.site_packages / PTH_NAME


@dataclass
class Report:
    """What `install` or `uninstall` did, one line a step; empty: there was nothing to do."""

    lines: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)


def here() -> Placement:
    """The placement of the Python that runs this."""
    virtual = sys.prefix != sys.base_prefix
    site_packages = Path(sysconfig.get_path("purelib"))
    library = site_packages if virtual else Path(sysconfig.get_path("stdlib"))
    return Placement(library, site_packages, virtual)


def installed(placement: Placement) -> list[Path]:
    """The files of the hook that are in place."""
    files = (placement.startup, placement.sitecustomize, placement.pth)
    return [path for path in files if _is_ours(path)]


def install(placement: Placement) -> Report:
    """Put the hook in place, or bring it up to date. A second call changes nothing.

    Args:
        placement: where; `here()` for the Python that runs this.

    Returns:
        What was done.

    Raises:
        PlacementError: a directory cannot be written, or something that is not ours is in
            the way and cannot be kept.
    """
    report = Report()
    try:
        _install_package(placement, report)
        _write(placement.startup, (PACKAGE / "startup.py").read_text(), report)
        if not placement.virtual:
            _keep_sitecustomize(placement, report)
            _write(placement.sitecustomize, (PACKAGE / "sitecustomize.py").read_text(), report)
        placement.site_packages.mkdir(parents=True, exist_ok=True)
        _write(placement.pth, PTH_VIRTUAL if placement.virtual else PTH_BASE, report)
        _own_by_pip(placement)
    except OSError as error:
        raise PlacementError(_cannot(error)) from None
    return report


def uninstall(placement: Placement) -> Report:
    """Take the hook away and put back what `install` kept. A second call changes nothing.

    Args:
        placement: where; `here()` for the Python that runs this.

    Returns:
        What was done.

    Raises:
        PlacementError: a file cannot be removed.
    """
    report = Report()
    try:
        # The .pth first and the package last: whatever stops us half way, no interpreter
        # is left that looks for a package which is gone.
        _remove(placement.pth, report)
        if not placement.virtual:
            _remove(placement.sitecustomize, report)
            _put_back_sitecustomize(placement, report)
        _remove(placement.startup, report)
        if (placement.package / MARKER).exists():
            shutil.rmtree(placement.package)
            report.say(f"removed {placement.package}")
    except OSError as error:
        raise PlacementError(_cannot(error)) from None
    return report


def _install_package(placement: Placement, report: Report) -> None:
    target = placement.package
    if placement.virtual and _importable_there(placement):
        return
    if PACKAGE.resolve() == target.resolve() or _same_package(target):
        return
    if target.exists() and not (target / MARKER).exists():
        raise PlacementError(
            f"{target} is there and was not put there by seed-init install; move it away first"
        )
    fresh = target.with_name(f".seed_init-{os.getpid()}")
    try:
        shutil.copytree(PACKAGE, fresh, ignore=shutil.ignore_patterns("__pycache__"))
        (fresh / MARKER).write_text("seed-init uninstall removes this directory.\n")
        if target.exists():
            shutil.rmtree(target)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    for source in sorted(target.rglob("*.py")):
        _compile(source)
    for path in (target, *target.rglob("*")):
        path.chmod(READABLE_DIRECTORY if path.is_dir() else READABLE_FILE)
    report.say(f"installed {target}")


def _importable_there(placement: Placement) -> bool:
    """True where pip has put the package into this environment, editable or not."""
    return any(placement.site_packages.glob("seed_init-*.dist-info"))


def _same_package(target: Path) -> bool:
    if not (target / MARKER).exists():
        return False
    ours = {path.relative_to(PACKAGE): path.read_bytes() for path in PACKAGE.rglob("*.py")}
    theirs = {path.relative_to(target): path.read_bytes() for path in target.rglob("*.py")}
    return ours == theirs


def _keep_sitecustomize(placement: Placement, report: Report) -> None:
    """Move a sitecustomize that is not ours aside; ours runs it from there."""
    for found, kept in _sitecustomize_forms(placement):
        if not os.path.lexists(found) or _is_ours(found):
            continue
        # A directory without __init__.py hides nothing and is hidden by nothing.
        if found.is_dir() and not (found / "__init__.py").exists():
            continue
        if os.path.lexists(kept):
            raise PlacementError(f"{found} would be kept as {kept}, which is there; remove one")
        found.rename(kept)
        report.say(f"kept {found} as {kept}; it still runs")


def _put_back_sitecustomize(placement: Placement, report: Report) -> None:
    for found, kept in _sitecustomize_forms(placement):
        if os.path.lexists(kept):
            kept.rename(found)
            report.say(f"put back {found}")


def _sitecustomize_forms(placement: Placement) -> list[tuple[Path, Path]]:
    return [
        (placement.library / "sitecustomize", placement.library / KEPT),
        (placement.sitecustomize, placement.library / f"{KEPT}.py"),
    ]


def _is_ours(path: Path) -> bool:
    """True for a file that `install` wrote, of any version."""
    try:
        text = path.read_text(encoding="utf-8")
        return text.startswith(MARK.get(path.name, "\0")) and (
            path.suffix == ".py" or STARTUP in text
        )
    except (OSError, UnicodeDecodeError):
        return False


def _write(path: Path, text: str, report: Report) -> None:
    if _is_ours(path) and path.read_text() == text:
        return
    if os.path.lexists(path) and not _is_ours(path):
        raise PlacementError(f"{path} is there and is not seed_init's; move it away first")
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    fresh.write_text(text, encoding="ascii")
    fresh.chmod(READABLE_FILE)
    fresh.replace(path)
    if path.suffix == ".py":
        _compile(path, without_docstrings=True)
    report.say(f"installed {path}")


def _remove(path: Path, report: Report) -> None:
    if not _is_ours(path):
        return
    path.unlink()
    compiled = Path(importlib.util.cache_from_source(str(path)))
    if path.suffix == ".py":
        compiled.unlink(missing_ok=True)
    report.say(f"removed {path}")


def _compile(source: Path, without_docstrings: bool = False) -> None:
    """Compile without a time stamp: image tools change file times, and users may not write.

    UNCHECKED_HASH also spares every start the look at the source. Nobody reads docstrings of
    the files that every process loads; they are half of what there is to load.
    """
    compiled = Path(importlib.util.cache_from_source(str(source), optimization=""))
    py_compile.compile(
        str(source),
        cfile=str(compiled),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        optimize=2 if without_docstrings else 0,
        doraise=True,
    )
    compiled.chmod(READABLE_FILE)


def _own_by_pip(placement: Placement) -> None:
    """Have `pip uninstall seed-init` remove what `install` wrote along with the package."""
    if not placement.virtual:
        return
    for info in placement.site_packages.glob("seed_init-*.dist-info"):
        record = info / "RECORD"
        entries = f"{PTH_NAME},,\n{STARTUP}.py,,\n"
        if record.exists() and entries not in record.read_text():
            with record.open("a") as file:
                file.write(entries)


def _cannot(error: OSError) -> str:
    return f"cannot write {error.filename}: {error.strerror}; run as a user who may"
