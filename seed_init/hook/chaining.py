# SPDX-License-Identifier: Apache-2.0
"""Run the sitecustomize that ours hides."""

import os
import sys
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import (
    PathFinder,
    spec_from_file_location,
)


def run_hidden(kept: str, behind: list[str]) -> None:
    """Run the sitecustomize that ours hides, as if `site` had found it itself.

    What it raises goes on to `site`, which reports it as it reports any sitecustomize's
    error; the module that ran is what `sys.modules` holds afterwards.

    Args:
        kept: the path, without suffix, to which `seed-init install` moves what it finds.
        behind: the entries of `sys.path` behind ours.
    """
    name = "sitecustomize"
    init = os.path.join(kept, "__init__.py")
    if os.path.isfile(init):
        spec = spec_from_file_location(name, init, submodule_search_locations=[kept])
    elif os.path.isfile(kept + ".py"):
        spec = spec_from_file_location(name, kept + ".py")
    elif os.path.isfile(kept + ".pyc"):
        spec = spec_from_file_location(name, kept + ".pyc")
    else:
        spec = PathFinder.find_spec(name, behind)
    # A directory without __init__.py is found too, as a namespace; it has nothing to run.
    if spec is not None and spec.has_location:
        module = module_from_spec(spec)
        sys.modules[name] = module
        assert spec.loader is not None
        spec.loader.exec_module(module)
