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
    for number, record in enumerate(loaded):
        for content in (record.content["audit"] or {}).get("findings", ()):
            yield _shown(number, Finding.from_json(content))


def _shown(run: int, finding: Finding) -> FindingView:
    detail = f" ({finding.detail})" if finding.detail else ""
    line = f":{finding.line}" if finding.line else ""
    return FindingView(
        run,
        finding.kind,
        f"{finding.file or 'file not known'}{line}",
        finding.count,
        f"{finding.what}{detail}",
        finding.text.strip(),
    )
