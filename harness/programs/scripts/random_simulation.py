"""Simulate a queue at two counters, each with a random.Random of its own."""

import json
import random


class Counter:
    def __init__(self, mean):
        self.random = random.Random()
        self.mean = mean
        self.free_at = 0.0

    def serve(self, arrival):
        start = max(arrival, self.free_at)
        self.free_at = start + self.random.expovariate(1 / self.mean)
        return start - arrival


def arrivals():
    now = 0.0
    for _ in range(500):
        now += random.expovariate(1.0)
        yield now


counters = [Counter(1.6), Counter(1.7)]
waits = [
    min(counters, key=lambda counter: counter.free_at).serve(arrival) for arrival in arrivals()
]
draws = [counter.random.random() for counter in counters]
print(json.dumps({"result": {"waits": waits, "draws": draws}}))
