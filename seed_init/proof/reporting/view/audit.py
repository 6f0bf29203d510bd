# SPDX-License-Identifier: Apache-2.0
"""The findings of all audits are listed here, run by run."""

from collections.abc import Iterator, Sequence

from seed_init.proof.auditing.collecting import Finding
from seed_init.proof.reporting.model import FindingView
from seed_init.proof.reporting.view.rows import Loaded


def was_audited(loaded: Loaded) -> bool:
    """Whether an audit was made of a run."""
    return loaded.content["audit"] is not None


def findings(loaded: Sequence[Loaded]) -> Iterator[FindingView]:
    """The findings of all runs, run by run."""
    for number, each in enumerate(loaded):
        for content in (each.content["audit"] or {}).get("findings", ()):
            yield _shown(number, Finding.from_json(content))


def _shown(run: int, found: Finding) -> FindingView:
    detail = f" ({found.detail})" if found.detail else ""
    line = f":{found.line}" if found.line else ""
    return FindingView(
        run,
        found.kind,
        f"{found.file or 'file not known'}{line}",
        found.count,
        f"{found.what}{detail}",
        found.text.strip(),
    )
