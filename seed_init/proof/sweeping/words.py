# SPDX-License-Identifier: Apache-2.0
"""Fill `{seed}` and `{dir}` into the words of a command, so that no two runs write to one place."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

SEED, DIRECTORY = "{seed}", "{dir}"

_OF_A_NAME = r"(?:\{seed\}|\{dir\}|[\w./=@%+~^#!-])"

_TOKEN = re.compile(rf"{_OF_A_NAME}*\{{seed\}}{_OF_A_NAME}*")
"""A name with a seed in it, or a seed by itself. In code, JSON, lists and commands for a shell, it
ends where no name goes on: at a bracket, a comma, a colon, a semicolon, a quote or a blank."""

_OPTION = re.compile(r"-\w(?=\{seed\}\Z)|[^/{}]*=")
"""What stands before a value in the same word: `-s` or `--seed=`."""

_LETTER = re.compile(r"[^\W\d_]|[/{]")
"""Without one of these beside the seed, as in `{seed}` and `{seed}+1`, a number is meant."""


def filled(
    words: Sequence[str], seed: int, directory: Path, *, again: bool = False, inputs: Sequence[str]
) -> tuple[str, ...]:
    """Return the words of one run.

    Where `{seed}` is part of a name, such as in `runs/{seed}`, the second run of a seed gets a name
    of its own, `runs/0-again`, because it would find what the first one has written.

    Args:
        words: the words of the user.
        seed: the seed of the run.
        directory: what `{dir}` stands for.
        again: whether this is the second run of this seed.
        inputs: the paths that stay as they are, because the runs read what is there.
    """

    def with_seed(match: re.Match[str]) -> str:
        plain = match[0].replace(SEED, str(seed))
        is_name = again and not _is_number(match[0]) and not _is_below(plain, inputs)
        return match[0].replace(SEED, f"{seed}-again") if is_name else plain

    return tuple(_TOKEN.sub(with_seed, word).replace(DIRECTORY, str(directory)) for word in words)


def _is_number(token: str) -> bool:
    option = _OPTION.match(token)
    value = token[option.end() :] if option else token
    return _LETTER.search(value.replace(SEED, "")) is None


def _is_below(name: str, inputs: Sequence[str]) -> bool:
    return any(
        path == given or path.startswith(given.rstrip("/") + "/")
        for path in _paths(name)
        for given in inputs
    )


def names(words: Sequence[str]) -> Iterator[str]:
    """Yield the parts of words in which `{seed}` is part of a name, unless `{dir}` is as well.

    Args:
        words: the words of the user.
    """
    for word in words:
        for match in _TOKEN.finditer(word):
            if not _is_number(match[0]) and DIRECTORY not in match[0]:
                yield match[0]


def inputs(words: Sequence[str], seed: int, cwd: Path) -> list[str]:
    """Return the paths with a seed in them that are there before the first run: runs read those.

    Args:
        words: the words of the user.
        seed: the seed that is run twice.
        cwd: the working directory of the runs.
    """
    paths = [path for name in names(words) for path in _paths(name.replace(SEED, str(seed)))]
    return [path for path in dict.fromkeys(paths) if _is_there(cwd, path)]


def inputs_of_another_seed(
    words: Sequence[str], known: Sequence[str], before: int, seed: int
) -> list[str]:
    """Return the paths with a seed in them that runs read, for another seed than the first one was.

    What is there by now may be what runs have written, so nothing is looked for.

    Args:
        words: the words of the user.
        known: what `inputs` returned before the first run.
        before: the seed that was asked for then.
        seed: the seed that is run twice now.
    """
    paths = dict.fromkeys(path for name in names(words) for path in _paths(name))
    return [
        path.replace(SEED, str(seed)) for path in paths if path.replace(SEED, str(before)) in known
    ]


def _paths(name: str) -> tuple[str, str]:
    return name, name.partition("=")[2]


def _is_there(cwd: Path, path: str) -> bool:
    try:
        return bool(path) and (cwd / path).exists()
    except (OSError, ValueError):  # a name that is too long is no path
        return False


def common_names(
    first: Sequence[str], second: Sequence[str], seed: int, inputs: Sequence[str]
) -> list[str]:
    """Return the names with a seed in them that two commands share: both would write there.

    Args:
        first: the words of one command.
        second: the words of the other command.
        seed: one of the seeds.
        inputs: the paths with that seed in them that both commands may read.
    """
    there = {path for name in names(second) for path in _paths(name) if path}
    return [
        name
        for name in names(first)
        if any(path in there for path in _paths(name) if path)
        and not _is_below(name.replace(SEED, str(seed)), inputs)
    ]
