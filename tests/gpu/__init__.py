"""What only a GPU can show: equal bits under `warn` and `strict`, and other bits under `off`.

    make test-gpu                                  # here, with .venv
    make test-gpu PYTHON=/opt/conda/bin/python3    # a machine with a torch of its own

PYTHON is any interpreter from 3.10 on that has torch and pytest, pytest-xdist and pytest-timeout.
Without a CUDA device everything that needs one is skipped, with one reason; SEED_INIT_REQUIRE_GPU=1
makes that a failure, for a machine that is there for these tests. `test_catalogue` and
`test_harness` need no GPU.

The tests share the GPU, so they are in one group, which pytest-xdist gives to one worker;
`make test-gpu` runs them with `-n 0`, so that their output comes in order.

    operators.py     the operators that PyTorch documents as nondeterministic, as of 2.6.0
    differences.py   what newer releases do otherwise, and where the documentation is wrong
    models.py        what PyTorch says about the models of benchmarks/cost
    programs/        what is run, each in processes of its own
"""
