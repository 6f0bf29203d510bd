"""Give the packages of a requirements file to conda, and spoil the metadata of some of them.

Usage: make_unkind.py REQUIREMENTS
"""

import json
import shutil
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

PREFIX = Path(sys.prefix)
SITE = Path(distribution("pip").locate_file(""))


def metadata(package: Distribution) -> Path:
    """The folder of the package's metadata."""
    record = next(file for file in package.files or [] if file.name == "METADATA")
    return Path(str(record.locate())).parent


def give_to_conda(package: Distribution) -> None:
    """As conda installs it: INSTALLER says so, and conda-meta lists the files."""
    name, version = package.metadata["Name"].lower(), package.version
    (metadata(package) / "INSTALLER").write_text("conda\n")
    files = [Path(str(file.locate())).resolve() for file in package.files or []]
    listed = [str(file.relative_to(PREFIX)) for file in files if file.exists()]
    about = {"name": name, "version": version, "build": "0", "files": sorted(listed)}
    (PREFIX / f"conda-meta/{name}-{version}-0.json").write_text(json.dumps(about))


def without_record(name: str) -> None:
    (metadata(distribution(name)) / "RECORD").unlink()


def leftover(name: str) -> None:
    """A folder of a former version, in which only pip's own file has stayed."""
    folder = SITE / f"{name}-0.1.dist-info"
    folder.mkdir()
    (folder / "INSTALLER").write_text("pip\n")


def by_distutils(name: str) -> None:
    """One .egg-info file, as distutils writes it."""
    package = distribution(name)
    folder = metadata(package)
    text = (folder / "METADATA").read_text()
    shutil.rmtree(folder)
    (SITE / f"{name}-{package.version}.egg-info").write_text(text)


def second_copy(name: str, version: str) -> None:
    folder = metadata(distribution(name))
    copy = SITE / f"{name}-{version}.dist-info"
    shutil.copytree(folder, copy)
    text = (copy / "METADATA").read_text()
    (copy / "METADATA").write_text(
        text.replace(f"Version: {distribution(name).version}", f"Version: {version}", 1)
    )


def main() -> None:
    (PREFIX / "conda-meta").mkdir(exist_ok=True)
    for line in Path(sys.argv[1]).read_text().splitlines():
        if line and not line.startswith("#"):
            give_to_conda(distribution(line.partition("==")[0]))
    # jupyter_client needs a newer typing_extensions, so the build has to replace this one.
    without_record("typing_extensions")
    leftover("attrs")
    by_distutils("pycparser")
    second_copy("traitlets", "5.9.0")


if __name__ == "__main__":
    main()
