"""A Hub on the host whose users' servers are containers of the image: what teams run, small.

Every value that a test chooses comes from the environment.
"""

import os

c = get_config()  # noqa: F821  # traitlets defines it in a configuration file

given = os.environ
c.JupyterHub.bind_url = f"http://127.0.0.1:{given['PORT']}"
# Containers reach the Hub at the host's address on their network.
c.JupyterHub.hub_bind_url = f"http://{given['GATEWAY']}:{given['HUB_PORT']}"
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = "cookie_secret"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{given['PROXY_PORT']}"
c.ConfigurableHTTPProxy.command = [given["PROXY"]]
c.ConfigurableHTTPProxy.pid_file = "proxy.pid"

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = given["PASSWORD"]
c.Authenticator.allow_all = True

c.JupyterHub.spawner_class = "docker"
c.DockerSpawner.image = given["IMAGE"]
c.DockerSpawner.pull_policy = "never"
c.DockerSpawner.name_template = given["NAME"]
c.DockerSpawner.remove = True
c.DockerSpawner.environment = {"SEED": given["SEED_OF_SERVERS"]}
if given["COMMAND"]:
    c.DockerSpawner.cmd = given["COMMAND"]
