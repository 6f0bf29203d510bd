# SPDX-License-Identifier: Apache-2.0
"""This module tells from the source whether the order of a listing can matter.

Where the source leaves a doubt, the order can matter. So where there is no finding, the list is
sorted, counted, searched or thrown away in the same function.
"""

import ast
from collections.abc import Callable, Iterator
from typing import Any

from seed_init.proof.observer.audit import sources

FREE = frozenset(
    {"sorted", "natsorted", "set", "frozenset", "Counter", "len", "bool"}
    | {"min", "max", "any", "all", "sum"}
)
"""Functions whose result does not depend on the order of what they get."""

PASSING = frozenset({"list", "tuple", "iter", "reversed", "map", "filter", "tqdm"})
"""Functions whose result has the order of what they get."""

Known = frozenset[tuple[ast.AST, str]]
"""Variables: the function, class or module that each belongs to, and its name."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def is_free(spot: sources.Spot, walks: bool = False) -> bool:
    """Return True where the order of what is listed at a spot certainly does not matter.

    Args:
        spot: where a directory is listed, or a generator asked that lists one.
        walks: whether it is os.walk, whose items hold lists.
    """
    expression = sources.node(spot)
    if expression is None:
        return False
    return _walk_is_free(expression) if walks else _node_is_free(expression)


def _node_is_free(node: ast.AST) -> bool:
    # The instruction may be the call of sorted() itself, which asks a generator.
    if isinstance(node, ast.Call) and _name(node.func) in FREE:
        return True
    return _use_is_free(node)


def _use_is_free(node: ast.AST, known: Known = frozenset()) -> bool:
    """Return True where the order of an expression's value does not matter to what uses it.

    Args:
        node: the expression.
        known: variables that are being looked at: their other uses decide.
    """
    parent = getattr(node, "parent", None)
    rule = _RULES.get(type(parent))
    return rule is not None and rule(node, parent, known)


def _always(node: ast.AST, user: Any, known: Known) -> bool:
    return True


def _as_its_user(node: ast.AST, user: Any, known: Known) -> bool:
    return _use_is_free(user, known)


def _as_an_argument(node: ast.AST, call: Any, known: Known) -> bool:
    name = _name(call.func) if node is not call.func else ""
    return name in FREE or (name in PASSING and _use_is_free(call, known))


def _as_what_a_comprehension_takes(node: ast.AST, part: Any, known: Known) -> bool:
    if node is not part.iter:
        return False
    whole = part.parent
    is_in_order = isinstance(whole, (ast.ListComp, ast.GeneratorExp))
    return isinstance(whole, ast.SetComp) or (is_in_order and _use_is_free(whole, known))


def _as_what_is_searched(node: ast.AST, comparison: Any, known: Known) -> bool:
    searches = all(isinstance(operator, (ast.In, ast.NotIn)) for operator in comparison.ops)
    return node is not comparison.left and searches


def _as_a_condition(node: ast.AST, user: Any, known: Known) -> bool:
    return node is user.test


def _as_a_condition_or_a_choice(node: ast.AST, user: Any, known: Known) -> bool:
    return node is user.test or _use_is_free(user, known)


def _as_what_is_negated(node: ast.AST, user: Any, known: Known) -> bool:
    return isinstance(user.op, ast.Not)


def _as_a_value_with_a_name(node: ast.AST, user: Any, known: Known) -> bool:
    return _use_is_free(user, known) and _name_is_free(user.target, known)


def _as_a_context(node: ast.AST, user: Any, known: Known) -> bool:
    return isinstance(user.optional_vars, ast.Name) and _name_is_free(user.optional_vars, known)


def _as_an_annotated_value(node: ast.AST, user: Any, known: Known) -> bool:
    return isinstance(user.target, ast.Name) and _name_is_free(user.target, known)


def _as_a_value(node: ast.AST, user: Any, known: Known) -> bool:
    return all(
        isinstance(target, ast.Name) and _name_is_free(target, known) for target in user.targets
    )


def _as_a_statement(node: ast.AST, user: Any, known: Known) -> bool:
    # The value is thrown away, but for a notebook's cell, whose last value is shown.
    return not isinstance(_scope(user), ast.Module)


_RULES: "dict[type, Callable[[ast.AST, Any, Known], bool]]" = {
    ast.Call: _as_an_argument,
    ast.keyword: _as_its_user,
    ast.Starred: _as_its_user,
    ast.BinOp: _as_its_user,
    ast.BoolOp: _as_its_user,
    ast.comprehension: _as_what_a_comprehension_takes,
    ast.Compare: _as_what_is_searched,
    ast.IfExp: _as_a_condition_or_a_choice,
    ast.If: _as_a_condition,
    ast.While: _as_a_condition,
    ast.Assert: _as_a_condition,
    ast.UnaryOp: _as_what_is_negated,
    ast.Set: _always,
    ast.NamedExpr: _as_a_value_with_a_name,
    ast.withitem: _as_a_context,
    ast.AnnAssign: _as_an_annotated_value,
    ast.Assign: _as_a_value,
    ast.Expr: _as_a_statement,
}
"""Type of the node that uses a value -> whether the order of the value does not matter there.

A rule gets the node of the value and the node that uses the value. Elsewhere the order matters.
"""


def _name_is_free(name: ast.Name, known: Known = frozenset()) -> bool:
    """Return True where the order of a variable's value does not matter in its function.

    The variable is sorted in place there, or each use of it is free.
    """
    variable = _scope(name), name.id
    if variable in known:
        return True  # `names = names + [...]`
    uses = list(_uses(name))
    if any(map(_is_sorted, uses)):
        return True
    return bool(uses) and all(_use_is_free(use, known | {variable}) for use in uses)


def _uses(name: ast.Name) -> "Iterator[ast.Name]":
    """Yield each place in its function where the variable is read."""
    for node in ast.walk(_scope(name)):
        # Also further up, where the next round of a loop may read it.
        if isinstance(node, ast.Name) and node.id == name.id and isinstance(node.ctx, ast.Load):
            yield node


def _scope(node: Any) -> ast.AST:
    """Return the function, class or module that a node belongs to."""
    while not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Module)):
        node = node.parent
    scope: ast.AST = node
    return scope


def _is_sorted(name: ast.Name) -> bool:
    """Return True for `name.sort()`, which sorts the list in place."""
    attribute: Any = name.parent  # type: ignore[attr-defined]
    call: Any = getattr(attribute, "parent", None)
    return (
        isinstance(attribute, ast.Attribute)
        and attribute.attr == "sort"
        and isinstance(call, ast.Call)
        and call.func is attribute
    )


def _walk_is_free(node: ast.AST) -> bool:
    """Return True where a loop over os.walk() sorts both lists, or does not use the files.

    The directories have to be sorted in place, since os.walk() visits them in their order.
    """
    loop: Any = getattr(node, "parent", None)
    while isinstance(loop, ast.Call) and _name(loop.func) in PASSING | {"sorted"}:
        loop = loop.parent  # type: ignore[attr-defined]
    if not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Tuple):
        return False
    names = loop.target.elts
    if len(names) < 3 or not all(isinstance(target, ast.Name) for target in names):
        return False
    directories, files = names[1], names[2]
    assert isinstance(directories, ast.Name) and isinstance(files, ast.Name)
    in_order = any(map(_is_sorted, _uses(directories))) or _is_assigned(loop, directories.id)
    return in_order and (_name_is_free(files) or not list(_uses(files)))


def _is_assigned(loop: ast.For, name: str) -> bool:
    """Return True for `directories[:] = sorted(...)` in the loop."""
    return any(
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Subscript)
        and _name(node.targets[0].value) == name
        and isinstance(node.value, ast.Call)
        and _name(node.value.func) == "sorted"
        for node in ast.walk(loop)
    )


def _name(node: ast.AST) -> str:
    """Return the last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
