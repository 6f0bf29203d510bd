"""Write down in the build what is in the image: a bill of materials in CycloneDX's JSON.

Usage: sbom.py FILE, as root. Every Python environment of the image is in it, and every Debian
package, each with its licences. The same image gives the same bytes: the time is that of
SOURCE_DATE_EPOCH, or left out, and there is no random serial number.

Format: https://cyclonedx.org/docs/1.6/json/
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from email.message import Message
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import cast
from urllib.parse import quote

PLACES = ("/opt", "/usr", "/root", "/home", "/venv", "/workspace")
"""Where Python environments are looked for."""
LONGEST_LICENCE = 100  # characters; what is longer is the text of a licence, not its name


def environments(places: tuple[str, ...] = PLACES) -> list[Path]:
    """The folders with packages of each Python in the image."""
    found = []
    for place in places:
        for folder, names, _ in os.walk(place):
            packages = {"site-packages", "dist-packages"} & set(names)
            found += [Path(folder, name) for name in sorted(packages)]
            names[:] = [name for name in names if name not in packages]
    return sorted(found)


def python_components(folder: Path) -> Iterator[dict[str, object]]:
    """The packages that one folder has; a second copy of one is a second component."""
    seen: dict[str, int] = {}
    found = sorted(distributions(path=[str(folder)]), key=lambda each: str(_place(each)))
    for each in found:
        name, version = _name_and_version(each)
        reference = f"python:{folder}:{name}@{version}"
        seen[reference] = seen.get(reference, 0) + 1
        if seen[reference] > 1:
            reference += f"#{seen[reference]}"
        component: dict[str, object] = {
            "type": "library",
            "bom-ref": reference,
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{quote(re.sub(r'[-_.]+', '-', name).lower())}@{quote(version)}",
            "properties": [{"name": "seed_init:location", "value": str(folder)}],
        }
        licences = python_licences(each)
        yield {**component, "licenses": licences} if licences else component


def _place(distribution: Distribution) -> Path:
    # importlib.metadata has no public name for it; its own finder has had this one since 3.8.
    return Path(getattr(distribution, "_path", ""))


def _name_and_version(distribution: Distribution) -> tuple[str, str]:
    """Of a folder without METADATA, which pip leaves behind beside conda, what its name says."""
    stem = re.sub(r"\.(dist|egg)-info$", "", _place(distribution).name)
    name, _, version = stem.partition("-")
    fields = _fields(distribution)
    return fields.get("Name") or name or "unknown", fields.get("Version") or version or "unknown"


def _fields(distribution: Distribution) -> Message:
    """The fields of METADATA; none where that file is missing."""
    # `metadata` is None in that case, whatever its types say.
    return cast(Message, distribution.metadata or Message())


def python_licences(distribution: Distribution) -> list[dict[str, object]]:
    """What a package says of its licence: an expression, its classifiers, or a name."""
    metadata = _fields(distribution)
    expression = metadata.get("License-Expression")
    if expression:
        return [{"expression": expression}]
    classified = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or ()
        if line.startswith("License ::") and line != "License :: OSI Approved"
    ]
    named = (metadata.get("License") or "").strip()
    if not classified and named and "\n" not in named and len(named) <= LONGEST_LICENCE:
        classified = [named]
    return [{"license": {"name": name}} for name in sorted(set(classified))]


def debian_components(release: dict[str, str]) -> Iterator[dict[str, object]]:
    """The packages of dpkg; none where the image has no dpkg."""
    fields = "${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n"
    try:
        words = ["dpkg-query", "--show", f"--showformat={fields}"]
        printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        return
    system = release.get("ID", "debian")
    distro = f"{system}-{release.get('VERSION_ID', '')}".rstrip("-")
    for line in sorted(printed.splitlines()):
        status, name, version, architecture = line.split("\t")
        if status.startswith("ii"):
            component: dict[str, object] = {
                "type": "library",
                "bom-ref": f"debian:{name}:{architecture}@{version}",
                "name": name,
                "version": version,
                "purl": f"pkg:deb/{system}/{quote(name)}@{quote(version, safe='')}"
                f"?arch={architecture}&distro={distro}",
            }
            licences = debian_licences(Path("/usr/share/doc", name, "copyright"))
            yield {**component, "licenses": licences} if licences else component


def debian_licences(file: Path) -> list[dict[str, object]]:
    """The names of licences in a package's copyright file.

    Those of https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/; in a file of
    another format, those whose text it refers to.
    """
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return []
    found = set(re.findall(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.M))
    if not found:
        found = {
            name.rstrip(".") for name in re.findall(r"/usr/share/common-licenses/([\w.+-]+)", text)
        }
    return [{"license": {"name": name}} for name in sorted(found)]


def os_release(file: Path = Path("/etc/os-release")) -> dict[str, str]:
    if not file.exists():
        return {}
    return dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', file.read_text(), re.M))


def bill(components: list[dict[str, object]], epoch: str | None) -> dict[str, object]:
    """The whole document."""
    metadata: dict[str, object] = {
        "component": {"type": "container", "bom-ref": "image", "name": "seed-init"}
    }
    if epoch:
        moment = datetime.fromtimestamp(int(epoch), timezone.utc)
        metadata["timestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        "components": components,
    }


def main() -> int:
    components = [each for folder in environments() for each in python_components(folder)]
    if not components:
        print("seed-init build: sbom.py has found no Python package", file=sys.stderr)
        return 1
    components += debian_components(os_release())
    document = bill(components, os.environ.get("SOURCE_DATE_EPOCH"))
    file = Path(sys.argv[1])
    file.write_text(json.dumps(document, indent=1) + "\n")
    file.chmod(0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main())
