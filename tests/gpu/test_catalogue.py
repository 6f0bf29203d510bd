"""The catalogue has what this release of PyTorch documents. Needs no GPU."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from . import differences
from .differences import DIFFERENCES, DOCUMENTED, DOCUMENTED_WRONGLY, VARIES_SINCE
from .documentation import Entry, docstring, entries
from .models import MODELS, VARY
from .operators import OPERATORS, Operator
from .running import MODELS as COST
from .running import release
from .states import Kind

PRODUCTS = ("mm", "mv", "bmm")
"""They have a list of their own."""


@pytest.fixture(scope="module")
def listed() -> list[Entry]:
    """The entries of the docstring of the torch that is installed."""
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        pytest.skip("torch is not installed")
    return entries(docstring(Path(torch.origin)))


def described_by(entry: Entry) -> list[str]:
    """The operators of the catalogue that an entry is about."""
    return [each.name for each in OPERATORS.values() if is_about(entry, each)]


def is_about(entry: Entry, operator: Operator) -> bool:
    if operator.documented is None or (operator.name in PRODUCTS) != (entry.where == "cublas"):
        return False
    name, text = operator.documented
    return entry.name == name and text in entry.text


def missing(found: list[Entry]) -> list[str]:
    return [f"{each.name} {each.text}" for each in found if not described_by(each)]


@pytest.mark.torch
def test_every_documented_operator_is_in_the_catalogue(listed: list[Entry]) -> None:
    assert len(listed) > 40
    assert missing(listed) == [], "add these to operators.py and differences.py"


def test_an_operator_that_only_the_documentation_has_is_named() -> None:
    """That the comparison can fail."""
    text = """Sets something.

The following normally-nondeterministic operations will throw a
:class:`RuntimeError` when ``mode=True``:

    * :class:`torch.nn.AvgPool3d` when attempting to differentiate a CUDA tensor
    * :func:`torch.brand_new` when called
      on a CUDA tensor
    * :func:`torch.nn.functional.interpolate` when one of these modes is used:

      - ``linear``
      - ``quintic``

In addition, nothing.
"""
    assert missing(entries(text)) == [
        "torch.brand_new when called on a CUDA tensor",
        "torch.nn.functional.interpolate when one of these modes is used: ``quintic``",
    ]


@pytest.mark.torch
def test_the_documentation_names_what_the_catalogue_says_it_names(listed: list[Entry]) -> None:
    told = {name for entry in listed for name in described_by(entry)}
    expected = {
        each.name
        for each in OPERATORS.values()
        if each.documented and differences.documented(each.name, release())
    }
    assert told == expected


@pytest.mark.torch
def test_an_operator_is_in_the_list_that_fits_its_state(listed: list[Entry]) -> None:
    """But for those that differences.DOCUMENTED_WRONGLY names for this release."""
    wrong = [
        name
        for entry in listed
        for name in described_by(entry)
        if (kind_of(name) is Kind.NONE) != (entry.where == "raises")
    ]
    named = [each for each in OPERATORS if differences.documented_wrongly(each, release())]
    assert sorted(wrong) == sorted(named)


def kind_of(name: str) -> Kind:
    return differences.state(name, OPERATORS[name].state, release()).kind


def test_an_unknown_release_is_taken_for_like_the_newest() -> None:
    first = OPERATORS["max_pool3d_backward"].state
    kinds = [
        differences.state("max_pool3d_backward", first, differences.parsed(version)).kind
        for version in ("2.6.0+cu118", "2.12.1", "2.13.0a0+git1234", "9.9")
    ]
    assert kinds == [Kind.NONE, Kind.NONE, Kind.DETERMINISTIC, Kind.DETERMINISTIC]


def test_a_difference_has_an_operator_and_a_source() -> None:
    named = [each.operator for each in DIFFERENCES]
    named += [*DOCUMENTED, *DOCUMENTED_WRONGLY, *VARIES_SINCE]
    assert set(named) <= set(OPERATORS)
    stages = [*DOCUMENTED.values(), *DOCUMENTED_WRONGLY.values(), *VARIES_SINCE.values()]
    assert all([each.source for each in DIFFERENCES] + [each.source for each in stages])


def test_the_models_are_those_of_the_benchmark() -> None:
    made = (COST / "models.py").read_text().partition("\nMODELS: ")[2].partition("}")[0]
    assert sorted(MODELS) == sorted(line.split('"')[1] for line in made.splitlines() if '"' in line)
    assert set(VARY) <= set(MODELS)
