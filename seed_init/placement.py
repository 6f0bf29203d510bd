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

# `site` goes on after a .pth line that fails, and user code would run unseeded. As in
# sitecustomize.py: one line and status 78, where there is anything to seed.
_REFUSE = """
import os, sys
places = ("/etc/seed_init/defaults", sys.prefix + "/etc/seed_init/defaults")
names = ("SEED", "DETERMINISM", "SEED_INIT_TRACE", "SEED_INIT_RECORD")
asked = any(map(os.environ.get, names)) or any(map(os.path.exists, places))
if asked and os.environ.get("SEED_INIT", "").strip() != "0":
    line = f"seed_init: cannot load the seeding hook ({error!r}); run 'seed-init install' again, "
    line += "or set SEED_INIT=0 to run without seeding\\n"
    try:
        os.write(2, line.encode("ascii", "backslashreplace"))
    finally:
        os._exit(78)
"""


def _guarded(start: str, unless: str = "") -> str:
    """Python source: `start`, which ends the process where it fails.

    Args:
        start: one line of Python.
        unless: a condition on `error` under which there is nothing to say.
    """
    # The refusal is a string in a string: only a failing start compiles it.
    refuse = f"exec({_REFUSE!r})"
    return f"try: {start}\nexcept Exception as error: {unless}{refuse}\n"


# One ASCII line each: a byte beyond ASCII stops every interpreter in a C locale
# (cpython#103161).
PTH_VIRTUAL = f"import os; exec({_guarded(f'import {STARTUP}')!r})\n"
# Where pip has put the package, it is started from there: pip's upgrades then keep the hook, and
# after pip's uninstallation the line does nothing.
_START_PACKAGE = _guarded(
    "import seed_init.startup; seed_init.startup.start()",
    unless="getattr(error, 'name', '') == 'seed_init' or ",
)
PTH_PIP = f"import os; exec({_START_PACKAGE!r})\n"
# Only PYTHONPATH can put a foreign sitecustomize before the one in the stdlib directory.
PTH_BASE = f'import os; "PYTHONPATH" in os.environ and exec({_guarded(f"import {STARTUP}")!r})\n'

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
            the way and cannot be kept. The latter is found out before anything is changed.
    """
    report = Report()
    source = _source(placement)
    try:
        _check_room(placement)
        placement.site_packages.mkdir(parents=True, exist_ok=True)
        if placement.virtual and _importable_there(placement):
            _remove(placement.startup, report)  # of an installation without pip
            _write(placement.pth, PTH_PIP, report)
            return report
        _install_package(placement, source, report)
        _write(placement.startup, (source / "startup.py").read_text(), report)
        if not placement.virtual:
            _keep_sitecustomize(placement, report)
            _write(placement.sitecustomize, (source / "sitecustomize.py").read_text(), report)
        _write(placement.pth, PTH_VIRTUAL if placement.virtual else PTH_BASE, report)
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
        PlacementError: a file cannot be removed, or what `install` kept has no place to go
            back to because a new one is there. The latter is found out before anything is
            changed.
    """
    report = Report()
    try:
        for found, kept in _sitecustomize_forms(placement):
            if os.path.lexists(kept) and os.path.lexists(found) and not _is_ours(found):
                raise PlacementError(
                    f"{kept}, which install kept, belongs at {found}, where another one is now; "
                    "move one of them away first"
                )
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


def _source(placement: Placement) -> Path:
    """The package to install: this one, or a newer one that pip has put behind it.

    In a base interpreter the installed copy hides the one in site-packages, so that after
    `pip install --upgrade` it is the old copy that runs this.
    """
    by_pip = placement.site_packages / "seed_init"
    hides = PACKAGE.resolve() == placement.package.resolve() and by_pip != placement.package
    return by_pip if hides and (by_pip / "startup.py").exists() else PACKAGE


def _check_room(placement: Placement) -> None:
    """Raise PlacementError where something that is not ours is in the way."""
    own_package = placement.package.resolve() == PACKAGE.resolve()
    by_pip = placement.virtual and _importable_there(placement)
    package = placement.package
    if package.exists() and not (own_package or by_pip or (package / MARKER).exists()):
        raise PlacementError(
            f"{package} is there and was not put there by seed-init install; move it away first"
        )
    for path in (placement.library / "seed_init.py", placement.startup, placement.pth):
        if os.path.lexists(path) and not _is_ours(path):
            raise PlacementError(f"{path} is there and is not seed_init's; move it away first")
    if not placement.virtual:
        for found, kept in _foreign_sitecustomize(placement):
            if os.path.lexists(kept):
                raise PlacementError(f"{found} would be kept as {kept}, which is there; remove one")


def _install_package(placement: Placement, source: Path, report: Report) -> None:
    target = placement.package
    if source.resolve() == target.resolve() or _same_package(source, target):
        return
    fresh = target.with_name(f".seed_init-{os.getpid()}")
    old = target.with_name(f".seed_init-old-{os.getpid()}")
    try:
        shutil.copytree(source, fresh, ignore=shutil.ignore_patterns("__pycache__"))
        (fresh / MARKER).write_text("seed-init uninstall removes this directory.\n")
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(READABLE_DIRECTORY if path.is_dir() else READABLE_FILE)
        # Two renames and not a removal before: processes that start meanwhile need it.
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    for file in sorted(target.rglob("*.py")):
        _compile(file)
    for path in target.rglob("__pycache__"):
        path.chmod(READABLE_DIRECTORY)
    report.say(f"installed {target}")


def _importable_there(placement: Placement) -> bool:
    """True where pip has put the package into this environment, editable or not."""
    return any(placement.site_packages.glob("seed_init-*.dist-info"))


def _same_package(source: Path, target: Path) -> bool:
    if not (target / MARKER).exists():
        return False
    return _contents(source) == _contents(target)


def _contents(package: Path) -> dict[Path, bytes]:
    """What a package has: its code, and the schemas that it publishes."""
    files = [path for kind in ("*.py", "*.json") for path in package.rglob(kind)]
    return {path.relative_to(package): path.read_bytes() for path in files}


def _keep_sitecustomize(placement: Placement, report: Report) -> None:
    """Move a sitecustomize that is not ours aside; ours runs it from there."""
    for found, kept in _foreign_sitecustomize(placement):
        found.rename(kept)
        report.say(f"kept {found} as {kept}; it still runs")


def _put_back_sitecustomize(placement: Placement, report: Report) -> None:
    for found, kept in _sitecustomize_forms(placement):
        if os.path.lexists(kept):
            kept.rename(found)
            _remove_compiled(kept)
            report.say(f"put back {found}")


def _foreign_sitecustomize(placement: Placement) -> list[tuple[Path, Path]]:
    """What is there that ours would hide, and the name under which it is kept."""
    return [
        (found, kept)
        for found, kept in _sitecustomize_forms(placement)
        if os.path.lexists(found)
        and not _is_ours(found)
        # A directory without __init__.py hides nothing and is hidden by nothing.
        and not (found.is_dir() and not (found / "__init__.py").exists())
    ]


def _sitecustomize_forms(placement: Placement) -> list[tuple[Path, Path]]:
    library = placement.library
    return [
        (library / f"sitecustomize{suffix}", library / f"{KEPT}{suffix}")
        for suffix in ("", ".py", ".pyc")
    ]


def _is_ours(path: Path) -> bool:
    """True for a file that `install` wrote, of any version."""
    try:
        text = path.read_text(encoding="utf-8")
        return text.startswith(MARK.get(path.name, "\0")) and (
            path.suffix == ".py" or "seed_init" in text
        )
    except (OSError, UnicodeDecodeError):
        return False


def _write(path: Path, text: str, report: Report) -> None:
    if _up_to_date(path, text):
        return
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    fresh.write_text(text, encoding="ascii")
    fresh.chmod(READABLE_FILE)
    fresh.replace(path)
    if path.suffix == ".py":
        _compile(path, without_docstrings=True)
    report.say(f"installed {path}")


def _up_to_date(path: Path, text: str) -> bool:
    """True where the file, readable by all, and what it was compiled to are those of `text`."""
    try:
        if path.read_text() != text or path.stat().st_mode & READABLE_FILE != READABLE_FILE:
            return False
        if path.suffix != ".py":
            return True
        # Python does not compare them, see `_compile`; an interrupted update may have.
        return _compiled(path).read_bytes()[8:16] == importlib.util.source_hash(path.read_bytes())
    except (OSError, UnicodeDecodeError):
        return False


def _remove(path: Path, report: Report) -> None:
    if not _is_ours(path):
        return
    path.unlink()
    _remove_compiled(path)
    report.say(f"removed {path}")


def _remove_compiled(source: Path) -> None:
    # Every one: a stale file that Python does not compare would run in place of what is put
    # back, and a process with -O has written one of its own.
    for compiled in source.parent.glob(f"__pycache__/{source.stem}.*.pyc"):
        compiled.unlink()


def _compiled(source: Path) -> Path:
    # Not cache_from_source(): it follows PYTHONPYCACHEPREFIX and -O of whoever runs this.
    return source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"


def _compile(source: Path, without_docstrings: bool = False) -> None:
    """Compile without a time stamp: image tools change file times, and users may not write.

    UNCHECKED_HASH also spares every start the look at the source. Nobody reads docstrings of
    the files that every process loads; they are half of what there is to load.
    """
    compiled = _compiled(source)
    py_compile.compile(
        str(source),
        cfile=str(compiled),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        optimize=2 if without_docstrings else 0,
        doraise=True,
    )
    compiled.chmod(READABLE_FILE)


def _cannot(error: OSError) -> str:
    return f"cannot write {error.filename}: {error.strerror}; run as a user who may"
