"""What other threads, children and signals see while attention's backward switches the flag.

python attention_threads.py; prints JSON, each entry of which is to be 0 or true.
"""

import faulthandler
import itertools
import json
import os
import signal
import sys
import threading
import time
import warnings

import torch
import torch.nn.functional as F

faulthandler.dump_traceback_later(50, exit=True)  # a deadlock
sys.setswitchinterval(1e-5)  # seconds for which a thread keeps the interpreter from others
warnings.simplefilter("ignore")
aten, told = torch.ops.aten, {}
MODES = {"default": 0, "warn": 1, "error": 2}
attention = sys.modules["seed_init.libraries.torch_attention"]


def mode():
    return torch.get_deterministic_debug_mode()


def query(device="cuda:0"):
    return torch.zeros(2, 4, 256, 64, device=device, dtype=torch.bfloat16, requires_grad=True)


def put():
    torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))


class Beside:
    """A thread that goes through backward passes of attention as long as the block lasts."""

    def __enter__(self):
        self.passes, self.stop = 0, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def run(self):
        q = query()
        while not self.stop.is_set():
            F.scaled_dot_product_attention(q, q, q).sum().backward()
            self.passes += 1

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def a_while():
    """Numbers, for half a second."""
    end = time.monotonic() + 0.5
    yield from itertools.takewhile(lambda _: time.monotonic() < end, itertools.count())


def raises(call):
    try:
        call()
    except RuntimeError:
        return 1
    return 0


# Autograd's threads of two devices: attention in one, in the other what alerts.
q, image = query(), torch.zeros(1, 1, 8, 8, device="cuda:1", requires_grad=True)
told["operators that raised in the other device's thread"] = 0
for _ in range(30):
    losses = []
    for _ in range(8):
        losses.append(F.scaled_dot_product_attention(q, q, q).sum())
        losses.append(F.interpolate(image, scale_factor=2, mode="bicubic").sum())
    told["operators that raised in the other device's thread"] += raises(
        lambda losses=losses: torch.autograd.backward(losses)
    )

with Beside():
    told["operators that raised in the main thread"] = sum(raises(put) for _ in a_while())
    told["looks that saw the switch"] = sum(mode() != MODES["warn"] for _ in a_while())
    lost = 0
    for number in a_while():
        wanted = ("default", "error", "warn")[number % 3]
        torch.set_deterministic_debug_mode(wanted)
        lost += mode() != MODES[wanted]
    torch.set_deterministic_debug_mode("warn")
    told["settings that were lost"] = lost


# Dynamo ends with an error where it finds the flag changed after it has traced.
def waiting(module, _):
    before = beside.passes
    time.sleep(0.5)
    told["the other thread waits while it is compiled"] = beside.passes - before < 2
    return module.forward


with Beside() as beside:
    torch.compile(lambda x: x + 1, backend=waiting)(torch.ones(3))

wrong = 0
with Beside():
    for _ in range(40):
        pid = os.fork()
        if not pid:
            os._exit(1 if mode() != MODES["warn"] or raises(put) else 0)
        wrong += os.waitpid(pid, 0)[1] != 0
told["children with the flag switched"] = wrong

# A signal whose handler raises, in the middle of the operator itself and of one that alerts.
half = query().detach()
out, logsumexp, start_q, start_k, max_q, max_k, seed, offset, _ = (
    aten._scaled_dot_product_flash_attention(half, half, half)
)
heads = [each.transpose(1, 2) for each in (out, half, half, half, out)]
sizes = (logsumexp, start_q, start_k, max_q, max_k)


def backward():
    aten._flash_attention_backward(*heads, *sizes, 0.0, False, seed, offset)


class Interrupted(Exception):
    pass


def interrupt(*_):
    if armed:
        raise Interrupted


signal.signal(signal.SIGALRM, interrupt)
interrupted = 0
with Beside():
    for number in range(800):
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, 1e-5 + number % 50 * 4e-6)
            backward()
            put()
            armed = False
        except Interrupted:
            armed = False
            interrupted += 1
told["signals came"] = interrupted > 50

told["an error passes"] = (
    raises(
        lambda: aten._flash_attention_backward(*heads[:4], half, *sizes, 0.0, False, seed, offset)
    )
    == 1
)
told["the lock is free"] = not attention._lock._is_owned()
torch.use_deterministic_algorithms(True)
told["an operator raises where the program wants it"] = raises(put) == 1
torch.use_deterministic_algorithms(True, warn_only=True)
told["the flag is as it was"] = mode() == MODES["warn"] and not raises(put)
print(json.dumps(told))
