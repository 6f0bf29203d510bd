#!/usr/bin/env python3
"""Write what is in an image beside it: its bill of materials, and a page of packages and layers.

Usage: image_contents.py FOLDER IMAGE ...

For each image FOLDER gets NAME.cdx.json, which the image has in itself, and NAME.md.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

LABEL = "io.seed-init.sbom"


class Failed(Exception):
    """The contents cannot be had; the text is one line for the user."""


def docker(*words: str) -> str:
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True)
    except FileNotFoundError:
        raise Failed("there is no docker command; tools/docker-engine.sh sets one up") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise Failed(f"docker {words[0]} failed: {lines[-1] if lines else 'without a reason'}")
    return done.stdout


def bill(image: str) -> dict[str, object]:
    """The bill of materials that an image has in itself.

    Raises:
        Failed: the image is not here, or its label names no bill.
    """
    place = docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', image)
    if not place.strip():
        raise Failed(f"{image} has no label {LABEL}; build it again with make image")
    words = ("run", "--rm", "--network=none", "--entrypoint=cat", image, place.strip())
    found: dict[str, object] = json.loads(docker(*words))
    return found


def layers(image: str) -> list[tuple[int, str]]:
    """Bytes and step of each layer that is not empty, the lowest one first."""
    words = ("history", "--no-trunc", "--human=false", "--format", "{{json .}}", image)
    rows = [json.loads(line) for line in docker(*words).splitlines()]
    sized = [(int(row["Size"]), step(row["CreatedBy"])) for row in reversed(rows)]
    return [(size, step) for size, step in sized if size]


def step(created_by: str) -> str:
    """The words of the Dockerfile, without the build arguments and the shell that BuildKit adds."""
    words = " ".join(created_by.split())
    return re.sub(r"^RUN (\|\d+ .*?)?/bin/\S+ (-\S+ |pipefail )*-c ", "RUN ", words)


def page(image: str, document: dict, sized: list[tuple[int, str]]) -> str:
    """The page in Markdown."""
    lines = [f"# {image}", "", "| layer | MB | made by |", "|---|---|---|"]
    for number, (size, step) in enumerate(sized, 1):
        lines.append(f"| {number} | {size / 1e6:.1f} | {_cell(step[:100]) or '(imported)'} |")
    lines.append(f"| all | {sum(size for size, _ in sized) / 1e6:.1f} | |")
    lines += ["", f"{len(document['components'])} packages:", ""]
    lines += ["| package | version | where | licence |", "|---|---|---|---|"]
    for each in document["components"]:
        licences = [
            one.get("expression") or one["license"]["name"] for one in each.get("licenses", ())
        ]
        where = next((one["value"] for one in each.get("properties", ())), "Debian")
        cells = (each["name"], each["version"], where, ", ".join(licences) or "not stated")
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(words: list[str]) -> int:
    if len(words) < 2:
        print("image_contents: give a folder and an image", file=sys.stderr)
        return 2
    folder = Path(words[0])
    folder.mkdir(parents=True, exist_ok=True)
    for image in words[1:]:
        try:
            document, sized = bill(image), layers(image)
        except Failed as failure:
            print(f"image_contents: {failure}", file=sys.stderr)
            return 1
        name = image.replace("/", "_").replace(":", "_")
        (folder / f"{name}.cdx.json").write_text(json.dumps(document, indent=1) + "\n")
        (folder / f"{name}.md").write_text(page(image, document, sized))
        print(f"{folder}/{name}.cdx.json: {len(document['components'])} packages")  # type: ignore[arg-type]
        print(f"{folder}/{name}.md: {len(sized)} layers")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
