"""Trains on the CPU, chooses its device late, and leaves CUDA to a forked child."""

import multiprocessing
import os

import torch


def use_cuda(answers):
    answers.put(f"{torch.zeros(1, device='cuda').device}")


model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    # No backward pass: autograd counts the devices then (torch/csrc/autograd/engine.cpp).
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, model(torch.ones(1, 4)).item())
    optimizer.step()
print("started" if torch.cuda.is_initialized() else "not started")
# After the import: this works, because CUDA starts at its first use.
os.environ["CUDA_VISIBLE_DEVICES"] = "1"
context = multiprocessing.get_context("fork")
answers = context.SimpleQueue()
child = context.Process(target=use_cuda, args=(answers,))
child.start()
child.join()
print(child.exitcode, answers.get() if child.exitcode == 0 else "failed")
