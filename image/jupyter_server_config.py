"""JupyterLab in the container: system-wide settings, below the user's own and the command's."""

import os

c = get_config()  # noqa: F821  # traitlets defines it in a configuration file

# The container's own address; docker-compose.yml publishes it on 127.0.0.1 only.
c.ServerApp.ip = "0.0.0.0"
c.ServerApp.port = int(os.environ.get("JUPYTER_PORT") or 8888)
# Another port would be one that nobody published: say that it is taken and stop.
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.root_dir = "/workspace"
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
