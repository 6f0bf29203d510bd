#!/usr/bin/env python3
"""Build each target twice without a cache and compare the two images, layer by layer.

Usage: image_twice.py TARGET ... [-- OPTION of docker build ...]
       image_twice.py --epoch    prints SOURCE_DATE_EPOCH and builds nothing

Exit 0 if every layer and the configuration have the same digest; 1 if they differ, with a line for
each file that does; 3 if they differ in times alone and this engine cannot set those (BuildKit can
from 0.13 on, with containerd's image store or in a builder of its own).
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
INPUTS = (
    *("Dockerfile", ".dockerignore", "entrypoint", "image", "seed_init"),
    *("requirements/libraries.txt", "requirements/server.txt"),
)
"""What the image is made from: a commit that changes nothing of it does not change the image."""
SAME, DIFFER, UNPROVEN = 0, 1, 3
SHOWN = 40  # differences of one layer; the others are counted
REWRITES_FROM = (0, 13)
# Packing takes longer than the build, and two packers need not agree.
REWRITTEN = "rewrite-timestamp=true,compression=uncompressed"
TEXT = 1 << 20  # bytes of a file that is compared line by line


class Failed(Exception):
    """The comparison cannot be made; the text is one line for the user."""


# --- two layers -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """What tells a member of one layer from the member of that name in the other one.

    Attributes:
        name: the file, relative to the root of the image.
        what: `time` if nothing but the time of the last change differs; otherwise in words.
    """

    name: str
    what: str

    def __str__(self) -> str:
        return f"/{self.name}: {self.what}"


def compare_layers(one: Path, other: Path) -> list[Difference]:
    """What differs between two layers, as tar files, packed or not.

    Returns:
        One difference for each member that differs, sorted by name; if the members are the same,
        one difference of the order or of the archive itself, unless the files are the same.

    Raises:
        Failed: a file is no tar archive.
    """
    try:
        with tarfile.open(one) as first, tarfile.open(other) as second:
            return list(_compare(first, second))
    except tarfile.TarError as error:
        raise Failed(f"{one.name} or {other.name} is not a layer: {error}") from None


def _compare(first: tarfile.TarFile, second: tarfile.TarFile) -> Iterator[Difference]:
    left, right = ({_name(member): member for member in tar} for tar in (first, second))
    differs = False
    for name in sorted(left.keys() | right.keys()):
        if name not in left or name not in right:
            differs = True
            yield Difference(name, f"only in the {'first' if name in left else 'second'} build")
            continue
        what = _differs(first, left[name], second, right[name])
        if what:
            differs = True
            yield Difference(name, what)
    if not differs and list(left) != list(right):
        place = next(one for one, other in zip(left, right) if one != other)
        yield Difference(place, "the order of the files differs from here on")


def _name(member: tarfile.TarInfo) -> str:
    return member.name.removeprefix("./").strip("/")


def _differs(
    first: tarfile.TarFile, one: tarfile.TarInfo, second: tarfile.TarFile, other: tarfile.TarInfo
) -> str:
    """In words what differs; nothing if nothing does."""
    found = []
    for field, show in (("type", repr), ("mode", oct), ("linkname", repr)):
        left, right = getattr(one, field), getattr(other, field)
        if left != right:
            found.append(f"{field} {show(left)} and {show(right)}")
    for field in ("uid", "gid"):
        if getattr(one, field) != getattr(other, field):
            found.append(f"{field} {getattr(one, field)} and {getattr(other, field)}")
    attributes = [
        {name: value for name, value in member.pax_headers.items() if "xattr" in name}
        for member in (one, other)
    ]
    if attributes[0] != attributes[1]:
        found.append("extended attributes")
    if one.isreg() and other.isreg():
        content = _content_differs(first.extractfile(one).read(), second.extractfile(other).read())  # type: ignore[union-attr]
        found += [content] if content else []
    if int(one.mtime) != int(other.mtime):
        found.append("time")
    return ", ".join(found)


def _content_differs(left: bytes, right: bytes) -> str:
    """In words where two contents differ first; nothing if they are the same."""
    if left == right:
        return ""
    try:
        if max(len(left), len(right)) > TEXT or b"\0" in left + right:
            raise ValueError
        lines = left.decode().split("\n"), right.decode().split("\n")
    except ValueError:
        place = _agree(left, right)
        return f"content, from byte {place} on ({len(left)} and {len(right)} bytes)"
    place = _agree(*lines)
    ours, theirs = (part[place] if place < len(part) else "(the end)" for part in lines)
    return f"content, line {place + 1}: {_short(ours)} and {_short(theirs)}"


def _agree(left: Sequence[object], right: Sequence[object]) -> int:
    """How many items from the first one on are equal."""
    pairs = enumerate(zip(left, right))
    return next((at for at, (one, other) in pairs if one != other), min(len(left), len(right)))


def _short(line: str) -> str:
    return repr(line if len(line) <= 80 else line[:80] + "…")


# --- two images -----------------------------------------------------------------------------------


class Image:
    """An image in an archive, as `docker save` and BuildKit's exporter write it.

    Args:
        file: the archive.

    Attributes:
        configuration: its JSON.
        digests: the digest of each layer, unpacked; the lowest one first.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        with tarfile.open(file) as archive:
            (manifest,) = json.loads(_read(archive, "manifest.json"))
            self._layers: list[str] = manifest["Layers"]
            self.configuration = json.loads(_read(archive, manifest["Config"]))
        self.digests: list[str] = self.configuration["rootfs"]["diff_ids"]

    def step(self, place: int) -> str:
        """What made a layer, as the history has it."""
        history = [each for each in self.configuration["history"] if not each.get("empty_layer")]
        # A base that was imported has no history of its own.
        place -= len(self.digests) - len(history)
        if place < 0:
            return "the base"
        words = " ".join(history[place]["created_by"].split())
        # Without the build arguments and the shell that BuildKit adds.
        return re.sub(r"^RUN (\|\d+ .*?)?/bin/\S+ (-\S+ |pipefail )*-c ", "RUN ", words)

    def extract(self, place: int, target: Path) -> Path:
        """Write a layer into a file of its own."""
        with tarfile.open(self.file) as archive, target.open("wb") as file:
            source = archive.extractfile(self._layers[place])
            assert source
            shutil.copyfileobj(source, file)
        return target


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    source = archive.extractfile(name)
    assert source
    return source.read()


def compare_images(one: Image, other: Image, folder: Path) -> list[tuple[str, list[Difference]]]:
    """For each layer that differs its step, and what differs in it.

    Args:
        one, other: the images.
        folder: where layers are unpacked.

    Raises:
        Failed: they have not the same number of layers.
    """
    if len(one.digests) != len(other.digests):
        raise Failed(f"one build has {len(one.digests)} layers, the other {len(other.digests)}")
    found = []
    for place, (left, right) in enumerate(zip(one.digests, other.digests)):
        if left != right:
            files = [
                image.extract(place, folder / f"layer-{number}.tar")
                for number, image in enumerate((one, other))
            ]
            differences = compare_layers(*files)
            found.append((one.step(place), differences or [Difference("", "the tar file itself")]))
            if any(each.what != "time" for each in differences):
                _diffoscope(files)
    return found


def _diffoscope(files: list[Path]) -> None:
    """Show the difference in more detail than ours, where diffoscope is installed."""
    if shutil.which("diffoscope"):
        words = ["diffoscope", "--max-report-size=20000", "--exclude-directory-metadata=yes"]
        subprocess.run([*words, *map(str, files)], check=False)


def compare_configurations(one: Image, other: Image) -> list[Difference]:
    """The parts of the configurations that differ; `created` and the history's are times."""

    def without_times(value: object) -> object:
        if isinstance(value, dict):
            return {name: without_times(each) for name, each in value.items() if name != "created"}
        return [without_times(each) for each in value] if isinstance(value, list) else value

    found = []
    left, right = one.configuration, other.configuration
    for name in sorted(left.keys() | right.keys() - {"rootfs"}):
        if name != "rootfs" and left.get(name) != right.get(name):
            timeless = name != "created" and without_times(left.get(name)) != without_times(
                right.get(name)
            )
            found.append(Difference(name, "differs" if timeless else "time"))
    return found


def report(target: str, one: Image, other: Image, using: "Engine", folder: Path) -> int:
    """Print what differs between two builds of a target; the exit status."""
    found = compare_images(one, other, folder)
    configuration = compare_configurations(one, other)
    if not found and not configuration:
        print(f"{target}: the same: {len(one.digests)} layers, the last one {one.digests[-1]}")
        return SAME
    others = 0
    for step, differences in [
        *found,
        *([("the configuration", configuration)] * bool(configuration)),
    ]:
        shown = [each for each in differences if using.rewrites or each.what != "time"]
        others += len(shown)
        if shown:
            print(f"{target}: differs: {step[:120]}")
            for each in shown[:SHOWN]:
                print(f"  {each}")
            if len(shown) > SHOWN:
                print(f"  and {len(shown) - SHOWN} more")
    if others:
        return DIFFER
    print(
        f"{target}: unproven: {len(found)} of {len(one.digests)} layers differ, in nothing but "
        f"times, which {using.name} cannot set (BuildKit can from 0.13 on: Docker 26 with the "
        "image store of containerd, or a builder of its own)"
    )
    return UNPROVEN


# --- two builds -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Engine:
    """What builds.

    Attributes:
        name: in words, for messages.
        rewrites: true if it gives the files of a layer the time of SOURCE_DATE_EPOCH.
    """

    name: str
    rewrites: bool


def docker(*words: str) -> str:
    """Run docker and return what it prints.

    Raises:
        Failed: it fails, or there is none.
    """
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True)
    except FileNotFoundError:
        raise Failed("there is no docker command; tools/docker-engine.sh sets one up") from None
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(f"docker {words[0]} failed: {lines[-1] if lines else 'without a reason'}")
    return done.stdout


def engine() -> Engine:
    """The engine and the builder that `docker build` uses."""
    builder = docker("buildx", "inspect")
    driver = re.search(r"^Driver:\s+(\S+)", builder, re.M)
    if driver and driver[1] != "docker":
        found = re.search(r"^BuildKit(?: version)?:\s+v?(\d+)\.(\d+)", builder, re.M)
        version = (int(found[1]), int(found[2])) if found else (0, 0)
        return Engine(f"BuildKit {version[0]}.{version[1]}", version >= REWRITES_FROM)
    info = json.loads(docker("info", "--format", "{{json .}}"))
    # The engine's older image store keeps files, not layers, and has no place for other times.
    stores_layers = any("snapshotter" in str(pair) for pair in info.get("DriverStatus") or ())
    # 26.0 is the first with BuildKit 0.13.
    rewrites = int(info["ServerVersion"].split(".")[0]) >= 26 and stores_layers
    store = "" if stores_layers else " without the image store of containerd"
    return Engine(f"Docker {info['ServerVersion']}{store}", rewrites)


def epoch() -> str:
    """SOURCE_DATE_EPOCH: the environment's, or the time of the last commit that changed the image.

    Raises:
        Failed: neither is known.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return given
    words = ["git", "log", "-1", "--format=%ct", "--", *INPUTS]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode or not done.stdout.strip():
        raise Failed("this is no checkout of git; set SOURCE_DATE_EPOCH to seconds since 1970")
    return done.stdout.strip()


def print_epoch() -> int:
    """Print SOURCE_DATE_EPOCH, or nothing where it is not known: the build then goes without."""
    with contextlib.suppress(Failed):
        print(epoch())
    return 0


def build(target: str, options: list[str], using: Engine, context: Path, file: Path) -> Image:
    """Build a target without a cache, into a file.

    Raises:
        Failed: the build fails; what it printed is on stderr.
    """
    words = ["--no-cache", "--progress=plain", "--target", target, str(context), *options]
    words.append(f"--build-arg=SOURCE_DATE_EPOCH={epoch()}")
    if using.rewrites:
        _build(target, *words, f"--output=type=docker,dest={file},{REWRITTEN}")
        return Image(file)
    tag = f"seed-init-twice:{target}-{os.getpid()}"
    _build(target, *words, "--load", "--tag", tag)
    try:
        docker("save", "--output", str(file), tag)
    finally:
        subprocess.run(["docker", "image", "rm", tag], capture_output=True)
    return Image(file)


def _build(target: str, *words: str) -> None:
    command = ["docker", "buildx", "build", *words]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise Failed(f"the build of {target} failed; its output is above")


def twice(target: str, options: list[str], using: Engine, context: Path) -> int:
    """Build a target twice and compare; the exit status."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, other = (
            build(target, options, using, context, folder / f"{number}.tar") for number in (1, 2)
        )
        return report(target, one, other, using, folder)


def main(words: list[str]) -> int:
    """Build and compare the targets; the exit status."""
    place = words.index("--") if "--" in words else len(words)
    targets, options = words[:place], words[place + 1 :]
    if targets == ["--epoch"]:
        return print_epoch()
    if not targets:
        print("image-twice: name a target: runtime, notebook or ssh", file=sys.stderr)
        return 2
    try:
        using = engine()
        print(f"SOURCE_DATE_EPOCH={epoch()}, built twice by {using.name}", flush=True)
        statuses = [twice(target, options, using, REPOSITORY) for target in targets]
    except Failed as failure:
        print(f"image-twice: {failure}", file=sys.stderr)
        return 2
    return next((status for status in (DIFFER, UNPROVEN) if status in statuses), SAME)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
