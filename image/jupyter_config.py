"""Where every Jupyter command of the image finds kernels: not in the server's own Python.

/etc/jupyter is read by the Jupyter of other Pythons, too; for those nothing changes.
"""

import json
import sys
from pathlib import Path

from jupyter_core import paths

FACTS = Path("/usr/local/share/seed_init/image.json")
image = json.loads(FACTS.read_text()).get("notebook", {}) if FACTS.exists() else {}
if sys.prefix == image.get("server"):
    # An extension of the server may bring ipykernel into the server's environment, whose kernel
    # would be a Python without torch. So the kernel that the build has written, with the path of
    # the base's Python, comes before; only a user's own comes before that one. At the end is what
    # packages of the base bring: kernels, and what JupyterLab's page loads for ipywidgets.
    # jupyter_client has no setting for the folders of kernels.
    own = paths.ENV_JUPYTER_PATH[:]
    paths.ENV_JUPYTER_PATH.clear()
    paths.SYSTEM_JUPYTER_PATH.extend([*own, f"{image['prefix']}/share/jupyter"])
