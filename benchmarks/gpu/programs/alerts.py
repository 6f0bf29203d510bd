"""Alert in one thread while another goes backward through attention; print how many raised.

Under `warn` an operator without a deterministic version warns: an error here would come from a flag
that another thread has set for a moment.
"""

import threading
import warnings

import torch
from torch.nn import functional as F

PASSES = 500
errors: list[str] = []
stop = threading.Event()


def alert() -> None:
    x, index, value = torch.zeros(8), torch.tensor([0]), torch.ones(1)
    while not stop.is_set():
        try:
            x.put_(index, value)
        except RuntimeError as error:
            errors.append(str(error))


warnings.simplefilter("ignore")
thread = threading.Thread(target=alert)
thread.start()
q = torch.randn(2, 4, 512, 64, device="cuda", dtype=torch.bfloat16, requires_grad=True)
for _ in range(PASSES):
    F.scaled_dot_product_attention(q, q, q).sum().backward()
stop.set()
thread.join()
print(len(errors))
