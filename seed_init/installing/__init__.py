"""Where the hook lives in a Python installation."""
