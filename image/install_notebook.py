"""Install JupyterLab's server and the libraries of user code in the build; share what is equal.

Usage: install_notebook.py SERVER SERVER_LOCK LIBRARIES_LOCK FACTS

SERVER is an environment made from this Python. It gets all of SERVER_LOCK. This Python gets of
LIBRARIES_LOCK only what it lacks, because its packages may be conda's, and conda itself may run in
it. A package that is there already is replaced only where another one of the lock needs a newer
version; the reason is printed and written into FACTS, a JSON file.

INDEX_URL in the environment is the package index. Exit 1 with one line that says what failed.
"""

import ast
import email
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PathDistribution
from importlib.util import cache_from_source
from pathlib import Path
from re import MULTILINE, split

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

NETWORK = ("cert", "client-cert", "proxy", "trusted-host", "timeout")
"""What pip's configuration in the base may say: only how the network is reached."""


def main() -> int:
    server, server_lock, libraries_lock, facts = map(Path, sys.argv[1:])
    try:
        pip = Pip(os.environ["INDEX_URL"], network_options())
        pip.install(read_lock(server_lock).values(), python=server / "bin/python")
        done = install_libraries(read_lock(libraries_lock), pip)
    except (Failure, subprocess.CalledProcessError) as error:
        print(f"seed-init build: {error}", file=sys.stderr)
        return 1
    saved = share(server, done.added | done.replaced.keys())
    print(f"seed-init build: {saved / 1e6:.1f} MB are in both environments and stored once")
    write(facts, server, done)
    return 0


class Failure(Exception):
    """The installation cannot be finished; the text is one line for the builder."""


# --- what is there, and what the lock has -------------------------------------------------


@dataclass(frozen=True)
class Installed:
    """One package as its metadata describes it.

    Attributes:
        path: the .dist-info folder, or the .egg-info folder or file.
        needs: the requirements, without those of extras.
    """

    name: str
    version: str
    path: Path
    needs: tuple[Requirement, ...]

    def removable(self) -> bool:
        """True where pip knows the files that it would have to remove."""
        return any((self.path / listing).is_file() for listing in ("RECORD", "installed-files.txt"))


def installed() -> dict[str, list[Installed]]:
    """Every package of this Python by its normalised name; several where there are copies.

    Metadata without a name or version is a leftover, which pip does not count either.
    """
    found: dict[str, list[Installed]] = {}
    for folder in map(Path, sys.path):
        for path in sorted((*folder.glob("*.dist-info"), *folder.glob("*.egg-info"))):
            package = described(path)
            if package:
                found.setdefault(package.name, []).append(package)
    return found


def described(path: Path) -> Installed | None:
    files = (path / "METADATA", path / "PKG-INFO", path)
    file = next((file for file in files if file.is_file()), None)
    if not file:
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    metadata = email.message_from_string(text)
    if not (metadata["Name"] and metadata["Version"]):
        return None
    # `requires` also reads the requires.txt of setuptools.
    needs = map(Requirement, PathDistribution(path).requires or ())
    return Installed(
        canonicalize_name(metadata["Name"]),
        metadata["Version"],
        path,
        tuple(need for need in needs if not need.marker or need.marker.evaluate({"extra": ""})),
    )


@dataclass(frozen=True)
class Locked:
    """An entry of a lock; `text` has the hashes."""

    name: str
    version: str
    text: str


def read_lock(path: Path) -> dict[str, Locked]:
    """The entries of a lock that hold for this Python, by their normalised name."""
    found: dict[str, Locked] = {}
    for text in split(r"^(?=[\w])", path.read_text(), flags=MULTILINE):
        requirement = text.partition("\\")[0].strip()
        if not requirement or requirement.startswith("#"):
            continue
        parsed = Requirement(requirement)
        if not parsed.marker or parsed.marker.evaluate():
            name = canonicalize_name(parsed.name)
            found[name] = Locked(name, str(parsed.specifier).removeprefix("=="), text)
    return found


# --- pip --------------------------------------------------------------------------------


def network_options() -> list[str]:
    """The options for pip that take over how the base reaches the network, and nothing else."""
    listed = subprocess.run(
        [sys.executable, "-I", "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=True,
    )
    values: dict[str, str] = {}
    # pip's own order: an option for `install` wins over one for all commands, a variable over both.
    for section in ("global.", "install.", ":env:."):
        for line in listed.stdout.splitlines():
            name, _, value = line.removeprefix(section).partition("=")
            name = name.replace("_", "-").removeprefix("default-")
            if line.startswith(section) and name in NETWORK:
                values[name] = str(ast.literal_eval(value))
    return [f"--{name}={word}" for name, value in values.items() for word in value.split()]


@dataclass(frozen=True)
class Pip:
    """pip, which neither the base's variables nor its configuration can divert.

    Attributes:
        index: the address of the package index.
        network: further options.
    """

    index: str
    network: list[str]

    def install(
        self, entries: Collection[Locked], *further: str, python: Path | None = None
    ) -> None:
        """Install exactly these entries, by hash; into this Python where `python` is None."""
        if not entries:
            return
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        environment["PIP_CONFIG_FILE"] = os.devnull
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as lock:
            lock.write("".join(entry.text for entry in entries))
            lock.flush()
            target = [f"--python={python}"] if python else []
            words = [*target, "install", "--no-cache-dir", "--root-user-action=ignore",
                     "--no-warn-script-location", "--disable-pip-version-check", "--no-input",
                     "--require-hashes", "--no-deps", f"--index-url={self.index}",
                     *self.network, *further, "-r", lock.name]  # fmt: skip
            subprocess.run(
                [sys.executable, "-I", "-m", "pip", "--isolated", *words],
                env=environment,
                check=True,
            )


# --- the libraries ----------------------------------------------------------------------


@dataclass
class Result:
    """What was done to this Python.

    Attributes:
        replaced: name to the reason.
    """

    added: set[str] = field(default_factory=set)
    replaced: dict[str, str] = field(default_factory=dict)


def install_libraries(lock: dict[str, Locked], pip: Pip) -> Result:
    """Add what is missing, then replace what is too old for it.

    Raises:
        Failure: what must be replaced is not in the lock, as torch and numpy are not.
    """
    result = Result(added=lock.keys() - installed().keys())
    pip.install([lock[name] for name in sorted(result.added)])
    while unmet := dict(unmet_needs(lock.keys(), result)):
        have = installed()
        for name, reason in unmet.items():
            if name not in lock or name in result.replaced:
                raise Failure(f"{reason}; the lock cannot give it")
            print(f"seed-init build: replacing {name} by {lock[name].version}: {reason}")
            replace(have.get(name, []), lock[name], pip)
            result.replaced[name] = reason
    return result


def unmet_needs(names: Collection[str], result: Result) -> Iterator[tuple[str, str]]:
    """What the packages in `names` need and do not have, each with the reason.

    A need of a package that the base brought, for another that the lock does not have, is the
    base's own affair.
    """
    have = installed()
    for name in sorted(names):
        for package in have[name]:
            for need in package.needs:
                needed = canonicalize_name(need.name)
                versions = [copy.version for copy in have.get(needed, [])]
                if versions and all(need.specifier.contains(v, True) for v in versions):
                    continue
                if needed in names or name in result.added or name in result.replaced:
                    there = " and ".join(versions) or "none"
                    wanted = f"{need.name}{need.specifier}"
                    yield needed, f"{name} {package.version} needs {wanted}, the base has {there}"


def replace(copies: list[Installed], entry: Locked, pip: Pip) -> None:
    """Install `entry` in the place of `copies`.

    Where pip does not know the files of a copy (distutils and some recipes of conda leave no list),
    or where there are several, the new files are written over the old ones, and the old metadata
    is removed, so that one version is there afterwards.
    """
    if len(copies) == 1 and copies[0].removable():
        pip.install([entry])
        return
    pip.install([entry], "--ignore-installed")
    for copy in copies:
        if copy.version != entry.version:
            print(f"seed-init build: written over, with its metadata removed: {copy.path}")
            remove(copy.path)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for below in path.iterdir():
            remove(below)
        path.rmdir()
    else:
        path.unlink()


# --- afterwards ---------------------------------------------------------------------------


def share(server: Path, names: Collection[str]) -> int:
    """Store equal files of both environments once; the number of bytes that this saves.

    Only files that this build installs, because a link to a file of the base's would copy the file
    into the new layer. pip replaces a file by a new one, so neither environment can change the
    other's.
    """
    saved = 0
    have = installed()
    for name in names:
        for copy in have[name]:
            for file in PathDistribution(copy.path).files or []:
                ours = copy.path.parent / file
                if ".." in file.parts or not ours.is_relative_to(sys.prefix):
                    continue
                theirs = server / ours.relative_to(sys.prefix)
                if equal(ours, theirs):
                    saved += link(ours, theirs)
                    if ours.suffix == ".py":
                        # Compiled code belongs to its source's time stamp; which path it was
                        # compiled at makes no difference, Python sets that at the import.
                        saved += link(*(Path(cache_from_source(path)) for path in (ours, theirs)))
    return saved


def equal(one: Path, other: Path) -> bool:
    return (
        one.is_file()
        and other.is_file()
        and one.stat().st_mode == other.stat().st_mode
        and one.read_bytes() == other.read_bytes()
    )


def link(ours: Path, theirs: Path) -> int:
    """Make `theirs` the same file as `ours`; the number of bytes that this saves."""
    if not (ours.is_file() and theirs.is_file()):
        return 0
    theirs.unlink()
    theirs.hardlink_to(ours)
    return ours.stat().st_size


def write(facts: Path, server: Path, done: Result) -> None:
    """Add to the image's facts what the configuration of the server and a reader need."""
    have = installed()
    known = json.loads(facts.read_text())
    known["notebook"] = {
        "python": sys.executable,
        "prefix": sys.prefix,
        "server": str(server),
        "added": {name: have[name][0].version for name in sorted(done.added)},
        "replaced": {
            name: {"version": have[name][0].version, "reason": reason}
            for name, reason in sorted(done.replaced.items())
        },
    }
    facts.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
