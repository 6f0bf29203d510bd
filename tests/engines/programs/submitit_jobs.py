"""Three jobs of submitit's local executor: submitit_jobs.py FOLDER."""

import json
import random
import sys

import submitit


def job(number: int) -> float:
    return random.random()


if __name__ == "__main__":
    executor = submitit.AutoExecutor(folder=sys.argv[1], cluster="local")
    executor.update_parameters(timeout_min=2)
    print(json.dumps([each.result() for each in executor.map_array(job, range(3))]))
