# SPDX-License-Identifier: Apache-2.0
"""The same bits on another CPU: the scripts behind every figure of docs/why/portability.md.

`python -m benchmarks.portability --to FOLDER` computes the same cases on this machine and on CPUs
that qemu-user emulates, under DETERMINISM=portable and by default, and prints tables of what
differs. The folder keeps what was computed: the command can be interrupted and started again.

`machines` has the arms and runs them; `emulators` finds qemu and checks its arithmetic with
`arithmetic.c`; `census` has PyTorch's operators, and `larger` inputs of our own; `programs` has
whole trainings (`harness/trainings.py`) and the functions of `functions`; `digests` and `results`
are how a result is told and kept; `table` compares.

Programs of their own: `price` measures a training's step under the level, and `libm` finds the
arguments by which the hook tells variants of the C library apart.
"""
