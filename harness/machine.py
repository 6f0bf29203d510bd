"""The machine that a figure belongs to."""

import os
import platform
import re
from pathlib import Path


def description() -> str:
    """One line: processor, cores, memory, kernel, Python."""
    processor = first(r"^model name\s*:\s*(.+)$", "/proc/cpuinfo") or platform.machine()
    kilobytes = int(first(r"^MemTotal:\s*(\d+) kB$", "/proc/meminfo") or 0)
    return (
        f"machine: {processor}, {os.cpu_count()} cores, {kilobytes / 2**20:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def first(pattern: str, path: str) -> str | None:
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return None
    return found.group(1) if found else None
