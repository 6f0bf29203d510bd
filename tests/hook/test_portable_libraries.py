"""What level portable pins in libraries that no variable reaches, and what variables pin there."""

import types
from pathlib import Path

import pytest

from harness.processes import answer, run
from seed_init.libraries import torch_inductor

PORTABLE = {"SEED": "7", "DETERMINISM": "portable", "SEED_INIT_LOG": "quiet"}

TORCH = """
import json, torch
from torch._inductor import config, cpp_builder
print(json.dumps([torch.backends.quantized.engine, config.cpp.simdlen, config.cpp.threads,
                  config.max_autotune_gemm_backends, config.max_autotune_conv_backends,
                  cpp_builder._get_optimization_cflags("g++")]))
"""


@pytest.mark.torch
def test_inductor_makes_the_same_code_on_every_cpu(python: Path) -> None:
    engine, *choices, flags = answer(python, "-c", TORCH, env=PORTABLE)
    assert choices == [256, 2, "ATEN", "ATEN"]
    assert "march=haswell" in flags
    assert "march=native" not in flags
    # The engine x86 gives operators to oneDNN on CPUs with VNNI only.
    assert engine != "x86"


def test_an_inductor_that_cannot_be_pinned_is_refused_when_it_compiles() -> None:
    builder = types.SimpleNamespace(CppBuilder=object)
    torch_inductor.pin_flags(builder)
    with pytest.raises(RuntimeError, match="is not accepted under DETERMINISM=portable"):
        builder.CppBuilder("name", ["source.cpp"])


NUMBA = """
import json
import numba.core.config as config
print(json.dumps([config.NUMBA_NUM_THREADS, config.CPU_NAME, config.CPU_FEATURES,
                  config.DISABLE_INTEL_SVML]))
"""


def test_numba_compiles_for_the_same_cpu_and_as_many_threads(python: Path) -> None:
    assert answer(python, "-c", NUMBA, env=PORTABLE) == [2, "haswell", "+avx2,+fma", 1]


CV2 = """
import cv2, json
import numpy as np
cv2.resize(np.ones((9, 9), "f4"), (5, 5), interpolation=cv2.INTER_CUBIC)
print(json.dumps([cv2.getNumThreads(), cv2.ipp.useIPP()]))
"""


def test_opencv_leaves_intels_functions_out_without_a_warning(python: Path) -> None:
    done = run(python, "-c", CV2, env=PORTABLE)
    assert (done.stdout, done.stderr) == ("[2, false]\n", "")


# Each sum has more than two parts: two have the same sum in either order.
SKLEARN = """
import hashlib, json
import numpy as np
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestRegressor
data = np.random.default_rng(3).standard_normal((5000, 12))
answer = data[:, 0] * data[:, 1]
digest = lambda array: hashlib.sha1(array.tobytes()).hexdigest()
forest = RandomForestRegressor(12, max_depth=6, random_state=0, n_jobs=4)
forest.fit(data[:500], answer[:500])
means = lambda: KMeans(5, n_init=1, max_iter=60, random_state=0).fit(data).cluster_centers_
print(json.dumps([len({digest(forest.predict(data)) for _ in range(12)}),
                  len({digest(means()) for _ in range(12)})]))
"""


def test_scikit_learn_adds_up_in_one_order(python: Path) -> None:
    threads = {"SEED_INIT_THREADS": "4"}
    assert answer(python, "-c", SKLEARN, env={**PORTABLE, **threads}) == [1, 1]


def test_numpy_does_not_warn_of_features_that_it_does_not_know(
    python: Path, tmp_path: Path
) -> None:
    done = run(python, "-W", "error", "-c", "import numpy", env=PORTABLE)
    assert (done.stderr, done.returncode) == ("", 0)

    test = "import numpy\n\ndef test_sum():\n    assert numpy.arange(3).sum() == 3\n"
    (tmp_path / "test_sum.py").write_text(test)
    done = run(python, "-m", "pytest", "-q", "-W", "error", env=PORTABLE, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


XGBOOST = """
import json
import numpy as np, xgboost
data = xgboost.DMatrix(np.ones((4, 2)), np.ones(4))
def updater(**params):
    booster = xgboost.train({"booster": "gblinear", **params}, data, 1)
    return updater_of(booster)
def updater_of(booster):
    trained = json.loads(booster.save_config())["learner"]["gradient_booster"]
    return trained["gblinear_train_param"]["updater"]
def updater_of_one_parameter():
    booster = xgboost.Booster({}, [data])
    booster.set_param("booster", "gblinear")
    booster.update(data, 0)
    return updater_of(booster)
def refusal():
    try:
        updater(updater="shotgun")
    except RuntimeError as error:
        return str(error)
print(json.dumps([updater(), updater_of_one_parameter(), refusal()]))
"""


def test_xgboost_fits_linear_boosters_without_a_race(python: Path) -> None:
    *updaters, refusal = answer(python, "-c", XGBOOST, env=PORTABLE)
    assert updaters == ["coord_descent", "coord_descent"]
    assert refusal.startswith("under DETERMINISM=portable updater='shotgun' of XGBoost is not")


def test_a_library_for_which_nothing_is_promised_is_named(python: Path, tmp_path: Path) -> None:
    (tmp_path / "jax.py").touch()
    env = {**PORTABLE, "SEED_INIT_LOG": "info", "PYTHONPATH": str(tmp_path)}
    line = "seed_init: DETERMINISM=portable does not promise the same bits for jax: "
    assert run(python, "-c", "import jax", env=env).stderr.startswith(line)
    strict = {**env, "DETERMINISM": "strict"}
    assert run(python, "-c", "import jax", env=strict).stderr == ""
