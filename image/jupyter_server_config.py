"""JupyterLab in the container, and of `make notebook` without one: below the user's own settings.

In the image this file is in /etc/jupyter; tools/venv.sh puts it into the virtual environment.
"""

import importlib.util
import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821  # traitlets defines it in a configuration file

if importlib.util.find_spec("seed_init"):
    from seed_init.notebook import server

    chosen = server.settings()
    c.ServerApp.port = chosen.port
    # Outside a container Jupyter's own hold: loopback, and the folder that it is started in.
    if __file__.startswith("/etc/jupyter/"):
        # The container's own address; docker-compose.yml publishes it on 127.0.0.1 only.
        c.ServerApp.ip = "0.0.0.0"
        c.ServerApp.root_dir = chosen.root_dir
    else:
        # No login shell, because Debian's /etc/profile sets PATH anew; and in bash the environment
        # is activated after the user's own start-up file, which may put another Python in front.
        shell = [os.environ.get("SHELL") or "/bin/sh"]
        if Path(shell[0]).name == "bash":
            shell += ["--rcfile", f"{sys.prefix}/etc/seed_init/bashrc"]
        c.ServerApp.terminado_settings = {"shell_command": shell}
    if chosen.base_url is not None:
        c.ServerApp.base_url = chosen.base_url
    if chosen.hashed_password is not None:
        c.IdentityProvider.hashed_password = chosen.hashed_password
    if chosen.token is not None:
        c.IdentityProvider.token = chosen.token
else:
    # The Jupyter of another Python than the image's. Nothing there sees to it that a server
    # without a token does not start: it stays on loopback.
    c.ServerApp.jpserver_extensions = {"seed_init.notebook.server": False}
    c.ServerApp.port = int(os.environ.get("JUPYTER_PORT") or 8888)
# Another port would be one that nobody published: say that it is taken and stop.
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
# Sockets in the server's own runtime directory: kernels over TCP talk in plain text, and
# ipykernel warns about it. For the server only: nbconvert and its kernel would each look for
# the sockets in their own working directory.
c.KernelManager.transport = "ipc"
# Whoever starts the container as root has chosen it.
c.ServerApp.allow_root = os.geteuid() == 0
# Nobody is asked, in every new container again, whether to fetch news from jupyter.org.
c.LabApp.news_url = None
# The image has no language servers, and a log line names each of the twenty that it has not.
c.LanguageServerManager.autodetect = False
