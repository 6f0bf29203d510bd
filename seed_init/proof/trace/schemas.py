# SPDX-License-Identifier: Apache-2.0
"""The published JSON schemas, as checks: the schema is the one description of what is accepted.

The runtime has the standard library alone, so this reads the keywords that the schemas use, and
refuses a schema that has another one: a keyword that is not understood must not pass for a check.
A schema is turned into functions once, so that a record is not compared with text.

Unlike in JSON Schema, 1.0 is no integer here. A text's `format` says something to a reader and is
not checked, which the standard allows (JSON Schema Validation 2020-12, section 7).
"""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

Check = Callable[[Any], None]
"""Raises `Wrong` for a value that the schema does not allow."""

FOLDER = Path(__file__).with_name("schema")

_SAYS_NOTHING = frozenset(
    {"$schema", "$id", "$defs", "title", "description", "format", "additionalProperties"}
)
"""Keywords that check nothing by themselves; the last is read together with `properties`."""


class Wrong(Exception):
    """A value is not what a schema allows.

    Attributes:
        path: names and indices that lead to the value, the innermost first.
        text: what is wrong with it, after its name.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.path: list[str | int] = []
        self.text = text

    def __str__(self) -> str:
        path = ""
        for step in reversed(self.path):
            plain = isinstance(step, str) and step.isidentifier() and step.isascii()
            path += f".{step}" if plain else f"[{_shown(step)}]"
        return f"{path.removeprefix('.') or 'it'} {self.text}"


@cache
def check(schema: str, part: str = "") -> Check:
    """The check of a published schema.

    Args:
        schema: its name, such as "record-1".
        part: of its $defs; the whole if empty.

    Raises:
        ValueError: the schema has a keyword that this module does not know.
    """
    root = json.loads((FOLDER / f"{schema}.schema.json").read_text(encoding="utf-8"))
    return _compiled(root["$defs"][part] if part else root, root)


@cache
def parts(schema: str) -> frozenset[str]:
    """The names in a schema's $defs."""
    root = json.loads((FOLDER / f"{schema}.schema.json").read_text(encoding="utf-8"))
    return frozenset(root["$defs"])


def _compiled(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    checks = [_MADE[word](schema, root) for word in schema if word not in _SAYS_NOTHING]
    if "additionalProperties" in schema and "properties" not in schema:
        checks.append(_properties(schema, root))
    if len(checks) == 1:
        return checks[0]

    def all_of(value: Any) -> None:
        for check in checks:
            check(value)

    return all_of


def _type(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    types = frozenset(kind for name in names for kind in _TYPES[name])
    wanted = " or ".join(_ARTICLES[name] for name in names)

    def check(value: Any) -> None:
        # The type itself, because a bool is an int as well.
        if value.__class__ not in types:
            raise Wrong(f"is {_shown(value)}, not {wanted}")

    return check


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_ARTICLES = {
    "object": "an object",
    "array": "an array",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def _properties(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    known = {name: _compiled(of, root) for name, of in schema.get("properties", {}).items()}
    others = schema.get("additionalProperties", True)
    rest = _compiled(others, root) if isinstance(others, dict) else None

    def check(value: Any) -> None:
        if value.__class__ is not dict:
            return
        for name, item in value.items():
            property_check = known.get(name, rest)
            if property_check is not None:
                _within(name, property_check, item)
            elif others is False and name not in known:
                raise Wrong(f"has a {_shown(name)}, which it must not have")

    return check


def _required(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    names = frozenset(schema["required"])

    def check(value: Any) -> None:
        if value.__class__ is dict and not names <= value.keys():
            missing = next(name for name in schema["required"] if name not in value)
            raise Wrong(f"has no {missing!r}")

    return check


def _items(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    item_check = _compiled(schema["items"], root)
    begin = len(schema.get("prefixItems", ()))

    def check(value: Any) -> None:
        if value.__class__ is not list:
            return
        for index in range(begin, len(value)):
            _within(index, item_check, value[index])

    return check


def _prefix_items(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    checks = [_compiled(part, root) for part in schema["prefixItems"]]

    def check(value: Any) -> None:
        if value.__class__ is list:
            for index, (item_check, item) in enumerate(zip(checks, value)):
                _within(index, item_check, item)

    return check


def _within(step: str | int, check: Check, value: Any) -> None:
    try:
        check(value)
    except Wrong as wrong:
        wrong.path.append(step)
        raise


def _length(keyword: str, fits: Callable[[int, int], bool], word: str) -> Any:
    def make(schema: dict[str, Any], root: dict[str, Any]) -> Check:
        number = schema[keyword]

        def check(value: Any) -> None:
            if value.__class__ is list and not fits(len(value), number):
                raise Wrong(f"has {len(value)} entries, not {word} {number}")

        return check

    return make


def _bound(keyword: str, fits: Callable[[float, float], bool], word: str) -> Any:
    def make(schema: dict[str, Any], root: dict[str, Any]) -> Check:
        number = schema[keyword]

        def check(value: Any) -> None:
            if value.__class__ in (int, float) and not fits(value, number):
                raise Wrong(f"is {_shown(value)}, not {word} {number}")

        return check

    return make


def _pattern(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    # In JSON Schema $ is the end; in Python also what is before a last line break.
    search = re.compile(re.sub(r"\$\Z", r"\\Z", schema["pattern"])).search

    def check(value: Any) -> None:
        if value.__class__ is str and search(value) is None:
            raise Wrong(f"is {_shown(value)}, not as {schema['pattern']} wants it")

    return check


def _one_of_values(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    values = schema["enum"] if "enum" in schema else [schema["const"]]
    accepted = frozenset((constant.__class__, constant) for constant in values)
    wanted = " or ".join(json.dumps(constant) for constant in values)

    def check(value: Any) -> None:
        if value.__class__ in (dict, list) or (value.__class__, value) not in accepted:
            raise Wrong(f"is {_shown(value)}, not {wanted}")

    return check


def _one_of(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    checks = [_compiled(alternative, root) for alternative in schema["oneOf"]]

    def check(value: Any) -> None:
        wrongs = [
            wrong for alternative in checks if (wrong := _tried(alternative, value)) is not None
        ]
        if len(wrongs) == len(checks):
            # The one that came furthest is likely the one that is meant.
            raise max(wrongs, key=lambda wrong: len(wrong.path))
        if len(wrongs) < len(checks) - 1:
            raise Wrong(f"is {_shown(value)}, which may be several things")

    return check


def _tried(check: Check, value: Any) -> Wrong | None:
    try:
        check(value)
    except Wrong as wrong:
        return wrong
    return None


def _reference(schema: dict[str, Any], root: dict[str, Any]) -> Check:
    name = schema["$ref"].removeprefix("#/$defs/")
    return _compiled(root["$defs"][name], root)


class _Keywords(dict[str, Callable[[dict[str, Any], dict[str, Any]], Check]]):
    def __missing__(self, keyword: str) -> Any:
        raise ValueError(f"the schema has a keyword that nobody checks: {keyword}")


_MADE = _Keywords(
    {
        "type": _type,
        "properties": _properties,
        "required": _required,
        "items": _items,
        "prefixItems": _prefix_items,
        "minItems": _length("minItems", lambda length, least: length >= least, "at least"),
        "maxItems": _length("maxItems", lambda length, most: length <= most, "at most"),
        "minimum": _bound("minimum", lambda value, least: value >= least, "at least"),
        "maximum": _bound("maximum", lambda value, most: value <= most, "at most"),
        "pattern": _pattern,
        "enum": _one_of_values,
        "const": _one_of_values,
        "oneOf": _one_of,
        "$ref": _reference,
    }
)


def _shown(value: Any, most: int = 40) -> str:
    """Return a value as the user sees it: in ASCII, and short however large the value is."""
    if isinstance(value, (dict, list)):
        kind = "object" if isinstance(value, dict) else "array"
        return f"an {kind} with {len(value)} entries" if value else f"an empty {kind}"
    text = json.dumps(value[: most + 1] if isinstance(value, str) else value)
    if isinstance(value, str) and len(value) > most:
        return f"{text[:most]}... ({len(value)} characters)"
    return text
