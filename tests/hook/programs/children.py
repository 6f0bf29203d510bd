"""Print as JSON what this process and the children that it makes draw.

usage: children.py HOW START_METHOD LIBRARY...
"""

import concurrent.futures
import importlib
import json
import multiprocessing
import multiprocessing.connection
import os
import sys

HOW, METHOD, *LIBRARIES = sys.argv[1:]
for library in LIBRARIES:
    importlib.import_module(library)

COUNT = 3
DRAW = {
    "random": lambda: sys.modules["random"].random(),
    "numpy": lambda: float(sys.modules["numpy"].random.rand()),
    "torch": lambda: float(sys.modules["torch"].rand(1)),
}


def draw():
    return [DRAW[library]() for library in LIBRARIES]


def name():
    return multiprocessing.current_process().name


def tell(queue):
    queue.put((name(), draw()))


def tell_nested(queue):
    """Tell, and have two children tell, before and after drawing oneself."""
    context = multiprocessing.get_context(METHOD)
    before, after = (context.Process(target=tell, args=(queue,)) for _ in range(2))
    before.start()
    before.join()
    tell(queue)
    after.start()
    after.join()


def meet(queue, barrier):
    """Run once in each worker of a pool: nobody goes on before all have told."""
    tell(queue)
    barrier.wait(30)


def nothing(_):
    return None


def tell_listener(address):
    with multiprocessing.connection.Client(address) as connection:
        connection.send((name(), draw()))
        connection.poll(None)


def by_process(context, target=tell):
    queue = context.SimpleQueue()
    told = {}
    for _ in range(COUNT):
        process = context.Process(target=target, args=(queue,))
        process.start()
        process.join()
        while not queue.empty():
            child, drawn = queue.get()
            told[child] = drawn
    return told


def by_pool(context):
    queue, barrier = context.SimpleQueue(), context.Barrier(COUNT)
    with context.Pool(COUNT, meet, (queue, barrier)) as pool:
        pool.map(nothing, range(COUNT))
    return dict(queue.get() for _ in range(COUNT))


def by_executor(context):
    queue, barrier = context.SimpleQueue(), context.Barrier(COUNT)
    with concurrent.futures.ProcessPoolExecutor(COUNT, context, meet, (queue, barrier)) as pool:
        list(pool.map(nothing, range(COUNT)))
    return dict(queue.get() for _ in range(COUNT))


def by_loky(_):
    """Nobody gets a second task before each worker has told what it drew for its first."""
    from joblib.externals.loky import get_reusable_executor

    told = {}
    with multiprocessing.connection.Listener() as listener:
        pool = get_reusable_executor(COUNT)
        tasks = [pool.submit(tell_listener, listener.address) for _ in range(COUNT)]
        waiting = [listener.accept() for _ in tasks]
        for connection in waiting:
            child, drawn = connection.recv()
            told[child] = drawn
        for connection in waiting:
            connection.close()
        for task in tasks:
            task.result()
    return told


def by_os_fork(_):
    """Fork thrice, and let each child fork once more."""
    told = {}
    for child in range(COUNT):
        told |= in_fork(lambda child=child: {f"{child}": draw()} | in_fork(grandchild(child)))
    return told


def grandchild(child):
    return lambda: {f"{child}.0": draw()}


def in_fork(function):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(function()).encode())
        os._exit(0)
    os.wait()
    return json.loads(os.read(reading, 65536))


def main():
    parent = draw()
    context = multiprocessing.get_context(None if METHOD == "none" else METHOD)
    if HOW == "preload":
        context.set_forkserver_preload(LIBRARIES)
    how = {
        "process": by_process,
        "preload": by_process,
        "nested": lambda context: by_process(context, tell_nested),
        "pool": by_pool,
        "executor": by_executor,
        "loky": by_loky,
        "os_fork": by_os_fork,
    }
    children = how[HOW](context)
    print(json.dumps({"parent": parent, "children": children, "parent after": draw()}))


if __name__ == "__main__":
    main()
