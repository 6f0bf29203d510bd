"""What releases of PyTorch newer than 2.6.0 do otherwise, and where its documentation is wrong.

A newer release than any named here is taken for like the newest. `test_catalogue` fails with the
names of what it documents and the catalogue does not have: add them to `operators.py`, with a line
here.

`since` was found by reading `torch/__init__.py` and `torch/nn/functional.py` of the wheels of 2.7.1
to 2.14.1, and the names of alerts and kernels in the `libtorch_cuda.so` of 2.6.0, 2.7.1, 2.8.0,
2.9.1, 2.10.0 and 2.14.1.
"""

import re
from dataclasses import dataclass

from .states import DETERMINISTIC, State, alerts

Version = tuple[int, int]
OLDEST: Version = (2, 6)
NEWEST: Version = (9999, 0)
PULL = "https://github.com/pytorch/pytorch/pull/"


def parsed(version: str) -> Version:
    """The release that a version belongs to: "2.13.0+cu130" -> (2, 13)."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        raise ValueError(f"torch {version}: a version such as 2.6.0 is expected")
    return int(found[1]), int(found[2])


@dataclass(frozen=True)
class Difference:
    """From a release on, an operator is in another state.

    Attributes:
        operator: its name in `operators.OPERATORS`.
        since: the first release.
        state: the new one.
        what: changed, in a few words.
        source: where it is to be read.
    """

    operator: str
    since: Version
    state: State
    what: str
    source: str


DIFFERENCES = (
    Difference(
        "reflection_pad2d_backward",
        (2, 7),
        DETERMINISTIC,
        "a kernel without atomics (reflection_pad2d_backward_det_out_kernel)",
        PULL + "136241",
    ),
    Difference(
        "histc",
        (2, 8),
        alerts("_histc_cuda with floating point input"),
        "the alert has another name; integers raise none",
        PULL + "151701",
    ),
    Difference(
        "interpolate_trilinear_backward",
        (2, 9),
        DETERMINISTIC,
        "torch.nn.functional.interpolate decomposes it",
        PULL + "154239",
    ),
    Difference(
        "kthvalue", (2, 10), DETERMINISTIC, "always the least index, no alert", PULL + "165762"
    ),
    Difference(
        "max_pool3d_backward",
        (2, 13),
        DETERMINISTIC,
        "torch.nn.functional.max_pool3d decomposes it",
        PULL + "179104",
    ),
)


@dataclass(frozen=True)
class Stage:
    """Releases in which something holds; `until` is the first in which it does not any more."""

    since: Version
    until: Version
    source: str

    def holds(self, version: Version) -> bool:
        return self.since <= version < self.until


CUBLAS_CHECKED = Stage(OLDEST, (2, 10), PULL + "161749")
"""Matrix products raise without CUBLAS_WORKSPACE_CONFIG; since then PyTorch's own workspaces do."""

DOCUMENTED = {
    "kthvalue": Stage(OLDEST, (2, 10), PULL + "165762"),
    "mm": CUBLAS_CHECKED,
    "mv": CUBLAS_CHECKED,
    "bmm": CUBLAS_CHECKED,
    "embedding_backward": Stage((2, 14), NEWEST, PULL + "187682"),
}
"""Operator -> the releases whose documentation names it; the others are named in all of them."""

DOCUMENTED_WRONGLY = {
    "replication_pad1d_backward": Stage(OLDEST, (2, 8), PULL + "148633"),
    "replication_pad3d_backward": Stage(OLDEST, (2, 8), PULL + "148633"),
    "interpolate_bilinear_backward": Stage(
        OLDEST, NEWEST, "torch/nn/functional.py of 2.6.0, interpolate: decomposed on CUDA"
    ),
    "interpolate_trilinear_backward": Stage((2, 9), NEWEST, PULL + "154239"),
    "reflection_pad2d_backward": Stage((2, 7), NEWEST, PULL + "136241"),
    "cumsum": Stage(OLDEST, (2, 14), PULL + "140887"),
}
"""Operators with a deterministic version that are listed among those that raise, in these
releases; the source is what gave it to them, or what corrected the list."""

VARIES_SINCE = {"embedding_backward": Stage((2, 14), NEWEST, PULL + "172454")}
"""Operators that are the same in every launch under `off` in releases before these."""


def state(operator: str, first: State, version: Version) -> State:
    """What an operator does in a release.

    Args:
        operator: its name.
        first: its state in 2.6.
        version: the release; an unknown one is taken for like the newest known.
    """
    for difference in sorted(DIFFERENCES, key=lambda each: each.since):
        if difference.operator == operator and difference.since <= version:
            first = difference.state
    return first


def documented(operator: str, version: Version) -> bool:
    """Whether a release's documentation names an operator that it names in some release."""
    return operator not in DOCUMENTED or DOCUMENTED[operator].holds(version)


def documented_wrongly(operator: str, version: Version) -> bool:
    """Whether a release's documentation says of an operator that it raises, and it does not."""
    return operator in DOCUMENTED_WRONGLY and DOCUMENTED_WRONGLY[operator].holds(version)


def varies(operator: str, version: Version) -> bool:
    """Whether an operator that varies under `off` in some release does so in this one."""
    return operator not in VARIES_SINCE or VARIES_SINCE[operator].holds(version)
