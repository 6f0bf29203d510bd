"""Tasks that draw, and a program that publishes them, on a broker that is a folder."""

import json
import os
import random
from pathlib import Path

import numpy
from celery import Celery, chain, chord

FOLDER = Path(os.environ["CELERY_FOLDER"])
QUEUE = {"data_folder_in": f"{FOLDER}/q", "data_folder_out": f"{FOLDER}/q"}
PATIENCE = {"timeout": 150, "interval": 0.05}

app = Celery("celery_app", broker="filesystem://", backend=f"file://{FOLDER}/results")
app.conf.broker_transport_options = {**QUEUE, "control_folder": f"{FOLDER}/control"}
app.conf.worker_prefetch_multiplier = 1
app.conf.task_always_eager = "EAGER" in os.environ


def draws():
    made = numpy.random.default_rng().random(), random.Random().random()
    return [random.random(), float(numpy.random.rand()), *map(float, made)]


@app.task
def draw(*_):
    return draws()


@app.task(bind=True)
def retried(self):
    told, first = draws(), FOLDER / "first"
    if not self.request.retries:
        first.write_text(json.dumps(told))
        raise self.retry(countdown=0)
    return [told, json.loads(first.read_text())]


@app.task
def collect(others):
    return [*others, draws()]


def main():
    """What each task has drawn, and what the program itself drew before and after."""
    before = draws()
    told = [each.get(**PATIENCE) for each in [draw.delay(number) for number in range(6)]]
    again = retried.delay().get(**PATIENCE)
    follows = chain(draw.s(), draw.s(), draw.s()).apply_async()
    body = (
        chord([draw.s() for _ in range(3)])(collect.s()) if "NO_CHORD" not in os.environ else None
    )
    return {
        "tasks": told,
        "retried": again,
        "chain": [each.get(**PATIENCE) for each in (follows, follows.parent)],
        "chord": body.get(**PATIENCE) if body else [],
        "program": [before, draws()],
    }
