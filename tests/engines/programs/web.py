"""A web application of which each worker says, as JSON, who it is and what it drew first."""

import json
import os
import random

import numpy


def draws():
    made = numpy.random.default_rng().random(), random.Random().random()
    return [random.random(), float(numpy.random.rand()), *map(float, made)]


TOLD = json.dumps([os.getpid(), draws()]).encode()


def wsgi(_, start_response):
    """The application for gunicorn."""
    start_response("200 OK", [("Connection", "close")])
    return [TOLD]


async def asgi(scope, _, send):
    """The application for uvicorn."""
    if scope["type"] == "http":
        headers = [(b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": TOLD})
