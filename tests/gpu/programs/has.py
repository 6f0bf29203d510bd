"""Import what is named; the exit status says whether it is there."""

import importlib
import sys

for name in sys.argv[1:]:
    importlib.import_module(name)
