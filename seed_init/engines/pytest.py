# SPDX-License-Identifier: Apache-2.0
"""pytest: each test has streams of its own, by its node id, with SEED_INIT_POOLS=item.

So a test draws the same alone, in any order, and in whichever worker of pytest-xdist. A fixture
that several tests share is set up by whichever of them is first; it has streams of its own as well.
"""

from seed_init.engines import Engine, expect
from seed_init.hook import callers, state, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from seed_init.hook.streams import Path


class Pytest(Engine):
    """The unit of a test is its set-up, its call and its teardown (_pytest/runner.py)."""

    name = "pytest"
    otherwise = "tests have no streams of their own, as with SEED_INIT_POOLS=worker"

    def attach(self, module: "ModuleType") -> None:
        """See `Engine.attach`."""
        if module.__name__ == "_pytest.fixtures":
            _attach_to_fixtures(module)
        else:
            _attach_to_tests(module)


def _attach_to_tests(module: "Any") -> None:
    run = module.runtestprotocol
    expect(run, "item")

    @callers.like(run)
    def runtestprotocol(item: "Any", *arguments: "Any", **keywords: "Any") -> "Any":
        unit = units.begin("pytest", _path(item.nodeid), aside=True)
        try:
            return run(item, *arguments, **keywords)
        finally:
            units.end(unit)

    module.runtestprotocol = runtestprotocol


def _attach_to_fixtures(module: "Any") -> None:
    call = module.call_fixture_func
    expect(call, "fixturefunc", "request", "kwargs")

    @callers.like(call)
    def call_fixture_func(fixturefunc: "Any", request: "Any", kwargs: "Any") -> "Any":
        if request.scope == "function":
            return call(fixturefunc, request, kwargs)
        # A fixture may ask for another one of its name, from a folder above or a plugin.
        place = str(getattr(getattr(request, "_fixturedef", None), "baseid", ""))
        module = str(getattr(fixturefunc, "__module__", ""))
        path = _path(request.node.nodeid, "fixture", request.fixturename, place, module)
        path = (*path, getattr(request, "param_index", 0))
        unit = units.begin("pytest", path, aside=True)
        try:
            return call(fixturefunc, request, kwargs)
        finally:
            units.end(unit)

    module.call_fixture_func = call_fixture_func


def _path(*parts: str) -> "Path":
    # Of the program: in a child that a plugin has forked for a test, it is the same test.
    return (*state.root(), "pytest", *parts)


engine = Pytest()
