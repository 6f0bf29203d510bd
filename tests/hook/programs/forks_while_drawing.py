"""Fork while another thread draws: forks_while_drawing.py HOW LIBRARY.

HOW: `bare` forks children that end at once, `pool` makes pools that do not draw, `subprocess`
runs programs with a preexec_fn. LIBRARY: numpy or torch.
"""

import multiprocessing
import os
import subprocess
import sys
import threading

HOW, LIBRARY = sys.argv[1:]


def draw() -> None:
    if LIBRARY == "numpy":
        import numpy

        numpy.random.rand(3_000_000)
    else:
        import torch

        torch.rand(10_000_000)


def draw_for_ever() -> None:
    while True:
        draw()


def same(number: int) -> int:
    return number


def main() -> None:
    draw()
    threading.Thread(target=draw_for_ever, daemon=True).start()
    for _ in range(5):
        if HOW == "bare":
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitpid(child, 0)
        elif HOW == "pool":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                pool.map(same, range(4))
        else:
            subprocess.run(["true"], preexec_fn=os.setsid, check=True)
    print("done", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
