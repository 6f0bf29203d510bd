# SPDX-License-Identifier: Apache-2.0
"""Describe this machine as the record of a run that was made elsewhere describes its own.

A Python imports what the program of the record has imported, and nothing else is run. The files of
code and data that the record names are looked for here, below this working directory.
"""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seed_init.proof.arithmetic import kept
from seed_init.proof.comparing.environments import Explanation
from seed_init.proof.trace import data_files, journal, machine, record_parts, records

PROGRAM = """
import sys
from importlib.util import find_spec
for name in sys.argv[1:]:
    if name == "cuda":
        import torch
        if torch.cuda.is_available():
            torch.cuda.init()
    elif find_spec(name):
        __import__(name)
"""
"""Imports libraries as a program does, and starts CUDA if the program of the record has."""

LIMIT = 300.0
"""Seconds for those imports."""

OF_THE_PROGRAM = ("distributed", "seeds")
"""Sections that the program decides, and not the machine."""

MOST = 3
"""Missing files of one kind that are named."""

Content = dict[str, Any]


class CannotDescribe(Exception):
    """This machine cannot be described. The text is one line for the user."""


def described(
    record: Content, python: str, environment: Mapping[str, str], directory: Path
) -> tuple[Content, list[Explanation]]:
    """Describe this machine.

    Args:
        record: the sections of the record with which the machine will be compared.
        python: the interpreter that would run the program here.
        environment: in which the program would be started.
        directory: an empty directory.

    Returns:
        The sections of a record of this machine, and what of the record is not there at all.

    Raises:
        CannotDescribe: the interpreter cannot be started, or does not run the hook.
        OSError: the directory cannot be written to.
    """
    content = _asked(record, python, environment, directory)
    content |= {name: record[name] for name in OF_THE_PROGRAM}
    content["command"] = record["command"]
    content["packages"] = machine.packages(_paths(record, content))
    content["environment"]["changed"] = record["environment"]["changed"]
    if content["flags"] and record["flags"]:
        content["flags"]["changes"] = record["flags"]["changes"]
    if not record["gpu"]["used"]:
        content["gpu"]["used"] = []
    missing = _not_there(record, content)
    reader = data_files.Reader()
    content["code"]["modules"], lost_code = _modules(record, reader)
    content["files"]["read"], lost_data = _files(record, reader)
    missing += _lost("files of code", lost_code) + _lost("data files", lost_data)
    if record.get("arithmetic"):
        asked = kept.of_a_record(content, environment)
        content["arithmetic"] = asked.to_json() if asked is not None else None
    return content, missing


def _asked(
    record: Content, python: str, environment: Mapping[str, str], directory: Path
) -> Content:
    """Run the interpreter, and return the record of that run."""
    started = time.time()
    words = ["numpy"] if "numpy" in record["packages"] else []
    words += ["torch"] if record["torch"] else []
    words += ["cuda"] if record["gpu"]["used"] and record["torch"] else []
    command = [python, "-c", PROGRAM, *words]
    journal.write_plan(directory, {"instruments": ["facts"]})
    records.begin(directory, command, "command", whole=True, started=started)
    variables = {
        **environment,
        "SEED_INIT_TRACE": str(directory),
        record_parts.RECORDER: str(os.getpid()),
    }
    variables.pop("SEED_INIT_RECORD", None)
    try:
        done = subprocess.run(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or f"it took longer than {LIMIT:g} s"
        raise CannotDescribe(f"{python} cannot be asked: {reason}") from None
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise CannotDescribe(
            f"{python} imports {' and '.join(words) or 'nothing'} and says: {last}"
        )
    content = records.assemble(directory, ended=time.time(), status=0, how="exit", here=True)
    if content["python"] is None:
        raise CannotDescribe(
            f"{python} does not run the hook, so that nothing is known of it; run 'seed-init "
            f"install --python {python}'"
        )
    return content


def _paths(record: Content, here: Content) -> list[str]:
    """Return where packages are looked for: a library may have added a directory of its own."""
    own: list[str] = here["python"]["path"]
    python = record["python"] or {"path": [], "prefix": ""}
    prefix = f"{python['prefix']}/"
    moved = (
        os.path.join(here["python"]["prefix"], path[len(prefix) :])  # noqa: PTH118
        for path in python["path"]
        if path.startswith(prefix)
    )
    rest = (path for path in python["path"] if not path.startswith(prefix))
    more = [str(Path(path).expanduser()) for path in (*moved, *rest)]
    return [*own, *(path for path in more if path not in own and Path(path).is_dir())]


def _not_there(record: Content, here: Content) -> list[Explanation]:
    found = []
    if record["torch"] and not here["torch"]:
        why = "the program imports it"
        found.append(Explanation("torch", record["torch"]["version"], "not installed", why))
    if record["gpu"]["used"] and not here["gpu"]["used"]:
        names = sorted({gpu["name"] for gpu in record["gpu"]["used"]})
        why = "the program uses it; seed-init doctor says what is in the way"
        found.append(Explanation("GPU", ", ".join(names), "none that torch can use", why))
    return found


def _modules(record: Content, reader: data_files.Reader) -> tuple[list[Content], list[str]]:
    described, lost = [], []
    for module in record["code"]["modules"]:
        path = _here(module["path"], record)
        digest = reader.describe(path)["sha256"] if path.exists() else None
        if module["sha256"] and not path.exists():
            lost.append(module["path"])
        described.append({"path": module["path"], "sha256": digest})
    return described, lost


def _files(record: Content, reader: data_files.Reader) -> tuple[list[Content], list[str]]:
    described, lost = [], []
    for file in record["files"]["read"]:
        path = _here(file["path"], record)
        if file["sha256"] and not path.exists():
            lost.append(file["path"])
        described.append({"path": file["path"], **reader.describe(path)})
    return described, lost


def _here(path: str, record: Content) -> Path:
    """Return where a file of the record would be on this machine: relative paths stay relative."""
    below = f"{record['command']['cwd']}/"
    if path.startswith(below):
        return Path.cwd() / path[len(below) :]
    return Path(path).expanduser()  # a record has ~ in place of the home directory


def _lost(what: str, paths: list[str]) -> list[Explanation]:
    if not paths:
        return []
    more = f" and {len(paths) - MOST} more" if len(paths) > MOST else ""
    return [Explanation(what, ", ".join(paths[:MOST]) + more, "not there", "the program reads it")]
