"""Print as JSON where CUBLAS_WORKSPACE_CONFIG is found while CUDA starts, and that products run."""

import ctypes
import json
import os
import subprocess
import sys
import threading
import types

import torch

NAME = "CUBLAS_WORKSPACE_CONFIG"
SHELL = f'printf %s "${NAME}"'
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p


def in_c() -> "str | None":
    """What C code of this process finds, as ATen and cuBLAS do."""
    found = libc.getenv(NAME.encode())
    return None if found is None else found.decode()


def product(device: str) -> None:
    matrix = torch.zeros(8, 8, device=device)
    torch.mm(matrix, matrix)
    torch.bmm(matrix[None], matrix[None])
    torch.nn.functional.linear(matrix, matrix, matrix[0])


def forked(start: "list[str]") -> str:
    """What a program finds that a forked child of this process becomes."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.dup2(write, 1)
        os.execv(start[0], start)
    os.close(write)
    with os.fdopen(read) as told:
        found = told.read()
    os.wait()
    return found


def by_system() -> str:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    os.system(f"{SHELL} >&{write}")
    os.close(write)
    with os.fdopen(read) as told:
        return told.read()


told = {"before": in_c()}
if len(sys.argv) > 1:
    # A library with cuBLAS handles of its own, which is not installed here.
    sys.modules[sys.argv[1]] = types.ModuleType(sys.argv[1])
thread = threading.Thread(target=torch.cuda.init)
thread.start()
thread.join()
told["started"] = in_c()
# No product was made for it: that would make a context on the first device of every rank.
told["allocated"] = [torch.cuda.max_memory_reserved(number) for number in range(2)]
torch.cuda.set_device(1)
product("cuda:1")
with torch.cuda.stream(torch.cuda.Stream()):
    product("cuda:1")
product("cuda:0")
worker = threading.Thread(target=product, args=("cuda:0",))
worker.start()
worker.join()
told["children"] = {
    "subprocess": subprocess.run(["/bin/sh", "-c", SHELL], capture_output=True).stdout.decode(),
    "subprocess, its environment named": subprocess.run(
        ["/bin/sh", "-c", SHELL], env=os.environ, capture_output=True
    ).stdout.decode(),
    "popen": os.popen(SHELL).read(),
    "system": by_system(),
    "exec": forked(["/bin/sh", "-c", SHELL]),
}
os.environ[NAME] = os.environ.get(NAME, "")  # as frameworks do that set it once more
told["after"] = in_c()
told["os.environ"] = os.environ[NAME]
os.environ["OTHER"] = "new"
told["other"] = subprocess.run(
    ["/bin/sh", "-c", 'printf %s "$OTHER"'], capture_output=True
).stdout.decode()
os.environ[NAME] = ":16:8"
told["another value"] = [in_c()]
os.environ[NAME] = ":4096:8"
told["another value"].append(in_c())
del os.environ[NAME]
told["removed"] = [in_c(), forked(["/bin/sh", "-c", SHELL])]
os.environ[NAME] = ":4096:8"
told["set again"] = in_c()
print(json.dumps(told))
