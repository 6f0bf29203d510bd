# SPDX-License-Identifier: Apache-2.0
"""Whether the order of a list that a line of source makes can matter, told from its syntax.

Where that is not certain, it can. So no finding means that the list is sorted, counted, searched
or thrown away in the same function.
"""

import ast
from collections.abc import Iterator
from typing import Any

from seed_init.proof.observer.audit import places

FREE = frozenset(
    {"sorted", "natsorted", "set", "frozenset", "Counter", "len", "bool"}
    | {"min", "max", "any", "all", "sum"}
)
"""Functions whose result does not depend on the order of what they get."""

PASSING = frozenset({"list", "tuple", "iter", "reversed", "map", "filter", "tqdm"})
"""Functions whose result has the order of what they get."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def is_free(spot: places.Spot, walks: bool = False) -> bool:
    """True where the order of what is listed at a spot certainly does not matter.

    Args:
        spot: where a directory is listed, or a generator asked that lists one.
        walks: whether it is os.walk, whose items hold lists.
    """
    found = places.node(spot)
    if found is None:
        return False
    return _walk_is_free(found) if walks else _node_is_free(found)


def _node_is_free(node: ast.AST) -> bool:
    # The instruction may be the call of sorted() itself, which asks a generator.
    if isinstance(node, ast.Call) and _name(node.func) in FREE:
        return True
    return _use_is_free(node)


def _use_is_free(node: ast.AST) -> bool:
    """Whether the order of the value of an expression does not matter where it is used."""
    parent: Any = getattr(node, "parent", None)
    if isinstance(parent, ast.Call) and node is not parent.func:
        name = _name(parent.func)
        return name in FREE or (name in PASSING and _use_is_free(parent))
    if isinstance(parent, (ast.keyword, ast.Starred, ast.BinOp, ast.BoolOp)):
        return _use_is_free(parent)
    if isinstance(parent, ast.comprehension) and node is parent.iter:
        whole = parent.parent  # type: ignore[attr-defined]
        return isinstance(whole, ast.SetComp) or (
            isinstance(whole, (ast.ListComp, ast.GeneratorExp)) and _use_is_free(whole)
        )
    if isinstance(parent, ast.Compare):
        operators = (ast.In, ast.NotIn)
        return node is not parent.left and all(isinstance(one, operators) for one in parent.ops)
    if isinstance(parent, ast.IfExp):
        return node is parent.test or _use_is_free(parent)
    if isinstance(parent, (ast.If, ast.While, ast.Assert)):
        return node is parent.test
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    if isinstance(parent, ast.Set):
        return True
    if isinstance(parent, ast.NamedExpr):
        return _use_is_free(parent) and _name_is_free(parent.target)
    if isinstance(parent, ast.withitem):
        return isinstance(parent.optional_vars, ast.Name) and _name_is_free(parent.optional_vars)
    if isinstance(parent, ast.AnnAssign):
        return isinstance(parent.target, ast.Name) and _name_is_free(parent.target)
    if isinstance(parent, ast.Assign):
        return all(isinstance(one, ast.Name) and _name_is_free(one) for one in parent.targets)
    # Thrown away, where it is no notebook's cell, whose last value is shown.
    return isinstance(parent, ast.Expr) and not isinstance(_scope(parent), ast.Module)


def _name_is_free(name: ast.Name) -> bool:
    """Whether the order of a variable's value does not matter in the function that sets it.

    It is sorted in place, or each use of it is free.
    """
    uses = list(_uses(name))
    return any(map(_is_sorted, uses)) or (bool(uses) and all(map(_use_is_free, uses)))


def _uses(name: ast.Name) -> "Iterator[ast.Name]":
    """Where the variable is read in its function."""
    for one in ast.walk(_scope(name)):
        # Also further up, where the next round of a loop may read it.
        if isinstance(one, ast.Name) and one.id == name.id and isinstance(one.ctx, ast.Load):
            yield one


def _scope(node: Any) -> ast.AST:
    """The function, class or module that a node belongs to."""
    while not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Module)):
        node = node.parent
    scope: ast.AST = node
    return scope


def _is_sorted(name: ast.Name) -> bool:
    """True for `name.sort()` as a statement, on the way to which nothing can pass it by."""
    attribute: Any = name.parent  # type: ignore[attr-defined]
    call: Any = getattr(attribute, "parent", None)
    return (
        isinstance(attribute, ast.Attribute)
        and attribute.attr == "sort"
        and isinstance(call, ast.Call)
        and call.func is attribute
    )


def _walk_is_free(node: ast.AST) -> bool:
    """For `for top, directories, files in os.walk(...)`: both lists are sorted or not used.

    The directories have to be sorted in place, since that is what the next ones are found by.
    """
    loop: Any = getattr(node, "parent", None)
    while isinstance(loop, ast.Call) and _name(loop.func) in PASSING | {"sorted"}:
        loop = loop.parent  # type: ignore[attr-defined]
    if not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Tuple):
        return False
    names = loop.target.elts
    if len(names) < 3 or not all(isinstance(one, ast.Name) for one in names):
        return False
    directories, files = names[1], names[2]
    assert isinstance(directories, ast.Name) and isinstance(files, ast.Name)
    in_order = any(map(_is_sorted, _uses(directories))) or _is_assigned(loop, directories.id)
    return in_order and (_name_is_free(files) or not list(_uses(files)))


def _is_assigned(loop: ast.For, name: str) -> bool:
    """True for `directories[:] = sorted(...)` in the loop."""
    return any(
        isinstance(one, ast.Assign)
        and isinstance(one.targets[0], ast.Subscript)
        and _name(one.targets[0].value) == name
        and isinstance(one.value, ast.Call)
        and _name(one.value.func) == "sorted"
        for one in ast.walk(loop)
    )


def _name(node: ast.AST) -> str:
    """The last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
