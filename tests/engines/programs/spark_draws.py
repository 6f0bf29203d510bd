"""Draw in every kind of Python function that Spark runs; print what each has drawn, as JSON.

Usage: spark_draws.py MASTER DIRECTORY [lost]. With the master `none`, only the driver draws. With
`lost`, what the driver starts does not inherit SEED, as on a cluster that was there before the
driver, and Spark has two directories to spill to.
"""

import json
import os
import random
import sys
from pathlib import Path

import numpy
import pandas
from pyspark import SparkConf, SparkContext, TaskContext
from pyspark.sql import SparkSession
from pyspark.sql import functions as sql

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.log.level": "OFF",
    "spark.executor.memory": "512m",
    "spark.sql.shuffle.partitions": "2",
}


def draw():
    made = numpy.random.default_rng().random(), random.Random().random()
    return [random.random(), float(numpy.random.rand()), *map(float, made)]


def failing(directory, index, rows):
    """Draw in a partition; one of them fails when it has drawn, and is tried again."""
    list(rows)
    told = draw()
    if index == 1:
        first = Path(directory, "first")
        if not TaskContext.get().attemptNumber():
            first.write_text(json.dumps(told))
            raise OSError("try again")
        told = [told, json.loads(first.read_text())]
    yield told


def of_rdds(sc, directory):
    four = sc.parallelize(range(4), 4)
    partitions = four.mapPartitions(lambda rows: [draw() for _ in rows])
    noise = [four.map(lambda _: draw()) for _ in range(2)]
    cached = four.map(lambda _: draw()).cache()
    pairs = four.map(lambda number: (number % 2, 1)).reduceByKey(lambda one, other: one + other)
    return {
        "first job": partitions.collect(),
        "second job": partitions.collect(),
        "two functions in one task": noise[0].zip(noise[1]).collect(),
        "a function of what is cached": cached.map(lambda former: [former, draw()]).collect(),
        "behind a shuffle": pairs.mapPartitions(lambda _: [draw()]).collect(),
        "tried again": sc.parallelize(range(3), 3)
        .mapPartitionsWithIndex(lambda index, rows: failing(directory, index, rows))
        .collect(),
        "hash seeds": four.map(lambda _: os.environ["PYTHONHASHSEED"]).collect(),
    }


def of_udfs(session):
    @sql.udf("double")
    def plain(_):
        return draw()[0]

    plain = plain.asNondeterministic()

    @sql.pandas_udf("double")
    def vector(column: pandas.Series) -> pandas.Series:
        return pandas.Series(numpy.random.rand(len(column)))

    def frames(every):
        for frame in every:
            yield pandas.DataFrame({"u": numpy.random.rand(len(frame))})

    numbers = session.range(0, 6, 1, 2)
    frame = numbers.withColumn("a", plain("id")).withColumn("b", plain("a"))
    frame = frame.withColumn("c", vector("b"))
    groups = numbers.groupBy((sql.col("id") % 2).alias("k"))
    one = lambda _: pandas.DataFrame({"u": numpy.random.rand(1)})  # noqa: E731
    return {
        "UDFs": [[row.a, row.b, row.c] for row in frame.collect()],
        "UDFs in a second job": [[row.a, row.b, row.c] for row in frame.collect()],
        "map in pandas": [row.u for row in numbers.mapInPandas(frames, "u double").collect()],
        "apply in pandas": [row.u for row in groups.applyInPandas(one, "u double").collect()],
    }


def run(master, directory, more):
    conf = SparkConf().setMaster(master).setAll(SETTINGS.items())
    local = [f"{directory}/local-{number}" for number in range(1 + more)]
    conf = conf.set("spark.local.dir", ",".join(local))
    sc = SparkContext(conf=conf.set("spark.sql.warehouse.dir", f"{directory}/warehouse"))
    try:
        return {**of_rdds(sc, directory), **of_udfs(SparkSession(sc))}
    finally:
        sc.stop()


def main(master, directory, *lost):
    if lost:
        del os.environ["SEED"]
    before = draw()
    told = run(master, directory, len(lost)) if master != "none" else {}
    print(json.dumps({**told, "driver": [before, draw()]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
