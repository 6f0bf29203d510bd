# SPDX-License-Identifier: Apache-2.0
"""What of a working tree is not committed, as a record keeps it: `seed-init record --patch`.

A patch is source code, and a record is made to be handed on. So a secret is left out, and with it
everything behind it in the same file, as from every other text: no rule knows where a password
ends. Such a patch says of which files something was left out. It does not make the code of the run
again, and `seed-init rerun` refuses it.
"""

from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any

from seed_init.proof.redaction import redaction, secret_texts
from seed_init.proof.redaction.secret_texts import REDACTED
from seed_init.proof.trace import git

MOST = 4 << 20
"""Bytes of the largest patch that is kept: a record is read into memory as a whole."""

UNTRACKED_MOST = 1000
"""Untracked files that are named; the record has the number of all."""

BEGINNING = "diff --git "
"""How the part of one file begins (git-diff(1))."""

BINARY = "GIT binary patch"

OF_OBJECTS = "index "
"""The beginning of the line with the names of two objects, which git may shorten otherwise."""


@dataclass
class Patch:
    """The changes of a working tree that are not committed.

    Attributes:
        lines: of `git diff HEAD --binary`, without their ends; None where they are not kept.
        sha256: of the patch before anything was left out; None where it is not known.
        redacted: the files of which something was left out.
        untracked: files that git neither tracks nor ignores, of which nothing is kept.
        note: why there are no lines; None where there are.
    """

    lines: list[str] | None = None
    sha256: str | None = None
    redacted: list[str] = field(default_factory=list)
    untracked: list[str] = field(default_factory=list)
    note: str | None = None

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Patch":
        """The patch that a record has, which was checked."""
        return cls(**content)

    def to_json(self) -> dict[str, Any]:
        """As a record has it."""
        return asdict(self)

    @property
    def content(self) -> bytes:
        """The text that `git apply` reads; empty where nothing was changed."""
        return "".join(f"{line}\n" for line in self.lines or ()).encode(errors="surrogatepass")

    @property
    def is_whole(self) -> bool:
        """Whether the lines are those that git gave."""
        is_kept = self.lines is not None and not self.redacted
        return is_kept and sha256(self.content).hexdigest() == self.sha256


def taken(directory: Path) -> Patch | None:
    """Return what is not committed in the repository of a directory.

    Args:
        directory: any directory of the working tree.

    Returns:
        The patch, without secrets; None where there is no repository, or no git.
    """
    top = git.text(directory, "rev-parse", "--show-toplevel")
    if top is None:
        return None
    root = Path(top.removesuffix("\n"))
    patch = _read(root)
    patch.untracked = [redaction.text(name) for name in untracked(root)[:UNTRACKED_MOST]]
    return patch


def _read(root: Path) -> Patch:
    changes = difference(root)
    if changes is None:
        return Patch(note="git did not give the changes")
    if len(changes) > MOST:
        return Patch(note=f"it has more than {MOST >> 20} MiB")
    try:
        text = changes.decode()
    except UnicodeDecodeError:
        return Patch(note="it has text that is not in UTF-8")
    parts = _by_file(text)
    shown = [_without_secrets(part) for part in parts]
    redacted = [_name(part) for part, clean in zip(parts, shown) if clean != part]
    # What stands behind the last line feed is no line.
    lines = "".join(shown).split("\n")[:-1]
    names = [redaction.text(name) for name in redacted]
    return Patch(lines, sha256(changes).hexdigest(), names)


def difference(root: Path) -> bytes | None:
    """Return the patch that makes the working tree of what is committed; None if git fails.

    Args:
        root: the top of the working tree.
    """
    options = ("--binary", "--no-color", "--no-ext-diff", "--no-textconv", "-O/dev/null")
    return git.answer(root, *git.EXACT, "diff", "HEAD", *options)


def untracked(root: Path) -> list[str]:
    """Return the files that git neither tracks nor ignores, but for parts of a record.

    Args:
        root: the top of the working tree.
    """
    names = git.answer(root, "ls-files", "--others", "--exclude-standard", "-z") or b""
    found = [name.decode(errors="backslashreplace") for name in names.split(b"\0") if name]
    return [name for name in found if ".parts/" not in name]


def essence(content: bytes) -> list[bytes]:
    """Return the lines of a patch without the names of objects: the same for equal changes."""
    return [line for line in content.split(b"\n") if not line.startswith(OF_OBJECTS.encode())]


def _by_file(text: str) -> list[str]:
    """Split a patch into the parts of its files. Lines of a file's content begin with a sign."""
    parts: list[list[str]] = []
    for line in text.split("\n")[:-1]:
        if line.startswith(BEGINNING) or not parts:
            parts.append([])
        parts[-1].append(f"{line}\n")
    return ["".join(part) for part in parts]


def _without_secrets(part: str) -> str:
    """Return the part of a file without secrets.

    What git has deflated cannot be searched for secrets, and is left out as a whole.
    """
    begun, binary, _ = part.partition(f"\n{BINARY}\n")
    if binary:
        return f"{redaction.text(begun)}{binary}<redacted>\n"
    lines = part.removesuffix("\n").split("\n")
    cut = _first_secret(lines)
    if cut is not None:
        lines = [*lines[:cut], f"{lines[cut][:1]}{REDACTED}"]
    shown = redaction.text("\n".join(lines))
    # Whoever writes or reads the record redacts each line again.
    return "".join(f"{redaction.text(line)}\n" for line in shown.split("\n"))


def _first_secret(lines: list[str]) -> int | None:
    """Return the number of the first line of a part in which the value of a secret begins.

    A name and its value may stand on two lines. Before each line of a patch stands a sign, and the
    lines of the file before the change stand among those of the file after the change, so each of
    the two is searched by itself. None if the value is behind its name on one line, or no secret
    is there.
    """
    content = next((at for at, line in enumerate(lines) if line.startswith("@@")), len(lines))
    found = (_secret_of_side(lines, content, sign) for sign in "-+")
    return min((number for number in found if number is not None), default=None)


def _secret_of_side(lines: list[str], content: int, sign: str) -> int | None:
    numbers = [at for at in range(content, len(lines)) if lines[at][:1] in (" ", sign)]
    start = secret_texts.named_at("\n".join(lines[at][1:] for at in numbers))
    if start is None:
        return None
    ends = accumulate(len(lines[at]) for at in numbers)  # a line feed takes the sign's place
    begun = next((at for at, end in zip(numbers, ends) if start < end), None)
    # Of a name and a value on one line, the name stays.
    is_alone = begun is not None and secret_texts.named_at(lines[begun][1:]) is None
    return begun if is_alone else None


def _name(part: str) -> str:
    """Return the name of the file of a part, as `diff --git a/NAME b/NAME` has it."""
    heading = part.partition("\n")[0].removeprefix(BEGINNING).strip('"')
    return heading.rpartition("b/")[2] if " b/" not in heading else heading.rpartition(" b/")[2]
