"""Which file of the package imports which: no circles, arrows one way, a start loads little.

Imports in functions count as well. What the start-up file loads by name, `guarded("hook.seeding",
...)` or `part("hook.draw")`, is no arrow between rooms: the start-up file knows everybody and
imports nobody. It counts where the question is what a start can load.
"""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from harness.processes import answer, output
from harness.repository import REPOSITORY
from seed_init.hook import startup

PACKAGE = REPOSITORY / "seed_init"

MAY_IMPORT = {
    "system": set(),
    "installing": {"system"},
    "hook": {"installing", "system"},
    "libraries": {"hook"},
    "engines": {"hook"},
    "api": {"hook"},
    "seed_init": {"api"},
    "notebook": {"hook"},
    "proof.redaction": {"hook"},
    "proof.trace": {"hook", "proof.redaction", "seed_init", "system"},
    "proof.observer": {"hook", "libraries", "proof.redaction", "proof.trace", "system"},
    "proof.auditing": {"proof.trace"},
    "proof.arithmetic": {"proof.trace", "seed_init", "system"},
    "proof.comparing": {"proof.arithmetic", "proof.redaction", "proof.trace", "system"},
    "proof.running": {"hook", "proof.redaction", "proof.trace", "system"},
    "proof.verifying": {
        "hook",
        "proof.arithmetic",
        "proof.comparing",
        "proof.redaction",
        "proof.running",
        "proof.trace",
        "seed_init",
    },
    "proof.statistics": set(),
    "proof.sweeping": {
        *("hook", "proof.comparing", "proof.redaction", "proof.running", "proof.statistics"),
        *("proof.trace", "system"),
    },
    "proof.rerunning": {
        *("hook", "proof.arithmetic", "proof.comparing", "proof.redaction", "proof.running"),
        "proof.trace",
    },
    "proof.cost": {
        *("hook", "proof.auditing", "proof.redaction", "proof.running", "proof.trace", "system"),
    },
    "proof.reporting": {
        *("proof.auditing", "proof.comparing", "proof.redaction", "proof.sweeping"),
        *("proof.trace", "proof.verifying"),
    },
    "proof": {"proof.verifying"},
    "cli": {
        *("hook", "installing", "libraries", "proof.arithmetic", "proof.auditing"),
        *("proof.comparing", "proof.cost"),
        *("proof.redaction", "proof.rerunning", "proof.reporting", "proof.running"),
        *("proof.sweeping", "proof.trace", "proof.verifying", "seed_init", "system"),
    },
    "__main__": {"cli"},
}
"""Room -> the rooms that it may import. Each room stands below those that it may import."""

BY_NAME_ONLY_IF_ASKED = {"proof.observer.lifecycle"}
"""What the start-up file loads only where SEED_INIT_TRACE or SEED_INIT_RECORD asks for it."""

Graph = dict[str, set[str]]


Modules = dict[str, ast.Module]


@cache
def modules() -> Modules:
    """Full name of each module of the package to its code."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(file.read_text())
    return found


def statements(code: ast.AST) -> Iterator[ast.AST]:
    """Everything in the code that runs: not what is for type checkers only."""
    for part in ast.iter_child_nodes(code):
        yield part
        if isinstance(part, ast.If) and ast.unparse(part.test).endswith("TYPE_CHECKING"):
            for alternative in part.orelse:
                yield from statements(alternative)
        else:
            yield from statements(part)


def with_line(name: str, line: str) -> Modules:
    """The modules, with one more line in one of them."""
    code = ast.parse(line)
    return {**modules(), name: ast.Module([*modules()[name].body, *code.body], [])}


def imports_of(modules: Modules) -> Graph:
    """Module to the modules of the package that it imports, at its top or in a function."""
    graph: Graph = {}
    for name, code in modules.items():
        found = set()
        for part in statements(code):
            if isinstance(part, ast.Import):
                found |= {alias.name for alias in part.names}
            elif isinstance(part, ast.ImportFrom) and part.module:
                for alias in part.names:
                    inner = f"{part.module}.{alias.name}"
                    found.add(inner if inner in modules else part.module)
        graph[name] = (found & modules.keys()) - {name}
    return graph


def loads_by_name(modules: Modules) -> Graph:
    """Module to the modules that it has the start-up file load: by `guarded` and `part`."""
    graph: Graph = {}
    for name, code in modules.items():
        graph[name] = {
            f"seed_init.{call.args[0].value}"
            for call in statements(code)
            if isinstance(call, ast.Call)
            and ast.unparse(call.func).rpartition(".")[2] in ("guarded", "part", "_load")
            and call.args
            and isinstance(call.args[0], ast.Constant)
        }
    # `seeding.load` has the file of a library loaded.
    files = set(startup.LIBRARIES.values())
    graph["seed_init.hook.seeding"] |= {f"seed_init.libraries.{file}" for file in files}
    return graph


def reachable(graph: Graph, first: set[str]) -> set[str]:
    """What is loaded, at some time, by what is loaded first, with the packages that it is in."""
    found: set[str] = set()
    waiting = set(first)
    while waiting:
        name = waiting.pop()
        found.add(name)
        outer = {name.rpartition(".")[0]} & graph.keys()
        waiting |= (graph[name] | outer) - found
    return found


def circles_in(graph: Graph) -> list[str]:
    """Each module that can be reached from itself."""
    return sorted(
        name
        for name in graph
        if any(name in _below(graph, imported, set()) for imported in graph[name])
    )


def _below(graph: Graph, name: str, seen: set[str]) -> set[str]:
    if name not in seen:
        seen.add(name)
        for imported in graph[name]:
            _below(graph, imported, seen)
    return seen


def room_of(name: str) -> str:
    _, *parts = name.split(".")
    if not parts:
        return "seed_init"
    return ".".join(parts[: 2 if parts[0] == "proof" else 1])


def wrong_arrows_in(graph: Graph) -> list[str]:
    """Each import of another room that `MAY_IMPORT` does not have."""
    return sorted(
        f"{name} imports {imported}"
        for name, found in graph.items()
        for imported in found
        if room_of(imported) not in {room_of(name), *MAY_IMPORT[room_of(name)]}
    )


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circles_in(imports_of(modules())) == []


def test_a_room_imports_only_the_rooms_that_it_may() -> None:
    assert wrong_arrows_in(imports_of(modules())) == []


def test_the_arrows_between_rooms_go_one_way() -> None:
    assert circles_in(MAY_IMPORT) == []


def forbidden_at_start(modules: Modules) -> set[str]:
    """What a start of Python can load at some time, and must not."""
    by_name, imported = loads_by_name(modules), imports_of(modules)
    graph = {name: imported[name] | by_name[name] for name in imported}
    allowed = {f"seed_init.{name}" for name in BY_NAME_ONLY_IF_ASKED}
    graph["seed_init.hook.startup"] -= allowed
    # The public functions, which a program asks the package for.
    graph["seed_init"] -= {"seed_init.api"}
    first = {"seed_init.hook.startup", "seed_init.hook.sitecustomize"}
    rooms = ("proof", "notebook", "cli", "installing")
    return {name for name in reachable(graph, first) if room_of(name).split(".")[0] in rooms}


def test_a_start_can_load_nothing_of_the_commands_nor_of_what_they_prove() -> None:
    assert forbidden_at_start(modules()) == set()


def test_the_start_up_file_imports_nothing_of_the_package() -> None:
    graph = imports_of(modules())
    assert graph["seed_init.hook.startup"] == graph["seed_init.hook.sitecustomize"] == set()


@pytest.mark.parametrize(
    ("name", "line", "faults"),
    [
        ("hook.streams", "def late():\n    from seed_init.hook import rounds", circles_in),
        ("system.writing", "from seed_init.hook import labels", wrong_arrows_in),
        ("hook.labels", "def late():\n    import seed_init.cli.status", wrong_arrows_in),
    ],
)
def test_an_import_that_must_not_be_is_seen(
    name: str, line: str, faults: Callable[[Graph], list[str]]
) -> None:
    """Or the tests above would say nothing."""
    assert faults(imports_of(with_line(f"seed_init.{name}", line)))


@pytest.mark.parametrize(
    "line",
    [
        "def late():\n    from seed_init.proof.trace import journal",
        'from seed_init.hook import startup\nstartup.guarded("notebook.cells", "begin")',
    ],
)
def test_what_a_start_must_not_load_is_seen(line: str) -> None:
    assert forbidden_at_start(with_line("seed_init.libraries.numpy", line))


# --- real processes ---

LOADED = "import json, sys; print(json.dumps([n for n in sys.modules if n[:9] == 'seed_init']))"


@pytest.mark.parametrize("words", [["--help"], ["install", "--help"], ["status"]])
def test_a_plain_command_loads_nothing_of_what_proves(python: Path, words: list[str]) -> None:
    code = f"""
import contextlib, io
from seed_init.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main({words!r})
{LOADED}
"""
    loaded = answer(python, "-c", code, env={"SEED": "7", "SEED_INIT_LOG": "quiet"})
    assert "seed_init.cli" in loaded
    assert [name for name in loaded if name.startswith(("seed_init.proof", "seed_init.note"))] == []


ON_THE_WAY_TO_RANDOM = {
    *("seed_init", "seed_init.hook", "seed_init.hook.startup", "seed_init.hook.importing"),
    *("seed_init.hook.seeding", "seed_init.hook.settings"),
    *("seed_init.hook.children", "seed_init.hook.streams"),
    *("seed_init.libraries", "seed_init.libraries.stdlib"),
}


def test_an_import_of_random_loads_these_files_and_no_other(python: Path) -> None:
    """Each costs every process that imports `random`."""
    loaded = answer(python, "-c", f"import random; {LOADED}", env={"SEED": "7"})
    assert set(loaded) == ON_THE_WAY_TO_RANDOM


@pytest.mark.parametrize("seed", [None, "7"])
def test_a_start_loads_no_file_of_the_package(python: Path, seed: str | None) -> None:
    code = "import sys; print(*[n for n in sys.modules if n.startswith('seed_init')])"
    told = output(python, "-c", code, env={"SEED": seed})
    assert told == ("seed_init.hook.startup" if seed else "")


def test_the_table_of_what_is_loaded_is_made_of_real_names() -> None:
    names = modules().keys()
    assert names >= ON_THE_WAY_TO_RANDOM
    assert {room_of(name) for name in names} == MAY_IMPORT.keys()
