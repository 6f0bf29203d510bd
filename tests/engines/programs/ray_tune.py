"""Runs three trials of Tune, and prints what each has drawn as JSON.

python ray_tune.py ADDRESS [reuse]
"""

import json
import logging
import random
import sys
import tempfile

import numpy
import ray
from ray import tune


def train(config):
    made = numpy.random.default_rng().random(), random.Random().random()
    first = [random.random(), numpy.random.rand(), *made]
    for _ in range(2):
        tune.report({"first": first, "next": random.random()})


def main():
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
    with tempfile.TemporaryDirectory() as directory:
        found = tune.Tuner(
            tune.with_resources(train, {"cpu": 1}),
            tune_config=tune.TuneConfig(num_samples=3, reuse_actors="reuse" in sys.argv),
            run_config=tune.RunConfig(verbose=0, storage_path=directory),
        ).fit()
        drawn = [[*each.metrics["first"], each.metrics["next"]] for each in found]
    print(json.dumps(drawn))


main()
