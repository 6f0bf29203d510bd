"""A registry of the tests' own, on loopback: Debian's docker-registry."""

import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.waiting import free_port, until


@dataclass(frozen=True)
class Registry:
    """Attributes:
    host: its host and port, with which the name of an image begins.
    log: what it was asked.
    """

    host: str
    log: Path

    def asked_for(self, name: str) -> bool:
        """True if somebody has asked for an image of this name."""
        return f"/v2/{name}/" in self.log.read_text()


@contextmanager
def running(place: Path) -> Iterator[Registry]:
    """Run a registry that keeps its images below a directory."""
    if shutil.which("docker-registry") is None:
        pytest.skip("no docker-registry (Debian has it)")
    host = f"127.0.0.1:{free_port()}"
    log, config = place / "registry.log", place / "registry.yml"
    config.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {place}/images}}}}\n"
        f"http: {{addr: '{host}'}}\n"
    )
    with log.open("w") as file:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdout=file, stderr=subprocess.STDOUT
        )
    try:
        until("the registry", lambda: _answers(host))
        yield Registry(host, log)
    finally:
        process.terminate()
        process.wait(30)


def _answers(host: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return bool(opener.open(f"http://{host}/v2/", timeout=5).status == 200)
    except OSError:
        return False
