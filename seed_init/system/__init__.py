"""Files and terminals: helpers for every room."""
