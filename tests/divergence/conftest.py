"""The interpreters of the hook's tests."""

from hook.conftest import prefixes, python

__all__ = ["prefixes", "python"]
