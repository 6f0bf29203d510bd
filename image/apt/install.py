"""Install a stage's apt packages in the build: those of apt.lock, and nothing else.

Usage: install.py STAGE, as root, with apt.in and apt.lock beside this file. APT_LOCK=required in
the environment refuses a base whose distribution apt.lock has no section for; otherwise such a base
gets what its archive serves, and a line says so.

Exit 1 with one line that says what is the matter and what to do.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RECORD = Path("/usr/local/share/seed_init/apt.json")
HELPER = "/usr/lib/apt/apt-helper"
TIMEOUT_S = 60  # for an archive to answer
RENEW = "make lock-apt renews image/apt/apt.lock"


class Refused(Exception):
    """The packages cannot be installed; the text is one line for the user."""


@dataclass(frozen=True)
class Package:
    """One package of the lock.

    Attributes:
        name, version, architecture: as dpkg has them.
        places: where the file may be, the first one first.
        sha256: the hash of the file.
    """

    name: str
    version: str
    architecture: str
    places: tuple[str, ...]
    sha256: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def distribution(file: Path = Path("/etc/os-release")) -> str:
    """The base's distribution and release, such as `ubuntu-jammy`."""
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', file.read_text(), re.M))
    return f"{fields.get('ID', 'linux')}-{fields.get('VERSION_CODENAME', 'unknown')}"


def wanted(stage: str, text: str) -> list[str]:
    """The packages that apt.in names for a stage."""
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return [package for of, package in lines if of == stage]


def locked(section: dict[str, object], stage: str) -> list[Package]:
    """The packages of a stage in a section of apt.lock.

    The snapshot comes first: the archive itself drops a version as soon as there is a newer one.
    """
    archives, packages = section["archives"], section["packages"]
    assert isinstance(archives, dict) and isinstance(packages, list)
    found = []
    for each in packages:
        if each["stage"] == stage:
            archive = archives[each["archive"]]
            places = tuple(f"{archive[place]}/{each['path']}" for place in ("snapshot", "url"))
            found.append(
                Package(each["name"], each["version"], each["architecture"], places, each["sha256"])
            )
    return found


def installed() -> dict[str, str]:
    """Name to version of the packages that the base has."""
    fields = "${db:Status-Abbrev}\t${Package}\t${Version}\n"
    printed = output("dpkg-query", "--show", f"--showformat={fields}")
    rows = (line.split("\t") for line in printed.splitlines())
    return {name: version for status, name, version in rows if status.startswith("ii")}


def older(version: str, than: str) -> bool:
    return not subprocess.run(["dpkg", "--compare-versions", version, "lt", than]).returncode


def output(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"{words[0]} failed: {reason(done)}")
    return done.stdout


def reason(done: "subprocess.CompletedProcess[str]") -> str:
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines[-1:] or [f"status {done.returncode}"])[0]


# --- where the files come from -----------------------------------------------------------------


class Fetcher:
    """Fetches the files of packages into a folder, each from the first place that has it.

    Attributes:
        silent: servers that did not answer, which are not asked again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.silent: set[str] = set()
        self.refreshed = False

    def fetch(self, package: Package) -> Path:
        """The package's file, whose hash is the lock's.

        Raises:
            Refused: no place has it.
        """
        tried = []
        ways: Iterator[tuple[str, Callable[[], Path | None]]] = self._ways(package)
        for place, way in ways:
            file = way()
            if file is None:
                tried.append(f"{place} does not have it or does not answer")
            elif sha256(file) != package.sha256:
                tried.append(f"{place} has another file by that name")
                file.unlink()
            else:
                return file
        raise Refused(f"no place has {package} any more: {'; '.join(tried)}; {RENEW}")

    def _ways(self, package: Package) -> Iterator[tuple[str, Callable[[], Path | None]]]:
        for url in package.places:
            server = url.split("/")[2]
            if server not in self.silent:
                yield server, lambda url=url, server=server: self._from(url, server)  # type: ignore[misc]
        # A company's mirror is in the base's own sources.
        yield "the archive of the base's apt sources", lambda: self._by_apt(package)

    def _from(self, url: str, server: str) -> Path | None:
        target = self.folder / url.rpartition("/")[2]
        options = ("-o", f"Acquire::http::Timeout={TIMEOUT_S}", "-o", "Acquire::Retries=2")
        # apt-helper knows the proxy that the base's apt is set up for.
        done = subprocess.run(
            [HELPER, *options, "download-file", url, str(target)], capture_output=True, text=True
        )
        if done.returncode:
            if not re.search(r"\b40\d\b", done.stdout + done.stderr):
                self.silent.add(server)
            return None
        return target

    def _by_apt(self, package: Package) -> Path | None:
        if not self.refreshed:
            self.refreshed = True
            subprocess.run(["apt-get", "update", "-qq"], capture_output=True)
        known = set(self.folder.glob("*.deb"))
        words = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root"]
        subprocess.run(
            [*words, f"{package.name}={package.version}"], cwd=self.folder, capture_output=True
        )
        return next(iter(set(self.folder.glob("*.deb")) - known), None)


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


# --- installing -------------------------------------------------------------------------------


def install(packages: list[Package], fetcher: Fetcher) -> None:
    """Install what the base lacks; what the base has, only where that is too old for it.

    Raises:
        Refused: a file is not to be had, or apt would need a package that is not in the lock.
    """
    present = installed()
    missing = [package for package in packages if package.name not in present]
    outdated = [
        package
        for package in packages
        if package.name in present and older(present[package.name], package.version)
    ]
    files = [fetcher.fetch(package) for package in missing]
    if not files:
        return
    simulated = apt("--simulate", files)
    if simulated.returncode and outdated:
        files += [fetcher.fetch(package) for package in outdated]
        simulated = apt("--simulate", files)
    if simulated.returncode:
        raise Refused(
            f"apt.lock does not fit this base: {unmet(simulated)}; {RENEW}, or take a newer base"
        )
    done = apt("--quiet", files)
    sys.stdout.write(done.stdout)
    if done.returncode:
        raise Refused(f"apt-get install failed: {reason(done)}")


def apt(option: str, files: list[Path]) -> "subprocess.CompletedProcess[str]":
    # Without package lists, apt has nothing but these files.
    lists = f"Dir::State::Lists={files[0].parent / 'no-lists'}"
    words = ("install", "--yes", "--no-install-recommends", option, "-o", lists)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    return subprocess.run(
        ["apt-get", *words, *sorted(map(str, files))],
        env=environment,
        capture_output=True,
        text=True,
    )


def unmet(done: "subprocess.CompletedProcess[str]") -> str:
    """What apt misses, in its own words."""
    found = re.search(r"^ \S+ : (?:Depends|PreDepends|Breaks|Conflicts): .+$", done.stdout, re.M)
    return found[0].strip() if found else reason(done)


def install_unpinned(names: list[str]) -> None:
    """Install the newest versions that the base's own archive has."""
    output("apt-get", "update", "-qq")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    done = subprocess.run(
        ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *names],
        env=environment,
        capture_output=True,
        text=True,
    )
    sys.stdout.write(done.stdout)
    if done.returncode:
        raise Refused(f"apt-get install {' '.join(names)} failed: {reason(done)}")


def record(stage: str, section: str, pinned: bool, before: dict[str, str]) -> None:
    """Add to the image's list which packages a stage brought, and if the lock pins them."""
    after = installed()
    brought = {name: after[name] for name in sorted(after) if before.get(name) != after[name]}
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    known[stage] = {"distribution": section, "pinned": pinned, "packages": brought}
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps(known, indent=2) + "\n")
    RECORD.chmod(0o644)


def run(stage: str) -> None:
    names = wanted(stage, (HERE / "apt.in").read_text())
    if not names:
        raise Refused(f"image/apt/apt.in names no package for the stage {stage}")
    lock = json.loads((HERE / "apt.lock").read_text())
    section = f"{distribution()}-{output('dpkg', '--print-architecture').strip()}"
    before = installed()
    if section in lock:
        packages = locked(lock[section], stage)
        forgotten = set(names) - {package.name for package in packages} - before.keys()
        if forgotten:
            raise Refused(f"apt.lock has no {sorted(forgotten)[0]} for {section}; {RENEW}")
        with tempfile.TemporaryDirectory() as folder:
            install(packages, Fetcher(Path(folder)))
    elif os.environ.get("APT_LOCK") == "required":
        raise Refused(
            f"APT_LOCK=required, but apt.lock has no section for {section}; it has: "
            f"{', '.join(sorted(lock))}"
        )
    else:
        print(
            f"seed-init build: apt.lock has no section for {section}: {' '.join(names)} and what "
            "they need are the newest that the archive has, so a later build may differ "
            "(build argument APT_LOCK=required refuses that)",
            file=sys.stderr,
        )
        install_unpinned(names)
    record(stage, section, section in lock, before)


def main() -> int:
    try:
        run(sys.argv[1])
    except Refused as refusal:
        print(f"seed-init build: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
