"""The interpreters of the hook's tests."""

from hook.conftest import kept, prefixes, python

__all__ = ["kept", "prefixes", "python"]
