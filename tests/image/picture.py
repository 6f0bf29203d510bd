"""Make a picture for the README of a screenshot that the browser tests have left.

Usage: picture.py SCREENSHOT [PICTURE] (docs/pictures/notebook.png unless told)
"""

import io
import sys
from pathlib import Path

from PIL import Image

from harness.repository import REPOSITORY

PICTURE = REPOSITORY / "docs/pictures/notebook.png"
LARGEST = 150_000  # bytes: every clone has it
COLOURS = (256, 128, 64, 32)  # a page has few, most of them at the edges of letters


def packed(screenshot: Image.Image) -> bytes:
    """The screenshot with a palette, of as many colours as fit into LARGEST."""
    for colours in COLOURS:
        file = io.BytesIO()
        # Dithering would sprinkle plain areas with dots, which also pack badly.
        few = screenshot.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
        few.save(file, "PNG", optimize=True)
        if file.tell() <= LARGEST:
            return file.getvalue()
    sys.exit(f"picture.py: more than {LARGEST} bytes even with {COLOURS[-1]} colours; crop it")


def main() -> None:
    if not 2 <= len(sys.argv) <= 3:
        sys.exit("usage: picture.py SCREENSHOT [PICTURE]")
    source, target = Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else PICTURE)
    try:
        screenshot = Image.open(source)
        target.write_bytes(packed(screenshot))
    except OSError as error:
        sys.exit(f"picture.py: {error}")
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
