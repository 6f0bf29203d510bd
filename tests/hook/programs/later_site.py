"""Do what Python 3.18's `site` does with one directory, and run a program.

    python -S later_site.py DIRECTORY PROGRAM

The rules are PEP 829's, written down here once more, because no release has them all yet: .pth
files add paths and run nothing; then each line of each .start file names a function, which is
called without arguments. Errors are printed, and the next line follows.
"""

import re
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path

WORD = r"(?!\d)\w+"
ENTRY_POINT = re.compile(rf"({WORD}(?:\.{WORD})*):({WORD}(?:\.{WORD})*)")


def lines(directory: Path, ending: str) -> list[str]:
    """Those of all files with this ending, sorted by name; no blank lines and no comments."""
    files = sorted(file for file in directory.glob(f"*{ending}") if file.name[0] != ".")
    read = [line for file in files for line in file.read_text("utf-8-sig").splitlines()]
    return [line.strip() for line in read if line.strip() and line.strip()[0] != "#"]


def main() -> None:
    directory = Path(sys.argv[1])
    paths = [
        line for line in lines(directory, ".pth") if not line.startswith(("import ", "import\t"))
    ]
    sys.path += [str(directory), *(str(directory / path) for path in paths)]
    for line in lines(directory, ".start"):
        found = ENTRY_POINT.fullmatch(line)
        if not found:
            print(f"invalid entry point: {line!r}", file=sys.stderr)
            continue
        try:
            function = import_module(found[1])
            for name in found[2].split("."):
                function = getattr(function, name)
            function()
        except Exception as error:
            print(f"error in entry point {line}: {error!r}", file=sys.stderr)
    with suppress(ImportError):
        import sitecustomize  # noqa: F401
    exec(sys.argv[2], {"__name__": "__main__"})


main()
