"""Print as JSON what the children draw that several threads fork at the same time."""

import json
import os
import random
import sys
import threading

sys.setswitchinterval(1e-6)  # let them meet
told = []


def fork_twice(barrier):
    barrier.wait(30)
    for _ in range(2):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writing, str(random.random()).encode())
            os._exit(0)
        os.waitpid(child, 0)
        told.append(float(os.read(reading, 100)))


barrier = threading.Barrier(7)
threads = [threading.Thread(target=fork_twice, args=(barrier,)) for _ in range(7)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(told))
