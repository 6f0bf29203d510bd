# SPDX-License-Identifier: Apache-2.0
"""Which hosts may be asked for on a server that asks nobody who they are.

By DNS rebinding a web page elsewhere gets its own name to lead to this server's address; the
browser then takes the two for one site, sends what the page wants and shows it the answers. What
it cannot change is the header `Host`, which has the page's name. An address there is no such name:
that page came from this server.

Jupyter's own check (`ServerApp.allow_remote_access=False`) knows addresses of loopback only, and
probes of Kubernetes come by the container's address. It also leaves out handlers that are not
derived from JupyterHandler.
"""

import ipaddress
import sys
from collections.abc import Sequence
from typing import Any

from seed_init.hook.refusals import shown

NAMED_MOST = 20
"""How many refused hosts are named in the log: whoever asks chooses the name."""


def guard(application: Any, names: Sequence[str]) -> None:
    """Refuse every request, websockets included, for a host that is not among `names`.

    Args:
        application: the server's `tornado.web.Application`.
        names: in lower case; one with a point in front stands for all names below it.
    """
    # Not at the top: `seed_init.notebook.server` is read by Pythons without tornado as well.
    from tornado.routing import Matcher, Rule
    from tornado.web import RequestHandler

    named: set[str] = set()

    class ForeignHost(Matcher):
        def match(self, request: Any) -> "dict[str, Any] | None":
            return None if is_own(request.host_name, names) else {}

    class Refused(RequestHandler):
        def check_xsrf_cookie(self) -> None:
            """Nothing to protect: every method has the same answer."""

        def prepare(self) -> None:
            name = self.request.host_name
            line = (
                f"seed_init: this server asks nobody for a token, so it answers no request for the "
                f"host {shown(name, 80)}; if that is your gateway, add it to JUPYTER_ALLOWED_HOSTS"
            )
            if name not in named and len(named) < NAMED_MOST:
                named.add(name)
                print(line, file=sys.stderr, flush=True)
            self.set_status(403)
            self.set_header("Content-Type", "text/plain")
            self.finish(f"{line}\n")

    application.default_router.rules.insert(0, Rule(ForeignHost(), Refused))


def is_own(host: str, names: Sequence[str]) -> bool:
    """True if `host`, as `HTTPServerRequest.host_name` has it, is an address or among `names`."""
    host = host.lower().rstrip(".")
    if is_address(host) or host == "localhost" or host.endswith(".localhost"):
        return True
    return any(
        host.endswith(name) if name.startswith(".") else host == name.rstrip(".") for name in names
    )


def is_address(host: str) -> bool:
    """True for an IP address, of version 6 with or without its brackets."""
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
