# SPDX-License-Identifier: Apache-2.0
"""Libraries with generators of their own that SEED does not reach; `seed-init audit` names them.

docs/reference/libraries.md has the whole list, with what was tried and what was read.
"""

REMEDIES = {
    "duckdb": "SET threads = 1 and SELECT setseed(x) on each connection, or USING SAMPLE "
    "reservoir(5 ROWS) REPEATABLE (n)",
    "fasttext": "thread=1; its seed is fixed, so that SEED has no effect",
    "gensim": "workers=1, or more runs: several threads train on one model without a lock",
    "libsvm": "ctypes.CDLL(None).srand(n) after its import, in workers as well",
    "openmm": "setRandomNumberSeed(n) on each integrator, barostat and thermostat",
    "paddle": "call paddle.seed(n) where the program starts and in each worker",
    "rdkit": "pass randomSeed=n; what MolToSmiles(doRandom=True) draws cannot be seeded: "
    "MolToRandomSmilesVect(mol, k, randomSeed=n)",
    "sentencepiece": "pip install 'sentencepiece<0.2.2': later releases cannot be seeded",
    "SimpleITK": "SetSeed(n) on each filter that makes noise",
    "tinygrad": "call tinygrad.Tensor.manual_seed(n)",
    "tokenizers": "with BPE dropout: encode once, before training, or in a model whose dropout is "
    "None; its generators in Rust cannot be seeded",
}
"""Module -> what to do where its numbers matter."""
