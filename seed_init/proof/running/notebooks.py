# SPDX-License-Identifier: Apache-2.0
"""Turn the outputs of an executed notebook's cells into text that can be compared."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-f]+>")
"""The address in a result such as "[<matplotlib.lines.Line2D at 0x7f3c5c1e>]"."""

WIDGET = "application/vnd.jupyter.widget-view+json"
"""The kind of data that has nothing but the random name of a widget."""


def outputs(notebook: Path) -> str:
    """Return the outputs of a notebook's cells as one text.

    Texts stay as they are, except for the addresses of objects in the plain text of a result.
    Images and other data are replaced by their hash. Left out are stderr, execution counts,
    identifiers, and widgets, whose content the file does not have.

    Args:
        notebook: an executed notebook, of nbformat 4.
    """
    content = json.loads(notebook.read_text(encoding="utf-8"))
    lines: list[str] = []
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, 1):
        for output in cell["outputs"]:
            for kind, text in _parts(output):
                if text:
                    lines += [f"[code cell {number}: {kind}]", text.removesuffix("\n")]
    return "".join(f"{line}\n" for line in lines)


def _parts(output: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each part of an output."""
    kind = output["output_type"]
    if kind == "stream":
        if output["name"] != "stderr":
            yield output["name"], _joined(output["text"])
    elif kind == "error":
        yield "error", f"{output['ename']}: {output['evalue']}"
    else:
        for name, data in sorted(output.get("data", {}).items()):
            if name == WIDGET:
                continue
            if name == "text/plain":
                yield name, _ADDRESS.sub(" at (address)>", _joined(data))
            elif name.startswith("text/"):
                yield name, _joined(data)
            else:
                exact = data if isinstance(data, (str, list)) else json.dumps(data, sort_keys=True)
                yield name, f"sha256 {hashlib.sha256(_joined(exact).encode()).hexdigest()}"


def _joined(text: Any) -> str:
    """Return a text, which nbformat may hold as a list of lines, as one text."""
    return text if isinstance(text, str) else "".join(map(str, text))
