"""IPython and its kernels, system-wide, below the user's own configuration."""

import importlib.util
import os
import sys

c = get_config()  # noqa: F821  # traitlets defines it in a configuration file

if importlib.util.find_spec("seed_init"):
    c.InteractiveShellApp.extensions.append("seed_init.notebook")
# A Python of another prefix, such as a second conda environment. IPython would answer an
# extension that is not there with a traceback.
elif (
    os.environ.get("SEED_INIT", "").strip() != "0"
    and os.environ.get("SEED_INIT_LOG", "").strip() != "quiet"
):
    print(
        f"seed_init: this IPython is not seeded, its Python has no hook; "
        f"'seed-init install --python {sys.executable}' puts it there",
        file=sys.stderr,
    )
