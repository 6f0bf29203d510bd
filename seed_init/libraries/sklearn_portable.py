# SPDX-License-Identifier: Apache-2.0
"""scikit-learn under level `portable`: no sum whose order depends on which thread is first.

k-means adds up the centers of its threads in the order in which the threads get a lock
(sklearn/cluster/_k_means_lloyd.pyx), and t-SNE's sums are OpenMP reductions, which have no order
(sklearn/manifold/_barnes_hut_tsne.pyx). Both get one thread. A forest with `n_jobs` adds up the
predictions of its trees as the threads come (sklearn/ensemble/_forest.py): the trees are grown by
as many threads as before, and predict one after the other.
"""

import sys

from seed_init.hook import debug
from seed_init.hook.callers import like

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

THREADS = "_openmp_effective_n_threads"
"""The function that the modules ask how many threads OpenMP is to use."""

JOBS = "_partition_estimators"
"""The function that a forest asks how many threads are to predict; growing does not ask."""


def imported(name: str) -> None:
    """Pin what has just been imported.

    Args:
        name: the full name of a module of scikit-learn.
    """
    module = sys.modules[name]
    for function, stand_in in ((THREADS, _one_thread), (JOBS, _one_job)):
        original = getattr(module, function, None)
        if original is not None:
            setattr(module, function, stand_in(original))
            debug(f"{name}: one thread (DETERMINISM=portable)")


def _one_thread(original: "Any") -> "Any":
    def one(n_threads: "int | None" = None, only_physical_cores: bool = True) -> int:
        return 1

    return one


def _one_job(original: "Any") -> "Any":
    @like(original)
    def one(n_estimators: int, n_jobs: "int | None") -> "Any":
        return original(n_estimators, 1)

    return one
