# SPDX-License-Identifier: Apache-2.0
"""The Jupyter server of the image: what it takes from the environment, and when it must not start.

`/etc/jupyter/jupyter_server_config.py` asks `settings`. As a server extension, which a file in
`/etc/jupyter/jupyter_server_config.d` enables, this module ends a server that lets anybody in.
"""

import hashlib
import ipaddress
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed_init.hook.refusals import Refusal, end, listed, shown
from seed_init.notebook import hosts

ARGON2 = re.compile(r"argon2:\$argon2(id|i|d)\$v=\d+\$m=\d+,t=\d+,p=\d+\$[\w+/]+\$[\w+/]+", re.A)
DIGEST = re.compile(r"(\w+):([0-9a-f]*):([0-9a-f]+)", re.A)
"""What `jupyter_server.auth.passwd` returns: with argon2, and with an algorithm of hashlib."""

# Jupyter puts the path into its patterns as it is: no character that has a meaning there.
_STEP = r"(%[0-9A-Fa-f]{2}|[\w@~-])(%[0-9A-Fa-f]{2}|[\w@~.-])*"
PREFIX = re.compile(rf"/|/?{_STEP}(/{_STEP})*/?", re.A)

WORKSPACE = "/workspace"
TOKENS = ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE")
CREDENTIALS = (*TOKENS, "JUPYTER_HASHED_PASSWORD")

HOST = re.compile(r"\*|\.?(?:[a-z0-9_-]+\.)*[a-z0-9_-]+")
"""A name in JUPYTER_ALLOWED_HOSTS: one host, with a point in front all below it, or any."""


@dataclass(frozen=True)
class Settings:
    """What the environment says about the server; None where it says nothing.

    Attributes:
        port: the TCP port to listen on, 1 to 65535.
        base_url: the path that everything is below.
        root_dir: the folder that the file browser shows.
        hashed_password: as `jupyter_server.auth.passwd` returns it.
        token: "" for no token.
    """

    port: int
    base_url: str | None
    root_dir: str
    hashed_password: str | None
    token: str | None


def settings() -> Settings:
    """What this process's environment says; a value that is not accepted ends it, status 78."""
    # Jupyter would take a blank for the token, and nobody could enter it.
    for name in TOKENS:
        if not _variable(os.environ, name):
            os.environ.pop(name, None)
    try:
        return read(os.environ)
    except Refusal as refusal:
        end(refusal)


def read(environment: Mapping[str, str]) -> Settings:
    """What `environment` says about the server.

    Raises:
        Refusal: a value is not accepted.
    """
    # The Hub says all of it: the path, and who may come in.
    if _variable(environment, "JUPYTERHUB_API_TOKEN"):
        return Settings(_port(environment), None, _root(environment), None, None)
    allowed_hosts(environment)
    return Settings(
        port=_port(environment),
        base_url=_prefix(environment),
        root_dir=_root(environment),
        hashed_password=_hashed_password(environment),
        token="" if _no_auth(environment) else _token(environment),
    )


def _variable(environment: Mapping[str, str], name: str) -> str:
    """Return a variable without white space at both ends; "" if the variable is unset."""
    return environment.get(name, "").strip()


def _port(environment: Mapping[str, str]) -> int:
    text = environment.get("JUPYTER_PORT", "").strip()
    if text and not (re.fullmatch(r"[0-9]{1,5}", text) and 1 <= int(text) <= 65535):
        raise Refusal(f"JUPYTER_PORT={shown(text)} is not accepted; use a port from 1 to 65535")
    return int(text or 8888)


def _prefix(environment: Mapping[str, str]) -> str | None:
    prefix = _variable(environment, "NB_PREFIX")
    if prefix and not PREFIX.fullmatch(prefix):
        raise Refusal(
            f"NB_PREFIX={shown(prefix)} is not accepted; use a path such as /notebook/team/name"
        )
    return prefix or None


def _root(environment: Mapping[str, str]) -> str:
    """Return the directory that Jupyter shows.

    JupyterHub and Kubeflow keep the home of a user on a volume. Files elsewhere are lost with the
    container.
    """
    kept_at_home = _variable(environment, "JUPYTERHUB_API_TOKEN") or _variable(
        environment, "NB_PREFIX"
    )
    if kept_at_home and not Path(WORKSPACE).is_mount():
        return str(Path.home())
    return WORKSPACE


def _hashed_password(environment: Mapping[str, str]) -> str | None:
    hashed = _variable(environment, "JUPYTER_HASHED_PASSWORD")
    if hashed and not is_hash(hashed):
        # Not shown: it may be the password.
        raise Refusal(
            "JUPYTER_HASHED_PASSWORD is not accepted, it is no hash of a password; use what "
            f"{sys.executable} -c 'from jupyter_server.auth import passwd; print(passwd())' prints"
        )
    return hashed or None


def is_hash(text: str) -> bool:
    """True for what `jupyter_server.auth.passwd_check` can compare a password with."""
    digest = DIGEST.fullmatch(text)
    if digest is None or digest[1] not in hashlib.algorithms_available:
        return ARGON2.fullmatch(text) is not None
    return len(digest[3]) == 2 * hashlib.new(digest[1]).digest_size


def _token(environment: Mapping[str, str]) -> str | None:
    """Return the given token; "" if the token's file is empty, which means no authentication."""
    token = _variable(environment, "JUPYTER_TOKEN")
    path = _variable(environment, "JUPYTER_TOKEN_FILE")
    if token or not path:
        return _enterable("JUPYTER_TOKEN", token) or None
    try:
        # An editor, or echo, has put a line's end behind the token.
        return _enterable("JUPYTER_TOKEN_FILE", Path(path).read_text().strip())
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise Refusal(
            f"cannot read JUPYTER_TOKEN_FILE={shown(path)}: {reason}; repair or unset it"
        ) from None


def _enterable(name: str, token: str) -> str:
    """Return the token if it is text: Jupyter fails when it prints a token with other bytes."""
    if not token.isprintable():
        # Not shown: it is a secret.
        raise Refusal(
            f"{name} is not accepted, the token has a character that nobody could enter, such as a "
            "line's end; use letters, digits and signs"
        )
    return token


def allowed_hosts(environment: Mapping[str, str]) -> list[str]:
    """The names in JUPYTER_ALLOWED_HOSTS, in lower case.

    Raises:
        Refusal: one is no name of a host.
    """
    text = _variable(environment, "JUPYTER_ALLOWED_HOSTS")
    names = text.lower().replace(",", " ").split()
    if not all(HOST.fullmatch(name) for name in names):
        raise Refusal(
            f"JUPYTER_ALLOWED_HOSTS={shown(text)} is not accepted; use the names of hosts without "
            "https:// and port: notebooks.example.org, .example.org for all below it, * for any"
        )
    return names


def _no_auth(environment: Mapping[str, str]) -> bool:
    value = _variable(environment, "JUPYTER_NO_AUTH")
    if value not in ("", "1"):
        raise Refusal(f"JUPYTER_NO_AUTH={shown(value)} is not accepted; use {listed(('1',))}")
    also = [name for name in CREDENTIALS if _variable(environment, name)]
    if value and also:
        raise Refusal(f"JUPYTER_NO_AUTH=1 and {also[0]} are both set; unset one of them")
    return bool(value)


# --- the server extension ---------------------------------------------------------------


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    """End a server that has no authentication and is not on loopback, unless it is allowed to.

    Jupyter loads extensions when the configuration is final, whichever files and options it
    came from, and before it binds the port (`ServerApp.initialize` in jupyter_server 2).

    Args:
        app: the `ServerApp`.
    """
    try:
        line = protect(app)
    except Exception as error:
        # Jupyter would only log it, and start.
        end(
            error
            if isinstance(error, Refusal)
            else Refusal(f"cannot check who may come in: {error!r}")
        )
    if line:
        print(f"seed_init: {line}", file=sys.stderr, flush=True)


def protect(app: Any) -> str | None:
    """See to it that not anybody comes in; the line for a server that asks nobody, else None.

    Raises:
        Refusal: it must not start.
    """
    # A Hub's provider has no token of its own.
    token = getattr(app.identity_provider, "token", "")
    if token != token.strip():
        raise Refusal(
            "the token begins or ends with white space, which nobody could enter: not starting "
            "the server; set JUPYTER_TOKEN or IdentityProvider.token without it"
        )
    # A UNIX socket has no address; the mode of its file says who may come in. On loopback
    # Jupyter checks the hosts by itself.
    if app.identity_provider.auth_enabled or app.sock or is_loopback(app.ip):
        return None
    if _variable(os.environ, "JUPYTER_NO_AUTH") != "1":
        raise Refusal(
            f"no token and no password for a server on {app.ip or 'every address'}: not starting "
            "it; set JUPYTER_TOKEN or JUPYTER_HASHED_PASSWORD, or JUPYTER_NO_AUTH=1 where a "
            "gateway checks who comes in"
        )
    reached = (
        f"JUPYTER_NO_AUTH=1: whoever reaches port {app.port} of this container can run code in it"
    )
    names = own_hosts(app)
    if "*" in names:
        return f"{reached}, and so can any web page, by DNS rebinding: every host is allowed"
    hosts.guard(app.web_app, names)
    return (
        f"{reached}; requests for other hosts than {', '.join(names)} and addresses are refused, "
        "a gateway's own name has to be in JUPYTER_ALLOWED_HOSTS"
    )


def own_hosts(app: Any) -> list[str]:
    """The names under which the server `app` may be asked for; "*" in it for any."""
    # Jupyter's own ways to say it. It allows every host by itself where the server is not on
    # loopback, so only what somebody has set counts.
    if app.config.ServerApp.get("allow_remote_access") is True:
        return ["*"]
    names = [*app.local_hostnames, socket.gethostname(), app.ip, *allowed_hosts(os.environ)]
    return list(
        dict.fromkeys(name.lower() for name in names if name and not hosts.is_address(name))
    )


def is_loopback(host: str) -> bool:
    """True where only this machine reaches a server on `host`, an address or a name."""
    if not host:
        return False  # every address
    try:
        addresses = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return all(
        ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in addresses
    )
