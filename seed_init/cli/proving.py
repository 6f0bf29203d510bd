# SPDX-License-Identifier: Apache-2.0
"""Prove the settings for `seed-init status --check`: does a fresh Python draw the right numbers?"""

import json
import os
import subprocess
import sys
from typing import Any

PROGRAM = """
import json, random, sys
from importlib.util import find_spec

by_hand = [int(word) for word in sys.argv[1:]]
for seed in by_hand:
    random.seed(seed)
found = {"random": random.random()}
if find_spec("numpy"):
    import numpy
    for seed in by_hand:
        numpy.random.seed(seed)
    found["numpy"] = numpy.random.rand()
if find_spec("torch"):
    import torch
    for seed in by_hand:
        torch.manual_seed(seed)
    found["torch"] = torch.rand(1, device="cpu").item()
    if not by_hand:
        import seed_init
        found["flags"] = {name: flag["now"] for name, flag in seed_init.status()["flags"].items()}
print(json.dumps(found))
"""
"""Prints a number of each library and torch's flags; seeds by hand if a seed is the argument."""


class NotProven(Exception):
    """A fresh Python does not do what the settings say. The text is one line for the user."""


def prove(state: dict[str, Any]) -> str:
    """Start a Python as user programs are started, and compare its numbers with seeding by hand.

    Args:
        state: what `seed_init.status` returns in a process whose hook is active.

    Returns:
        What was compared, in one line.

    Raises:
        NotProven: a number or a flag is wrong, Python did not start, or the settings ask for
            nothing that could be compared.
    """
    seed = state["seed"]
    asked = {row["name"]: row["origin"] for row in state["settings"]}
    if seed is None and asked.get("DETERMINISM") == "built-in":
        raise NotProven("SEED=off and no DETERMINISM: nothing is asked for; set one of them")
    fresh = _run()
    flags = fresh.pop("flags", None)
    wanted = {name: flag["value"] for name, flag in state["flags"].items()}
    if flags is not None and flags != wanted:
        differ = ", ".join(
            f"{name} {flags.get(name)} instead of {value}"
            for name, value in wanted.items()
            if flags.get(name) != value
        )
        raise NotProven(f"a fresh {sys.executable} has {differ}: something sets it after the hook")
    level = "" if flags is None else "torch has the flags of its settings; "
    if seed is None:
        return f"{level}no number to compare, because SEED is off or not set"
    recipe = _run(str(seed), SEED_INIT="0")
    differ = ", ".join(
        f"{fresh[name]} from {name} instead of {recipe[name]}"
        for name in fresh
        if fresh[name] != recipe[name]
    )
    if differ:
        raise NotProven(
            f"a fresh {sys.executable} draws {differ}, which seeding by hand with {seed} gives: "
            "something seeds or draws before user code runs"
        )
    names = ", ".join(fresh)
    return f"{level}{names} draw in a fresh process what seeding by hand with {seed} gives"


def _run(*words: str, **variables: str) -> dict[str, Any]:
    if os.geteuid() == 0:
        # The working directory may be another user's: root must not import a json.py from there.
        variables["PYTHONSAFEPATH"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
    )
    try:
        if done.returncode == 0:
            answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            return answer
        said = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
    except (IndexError, ValueError):
        said = "no numbers on stdout"
    raise NotProven(f"a fresh {sys.executable} ended with status {done.returncode}: {said}")
