"""A program of Hydra's whose job prints what it draws."""

import json
import random

import hydra
import numpy
from omegaconf import DictConfig

at_import = random.random()


@hydra.main(version_base=None, config_path=None)
def main(config: DictConfig) -> None:
    drawn = [at_import, random.random(), numpy.random.rand(), numpy.random.default_rng().random()]
    print(json.dumps([config.x, *drawn]), flush=True)
    random.seed(5)  # does not reach the next job


if __name__ == "__main__":
    main()
