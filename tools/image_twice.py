"""Build each target twice without a cache and compare the two images, layer by layer.

Usage: image_twice.py TARGET ... [-- OPTION of docker build ...]

Exit 0 if every layer and the configuration have the same digest; 1 if they differ, with a line for
each file that does; 3 if they differ in times alone and this engine cannot set those (BuildKit can
from 0.13 on, with containerd's image store or in a builder of its own).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
INPUTS = ("Dockerfile", ".dockerignore", "entrypoint", "image", "requirements/notebook.txt", "seed_init")
SAME, DIFFER, UNPROVEN = 0, 1, 3
SHOWN = 40  # differences of one layer; the others are counted
REWRITES_FROM = (0, 13)
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
        lines = left.decode().splitlines(), right.decode().splitlines()
    except ValueError:
        place = len(os.path.commonprefix([left, right]))
        return f"content, from byte {place} on ({len(left)} and {len(right)} bytes)"
    place = len(os.path.commonprefix(lines))
    ours, theirs = (part[place] if place < len(part) else "(the end)" for part in lines)
    return f"content, line {place + 1}: {_short(ours)} and {_short(theirs)}"


def _short(line: str) -> str:
    return repr(line if len(line) <= 80 else line[:80] + "…")


# --- two images -----------------------------------------------------------------------------------


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, cwd=REPOSITORY)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(f"docker {words[0]} failed: {lines[-1] if lines else 'without a reason'}")
    return done.stdout


@dataclass(frozen=True)
class Engine:
    """What the engine can do.

    Attributes:
        name: in words, for messages.
        rewrites: true if it gives the files of a layer the time of SOURCE_DATE_EPOCH.
        output: the option of `docker build` that makes an image of a tag.
    """

    name: str
    rewrites: bool
    output: str


def engine() -> Engine:
    """The engine and the builder that `docker build` uses."""
    info = json.loads(docker("info", "--format", "{{json .}}"))
    builder = docker("buildx", "inspect")
    driver = re.search(r"^Driver:\s+(\S+)", builder, re.M)
    if driver and driver[1] != "docker":
        found = re.search(r"^BuildKit(?: version)?:\s+v?(\d+)\.(\d+)", builder, re.M)
        version = (int(found[1]), int(found[2])) if found else (0, 0)
        name = f"BuildKit {version[0]}.{version[1]}"
        return Engine(name, version >= REWRITES_FROM, "type=docker")
    version = info["ServerVersion"]
    # 26.0 is the first with BuildKit 0.13. The engine's older image store keeps files, not layers,
    # and has no place for other times.
    stores_layers = any("snapshotter" in str(pair) for pair in info.get("DriverStatus") or ())
    rewrites = int(version.split(".")[0]) >= 26 and stores_layers
    name = f"Docker {version}{'' if stores_layers else ' without the image store of containerd'}"
    return Engine(name, rewrites, "type=image")


def epoch() -> str:
    """SOURCE_DATE_EPOCH: the environment's, or the time of the last commit of what the build reads."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return given
    words = ["git", "log", "-1", "--format=%ct", "--", *INPUTS]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode or not done.stdout.strip():
        raise Failed("this is no checkout of git; set SOURCE_DATE_EPOCH to seconds since 1970")
    return done.stdout.strip()


def build(target: str, tag: str, options: list[str], using: Engine, context: Path) -> None:
    output = f"{using.output},name={tag}" + (",rewrite-timestamp=true,unpack=false" if using.rewrites else "")
    words = ["buildx", "build", "--no-cache", "--progress=plain", "--target", target]
    words += ["--provenance=false", f"--build-arg=SOURCE_DATE_EPOCH={epoch()}", *options]
    if using.rewrites:
        words += ["--output", output]
    else:
        words += ["--load", "--tag", tag]
    done = subprocess.run(
        ["docker", *words, str(context)],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise Failed(f"the build of {target} failed; its output is above")


def layers(tag: str) -> list[str]:
    found: list[str] = json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", tag))
    return found


def steps(tag: str) -> list[str]:
    """What made each layer: the words of the Dockerfile; fewer than layers if the base hides them."""
    printed = docker("history", "--no-trunc", "--format", "{{json .}}", tag)
    rows = [json.loads(line) for line in printed.splitlines()]
    return [row["CreatedBy"] for row in reversed(rows) if not _is_setting(row["CreatedBy"])]


def _is_setting(created_by: str) -> bool:
    """True for a line of the Dockerfile that makes no layer."""
    names = "ARG|ENV|LABEL|USER|CMD|ENTRYPOINT|EXPOSE|SHELL|STOPSIGNAL|VOLUME|HEALTHCHECK"
    return bool(re.match(rf"(/bin/sh -c #\(nop\) +)?({names})\b", created_by))


def saved_layers(tags: list[str], folder: Path) -> Iterator[list[str]]:
    """For each image, the names of its layers in the archive that `docker save` wrote."""
    docker("save", "--output", str(folder / "images.tar"), *tags)
    with tarfile.open(folder / "images.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        by_tag = {tag: image["Layers"] for image in manifest for tag in image["RepoTags"] or ()}
    for tag in tags:
        names = [name for name in by_tag if name.endswith(tag)]
        yield by_tag[names[0]]


def extract(folder: Path, name: str, target: Path) -> Path:
    with tarfile.open(folder / "images.tar") as archive:
        member = archive.getmember(name)
        while member.issym() or member.islnk():  # a layer that an older engine wrote once
            folder_of = Path(name).parent
            name = os.path.normpath(folder_of / member.linkname)
            member = archive.getmember(name)
        source = archive.extractfile(member)
        assert source
        with target.open("wb") as file:
            shutil.copyfileobj(source, file)
    return target


def compare_images(one: str, other: str) -> tuple[int, list[tuple[str, list[Difference]]]]:
    """Number of layers, and for each layer that differs its step and what differs in it."""
    first, second = layers(one), layers(other)
    if first == second:
        return len(first), []
    if len(first) != len(second):
        raise Failed(f"{len(first)} and {len(second)} layers")
    made_by = steps(one)
    found = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        names = list(saved_layers([one, other], folder))
        for place in (place for place in range(len(first)) if first[place] != second[place]):
            files = [
                extract(folder, saved[place], folder / f"{number}.tar")
                for number, saved in enumerate(names)
            ]
            differences = compare_layers(*files) or [Difference("", "the archives' own headers")]
            step = made_by[place - len(first)] if len(made_by) >= len(first) - place else "a layer"
            found.append((" ".join(step.split()), differences))
            _diffoscope(files)
    return len(first), found


def _diffoscope(files: list[Path]) -> None:
    """The content of what differs, in more detail than ours, where diffoscope is installed."""
    if shutil.which("diffoscope"):
        words = ["diffoscope", "--max-report-size=20000", "--exclude-directory-metadata=yes"]
        subprocess.run([*words, *map(str, files)], check=False)


def compare_configuration(one: str, other: str) -> list[str]:
    """Names of the parts of the configuration that differ."""
    parts = [json.loads(docker("image", "inspect", tag))[0] for tag in (one, other)]
    return [name for name in ("Created", "Config", "Architecture", "Os") if parts[0][name] != parts[1][name]]


def report(target: str, one: str, other: str, using: Engine) -> int:
    """Print what differs between two builds of a target; the exit status."""
    number, found = compare_images(one, other)
    configuration = compare_configuration(one, other)
    if not found and not configuration:
        print(f"{target}: the same: {number} layers, the last one {layers(one)[-1]}")
        return SAME
    for step, differences in found:
        others = [each for each in differences if using.rewrites or each.what != "time"]
        if others:
            print(f"{target}: a layer differs: {step[:100]}")
            for each in others[:SHOWN]:
                print(f"  {each}")
            if len(others) > SHOWN:
                print(f"  and {len(others) - SHOWN} more")
    real = [each for _, differences in found for each in differences if each.what != "time"]
    settings = [name for name in configuration if using.rewrites or name != "Created"]
    if settings:
        print(f"{target}: the configuration differs: {', '.join(settings)}")
    if real or settings or using.rewrites:
        return DIFFER
    print(
        f"{target}: unproven: {len(found)} of {number} layers differ in times of files alone; {using.name} "
        "cannot set these (BuildKit 0.13 or newer can, with the image store of containerd)"
    )
    return UNPROVEN


def twice(target: str, options: list[str], using: Engine, context: Path = REPOSITORY) -> int:
    """Build a target twice and compare; the exit status. Both images are removed again."""
    tags = [f"seed-init-twice:{target}-{os.getpid()}-{number}" for number in (1, 2)]
    try:
        for tag in tags:
            build(target, tag, options, using, context)
        return report(target, *tags, using)
    finally:
        subprocess.run(["docker", "image", "rm", "--force", *tags], capture_output=True)


def main(words: list[str]) -> int:
    place = words.index("--") if "--" in words else len(words)
    targets, options = words[:place], words[place + 1 :]
    context = Path(os.environ.get("SEED_INIT_CONTEXT", REPOSITORY))
    try:
        using = engine()
        print(f"each target is built twice by {using.name}, SOURCE_DATE_EPOCH={epoch()}", flush=True)
        statuses = [twice(target, options, using, context) for target in targets]
    except Failed as failure:
        print(f"image-twice: {failure}", file=sys.stderr)
        return 2
    return next((status for status in (DIFFER, UNPROVEN) if status in statuses), SAME)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
