"""Launches every operator of the GPU tests' catalogue, under `off` and under `warn`.

    catalogue.py DIRECTORY      the tests' directory

Prints {operator: {level: [what PyTorch warned of, what the audit noted]}}.
"""

import json
import sys
import warnings

import torch

sys.path.insert(0, sys.argv[1])

from gpu.operators import OPERATORS, Inputs

from seed_init.proof.observer.audit import findings

noted = []
findings.note = lambda kind, what, spot, detail="": noted.append(detail)
torch.backends.cudnn.deterministic = False


def launched(launch):
    noted.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            launch()
        except RuntimeError as error:
            print(error, file=sys.stderr)  # of a library that does not run here
    told = [str(each.message) for each in caught]
    return [each for each in told if "a deterministic implementation" in each], list(noted)


seen = {}
for name, operator in OPERATORS.items():
    if operator.device == "cuda":
        torch.use_deterministic_algorithms(False)
        try:
            launch = operator.prepare(Inputs("cuda", False))
        except RuntimeError as error:
            print(name, error, file=sys.stderr)
            continue
        seen[name] = {"off": launched(launch)}
        torch.use_deterministic_algorithms(True, warn_only=True)
        seen[name]["warn"] = launched(launch)
# The thread of the last backward may still drop what it held, for which it wants the GIL. If Python
# ended meanwhile, the process would abort. One more backward waits for the thread.
torch.ones(1, device="cuda", requires_grad=True).sum().backward()
print(json.dumps(seen))
