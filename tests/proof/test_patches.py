# SPDX-License-Identifier: Apache-2.0
"""What `seed-init record --patch` leaves out of a patch, because it is a secret."""

from pathlib import Path

import pytest

from seed_init.proof.trace import patches
from seed_init.proof.trace.patches import Patch
from tests.proof.repositories import git

# No service's form: only the name tells that it is a secret.
S = "tr0ub4dor"

SECRETS = {
    "on one line": f'password = "{S}"',
    "in brackets": f'password = (\n    "{S}"\n)',
    "behind a sign of continuation": f'api_key = \\\n    "{S}"',
    "in YAML": f"password:\n  {S}",
    "in YAML, as a block": f"token: |\n  {S}",
    "in JSON": f'{{\n  "client_secret":\n    "{S}"\n}}',
    "as an argument": f'connect(\n    password=\n    "{S}",\n)',
    "as a variable's": f'os.environ.setdefault(\n    "HF_TOKEN",\n    "{S}",\n)',
    "in a list of words": f'run(["prog", "--password", "{S}"])',
    "in a list of words on several lines": f'run([\n    "prog",\n    "--token",\n    "{S}",\n])',
    "in a tuple of words in single quotes": f"run(('prog', '--api-key', '{S}'))",
    "in a list of words, as a raw string": f'run(["prog", "--password", r"{S}"])',
    "in a list of words of YAML": f"args:\n  - --password\n  - {S}",
    "in a list of words of YAML, quoted": f'args:\n  - "--password"\n  - "{S}"',
    "behind an option of a shell": f"prog \\\n  --password \\\n  {S}",
    "in XML": f"<password>\n  {S}\n</password>",
    "as a private key": f"-----BEGIN RSA PRIVATE KEY-----\n{S}\n-----END",
}

HARMLESS = {
    "words on several lines": 'run([\n    "prog",\n    "--max-tokens",\n    "100",\n])',
    "an option at the end of a list": 'parser.add_argument("--password", help="asked for")',
    "a name without a value": "password = None\ntoken = ''",
    "numbers of tokens": "max_tokens:\n  100\nnum_tokens = (\n    2048\n)",
    "a key of a sort": 'rows = sorted(\n    rows,\n    key=len,\n)\nprint("a", "b")',
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    lines = "".join(f"line {number}\n" for number in range(20))
    (tmp_path / "a.py").write_text(lines)
    (tmp_path / "b.py").write_text("b\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    return tmp_path


def taken(repository: Path) -> Patch:
    patch = patches.taken(repository)
    assert patch is not None and patch.lines is not None
    return patch


def changed(repository: Path, text: str) -> None:
    """Put a text between the lines of one file, and change another file."""
    lines = (repository / "a.py").read_text().splitlines(keepends=True)
    (repository / "a.py").write_text("".join([*lines[:10], f"{text}\n", *lines[10:]]))
    (repository / "b.py").write_text("c\n")


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_is_left_out_and_its_file_is_named(repository: Path, text: str) -> None:
    changed(repository, text)
    patch = taken(repository)
    assert S not in "\n".join(patch.lines or ())
    assert (patch.redacted, patch.is_whole) == (["a.py"], False)
    # Nothing of the other file is lost.
    assert (patch.lines or [])[-2:] == ["-b", "+c"]


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_that_was_taken_away_is_left_out_as_well(repository: Path, text: str) -> None:
    before = (repository / "a.py").read_text()
    changed(repository, text)
    git(repository, "commit", "-qam", "y")
    (repository / "a.py").write_text(before)
    patch = taken(repository)
    assert S not in "\n".join(patch.lines or ())
    assert patch.redacted == ["a.py"]


def test_a_value_that_alone_was_changed_is_left_out(repository: Path) -> None:
    changed(repository, 'password = (\n    "old"\n)')
    git(repository, "commit", "-qam", "y")
    file = repository / "a.py"
    file.write_text(file.read_text().replace("old", S))
    patch = taken(repository)
    assert S not in "\n".join(patch.lines or ())
    assert patch.redacted == ["a.py"]


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS.keys())
def test_a_patch_without_secrets_is_whole(repository: Path, text: str) -> None:
    changed(repository, text)
    patch = taken(repository)
    assert (patch.redacted, patch.is_whole) == ([], True)
