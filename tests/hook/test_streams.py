"""The derivation of seeds is part of the contract: these numbers may never change."""

import hashlib
from pathlib import Path

import pytest

from harness.processes import answer

GOLDEN = [
    (0, (), 0),
    (42, (), 42),
    (4294967295, (), 4294967295),
    (0, ("process", 1), 2903384036),
    (42, ("process", 1), 671604214),
    (42, ("process", 1, 2), 2494127069),
    (42, ("fork", 1), 3263699095),
    (42, ("rank", 0), 907716913),
    (42, ("rank", "0"), 3582232502),
    (42, ("generator", 1), 1195928499),
    (42, ("generator", "data"), 2316844650),
    (4294967295, ("rank", 0), 85452349),
]


def derive(python: Path, calls: str) -> list[int]:
    """What a generator expression of calls of `derive` gives."""
    code = f"from seed_init.hook.streams import derive; print([*({calls})])"
    return answer(python, "-c", code)


def test_values_are_pinned(python: Path) -> None:
    calls = [(seed, path) for seed, path, _ in GOLDEN]
    told = derive(python, f"derive(seed, path) for seed, path in {calls!r}")
    assert told == [value for _, _, value in GOLDEN]


@pytest.mark.parametrize(("seed", "path", "value"), [one for one in GOLDEN if one[1]])
def test_values_are_those_of_the_documented_hash(
    seed: int, path: tuple[str | int, ...], value: int
) -> None:
    """BLAKE2s of the parts on a line each, keyed with the seed; any language can do it."""
    text = "\n".join(repr(part) for part in path).encode()
    key = seed.to_bytes(4, "little")
    digest = hashlib.blake2s(text, digest_size=4, key=key).digest()
    assert int.from_bytes(digest, "little") == value


@pytest.mark.parametrize(
    "paths",
    [
        "derive(7, ('process', n)) for n in range(10_000)",
        "derive(7, ('rank', n // 100, 'fork', n % 100)) for n in range(10_000)",
        "derive(7, ('generator', str(n))) for n in range(10_000)",
        "derive(n, ('process', 1)) for n in range(10_000)",
    ],
)
def test_ten_thousand_streams_differ_in_the_bits_that_torch_uses(python: Path, paths: str) -> None:
    told = derive(python, paths)
    assert len({value & 0xFFFFFFFF for value in told}) == 10_000
    assert all(0 <= value < 2**32 for value in told)


def test_neighbouring_seeds_and_places_do_not_meet(python: Path) -> None:
    """With SEED + rank, rank 1 of SEED 7 would be rank 0 of SEED 8."""
    told = derive(python, "derive(s, ('rank', r)) for s in range(100) for r in range(100)")
    assert len(set(told)) == 10_000


def test_it_does_not_depend_on_the_hash_seed(python: Path) -> None:
    code = "from seed_init.hook.streams import derive; print(derive(7, ('generator', 'data')))"
    told = {answer(python, "-c", code, env={"PYTHONHASHSEED": seed}) for seed in ("0", "1", "2")}
    assert len(told) == 1
