# SPDX-License-Identifier: Apache-2.0
"""Where the hook lives in a Python installation, and putting it there and taking it away.

A base interpreter gets it in its stdlib directory, the one place that every virtual
environment made from it keeps, plus a .pth line in site-packages for the case that a
foreign sitecustomize on PYTHONPATH hides ours. A virtual environment gets no sitecustomize:
its .pth line is never hidden, and nothing of the user's has to make room for it.

From Python 3.18 on a .pth file runs no code (PEP 829, https://peps.python.org/pep-0829/). There the
.pth line gets a .start file beside it, which names a function of a module that is installed, too.
"""

import ast
import importlib.util
import marshal
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

from seed_init.system import writing

PACKAGE = Path(__file__).parents[1]
LOADED_BY_MOST = ("hook", "libraries")
"""The rooms of the package that most processes load something of."""

KEPT = "_seed_init_kept_sitecustomize"
MARKER = "INSTALLED_BY_SEED_INIT"

STARTUP = "_seed_init_startup"
STARTUP_PLACE = b"startup.py"
"""The constant in sitecustomize.py that stands for the code of startup.py."""
PTH_NAME = "seed_init.pth"
START_NAME = "seed_init.start"
ENTRY = "_seed_init_entry"
"""The module with the function that the .start file names."""

IMPORT_LINES_END = (3, 18)
"""The first Python that ignores the import lines of a .pth file, and so needs the .start file.

Python 3.15 reads .start files as well, and then ignores the import lines of the .pth file of the
same name. But a .start file with a line in it makes `site` import `pkgutil` and `re` in every
process (Lib/site.py, StartupState._execute_start_entrypoints): docs/why/design.md says what that
costs.
"""

_ASKED = (
    "any(map(posix.environ.get,"
    ' (b"SEED", b"DETERMINISM", b"SEED_INIT_TRACE", b"SEED_INIT_RECORD")))'
    ' or posix.access("/etc/seed_init/defaults", 0)'
    ' or posix.access(sys.prefix + "/etc/seed_init/defaults", 0)'
)
# `site` goes on after a .pth line that fails, and user code would run unseeded. As in
# sitecustomize.py: one line and status 78, where there is anything to seed.
_REFUSE = f"""import posix, sys
if ({_ASKED}) and posix.environ.get(b"SEED_INIT", b"").strip() != b"0":
 try: posix.write(2, f"seed_init: cannot load the seeding hook ({{error!r}}); run 'seed-init install' again, or set SEED_INIT=0 to run without seeding".encode("ascii", "backslashreplace") + bytes([10]))
 finally: posix._exit(78)"""  # noqa: E501


@dataclass(frozen=True)
class Trigger:
    """How a .pth line, or the module that the .start file names, starts the hook.

    Attributes:
        modules: what the condition needs, of what is loaded before `site`.
        condition: an expression of Python.
        start: one statement that starts the hook, run where `condition` holds. If the statement
            fails, the process ends.
        unless: a condition on `error` under which there is nothing to say, with " or " after it.
    """

    modules: str
    condition: str
    start: str
    unless: str = ""

    @property
    def pth(self) -> str:
        """The text of the .pth file: one line, which `site` compiles at every start.

        All that a start compiles is the condition; the rest is a string in that line, and in there
        the refusal is a string once more. ASCII only: another byte stops every interpreter in a C
        locale (cpython#103161).
        """
        guarded = (
            f"try: {self.start}\nexcept Exception as error: {self.unless}exec('''{_REFUSE}''')"
        )
        text = guarded.replace("\n", "\\n")
        return f'import {self.modules}; {self.condition} and exec("""{text}""")\n'

    @property
    def entry(self) -> str:
        """The text of the module that the .start file names.

        `site` prints a traceback where it cannot import the module, and goes on. So the module is
        not one of the package, which pip may have removed, but lies beside the .start file.
        """
        return f'''"""What {START_NAME} names: start seeding (seed_init) where that is asked for."""

import {self.modules}


def start():
    """Start the hook, unless the process has nothing to seed. A second call changes nothing."""
    if {self.condition}:
        try:
            {self.start}
        except Exception as error:
            {self.unless}exec({_REFUSE!r})
'''


START = f"# Python starts seed_init here where it ignores {PTH_NAME}.\n{ENTRY}:start\n"
"""The text of the .start file. A line is `package.module:callable`, and # begins a comment."""

# What is asked for exactly, startup.is_asked says; a Python with nothing to seed loads nothing.
VIRTUAL = Trigger("posix, sys", f"({_ASKED})", f"import {STARTUP}")
# Where pip has put the package, it is started from there: pip's upgrades then keep the hook, and
# after pip's uninstallation the line does nothing.
PIP = Trigger(
    "posix, sys",
    f"({_ASKED})",
    "import seed_init; seed_init._start()",
    unless="getattr(error, 'name', '') == 'seed_init' or ",
)
# Only PYTHONPATH can put a foreign sitecustomize before the one in the stdlib directory.
BASE = Trigger("posix", 'b"PYTHONPATH" in posix.environ', f"import {STARTUP}")

# Whatever the umask: a hook that a user cannot read is skipped by Python with two lines.
READABLE_FILE = 0o644
READABLE_DIRECTORY = 0o755

LICENSE = "# SPDX-License-Identifier: "
"""The first line of every file of the package begins so, from the first release that has it."""

# How a file of ours is told from the user's: text that every release writes, after that line.
MARK = {
    "sitecustomize.py": '"""Installed as `sitecustomize`: start seeding',
    f"{STARTUP}.py": '"""What runs at the start of every Python process: read the settings',
    f"{ENTRY}.py": f'"""What {START_NAME} names: start seeding',
    PTH_NAME: "import ",
    START_NAME: "# Python starts seed_init",
}


class PlacementError(Exception):
    """The hook cannot be put there or taken away. Its text is one line for the user."""


@dataclass(frozen=True)
class Placement:
    """The paths of the hook in one Python installation.

    Attributes:
        library: the directory that gets the package and, in a base interpreter, the
            sitecustomize: the stdlib directory, or site-packages of a virtual environment.
        site_packages: the directory that gets the .pth file and the .start file.
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

    @property
    def start(self) -> Path:
        return self.site_packages / START_NAME

    @property
    def entry(self) -> Path:
        return self.site_packages / f"{ENTRY}.py"


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
    """Return the files of the hook that are installed."""
    files = (placement.startup, placement.sitecustomize, placement.pth, placement.start)
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
            _write_trigger(placement, PIP, report)
            return report
        _install_package(placement, source, report)
        startup = (source / "hook/startup.py").read_text()
        _write(placement.startup, startup, report)
        if not placement.virtual:
            _keep_sitecustomize(placement, report)
            text = (source / "hook/sitecustomize.py").read_text()
            _write(placement.sitecustomize, text, report, startup)
        _write_trigger(placement, VIRTUAL if placement.virtual else BASE, report)
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
        for original, kept in _sitecustomize_forms(placement):
            if os.path.lexists(kept) and os.path.lexists(original) and not _is_ours(original):
                raise PlacementError(
                    f"{kept}, which install kept, belongs at {original}, where another one is now; "
                    "move one of them away first"
                )
        # What starts the hook first and the package last: whatever stops us half way, no
        # interpreter is left that looks for a package which is gone.
        for file in (placement.start, placement.entry, placement.pth):
            _remove(file, report)
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


def _write_trigger(placement: Placement, trigger: Trigger, report: Report) -> None:
    """Write the .pth line and, where Python no longer runs that line, the .start file."""
    if sys.version_info >= IMPORT_LINES_END:
        # The module first: `site` complains of a .start file that names none.
        _write(placement.entry, trigger.entry, report)
        _write(placement.start, START, report)
    _write(placement.pth, trigger.pth, report)


def _source(placement: Placement) -> Path:
    """The package to install: this one, or a newer one that pip has put behind it.

    In a base interpreter the installed copy hides the one in site-packages, so that after
    `pip install --upgrade` it is the old copy that runs this.
    """
    by_pip = placement.site_packages / "seed_init"
    hides = PACKAGE.resolve() == placement.package.resolve() and by_pip != placement.package
    return by_pip if hides and (by_pip / "hook/startup.py").exists() else PACKAGE


def _check_room(placement: Placement) -> None:
    """Raise PlacementError if a file or directory that is not ours is in the way."""
    own_package = placement.package.resolve() == PACKAGE.resolve()
    by_pip = placement.virtual and _importable_there(placement)
    package = placement.package
    if package.exists() and not (own_package or by_pip or (package / MARKER).exists()):
        raise PlacementError(
            f"{package} is there and was not put there by seed-init install; move it away first"
        )
    files = (placement.startup, placement.pth, placement.start, placement.entry)
    for path in (placement.library / "seed_init.py", *files):
        if os.path.lexists(path) and not _is_ours(path):
            raise PlacementError(f"{path} is there and is not seed_init's; move it away first")
    if not placement.virtual:
        for original, kept in _foreign_sitecustomize(placement):
            if os.path.lexists(kept):
                raise PlacementError(
                    f"{original} would be kept as {kept}, which is there; remove one"
                )


def _install_package(placement: Placement, source: Path, report: Report) -> None:
    target = placement.package
    if source.resolve() == target.resolve() or _same_package(source, target):
        return
    import tempfile  # loads `random`, which the status of a process must not

    scratch = Path(tempfile.mkdtemp(prefix=".seed_init-", dir=target.parent))
    fresh, old = scratch / "new", scratch / "old"
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
        shutil.rmtree(scratch, ignore_errors=True)
    for file in sorted(target.rglob("*.py")):
        optimize = 2 if file.parent.name in LOADED_BY_MOST else 0
        _compile(file, file.read_text(encoding="utf-8"), optimize=optimize)
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
    """Return path -> content of the files of a package: code, and the data that the code reads."""
    files = [
        path
        for path in package.rglob("*")
        if path.is_file() and path.name != MARKER and path.parent.name != "__pycache__"
    ]
    return {path.relative_to(package): path.read_bytes() for path in files}


def _keep_sitecustomize(placement: Placement, report: Report) -> None:
    """Rename a sitecustomize that is not ours. Our sitecustomize runs the renamed file."""
    for original, kept in _foreign_sitecustomize(placement):
        original.rename(kept)
        report.say(f"kept {original} as {kept}; it still runs")


def _put_back_sitecustomize(placement: Placement, report: Report) -> None:
    for original, kept in _sitecustomize_forms(placement):
        if os.path.lexists(kept):
            kept.rename(original)
            _remove_compiled(kept)
            report.say(f"put back {original}")


def _foreign_sitecustomize(placement: Placement) -> list[tuple[Path, Path]]:
    """Return each file that our sitecustomize would hide, and the name under which it is kept."""
    return [
        (original, kept)
        for original, kept in _sitecustomize_forms(placement)
        if os.path.lexists(original)
        and not _is_ours(original)
        # A directory without __init__.py hides nothing and is hidden by nothing.
        and not (original.is_dir() and not (original / "__init__.py").exists())
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
        if text.startswith(LICENSE):
            text = text.partition("\n")[2]
        return text.startswith(MARK.get(path.name, "\0")) and (
            path.suffix == ".py" or "seed_init" in text
        )
    except (OSError, UnicodeDecodeError):
        return False


def _write(path: Path, text: str, report: Report, startup: str = "") -> None:
    """Write a file of the hook and, for a module, its compiled form.

    Args:
        path: the file.
        text: what it is to hold, ASCII.
        report: gets a line if there was anything to do.
        startup: the text of startup.py, for the module that carries that file's code.
    """
    if _up_to_date(path, text, startup):
        return
    _replace(path, text)
    if path.suffix == ".py":
        _compile(path, text, startup, optimize=2)
        # Distributions compile for -O as well, perhaps without a time stamp: that would stay.
        _remove_compiled(path, but=_compiled(path))
    report.say(f"installed {path}")


def _up_to_date(path: Path, text: str, startup: str) -> bool:
    """True where the file, readable by all, and what it was compiled to are those of `text`."""
    try:
        if path.read_text() != text or path.stat().st_mode & READABLE_FILE != READABLE_FILE:
            return False
        if path.suffix != ".py":
            return True
        # Python does not compare them, see `_compile`; an interrupted update may have.
        compiled = _compiled(path).read_bytes()
        marshal.loads(compiled[16:])
        return compiled[8:16] == _hash(text, startup)
    # The last three: it is damaged.
    except (OSError, UnicodeDecodeError, EOFError, ValueError, TypeError):
        return False


def _remove(path: Path, report: Report) -> None:
    if not _is_ours(path):
        return
    path.unlink()
    _remove_compiled(path)
    report.say(f"removed {path}")


def _remove_compiled(source: Path, but: Path | None = None) -> None:
    # Every one: a stale file that Python does not compare would run in place of what is put
    # back, and a process with -O has written one of its own.
    for compiled in source.parent.glob(f"__pycache__/{source.stem}.*.pyc"):
        if compiled != but:
            compiled.unlink()


def _compiled(source: Path) -> Path:
    # Not cache_from_source(): it follows PYTHONPYCACHEPREFIX and -O of whoever runs this.
    return source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"


def _compile(path: Path, text: str, startup: str = "", optimize: int = 0) -> None:
    """Compile without a time stamp: image tools change file times, and users may not write.

    The format is that of PEP 552 with a hash that is not checked, which also spares every start
    the look at the source.

    Args:
        path: the module's file.
        text: its source.
        startup: the text of startup.py. The code of that file is put in place of the constant
            `STARTUP_PLACE`, so that a start reads one file and unpacks the code only if needed.
        optimize: 2 for the files that most processes load: nobody reads their docstrings and
            annotations, which are half of what there is to load.
    """
    code = _code(path, text, optimize)
    if startup:
        carried = _code(path.with_name(f"{STARTUP}.py"), startup, optimize)
        constants = [
            marshal.dumps(carried) if value == STARTUP_PLACE else value for value in code.co_consts
        ]
        code = code.replace(co_consts=tuple(constants))
    flags = (0b01).to_bytes(4, "little")
    content = importlib.util.MAGIC_NUMBER + flags + _hash(text, startup) + marshal.dumps(code)
    compiled = _compiled(path)
    compiled.parent.mkdir(exist_ok=True)
    _replace(compiled, content)


def _code(path: Path, text: str, optimize: int) -> CodeType:
    tree = ast.parse(text, str(path))
    if optimize:
        tree = ast.fix_missing_locations(_WithoutAnnotations().visit(tree))
    # From a tree, `compile` returns what it promises to type checkers: any object.
    code: CodeType = compile(tree, str(path), "exec", dont_inherit=True, optimize=optimize)
    return code


class _WithoutAnnotations(ast.NodeTransformer):
    """Takes the annotations of functions and of a module's names out of the code.

    Those in the body of a class stay, where a dataclass would read them.
    """

    def visit_FunctionDef(self, function: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(function)
        function.returns = None
        return function

    def visit_arg(self, argument: ast.arg) -> ast.arg:
        argument.annotation = None
        return argument

    def visit_Module(self, module: ast.Module) -> ast.Module:
        self.generic_visit(module)
        module.body = [
            statement for statement in map(self._plain, module.body) if statement is not None
        ]
        return module

    def _plain(self, statement: ast.stmt) -> ast.stmt | None:
        if not isinstance(statement, ast.AnnAssign):
            return statement
        if statement.value is None:
            return None
        return ast.copy_location(ast.Assign([statement.target], statement.value), statement)


def _replace(path: Path, content: str | bytes) -> None:
    """Write a file that every user can read, even over a file that only its owner could read."""
    writing.replace(path, content, mode=READABLE_FILE)
    path.chmod(READABLE_FILE)


def _hash(text: str, startup: str) -> bytes:
    """What a compiled file was made from, 8 bytes."""
    return importlib.util.source_hash((text + startup).encode())


def _cannot(error: OSError) -> str:
    return f"cannot write {error.filename}: {error.strerror}; run as a user who may"
