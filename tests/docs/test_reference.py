"""The reference is complete: an option or a variable that it does not have fails a test.

What it is compared with is the code itself: the real parser, the contract of the start-up file, the
public functions.
"""

import argparse
import inspect
import json
import re
import subprocess
import sys
from typing import Any

import pytest

import seed_init
from harness.repository import REPOSITORY
from seed_init import cli
from seed_init.hook import portability, settings, startup
from seed_init.proof import verify

from .pages import Page, Table, page

COMMANDS = "docs/reference/commands.md"
VARIABLES = "docs/reference/variables.md"
PYTHON = "docs/reference/python.md"

NOT_IN_THE_CONTRACT = {"SEED_INIT"}
"""It holds before anything is read, and in no defaults file: `startup.ACCEPTED` leaves it out."""


def subcommands() -> dict[str, argparse.ArgumentParser]:
    """Each subcommand of the real parser."""
    for action in cli.parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise LookupError("seed-init has no subcommands")


SUBCOMMANDS = subcommands()


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a parser, beside help, which every command has."""
    named = {option for action in parser._actions for option in action.option_strings}
    return named - {"-h", "--help"}


def tables_below(of: Page, heading: str) -> list[Table]:
    return [table for table in of.tables() if table.heading == heading]


def column(of: Page, heading: str, name: str) -> list[str]:
    """The first column of those tables below a heading whose first column has a name."""
    return [
        row[0]
        for table in tables_below(of, heading)
        if table.rows[0][0] == name
        for row in table.body
    ]


def codes(cells: list[str]) -> set[str]:
    """What stands between backticks in cells."""
    return {code for cell in cells for code in re.findall(r"`([^`]+)`", cell)}


# --- Variables ------------------------------------------------------------------------------


def documented_variables() -> dict[str, set[str]]:
    """Variable -> the values in the rows that have it; a row without a name belongs to the last."""
    found: dict[str, set[str]] = {}
    name = ""
    for heading in ("Seeds", "Determinism", "Messages, traces and records"):
        for row in page(VARIABLES).table(heading).body:
            name = row[0].strip("`") or name
            found.setdefault(name, set()).update(codes([row[1]]))
    return found


def test_every_variable_of_the_contract_is_documented_and_no_other() -> None:
    assert documented_variables().keys() == startup.ACCEPTED.keys() | NOT_IN_THE_CONTRACT


@pytest.mark.parametrize("name", [name for name, words in startup.ACCEPTED.items() if words])
def test_the_values_of_a_variable_are_those_that_are_accepted(name: str) -> None:
    assert documented_variables()[name] == set(startup.ACCEPTED[name])


def test_the_seed_is_documented_with_its_words_and_its_largest_number() -> None:
    assert documented_variables()["SEED"] == {
        *startup.NUMBERS["SEED"][2],
        "0",
        str(startup.SEED_MAX),
    }
    assert documented_variables()["CUBLAS_WORKSPACE_CONFIG"] == set(startup.CUBLAS_DETERMINISTIC)


def test_the_variables_of_level_portable_are_documented_with_their_values() -> None:
    rows = {tuple(row) for row in page(VARIABLES).table("The same bits on another CPU").body}
    assert rows == {
        (f"`{each.name}`", _value(each), each.reader, each.since) for each in portability.TABLE
    }
    below = page(VARIABLES).section("The same bits on another CPU")
    assert portability.UNSET.keys() <= codes([below])


def _value(variable: portability.Variable) -> str:
    if "AVX512F" in variable.value:
        return "every name of AVX-512"
    return f"`{variable.value or settings.THREADS}`"


def status(level: str) -> dict[str, Any]:
    """What `seed-init status --json` prints under a level of determinism."""
    done = subprocess.run(
        [sys.executable, "-m", "seed_init", "status", "--json"],
        cwd=REPOSITORY,
        env={"DETERMINISM": level},
        capture_output=True,
        check=True,
    )
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


@pytest.mark.parametrize("level", startup.ACCEPTED["DETERMINISM"])
def test_a_level_sets_what_the_table_says(level: str) -> None:
    (table,) = (
        each for each in tables_below(page(VARIABLES), "Determinism") if each.rows[0][0] == ""
    )
    column = table.rows[0].index(f"`{level}`")
    shown = {row[0].strip("`"): row[column].strip("`") for row in table.body}
    del shown["CUBLAS_WORKSPACE_CONFIG"]  # a setting, not a flag of torch's
    set_by_it = {name: flag["value"] for name, flag in status(level)["flags"].items()}
    assert shown == dict.fromkeys(shown, "PyTorch's") | set_by_it


def test_the_variables_of_other_libraries_are_documented_with_their_values() -> None:
    rows = page("docs/cost/switches.md").table("Variables of other libraries").body
    shown = {re.findall(r"`(\w+)`", row[0])[0]: row[1].strip("`") for row in rows}
    set_by_warn = {name: each["value"] for name, each in status("warn")["switches"].items()}
    assert set_by_warn
    assert set_by_warn.items() <= shown.items()


# --- Commands -------------------------------------------------------------------------------


def test_every_command_has_a_section_and_no_other_has_one() -> None:
    headings = page(COMMANDS).headings()
    assert SUBCOMMANDS.keys() <= set(headings)
    around = {"Commands", "Exit status", "Options of every command"}
    assert set(headings) - around - {"make", "Commands of the image"} == SUBCOMMANDS.keys()


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_the_options_of_a_command_are_those_of_its_parser(command: str) -> None:
    shown = {
        code.split()[0]
        for code in codes(column(page(COMMANDS), command, "option"))
        if code.startswith("-")
    }
    assert shown == options_of(SUBCOMMANDS[command])


def test_the_options_before_the_command_are_documented() -> None:
    shown = codes(column(page(COMMANDS), "Options of every command", "option"))
    assert shown == options_of(cli.parser()) | {"-h", "--help"}


STATUS_IN_HELP = re.compile(
    r"\b(\d{1,3})(?=: |;? for | where | if |, and nothing)|exit with (\d+)|tatus (\d+)"
)
"""An exit status in the text of a help."""


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_every_exit_status_that_the_help_names_is_documented(command: str) -> None:
    parser = SUBCOMMANDS[command]
    help_of_options = (action.help or "" for action in parser._actions)
    text = " ".join([parser.description or "", parser.epilog or "", *help_of_options])
    named = {next(filter(None, found)) for found in STATUS_IN_HELP.findall(" ".join(text.split()))}
    shown = set(column(page(COMMANDS), command, "exit status"))
    assert named <= shown
    # 0, 1 and 2 mean the same everywhere, so that a help need not name them.
    assert {status for status in shown - named if status.isdigit()} <= {"0", "1", "2", "78"}


def test_the_kinds_of_findings_are_those_of_the_audit() -> None:
    kinds = re.findall(r"^  (\w+)  ", SUBCOMMANDS["audit"].description or "", re.MULTILINE)
    assert codes(column(page(COMMANDS), "audit", "kind")) == set(kinds)
    assert len(kinds) > 5


# --- Libraries ------------------------------------------------------------------------------


def test_the_methods_of_a_library_are_documented() -> None:
    from seed_init.libraries import Library

    shown = column(page("docs/reference/libraries.md"), "Adding a library", "method")
    named = {code.partition("(")[0] for code in codes(shown)}
    assert named == {name for name in vars(Library) if not name.startswith("_")}


# --- Python ---------------------------------------------------------------------------------


def test_every_public_function_has_a_section() -> None:
    assert {*seed_init.__all__, "verify"} <= set(page(PYTHON).headings())


def test_the_arguments_of_verify_are_documented_with_their_defaults() -> None:
    rows = page(PYTHON).table("verify").body
    shown = {row[0].strip("`"): row[2] for row in rows}
    parameters = inspect.signature(verify).parameters.values()
    assert shown == {
        each.name: "" if each.default is each.empty else repr(each.default) for each in parameters
    }


@pytest.mark.parametrize("name", seed_init.__all__)
def test_the_arguments_of_a_function_are_documented(name: str) -> None:
    (shown,) = re.findall(
        rf"^`seed_init\.{name}\((.*?)\)", page(PYTHON).section(name), re.MULTILINE
    )
    parameters = inspect.signature(getattr(seed_init, name)).parameters.values()
    bare = (each.replace(annotation=inspect.Parameter.empty) for each in parameters)
    assert shown.replace('"', "'") == ", ".join(map(str, bare))


def test_the_keys_of_the_status_are_documented() -> None:
    assert codes(column(page(PYTHON), "status", "key")) == seed_init.status().keys()
