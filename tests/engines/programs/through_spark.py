"""Four partitions of Spark that draw; and what the driver passes on to its workers."""

import json
import random

from pyspark.sql import SparkSession


def draw(rows):  # type: ignore[no-untyped-def]
    list(rows)
    yield random.random()


builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
spark = builder.config("spark.executorEnv.SEED_INIT_RECORDER", "own").getOrCreate()
context = spark.sparkContext
drawn = context.parallelize(range(4), 4).mapPartitions(draw).collect()
print(json.dumps([drawn, dict(context.environment)]))
spark.stop()
