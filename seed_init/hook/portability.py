# SPDX-License-Identifier: Apache-2.0
"""Level `portable`: the variables by which libraries compute the same bits on every x86-64 CPU.

`TABLE` has them. They are set when Python starts, because each library reads its own when it is
loaded or first used. A variable that is set to something else, or a library that is loaded before
its variable is set, ends the process: a level that is not kept is worse than none.

docs/why/portability.md says what was measured.
"""

import os
import sys

from seed_init.hook import debug, libm, refusals, say, startup, state
from seed_init.hook.settings import EXPORTED, THREADS, THREADS_OF_PORTABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

MOST_THREADS = startup.NUMBERS[THREADS][1]

WAITING = "OMP_WAIT_POLICY"
"""Changes no bits: threads that outnumber the CPUs must not spin while they wait for each other."""


class Variable:
    """One variable of an environment.

    Attributes:
        name: of the variable.
        value: what the level needs; "" stands for the number of threads.
        files: how the names of the libraries begin that read the variable, as files.
        reader: who reads the variable, and when.
        since: from which release on.
        source: where that is written.
    """

    __slots__ = ("files", "name", "reader", "since", "source", "value")

    def __init__(
        self,
        name: str,
        value: str,
        files: tuple[str, ...],
        reader: str,
        since: str,
        source: str,
    ) -> None:
        self.name, self.value, self.files = name, value, files
        self.reader, self.since, self.source = reader, since, source


_TORCH = ("libtorch_cpu.", "libtorch.")
_MKL = (*_TORCH, "libmkl_")
_OPENMP = ("libgomp", "libomp", "libiomp5")
_OPENBLAS = ("libopenblas", "libscipy_openblas")
_NUMBA = ("libllvmlite",)
_NUMBA_SOURCE = (
    "https://numba.readthedocs.io/en/stable/reference/envvars.html; numba/core/config.py"
)
_OPENCV = ("cv2.", "libopencv_")
_ONEMKL = "https://www.intel.com/content/www/us/en/docs/onemkl/developer-guide-linux/2024-2/"
_MKL_10 = "https://software.intel.com/en-us/articles/intel-mkl-10x-threading"
_OPENMP_READER = "OpenMP: GCC's when it is loaded, LLVM's and Intel's at its first call"
_OPENMP_SOURCE = (
    "https://www.openmp.org/spec-html/5.0/openmpch6.html; GCC, libgomp/env.c, initialize_env; "
    "LLVM, openmp/runtime/src/kmp_runtime.cpp, __kmp_do_serial_initialize; OpenMP 2.0: "
    "https://learn.microsoft.com/previous-versions/visualstudio/visual-studio-2008/075cey44(v=vs.90)"
)

TABLE = (
    Variable(
        "ATEN_CPU_CAPABILITY",
        "avx2",
        _TORCH,
        "PyTorch, at the first operator that has a kernel for several instruction sets",
        "PyTorch 1.0",
        "PyTorch, aten/src/ATen/native/DispatchStub.cpp, compute_cpu_capability; "
        "https://github.com/pytorch/pytorch/pull/9664",
    ),
    Variable(
        "ONEDNN_MAX_CPU_ISA",
        "AVX2",
        (*_TORCH, "libdnnl", "libtensorflow"),
        "oneDNN, when its first kernel is chosen",
        "oneDNN 2.5",
        "https://oneapi-src.github.io/oneDNN/v2.5/dev_guide_cpu_dispatcher_control.html; "
        "oneDNN, src/cpu/x64/cpu_isa_traits.cpp, init_max_cpu_isa",
    ),
    Variable(
        "MKL_CBWR",
        "COMPATIBLE",
        _MKL,
        "MKL, at its first call; the hook then chooses AVX2 in PyTorch's MKL (`torch_mkl`)",
        "seen in MKL 11.3",
        f"{_ONEMKL}specifying-code-branches.html; the same section of MKL 11.3's guide",
    ),
    Variable(
        "MKL_VML_DEBUG_CPU_TYPE",
        "1",
        _MKL,
        "MKL's vector functions, at their first call; MKL_CBWR does not reach them",
        "seen in MKL 2019",
        "no document; mkl_vml_serv_cpu_detect in libtorch_cpu.so, and in libmkl_gf_lp64.so of 2019",
    ),
    Variable(
        "MKL_NUM_THREADS",
        "",
        _MKL,
        "MKL, at its first call",
        "MKL 10.0",
        f"{_MKL_10}; {_ONEMKL}techniques-to-set-the-number-of-threads.html",
    ),
    Variable(
        "MKL_DYNAMIC",
        "FALSE",
        _MKL,
        "MKL, at its first call",
        "MKL 10.0",
        f"{_MKL_10}; {_ONEMKL}techniques-to-set-the-number-of-threads.html",
    ),
    Variable("OMP_NUM_THREADS", "", _OPENMP, _OPENMP_READER, "seen in OpenMP 2.0", _OPENMP_SOURCE),
    Variable("OMP_DYNAMIC", "FALSE", _OPENMP, _OPENMP_READER, "seen in OpenMP 2.0", _OPENMP_SOURCE),
    Variable(
        "OPENBLAS_CORETYPE",
        "Haswell",
        _OPENBLAS,
        "OpenBLAS of NumPy and SciPy, when it is loaded",
        "OpenBLAS 0.2.10",
        "OpenBLAS, driver/others/dynamic.c, gotoblas_dynamic_init, and Changelog.txt",
    ),
    Variable(
        "OPENBLAS_NUM_THREADS",
        "1",  # more would be cut to the number of CPUs
        _OPENBLAS,
        "OpenBLAS of NumPy and SciPy, when it is loaded",
        "OpenBLAS 0.1",
        "OpenBLAS, driver/others/openblas_env.c, openblas_read_env, and memory.c, "
        "blas_get_cpu_number",
    ),
    Variable(
        "NPY_DISABLE_CPU_FEATURES",
        "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL "
        "AVX512_SPR X86_V4",
        ("_multiarray_umath.",),
        "NumPy, when it is imported; a name that a release does not know only gives a warning",
        "NumPy 1.20",
        "https://numpy.org/doc/stable/reference/simd/build-options.html; "
        "NumPy, numpy/_core/src/common/npy_cpu_features.c, npy__cpu_check_env",
    ),
    Variable(
        "NUMBA_NUM_THREADS",
        "",
        _NUMBA,
        "Numba, when it is imported or compiles; a sum over `prange` is one of as many parts",
        "Numba 0.27",
        _NUMBA_SOURCE,
    ),
    Variable(
        "NUMBA_CPU_NAME",
        "haswell",
        _NUMBA,
        "Numba, when it is imported or compiles",
        "Numba 0.35",
        _NUMBA_SOURCE,
    ),
    Variable(
        "NUMBA_CPU_FEATURES",
        "+avx2,+fma",  # beside what every Haswell has; without this, all that this CPU has
        _NUMBA,
        "Numba, when it is imported or compiles",
        "Numba 0.35",
        "numba/core/codegen.py, CPUCodegen._get_host_cpu_features; numba/core/config.py",
    ),
    Variable(
        "NUMBA_DISABLE_INTEL_SVML",
        "1",
        _NUMBA,
        "Numba, when it is imported; the vector functions of Intel's compiler choose by the CPU",
        "Numba 0.38",
        f"{_NUMBA_SOURCE}; numba/__init__.py, _try_enable_svml",
    ),
    Variable(
        "OPENCV_IPP",
        "disabled",  # its kernels for AVX2 use approximations that differ by the CPU's maker
        _OPENCV,
        "OpenCV, when Intel's image functions are first used",
        "seen in OpenCV 3.1",
        "OpenCV, modules/core/src/system.cpp, IPPInitSingleton",
    ),
    Variable(
        "OPENCV_FOR_THREADS_NUM",
        "",
        _OPENCV,
        "OpenCV, when it first needs the number of its threads",
        "seen in OpenCV 3.1",
        "https://docs.opencv.org/master/d6/dea/tutorial_env_reference.html; OpenCV, "
        "modules/core/src/parallel.cpp, defaultNumberOfThreads (3.1: parallel_pthreads.cpp)",
    ),
    Variable(
        "ARROW_USER_SIMD_LEVEL",
        "AVX2",
        ("libarrow",),
        "Arrow, when it first asks what the CPU has",
        "Arrow 2.0",
        "https://arrow.apache.org/docs/cpp/env_vars.html; "
        "Arrow, cpp/src/arrow/util/cpu_info.cc (1.0 knows only small letters)",
    ),
    Variable(
        "FBGEMM_ENABLE_INSTRUCTIONS",
        "AVX2",
        _TORCH,
        "FBGEMM in PyTorch (quantized operators, embedding_bag), when it is first used",
        "PyTorch 1.5",
        "FBGEMM, src/Utils.cc, fbgemmEnvGetIsa",
    ),
    Variable(
        "TF_NUM_INTRAOP_THREADS",
        "",
        ("libtensorflow",),
        "TensorFlow, when its first device is made",
        "TensorFlow 1.14",
        "TensorFlow, tensorflow/core/common_runtime/process_util.cc, "
        "NumIntraOpThreadsFromEnvironment, and local_device.cc; "
        "https://github.com/tensorflow/tensorflow/pull/33992",
    ),
)
"""Every variable of the level. docs/reference/variables.md shows the table."""

MODULES = {
    "sklearn.cluster._bisect_k_means": "sklearn_portable",
    "sklearn.cluster._kmeans": "sklearn_portable",
    "sklearn.ensemble._forest": "sklearn_portable",
    "sklearn.manifold._t_sne": "sklearn_portable",
    "torch._inductor.config": "torch_inductor",
    "torch._inductor.cpp_builder": "torch_inductor",
    "xgboost.core": "xgboost_portable",
}
"""Module that no variable of the table reaches -> the file in `libraries/` that pins what it does.
The file's function `imported` is called with the name of the module."""

UNKNOWN = {
    "jax": "XLA and Eigen choose instructions by the CPU",
    "tensorflow.python": "Eigen chooses instructions by the CPU",
}
"""Module of a library that may compute other bits on another CPU -> why."""

READERS = frozenset(
    (
        *("cv2", "jax", "lightgbm", "llvmlite", "mkl", "numba", "numpy", "pyarrow", "scipy"),
        *("sklearn", "tensorflow", "torch", "xgboost"),
    )
)
"""Packages whose import loads a library that reads a variable of the table."""

NAMES = tuple(variable.name for variable in TABLE)

COUNTS = tuple(variable.name for variable in TABLE if not variable.value)
"""Those that are the number of threads."""

UNSET = {
    "MKL_DOMAIN_NUM_THREADS": "MKL_NUM_THREADS",
    "MKL_ENABLE_INSTRUCTIONS": "MKL_CBWR",
    "NPY_ENABLE_CPU_FEATURES": "NPY_DISABLE_CPU_FEATURES",
    "OMP_THREAD_LIMIT": "OMP_NUM_THREADS",
}
"""Variables that would defeat one of the table -> that one."""


def threads(values: dict[str, str]) -> int:
    """The number of threads of the level, 1...1024.

    Args:
        values: of the contract's variables.
    """
    return int(values.get(THREADS, THREADS_OF_PORTABLE))


def wanted(values: dict[str, str]) -> dict[str, str]:
    """Every variable of the table and its value under level portable.

    Args:
        values: of the contract's variables.
    """
    count = str(threads(values))
    return {variable.name: variable.value or count for variable in TABLE}


def check(values: dict[str, str], environ: "MutableMapping[str, str] | None" = None) -> None:
    """Raise Refusal for a variable in the environment that the level cannot be kept with.

    Args:
        values: of the contract's variables, all read.
        environ: the variables; None where a defaults file is looked at.
    """
    needed = wanted(values)
    if environ is None:
        return
    ours = environ.get(EXPORTED, "").split(",")
    for name, value in needed.items():
        now = environ.get(name, "").strip()
        if now and not _same(now, value) and name not in ours:
            is_count = name in COUNTS and now.isdecimal() and 1 <= int(now[:9]) <= MOST_THREADS
            instead = f"{value} or leave it unset"
            if is_count:
                instead = f"{THREADS}={int(now)}, which sets it everywhere, or leave it unset"
            raise refusals.Refusal(
                f"under DETERMINISM=portable {name}={refusals.shown(now)} is not accepted; "
                f"use {instead}"
            )
    for name, instead in UNSET.items():
        if environ.get(name, "").strip():
            raise refusals.Refusal(
                f"under DETERMINISM=portable {name}={refusals.shown(environ[name])} is not "
                f"accepted, because {instead} is set; leave {name} unset"
            )


def _same(one: str, other: str) -> bool:
    """Whether two values mean the same: the libraries read words in any case, features in any
    order."""
    return sorted(one.upper().replace(",", " ").split()) == sorted(other.upper().split())


def arm(values: dict[str, str]) -> None:
    """Set the variables of the level for this process and its children.

    What the hook has set in a parent and an engine has changed for this child since, such as a
    number of threads that depends on the number of CPUs (joblib/_parallel_backends.py,
    MAX_NUM_THREADS_VARS), is set again.

    Args:
        values: of the contract's variables.

    Raises:
        Refusal: a library that reads one of the variables is loaded already, or the CPU or the C
            library is none with which the level can be kept.
    """
    libm.check()
    startup.waiting.update(MODULES, UNKNOWN)
    needed = wanted(values)
    sys.meta_path.insert(0, BeforeLibraries(needed))
    environ = os.environ
    ours = dict.fromkeys(filter(None, environ.get(EXPORTED, "").split(",")))
    # In the very words: a library that does not know the user's would silently do as it likes.
    changes = {name: value for name, value in needed.items() if environ.get(name) != value}
    _refuse_late(
        {name: value for name, value in changes.items() if not _same(environ.get(name, ""), value)}
    )
    if WAITING not in environ and usable_cpus() < threads(values):
        changes[WAITING] = "PASSIVE"
    for name, value in changes.items():
        if environ.get(name) and name in ours:
            debug(f"{name} was {environ[name]} and is {value} again (DETERMINISM=portable)")
        environ[name] = value
        ours[name] = None
    if changes:
        environ[EXPORTED] = ",".join(ours)


class BeforeLibraries:
    """A finder that finds nothing: it is asked when a library is about to be imported.

    A program may have changed a variable of the level since Python started, before it imports the
    library that reads the variable. The variable is set again.

    NumPy warns of each name in NPY_DISABLE_CPU_FEATURES that its release does not have
    (numpy/_core/src/common/npy_cpu_features.c). Where warnings are errors, as they may be under
    pytest, the import would fail. Only the newest filter is sure to be the first one.
    """

    def __init__(self, needed: dict[str, str]) -> None:
        self.needed = needed

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Set the variables again, and have that warning ignored from now on."""
        if name in READERS:
            _set_again(self.needed, name)
        if name == "numpy":
            import warnings

            text = "During parsing environment variable:? 'NPY_DISABLE_CPU_FEATURES'"
            warnings.filterwarnings("ignore", text)


def _set_again(needed: dict[str, str], library: str) -> None:
    """Give each variable of the level the level's value, and tell of those that had another.

    Args:
        needed: the variables of the level.
        library: that is about to be imported.
    """
    environ = os.environ
    changed = {name: value for name, value in needed.items() if environ.get(name) != value}
    defeating = [name for name in UNSET if environ.get(name, "").strip()]
    if not changed and not defeating:
        return
    environ.update(changed)
    for name in defeating:
        del environ[name]
    told = [f"{name} is {value} again" for name, value in changed.items()]
    told += [f"{name} is unset" for name in defeating]
    tell = say if state.is_main() else debug
    tell(
        f"the program has changed variables of DETERMINISM=portable, so that before {library} is "
        f"imported {', '.join(told)}; leave them to the hook"
    )


def imported(name: str) -> None:
    """Pin what a module does that has just been imported, or say that nothing is promised.

    Args:
        name: of any module that is waited for; nothing is done unless it is a key of `MODULES` or
            `UNKNOWN`. The observer waits for modules of its own.
    """
    if name in UNKNOWN and state.is_main():
        library = name.partition(".")[0]
        say(
            f"DETERMINISM=portable does not promise the same bits for {library}: "
            f"{UNKNOWN[name]} (docs/reference/portability.md)"
        )
    if name not in MODULES:
        return
    full = f"seed_init.libraries.{MODULES[name]}"
    __import__(full)
    sys.modules[full].imported(name)


def in_effect(values: dict[str, str]) -> "dict[str, dict[str, str | None]]":
    """Every variable of the level: name to the value, its origin and the value now.

    Args:
        values: of the contract's variables.
    """
    origin = "DETERMINISM=portable"
    return {
        name: {"value": value, "origin": origin, "now": os.environ.get(name) or None}
        for name, value in wanted(values).items()
    }


def disarm(values: dict[str, str]) -> None:
    """Take back in a child what level portable has set in a parent, where another level holds.

    What a program has set otherwise for the child stays.

    Args:
        values: of the contract's variables.
    """
    environ = os.environ
    ours = dict.fromkeys(filter(None, environ.get(EXPORTED, "").split(",")))
    for name, value in (*wanted(values).items(), (WAITING, "PASSIVE")):
        if ours.pop(name, "") is None and environ.get(name) == value:
            del environ[name]
    environ[EXPORTED] = ",".join(ours)


def _refuse_late(changes: dict[str, str]) -> None:
    """Raise Refusal where a library has been loaded that has read one of `changes` already."""
    if not changes:
        return
    loaded = loaded_files()
    for variable in TABLE:
        if variable.name in changes:
            for file in loaded:
                if file.startswith(variable.files):
                    raise refusals.Refusal(
                        f"DETERMINISM=portable comes too late for {file}, which is loaded already; "
                        f"set {variable.name}={refusals.shown(changes[variable.name])} before "
                        "Python starts, or do not load the library before the hook"
                    )


def loaded_files() -> list[str]:
    """The names of the files that are mapped into this process; none where nobody tells."""
    try:
        with open("/proc/self/maps", "rb") as lines:  # noqa: PTH123
            paths = {os.fsdecode(line.rstrip().rpartition(b"/")[2]) for line in lines}
    except OSError:
        return []
    return sorted(paths)


def usable_cpus() -> int:
    """The number of CPUs that this process may use: affinity, and the quota of a container."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:  # noqa: PTH123
            quota, period = file.read().split()
        return min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        return count  # no quota ("max"), or no cgroup of version 2
