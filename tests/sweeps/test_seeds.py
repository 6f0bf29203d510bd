"""Which seeds a text names."""

import pytest

from seed_init.proof.sweeping import seeds


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("10", tuple(range(10))),
        ("1", (0,)),
        ("0-9", tuple(range(10))),
        ("7-7", (7,)),
        ("1,4,7-9", (1, 4, 7, 8, 9)),
        ("9,3", (9, 3)),
        (" 1 , 2 ", (1, 2)),
        ("4294967295,", (4294967295,)),
    ],
)
def test_a_number_is_a_count_and_a_list_is_a_list(text: str, named: tuple[int, ...]) -> None:
    assert seeds.parse(text) == named


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no seed"),
        (",", "names no seed"),
        ("0", "names no seed"),
        ("9-0", "the range '9-0' is reversed; write 0-9"),
        ("3,1-4", "the seed 3 is there twice"),
        ("4294967296,", "the seed 4294967296 is not accepted; give seeds from 0 to 4294967295"),
        ("0-4294967296", "the seed 4294967296 is not accepted"),
        ("9" * 5000, "is not accepted"),
        ("0-4294967295", "4294967296 seeds are too many"),
        ("100001", "100001 seeds are too many"),
        ("-3", "is no list of seeds"),
        ("1-", "is no list of seeds"),
        ("a", "is no list of seeds; give a number of seeds such as 10"),
        ("1.5", "is no list of seeds"),
        ("٣", "is no list of seeds"),
    ],
)
def test_what_names_no_seeds_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(seeds.BadSeeds) as caught:
        seeds.parse(text)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 200
