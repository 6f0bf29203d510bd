"""Make the README's picture of a terminal: run its commands and draw what they print, as SVG.

Usage: terminal_picture.py [PICTURE] (docs/pictures/terminal.svg unless told)

Needs a Python with torch, with the hook, and with the package rich, which draws; its commands come
first on PATH. The training is that of docs/tutorial.md. It takes a minute or two.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

REPOSITORY = Path(__file__).resolve().parents[1]
PICTURE = REPOSITORY / "docs/pictures/terminal.svg"
TUTORIAL = REPOSITORY / "docs/tutorial.md"

COLUMNS = 96
COMMANDS = {
    "python dice.py": 0,
    "SEED=7 python dice.py": 0,
    "SEED=7 python dice.py  # once more": 0,
    "SEED=7 seed-init verify -- python words.py": 1,
}
"""What is run, in this order, in a folder with the tutorial's programs -> the exit status.

`words` is the training with its words numbered in the order of a set: a fault that only another
hash seed shows.
"""

FAULT = ("enumerate(words)", "enumerate(set(words))")

SHOWN = re.compile(
    r"^(random:|NumPy:|default_rng:|DIFFERENT|  equality broke|  line|  may be|    then)"
)
"""Lines of output that are drawn. The others (which run took how long, what was compared) are left
out, so that the picture shows one thing; a gap is drawn as three dots."""

FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""rich's own has fonts of another server in it; a picture of ours fetches nothing."""


def programs() -> dict[str, str]:
    """The tutorial's programs: name -> source."""
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
    found = dict(blocks)
    return {
        "dice.py": found["dice.py"],
        "words.py": found["train.py"].replace(*FAULT),
    }


def run(command: str, status: int, folder: Path) -> str:
    """What a command prints on both streams; it must end with an exit status."""
    environment = {name: v for name, v in os.environ.items() if not name.startswith("SEED")}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != status:
        sys.exit(f"terminal_picture.py: {command!r} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def drawn_lines(output: str) -> Iterator[str]:
    """The lines of an output that are drawn, and three dots for what is left out between them."""
    gap = False
    for line in output.splitlines():
        if SHOWN.match(line):
            if gap:
                yield "…"
            yield line
        gap = not SHOWN.match(line) and not line.startswith("seed_init:")


def draw(transcript: list[tuple[str, str]], title: str) -> str:
    """An SVG of commands and what they printed.

    Args:
        transcript: each command with its output.
        title: for the bar of the window.
    """
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    for number, (command, output) in enumerate(transcript):
        if number:
            console.print()
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        for line in output.splitlines():
            style = "bold red" if line.startswith("DIFFERENT") else "dim" if line == "…" else ""
            console.print(Text(line, style=style))
    svg = console.export_svg(title=title, theme=MONOKAI, code_format=FORMAT, unique_id="terminal")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def main() -> None:
    if len(sys.argv) > 2:
        sys.exit("usage: terminal_picture.py [PICTURE]")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    if shutil.which("seed-init") is None:
        sys.exit("terminal_picture.py: there is no seed-init on PATH; activate an environment")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for program, source in programs().items():
            (folder / program).write_text(source)
        transcript = []
        for command, status in COMMANDS.items():
            print(command, file=sys.stderr)
            output = run(command, status, folder)
            transcript.append((command, "\n".join(drawn_lines(output))))
    try:
        target.write_text(draw(transcript, "seed_init"))
    except OSError as error:
        sys.exit(f"terminal_picture.py: {error}")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
