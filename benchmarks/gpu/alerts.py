"""Which operators PyTorch names in its warnings and errors about determinism."""

import re

NO_VERSION = re.compile(r"(\S+) does not have a deterministic implementation")
DEFAULTS_TO = re.compile(r"([\w ]+ [Aa]ttention) defaults to a non-deterministic algorithm")
CUBLAS = "because it uses CuBLAS"


def operators(text: str) -> list[str]:
    """The operators that PyTorch says have no deterministic version."""
    found = set(NO_VERSION.findall(text)) | set(DEFAULTS_TO.findall(text))
    if CUBLAS in text:
        found.add("cuBLAS without CUBLAS_WORKSPACE_CONFIG")
    return sorted(name.strip() for name in found)


def raised(stderr: str) -> str | None:
    """The operator for which a process ended, and not one that was only warned of."""
    error = stderr[stderr.rfind("Traceback (most recent call last)") :]
    return next(iter(operators(error)), None)


def last_line(stderr: str, status: int) -> str:
    """Why a process failed, in a few words."""
    return (stderr.strip().splitlines() or [f"status {status}"])[-1][:160]
