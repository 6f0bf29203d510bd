"""Runs a training job of two workers, and prints what each rank has drawn as JSON.

python ray_train.py ADDRESS
"""

import json
import logging
import random
import sys
import tempfile
from pathlib import Path

import numpy
import ray
from ray.train import RunConfig, ScalingConfig, get_context, report
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer


def train(config):
    made = numpy.random.default_rng().random(), random.Random().random()
    drawn = [random.random(), numpy.random.rand(), *made]
    Path(config["directory"], str(get_context().get_world_rank())).write_text(json.dumps(drawn))
    report({"done": 1})


def main():
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.ERROR)
    with tempfile.TemporaryDirectory() as directory:
        DataParallelTrainer(
            train,
            train_loop_config={"directory": directory},
            scaling_config=ScalingConfig(num_workers=2, resources_per_worker={"CPU": 0.5}),
            run_config=RunConfig(storage_path=directory),
        ).fit()
        ranks = [json.loads(Path(directory, str(rank)).read_text()) for rank in range(2)]
    print(json.dumps(ranks))


main()
