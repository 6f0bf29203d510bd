# SPDX-License-Identifier: Apache-2.0
"""Functions of NumPy, SciPy, scikit-learn, XGBoost and Python's math, each with fixed inputs.

A function here is a case: it makes its own inputs, so that what one case computes is nothing of
another's. Inputs are drawn by `uniform`, which uses whole numbers and one exact division, so that
every machine has the same.
"""

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = Any
Function = Callable[[], Any]

FLOATS = (np.float32, np.float64)


def uniform(count: int, low: float, high: float, number: int = 1) -> Array:
    """Float64 numbers from `low` to `high`, the same bits on every machine.

    Args:
        count: how many.
        low: bound of the numbers, exactly representable with few bits.
        high: the other one.
        number: of the series.
    """
    places = np.arange(count, dtype=np.uint64)
    state = (places + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15 + 2 * number)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    bits = (state ^ (state >> np.uint64(31))) >> np.uint64(40)  # 24 bits: exact in float32
    return bits.astype(np.float64) / 2**24 * (high - low) + low


def matrix(rows: int, columns: int, kind: Any = np.float64, number: int = 1) -> Array:
    """A matrix of numbers from -2 to 2."""
    return uniform(rows * columns, -2, 2, number).astype(kind).reshape(rows, columns)


def definite(size: int, kind: Any = np.float64) -> Array:
    """A symmetric positive definite matrix, made without a product."""
    half = matrix(size, size, kind, 9)
    return (half + half.T + 8 * math.isqrt(size) * np.eye(size, dtype=kind)).astype(kind)


# --- NumPy --------------------------------------------------------------------------------------


def numpy_functions() -> Iterator[tuple[str, Function]]:
    for kind in FLOATS:
        bits = np.dtype(kind).itemsize * 8
        for name, function in (*arrays(kind), *elementwise(kind)):
            yield f"numpy.{name}.float{bits}", function
    yield from draws()


def arrays(kind: Any) -> Iterator[tuple[str, Function]]:
    """Products, sums, linear algebra, transforms and complex arithmetic."""
    a, b = matrix(200, 150, kind), matrix(150, 170, kind, 2)
    v, w = uniform(70001, -4, 4).astype(kind), uniform(70001, -4, 4, 3).astype(kind)
    s = definite(150, kind)
    big = (matrix(600, 600, kind, 4), matrix(600, 600, kind, 5))
    c, d = v + 1j * w, w + 1j * (np.abs(v) + kind(0.5))
    yield "matmul", lambda: a @ b
    yield "matmul_600", lambda: big[0] @ big[1]
    yield "matvec", lambda: a @ b[:, 0]
    yield "dot", lambda: v @ w
    yield "inner", lambda: np.inner(a[:50], a[50:99])
    yield "tensordot", lambda: np.tensordot(a.reshape(20, 10, 150), b, 1)
    yield "einsum", lambda: np.einsum("ij,jk->ik", a, b)
    yield "kron", lambda: np.kron(a[:9, :9], b[:7, :7])
    for name in ("sum", "mean", "std", "var", "nansum", "median", "cumsum", "gradient", "sort"):
        yield name, lambda name=name: getattr(np, name)(v)  # type: ignore[misc]
    for name in ("sum", "mean", "var"):
        for axis in (0, 1):
            yield f"{name}_axis{axis}", lambda n=name, x=axis: getattr(np, n)(a, axis=x)  # type: ignore[misc]
    yield "prod", lambda: np.prod(1 + v[:99] / 16)
    yield "trapezoid", lambda: np.trapezoid(v)
    yield "quantile", lambda: np.quantile(v, 0.3)
    yield "histogram", lambda: np.histogram(v, 50)
    yield "corrcoef", lambda: np.corrcoef(a[:20])
    yield "cov", lambda: np.cov(a[:20])
    yield "convolve", lambda: np.convolve(v[:900], v[:50])
    yield "interp", lambda: np.interp(v[:99], np.arange(10), w[:10])
    yield "polyfit", lambda: np.polyfit(np.arange(50.0), v[:50].astype(np.float64), 5)
    yield "inv", lambda: np.linalg.inv(s)
    yield "cholesky", lambda: np.linalg.cholesky(s)
    yield "eigh", lambda: np.linalg.eigh(s)
    yield "eigvals", lambda: np.linalg.eigvals(a[:40, :40])
    yield "svd", lambda: np.linalg.svd(a)
    yield "qr", lambda: np.linalg.qr(a)
    yield "solve", lambda: np.linalg.solve(s, b[:, :3])
    yield "lstsq", lambda: np.linalg.lstsq(a, a[:, 0], rcond=None)[0]
    yield "slogdet", lambda: np.linalg.slogdet(s)
    yield "pinv", lambda: np.linalg.pinv(a)
    yield "norm", lambda: np.linalg.norm(v)
    yield "fft", lambda: np.fft.fft(v[:1000])
    yield "rfft", lambda: np.fft.rfft(v[:1009])
    yield "fft2", lambda: np.fft.fft2(a)
    yield "complex_multiply", lambda: c * d
    yield "complex_divide", lambda: c / d
    for name in ("exp", "log", "sqrt", "abs", "sin"):
        yield f"complex_{name}", lambda name=name: getattr(np, name)(c)  # type: ignore[misc]


ANYWHERE = (
    *("sin", "cos", "tan", "exp", "exp2", "expm1", "sinh", "cosh", "tanh", "arctan", "arcsinh"),
    *("cbrt", "square", "rint", "sinc", "i0"),
)
POSITIVE = ("log", "log2", "log10", "log1p", "sqrt", "reciprocal")
UP_TO_ONE = ("arcsin", "arccos", "arctanh")
BINARY = ("arctan2", "hypot", "fmod", "logaddexp", "logaddexp2", "divide", "floor_divide")


def elementwise(kind: Any) -> Iterator[tuple[str, Function]]:
    """Functions of each element."""
    v, w = uniform(70001, -4, 4).astype(kind), uniform(70001, -4, 4, 3).astype(kind)
    positive = np.abs(w) + kind(0.0625)
    for names, values in (
        (ANYWHERE, v),
        (POSITIVE, positive),
        (UP_TO_ONE, v / kind(4.5)),
        (("arccosh",), positive + kind(1)),
    ):
        for name in names:
            yield name, lambda n=name, x=values: getattr(np, n)(x)  # type: ignore[misc]
    for name in BINARY:
        yield name, lambda n=name: getattr(np, n)(v, positive)  # type: ignore[misc]
    yield "power", lambda: np.power(positive, v)


SHAPES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("gamma", (2.5,)),
    ("beta", (2, 3)),
    ("poisson", (4,)),
    ("binomial", (20, 0.3)),
    ("lognormal", ()),
    ("vonmises", (0, 4)),
    ("gumbel", ()),
    ("logistic", ()),
    ("weibull", (2,)),
    ("dirichlet", ([1, 2, 3],)),
    ("multivariate_normal", ([0, 1], [[1, 0.25], [0.25, 2]])),
    ("hypergeometric", (10, 20, 8)),
    ("zipf", (2.5,)),
    ("standard_cauchy", ()),
    ("standard_t", (3,)),
    ("normal", (1, 2)),
    ("exponential", (2,)),
)


def draws() -> Iterator[tuple[str, Function]]:
    """The distributions of both of NumPy's generators."""
    for name, shape in SHAPES:
        yield (
            f"numpy.generator.{name}",
            lambda n=name, s=shape: getattr(np.random.default_rng(5), n)(*s, size=3000),  # type: ignore[misc]
        )
        yield (
            f"numpy.legacy.{name}",
            lambda n=name, s=shape: getattr(np.random.RandomState(5), n)(*s, size=3000),  # type: ignore[misc]
        )
    yield "numpy.generator.permutation", lambda: np.random.default_rng(5).permutation(5000)
    yield "numpy.legacy.permutation", lambda: np.random.RandomState(5).permutation(5000)


# --- Python -------------------------------------------------------------------------------------

MATH = (
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh"),
    *("tanh", "asinh", "atan", "erf", "erfc", "gamma", "lgamma", "cbrt", "sqrt"),
)


def python_functions() -> Iterator[tuple[str, Function]]:
    """The math module, which is the C library's, and the draws of random that use it."""
    values = [float(each) for each in uniform(4000, 0, 4) + 2**-10]
    for name in MATH:
        if hasattr(math, name):  # cbrt and exp2: Python 3.11
            yield f"math.{name}", lambda n=name: [getattr(math, n)(x) for x in values]  # type: ignore[misc]
    yield "math.pow", lambda: [math.pow(x, 1.37) for x in values]
    yield "math.atan2", lambda: [math.atan2(x, 1.37) for x in values]
    yield "math.fsum", lambda: math.fsum(values)
    yield "math.hypot", lambda: math.hypot(*values[:50])
    for name, shape in (
        ("gauss", (0, 1)),
        ("expovariate", (1,)),
        ("betavariate", (2, 3)),
        ("vonmisesvariate", (0, 2)),
    ):
        yield f"random.{name}", lambda n=name, s=shape: _drawn(n, s)  # type: ignore[misc]


def _drawn(name: str, shape: tuple[float, ...]) -> list[float]:
    draw = getattr(random.Random(3), name)
    return [draw(*shape) for _ in range(2000)]


# --- SciPy --------------------------------------------------------------------------------------


def scipy_functions() -> Iterator[tuple[str, Function]]:
    for group in (scipy_algebra, scipy_solvers, scipy_special, scipy_data):
        for name, function in group():
            yield f"scipy.{name}", function


def scipy_algebra() -> Iterator[tuple[str, Function]]:
    from scipy import fft, linalg, sparse
    from scipy.sparse import linalg as sparse_linalg

    s, a, v = definite(100), matrix(120, 100), uniform(5000, -4, 4)
    yield "expm", lambda: linalg.expm(s / 512)
    yield "lu_factor", lambda: linalg.lu_factor(s)
    yield "cholesky", lambda: linalg.cholesky(s)
    yield "eigh", lambda: linalg.eigh(s)
    yield "schur", lambda: linalg.schur(s[:30, :30])
    yield "sqrtm", lambda: linalg.sqrtm(s)
    yield "logm", lambda: linalg.logm(s[:30, :30])
    yield "svd", lambda: linalg.svd(a)
    yield "solve_toeplitz", lambda: linalg.solve_toeplitz(np.append(9, v[:40]), v[:41])
    yield "fft", lambda: fft.fft(v)
    yield "dct", lambda: fft.dct(v[:1000])
    thin = sparse.csc_matrix(np.where(np.abs(s) > 1, s, 0))
    yield "spsolve", lambda: sparse_linalg.spsolve(thin, v[:100])
    yield "eigsh", lambda: np.abs(sparse_linalg.eigsh(s, 3, v0=v[:100])[0])
    yield "cg", lambda: sparse_linalg.cg(s, v[:100])[0]
    yield "svds", lambda: sparse_linalg.svds(a, 3, v0=v[:100])[1]


def scipy_solvers() -> Iterator[tuple[str, Function]]:
    from scipy import integrate, optimize

    a, start = matrix(120, 100), [1.25, 0.75, 0.75, 1.875, 1.25]
    times, noise = np.arange(50) / 8, uniform(50, -1, 1) / 16
    for method in ("BFGS", "L-BFGS-B", "Nelder-Mead"):
        yield (
            f"minimize_{method}",
            lambda m=method: optimize.minimize(optimize.rosen, start, method=m).x,  # type: ignore[misc]
        )
    yield (
        "curve_fit",
        lambda: optimize.curve_fit(
            lambda t, x, y: x * np.exp(-y * t), times, 2.5 * np.exp(-1.25 * times) + noise
        ),
    )
    yield (
        "least_squares",
        lambda: optimize.least_squares(lambda p: a[:, :3] @ p - a[:, 4], np.zeros(3)).x,
    )
    yield (
        "linprog",
        lambda: optimize.linprog(np.ones(10), A_ub=-np.abs(a[:5, :10]), b_ub=-np.ones(5)).x,
    )
    yield (
        "differential_evolution",
        lambda: optimize.differential_evolution(optimize.rosen, [(0, 2)] * 3, seed=1, maxiter=30).x,
    )
    yield "brentq", lambda: optimize.brentq(lambda x: math.exp(x) - 3, 0, 4)
    yield "quad", lambda: integrate.quad(lambda t: math.exp(-t * t), 0, 3)
    yield (
        "solve_ivp",
        lambda: (
            integrate.solve_ivp(lambda t, y: [y[1], -np.sin(y[0])], (0, 9), [1, 0], rtol=1e-8).y
        ),
    )
    yield (
        "odeint",
        lambda: integrate.odeint(lambda y, t: [y[1], -np.sin(y[0])], [1, 0], np.linspace(0, 9, 50)),
    )


def scipy_special() -> Iterator[tuple[str, Function]]:
    from scipy import special, stats

    v = uniform(5000, -4, 4)
    x = np.abs(v) + 0.0625
    for name, values in (
        *(("gamma", x), ("gammaln", x), ("digamma", x), ("erf", v), ("erfinv", v / 5)),
        *(("expit", v), ("logsumexp", v), ("softmax", v), ("ndtri", x / 5)),
    ):
        yield name, lambda n=name, z=values: getattr(special, n)(z)  # type: ignore[misc]
    yield "jv", lambda: special.jv(1.5, x)
    yield "betainc", lambda: special.betainc(2, 3, x / 5)
    yield "zeta", lambda: special.zeta(x + 1.125)
    yield "hyp2f1", lambda: special.hyp2f1(0.5, 1, 1.5, v / 9)
    yield "norm_ppf", lambda: stats.norm.ppf(np.linspace(0.01, 0.99, 99))
    yield "t_cdf", lambda: stats.t.cdf(v, 5)
    yield "kstest", lambda: stats.kstest(v, "norm").statistic
    yield "pearsonr", lambda: stats.pearsonr(v[:100], x[100:200])[0]
    yield "gaussian_kde", lambda: stats.gaussian_kde(v[:200])(v[:50])
    yield "ttest_ind", lambda: stats.ttest_ind(v[:100], x[:100]).statistic
    yield "mannwhitneyu", lambda: stats.mannwhitneyu(v[:100], x[:100]).pvalue


def scipy_data() -> Iterator[tuple[str, Function]]:
    from scipy import interpolate, ndimage, signal, spatial
    from scipy.cluster import hierarchy

    a, v = matrix(120, 100), uniform(5000, -4, 4)
    yield "lfilter", lambda: signal.lfilter(*signal.butter(4, 0.2), v)
    yield "welch", lambda: signal.welch(v)[1]
    yield "fftconvolve", lambda: signal.fftconvolve(v, v[:300])
    yield (
        "cubic_spline",
        lambda: interpolate.CubicSpline(np.arange(50), v[:50])(np.linspace(0, 49, 500)),
    )
    yield "rbf", lambda: interpolate.RBFInterpolator(a[:, :2], a[:, 3])(a[:20, 4:6])
    yield "gaussian_filter", lambda: ndimage.gaussian_filter(a, 2.0)
    yield "zoom", lambda: ndimage.zoom(a, 1.5)
    yield "cdist", lambda: spatial.distance.cdist(a, a[:9])
    yield "convex_hull", lambda: spatial.ConvexHull(a[:, :3]).volume
    yield "ward", lambda: hierarchy.linkage(a, "ward")


# --- scikit-learn and XGBoost -------------------------------------------------------------------


def sklearn_functions() -> Iterator[tuple[str, Function]]:
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge, SGDClassifier
    from sklearn.manifold import TSNE
    from sklearn.mixture import GaussianMixture
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    x, target = table(400, 12)
    y = (target > 0).astype(int)
    forest = RandomForestClassifier(30, random_state=0, n_jobs=2)
    boosting = GradientBoostingClassifier(n_estimators=20, random_state=0)
    histograms = HistGradientBoostingClassifier(max_iter=20, random_state=0)
    perceptron = MLPClassifier(16, max_iter=20, random_state=0)
    neighbours = TSNE(perplexity=10, max_iter=250, random_state=0, init="random")
    for name, function in (
        ("scaler", lambda: StandardScaler().fit_transform(x)),
        ("forest", lambda: forest.fit(x, y).predict_proba(x)),
        ("kmeans", lambda: KMeans(5, n_init=3, random_state=0).fit(x).cluster_centers_),
        ("logistic", lambda: LogisticRegression().fit(x, y).coef_),
        ("boosting", lambda: boosting.fit(x, y).predict_proba(x)),
        ("histogram_boosting", lambda: histograms.fit(x, y).predict_proba(x)),
        ("svc", lambda: SVC().fit(x, y).decision_function(x)),
        ("pca", lambda: PCA(4).fit_transform(x)),
        ("ridge", lambda: Ridge().fit(x, target).coef_),
        ("elastic_net", lambda: ElasticNet(0.01).fit(x, target).coef_),
        ("sgd", lambda: SGDClassifier(random_state=0).fit(x, y).coef_),
        ("mixture", lambda: GaussianMixture(3, random_state=0).fit(x).means_),
        ("perceptron", lambda: perceptron.fit(x, y).coefs_),
        ("process", lambda: GaussianProcessRegressor().fit(x[:100], target[:100]).predict(x)),
        ("tsne", lambda: neighbours.fit_transform(x[:100])),
        ("neighbours", lambda: KNeighborsClassifier().fit(x, y).kneighbors(x)[0]),
    ):
        yield f"sklearn.{name}", function


def table(rows: int, columns: int) -> tuple[Array, Array]:
    """Inputs and a target that depends on them, made without a product of matrices."""
    x = matrix(rows, columns)
    x[:, 3] *= 3
    target = x[:, 0] - 2 * x[:, 1] + 0.5 * x[:, 3] + 0.25 * matrix(rows, 1, number=8)[:, 0]
    return x, target


def xgboost_functions() -> Iterator[tuple[str, Function]]:
    import xgboost

    x, target = table(3000, 12)

    def boosted(method: str, objective: str) -> Array:
        label = target if objective.startswith("reg") else target > 0
        data = xgboost.DMatrix(x.astype(np.float32), label)
        options = {"tree_method": method, "subsample": 0.8, "seed": 1, "objective": objective}
        return xgboost.train(options, data, 20).predict(data)

    yield "xgboost.hist", lambda: boosted("hist", "reg:squarederror")
    yield "xgboost.exact", lambda: boosted("exact", "binary:logistic")
    yield "xgboost.approx", lambda: boosted("approx", "binary:logistic")


GROUPS: dict[str, Callable[[], Iterator[tuple[str, Function]]]] = {
    "numpy": numpy_functions,
    "python": python_functions,
    "scipy": scipy_functions,
    "sklearn": sklearn_functions,
    "xgboost": xgboost_functions,
}
"""Library -> its functions. Making the first one imports the library."""
