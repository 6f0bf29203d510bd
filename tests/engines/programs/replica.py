"""Two web servers' application, by ASGI and by WSGI: it answers with what it has drawn."""

import random
from typing import Any

import numpy


def drawn() -> bytes:
    made = numpy.random.default_rng().random()
    return f"{random.random()} {numpy.random.rand()} {made}".encode()


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": drawn()})


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [drawn()]
