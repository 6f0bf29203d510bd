"""Run the benchmarks named on the command line, all of them by default."""

import signal
import sys

from benchmarks import (
    alerts,
    cells,
    commands,
    digits,
    divergence,
    engines,
    forks,
    image,
    imports,
    operators,
    products,
    programs,
    startup,
    switches,
    trace,
)
from harness import machine

PARTS = {
    "startup": startup.main,
    "imports": imports.main,
    "forks": forks.main,
    "commands": commands.main,
    "cells": cells.main,
    "image": image.main,
    "trace": trace.main,
    "digits": digits.main,
    "programs": programs.main,
    "divergence": divergence.main,
    "alerts": alerts.main,
    "operators": operators.main,
    "switches": switches.main,
    "products": products.main,
    "engines": engines.main,
}


def main() -> int:
    names = sys.argv[1:] or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"benchmarks: no part {unknown[0]!r}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    print(machine.description())
    try:
        for name in names:
            print()
            PARTS[name]()
    except KeyboardInterrupt:
        print("benchmarks: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main())
