"""The programs of `scripts/`, and what is to be expected of each.

A program prints as its last line a JSON object: `result` is everything in it that is random;
`workers`, where it has any, is what each worker drew first. Of a program that no seed makes
repeatable, `repeats` has numbers that the seed decides all the same: two runs under one seed have
some of them in common, runs under two seeds none.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Program:
    """One program.

    Attributes:
        file: its name in `scripts/`.
        what: what it stands for, in a few words.
        how: what runs it.
        workers: it says what its workers drew, and no two may have drawn the same.
        depends_on_seed: another SEED gives another result.
        exception: why no seed can make it repeat; empty where one can.
        instead: what to do about that.
    """

    file: str
    what: str
    how: Literal["script", "notebook", "torchrun"] = "script"
    workers: bool = False
    depends_on_seed: bool = True
    exception: str = ""
    instead: str = ""

    @property
    def name(self) -> str:
        return self.file.partition(".")[0]


PROGRAMS = (
    Program("random_simulation.py", "simulation with random.Random()"),
    Program("numpy_generator.py", "Monte Carlo with default_rng(), RandomState(), SeedSequence()"),
    Program("pandas_shuffle.py", "pandas sample and bootstrap"),
    Program("sklearn_forest.py", "scikit-learn split, random forest, permutation importance"),
    Program("sklearn_kmeans.py", "scikit-learn k-means, SGD, ShuffleSplit"),
    Program("xgboost_subsample.py", "XGBoost with subsampling"),
    Program("optuna_study.py", "Optuna study, default sampler"),
    Program("gymnasium_episodes.py", "Gymnasium episodes, random actions"),
    Program("numba_walk.py", "np.random in Numba's compiled code"),
    Program("albumentations_images.py", "Albumentations on an image and its mask"),
    Program("torchvision_transforms.py", "torchvision transforms, v1 and v2"),
    Program("torch_training.py", "plain PyTorch training with dropout"),
    Program("geometric_gcn.py", "PyTorch Geometric GCN with dropout"),
    Program("hf_generate.py", "Hugging Face generate, sampling"),
    Program("hf_trainer.py", "Hugging Face Trainer"),
    Program("lightning_trainer.py", "Lightning Trainer, 2 DataLoader workers"),
    Program(
        "dataloader_held.py", "DataLoader workers, generators held by the data set", workers=True
    ),
    Program(
        "dataloader_own.py", "DataLoader workers, generators made in each worker", workers=True
    ),
    Program("pool_fork.py", "multiprocessing pool, fork", workers=True),
    Program("pool_spawn.py", "multiprocessing pool, spawn", workers=True),
    Program("forkserver_processes.py", "multiprocessing processes, forkserver", workers=True),
    Program("futures_processes.py", "ProcessPoolExecutor, a generator a task", workers=True),
    Program("nested_pools.py", "process pools in child processes", workers=True),
    Program("joblib_loky.py", "joblib Parallel over loky", workers=True),
    Program("bare_forks.py", "os.fork", workers=True),
    Program("thread_generators.py", "threads with generators of their own", workers=True),
    Program("gevent_simulation.py", "gevent greenlets, patched standard library", workers=True),
    Program("noisy_sine.ipynb", "Jupyter notebook", how="notebook"),
    Program("pytest_suite.py", "test suite under pytest-randomly"),
    # SEED_INIT_RANKS is `same` by default: both ranks draw the same, so they are no workers here.
    Program("torchrun_ddp.py", "torchrun, DDP on 2 ranks over gloo", how="torchrun"),
    # PYTHONHASHSEED decides this, which the image sets and no hook can.
    Program("set_order.py", "order of a set of strings", depends_on_seed=False),
    Program(
        "sklearn_search.py",
        "scikit-learn search with n_jobs=2",
        exception="each fit draws from the worker that gets it, and who is free first gets it",
        instead="give the estimator a random_state, or use n_jobs=1",
    ),
    Program(
        "hogwild.py",
        "Hogwild: shared weights without locks",
        exception="the operating system decides in which order the processes update the weights",
        instead="average gradients at each step, as DistributedDataParallel does",
    ),
    Program(
        "as_completed.py",
        "results in the order of as_completed",
        exception="which worker gets a task and which is done first depends on the machine's load",
        instead="use map, which keeps the order, and hand each task a generator by spawn()",
    ),
    Program(
        "time_budget.py",
        "search that ends with the clock",
        exception="how many tries fit into the time depends on the machine's load",
        instead="end after a number of tries",
    ),
)
