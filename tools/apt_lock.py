#!/usr/bin/env python3
"""Write image/apt/apt.lock: every apt package that the images install, with its version and hash.

Usage: apt_lock.py [DISTRIBUTION ...], such as ubuntu-jammy; without one, all of `DISTRIBUTIONS`.
The sections of other distributions stay as they are. Needs apt and gpgv, and no root: apt works in
a folder of its own, as if this were an empty system of that distribution.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

APT = Path(__file__).parents[1] / "image/apt"
WANTED = APT / "apt.in"
LOCK = APT / "apt.lock"
KEYRINGS = Path("/usr/share/keyrings")
ARCHITECTURE = "amd64"  # the pinned base has no other


class Refused(Exception):
    """The lock cannot be written; the text is one line for the user."""


@dataclass(frozen=True)
class Archive:
    """One archive of a distribution.

    Attributes:
        url: where its newest packages are.
        snapshot: where those of a moment are; `{time}` stands for the moment.
        suites: which of its suites are read.
    """

    url: str
    snapshot: str
    suites: tuple[str, ...]


@dataclass(frozen=True)
class Distribution:
    """A distribution that a base may have.

    Attributes:
        components: the parts of its archives that are read.
        keyring: the file below /usr/share/keyrings that its signatures are checked with.
        keyring_package: the package of Debian trixie with that file.
        archives: name to archive.
    """

    components: tuple[str, ...]
    keyring: str
    keyring_package: str
    archives: dict[str, Archive]


def _debian(codename: str) -> Distribution:
    snapshot = "https://snapshot.debian.org/archive"
    return Distribution(
        ("main",),
        "debian-archive-keyring.gpg",
        "debian-archive-keyring",
        {
            "debian": Archive(
                "http://deb.debian.org/debian",
                f"{snapshot}/debian/{{time}}",
                (codename, f"{codename}-updates"),
            ),
            "debian-security": Archive(
                "http://deb.debian.org/debian-security",
                f"{snapshot}/debian-security/{{time}}",
                (f"{codename}-security",),
            ),
        },
    )


def _ubuntu(codename: str) -> Distribution:
    suites = (codename, f"{codename}-updates", f"{codename}-security")
    return Distribution(
        ("main", "universe"),
        "ubuntu-archive-keyring.gpg",
        "ubuntu-keyring",
        {
            "ubuntu": Archive(
                "http://archive.ubuntu.com/ubuntu",
                "https://snapshot.ubuntu.com/ubuntu/{time}",
                suites,
            )
        },
    )


# jammy: the pinned base. bookworm: the stand-in of the tests.
DISTRIBUTIONS = {"ubuntu-jammy": _ubuntu("jammy"), "debian-bookworm": _debian("bookworm")}


def wanted(file: Path = WANTED) -> list[tuple[str, str]]:
    """Stage and package of each line of image/apt/apt.in."""
    lines = (line.split() for line in file.read_text().splitlines() if not line.startswith("#"))
    return [(stage, package) for stage, package in lines]


class Apt:
    """apt in a folder of its own, for one distribution on which no package is installed.

    Args:
        folder: an empty folder, which keeps the package lists.
        distribution: which archives are read.
        keyring: the file that their signatures are checked with.
    """

    def __init__(self, folder: Path, distribution: Distribution, keyring: Path) -> None:
        self.folder = folder
        for name in ("lists/partial", "cache/archives/partial", "etc", "log"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        components = " ".join(distribution.components)
        options = f"[arch={ARCHITECTURE} signed-by={keyring}]"
        (folder / "sources.list").write_text(
            "".join(
                f"deb {options} {archive.url} {suite} {components}\n"
                for archive in distribution.archives.values()
                for suite in archive.suites
            )
        )
        (folder / "apt.conf").write_text(
            f'APT::Architecture "{ARCHITECTURE}";\n'
            f'APT::Architectures {{ "{ARCHITECTURE}"; }};\n'
            'APT::Default-Release "";\n'
            'APT::Update::Error-Mode "any";\n'
            'APT::Sandbox::User "root";\n'
            'APT::Install-Recommends "false";\n'
            'APT::Get::Assume-Yes "true";\n'
            f'Dir::Etc "{folder}/etc";\n'
            f'Dir::Etc::SourceList "{folder}/sources.list";\n'
            'Dir::Etc::SourceParts "/dev/null";\n'
            'Dir::Etc::Parts "/dev/null";\n'
            f'Dir::State::Lists "{folder}/lists";\n'
            f'Dir::State::status "{folder}/status";\n'
            f'Dir::State::extended_states "{folder}/extended";\n'
            f'Dir::Cache "{folder}/cache";\n'
            f'Dir::Log "{folder}/log";\n'
        )
        self.run("apt-get", "update", "-qq")

    def run(self, *words: str, where: Path | None = None) -> str:
        """Run a command of apt and return what it prints.

        Raises:
            Refused: it fails, or there is no apt.
        """
        environment = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C"}
        try:
            done = subprocess.run(
                words, env=environment, cwd=where, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            raise Refused(f"there is no {words[0]}; run this on Debian or Ubuntu") from None
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            why = next((line for line in lines if line.startswith("E:")), lines[-1:] or "no reason")
            raise Refused(f"{shlex.join(words[:2])} failed: {why}")
        return done.stdout

    def needed_by(self, packages: Iterable[str]) -> set[str]:
        """Names of packages, and of all that apt would install with them on an empty system."""
        printed = self.run("apt-get", "install", "--simulate", *packages)
        return set(re.findall(r"^Inst (\S+)", printed, re.M))

    def required(self) -> list[str]:
        """The packages that every system of the distribution has."""
        found = []
        for fields in paragraphs(self.run("apt-cache", "dumpavail")):
            if fields.get("Priority") == "required" or fields.get("Essential") == "yes":
                found.append(fields["Package"])
        return sorted(set(found))

    def package(self, name: str) -> dict[str, str]:
        """The fields of the newest version of a package, as the archive's index has them."""
        return next(paragraphs(self.run("apt-cache", "show", "--no-all-versions", name)))


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The fields of each paragraph; lines that continue a field are left out."""
    for paragraph in re.split(r"\n{2,}", text.strip()):
        lines = (line for line in paragraph.splitlines() if not line.startswith((" ", "\t")))
        yield {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def keyring_of(distribution: Distribution, folder: Path) -> Path:
    """The file with the archive's keys: this system's, or out of Debian's package of it."""
    installed = KEYRINGS / distribution.keyring
    if installed.exists():
        return installed
    debian = _debian("trixie")  # bookworm has no keys of Ubuntu
    if distribution.keyring == debian.keyring:
        raise Refused(f"{installed} is missing; apt-get install {debian.keyring_package}")
    folder.mkdir()
    apt = Apt(folder / "debian", debian, keyring_of(debian, folder))
    apt.run("apt-get", "download", "-qq", distribution.keyring_package, where=folder)
    (package,) = folder.glob("*.deb")
    apt.run("dpkg-deb", "--extract", str(package), str(folder / "unpacked"))
    return folder / "unpacked" / installed.relative_to("/")


def archive_of(apt: Apt, distribution: Distribution, fields: dict[str, str]) -> str:
    """The name of the archive that has this version of a package."""
    printed = apt.run("apt-cache", "madison", fields["Package"])
    for line in printed.splitlines():
        _, version, source = (part.strip() for part in line.split("|"))
        if version == fields["Version"]:
            for name, archive in distribution.archives.items():
                if source.split()[0] == archive.url:
                    return name
    raise Refused(f"apt does not say where {fields['Package']} {fields['Version']} comes from")


def section(distribution: Distribution, folder: Path, moment: datetime) -> dict[str, object]:
    """What the lock has of a distribution: its archives, and the packages of each stage.

    Of what a package needs, that is left out which every system of the distribution has.
    """
    apt = Apt(folder / "apt", distribution, keyring_of(distribution, folder / "keyring"))
    present = apt.needed_by(apt.required())
    stages: dict[str, list[str]] = {}
    for stage, package in wanted():
        stages.setdefault(stage, []).append(package)
    found = []
    for stage, names in stages.items():
        for name in sorted(apt.needed_by(names) - present):
            fields = apt.package(name)
            found.append(
                {
                    "stage": stage,
                    "name": name,
                    "version": fields["Version"],
                    "architecture": fields["Architecture"],
                    "archive": archive_of(apt, distribution, fields),
                    "path": fields["Filename"],
                    "sha256": fields["SHA256"],
                }
            )
    time = moment.strftime("%Y%m%dT%H%M%SZ")
    archives = {
        name: {"snapshot": archive.snapshot.format(time=time), "url": archive.url}
        for name, archive in distribution.archives.items()
    }
    return {"locked": moment.strftime("%Y-%m-%d"), "archives": archives, "packages": found}


def as_text(lock: dict[str, dict[str, object]]) -> str:
    """JSON with one package a line, so that a change of one is a change of one line."""
    lines = []
    for name, found in sorted(lock.items()):
        packages = found["packages"]
        assert isinstance(packages, list)
        body = ",\n".join(f"      {json.dumps(package)}" for package in packages)
        lines.append(
            f'  "{name}": {{\n    "locked": {json.dumps(found["locked"])},\n'
            f'    "archives": {json.dumps(found["archives"])},\n'
            f'    "packages": [\n{body}\n    ]\n  }}'
        )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(asked: list[str]) -> int:
    """Renew the sections that are asked for; the exit status."""
    unknown = [name for name in asked if name not in DISTRIBUTIONS]
    if unknown:
        print(
            f"apt_lock: {unknown[0]} is not known; known: {', '.join(DISTRIBUTIONS)}",
            file=sys.stderr,
        )
        return 2
    lock = json.loads(LOCK.read_text()) if LOCK.exists() else {}
    moment = datetime.now(timezone.utc)
    for name in asked or DISTRIBUTIONS:
        try:
            with tempfile.TemporaryDirectory() as folder:
                lock[f"{name}-{ARCHITECTURE}"] = section(
                    DISTRIBUTIONS[name], Path(folder).resolve(), moment
                )
        except Refused as refusal:
            print(f"apt_lock: {name}: {refusal}; {LOCK.name} stays as it is", file=sys.stderr)
            return 1
        print(f"{name}: {len(lock[f'{name}-{ARCHITECTURE}']['packages'])} packages")
    LOCK.write_text(as_text(lock))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
