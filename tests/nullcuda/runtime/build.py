"""Build the CUDA runtime that computes nothing, for an installed torch.

    python3 build.py PLACE [--site-packages DIRECTORY] [--include DIRECTORY] [--complete]

One library, PLACE/libnullcudart.so, has the functions of the sources beside this file, and a
function that does nothing for every other one that torch's libraries expect from NVIDIA's: their
names are read from torch's own symbol tables, so that the same sources serve each release. In
PLACE/lib is an empty library for each of NVIDIA's that torch is linked with, and PLACE/run starts
a program with all of it. Standard library only; needs a C compiler and, in the site-packages, a
torch for CUDA and NVIDIA's wheel with the headers of the CUDA runtime.
"""

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from elf import Elf

HERE = Path(__file__).parent
NVIDIA_FUNCTION = re.compile(
    r"(__)?cu(da|blas|dnn|fft|rand|sparse|solver|pti)\w*|cu([A-Z]|File)\w+"
    r"|(nccl|nvrtc|nvtx|nvml|nvshmem|nvJitLink)\w+"
)
NVIDIA_LIBRARY = re.compile(r"lib(cu(?!rl)|nccl|nv)\w*\.so\.\d+")
CREATES = re.compile(r"(cublas(Lt)?|cudnn|cusolver(Dn)?|cusparse|nvrtc)Create\w*")
"""Functions whose first argument is where a handle or a descriptor goes."""

OPENED = ("libcuda.so.1",)
"""Libraries that torch opens by name while it runs, beside those that it is linked with."""


class CannotBuild(Exception):
    """What is missing, and what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("place", type=Path, help="the directory that gets the libraries")
    parser.add_argument(
        "--site-packages",
        type=Path,
        default=Path(sysconfig.get_path("purelib")),
        help="where torch and NVIDIA's headers are installed (default: this Python's)",
    )
    parser.add_argument("--include", type=Path, help="where the CUDA headers are, if not there")
    parser.add_argument("--compiler", default="gcc")
    parser.add_argument(
        "--complete",
        action="store_true",
        help="also put what torch is linked with and lacks beside torch's own libraries, so that "
        "it can be imported without NVIDIA's; without PLACE/run it then sees no device",
    )
    options = parser.parse_args()
    try:
        headers = options.include or find_headers(options.site_packages)
        build(options.place, options.site_packages, headers, options.compiler)
        if options.complete:
            complete(options.place, options.site_packages)
    except CannotBuild as why:
        print(f"build.py: {why}", file=sys.stderr)
        return 1
    return 0


def build(place: Path, site_packages: Path, headers: Path, compiler: str) -> None:
    """Build the runtime for the torch of a directory.

    Args:
        place: gets `libnullcudart.so`, `lib` and `run`.
        site_packages: has torch.
        headers: the directory of cuda_runtime_api.h.
        compiler: the C compiler's command.

    Raises:
        CannotBuild: something is missing.
    """
    if shutil.which(compiler) is None:
        raise CannotBuild(
            f"no C compiler {compiler!r}; on Debian and Ubuntu: apt-get install gcc libc6-dev"
        )
    options = include_flags(headers) + version_flags(site_packages)
    expected, libraries = read_torch(site_packages)
    (place / "lib").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        objects = compile_all(compiler, sorted(HERE.glob("*.c")), options, work)
        written = set().union(*(Elf(each).defined for each in objects))
        generated = work / "generated.c"
        generated.write_text(generate(sorted(expected - written)))
        objects += compile_all(compiler, [generated], options, work)
        link(compiler, place / "libnullcudart.so", "libnullcudart.so", objects)
        empty = work / "empty.c"
        empty.write_text("")
        for library in sorted({*libraries, *OPENED}):
            # With the runtime as its dependency: dlsym on the empty library finds what is there.
            path = place / "lib" / library
            flags = ("-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN:$ORIGIN/..")
            link(compiler, path, library, [empty, place / "libnullcudart.so"], *flags)
    (place / "generated.txt").write_text(
        "".join(f"{each}\n" for each in sorted(expected - written))
    )
    run = place / "run"
    run.write_text(RUN.format(place=place.resolve()))
    run.chmod(0o755)


def complete(place: Path, site_packages: Path) -> None:
    """Let a torch without NVIDIA's libraries be imported, as on a machine without a GPU.

    torch's libraries look in their own directory as well (their RPATH ends with $ORIGIN). The
    CUDA runtime itself comes with its headers; it finds no driver.

    Args:
        place: what `build` has built.
        site_packages: has the torch.
    """
    there = {each.name for each in (site_packages / "nvidia").rglob("lib*.so.*")}
    target = site_packages / "torch/lib"
    for library in (place / "lib").iterdir():
        if library.name not in there and library.name not in OPENED:
            shutil.copy2(library, target)
    shutil.copy2(place / "libnullcudart.so", target)


RUN = """\
#!/bin/sh
# run PYTHON ARGUMENT...: a Python that sees CUDA devices which compute nothing
export LD_PRELOAD={place}/libnullcudart.so
export LD_LIBRARY_PATH={place}/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}
exec "$@"
"""


def find_headers(site_packages: Path) -> Path:
    """The directory with cuda_runtime_api.h: NVIDIA's wheels for CUDA 12 and 13 differ."""
    for each in ("nvidia/cuda_runtime/include", "nvidia/cu13/include"):
        if (site_packages / each / "cuda_runtime_api.h").exists():
            return site_packages / each
    raise CannotBuild(
        f"no cuda_runtime_api.h in {site_packages}/nvidia; install NVIDIA's wheel "
        "nvidia-cuda-runtime-cu12 (CUDA 12) or nvidia-cuda-runtime (CUDA 13)"
    )


def read_torch(site_packages: Path) -> tuple[set[str], set[str]]:
    """NVIDIA's functions that torch's libraries expect, and NVIDIA's libraries that they name."""
    files = sorted((site_packages / "torch/lib").glob("*.so"))
    if not (site_packages / "torch/lib/libtorch_cuda.so").exists():
        what = "the torch there is not one for CUDA" if files else "no torch there"
        raise CannotBuild(f"{what}: {site_packages}")
    tables = [Elf(each) for each in files]
    functions = {
        name for each in tables for name in each.undefined if NVIDIA_FUNCTION.fullmatch(name)
    }
    libraries = {name for each in tables for name in each.needed if NVIDIA_LIBRARY.fullmatch(name)}
    return functions, libraries


def generate(names: list[str]) -> str:
    """C for functions that succeed and do nothing. Their first argument may be a handle."""
    lines = [
        "int nullcuda_library(const char *, const void *);",
        "int nullcuda_create(const char *, void **);",
        "#define CALL(name) int name(void *first) { return nullcuda_library(#name, first); }",
        "#define CREATE(name) int name(void **out) { return nullcuda_create(#name, out); }",
        "#define NOTHING(name) int name(void) { return 0; }",
    ]
    for name in names:
        is_library = re.match(r"cublas|cudnn|cusparse|cusolver", name)
        macro = "CREATE" if CREATES.fullmatch(name) else "CALL" if is_library else "NOTHING"
        lines.append(f"{macro}({name})")
    return "\n".join(lines) + "\n"


def include_flags(headers: Path) -> list[str]:
    # -isystem: NVIDIA's headers are not ours to mend.
    return ["-I", str(HERE), "-isystem", str(HERE / "include"), "-isystem", str(headers)]


def version_flags(site_packages: Path) -> list[str]:
    """What cuDNN and NCCL say of themselves: the versions that torch's own metadata asks for.

    torch refuses a cuDNN that is older than the one it was compiled with.
    """
    [metadata] = site_packages.glob("torch-*.dist-info/METADATA")
    asked = dict(
        re.findall(
            r"^Requires-Dist: nvidia-(cudnn|nccl)-cu\d+==([\d.]+)", metadata.read_text(), re.M
        )
    )
    flags = []
    for name in ("cudnn", "nccl"):
        major, middle, last = (int(part) for part in asked.get(name, "9.1.0").split(".")[:3])
        flags.append(f"-D{name.upper()}_VERSION={major * 10000 + middle * 100 + last}")
    return flags


def compile_all(compiler: str, sources: list[Path], flags: list[str], work: Path) -> list[Path]:
    """Compile each source; returns the object files."""

    def one(source: Path) -> Path:
        made = work / f"{source.stem}.o"
        call(compiler, "-c", "-O1", "-g", "-fPIC", "-Wall", *flags, "-o", str(made), str(source))
        return made

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, sources))


def link(compiler: str, path: Path, soname: str, inputs: list[Path], *flags: str) -> None:
    words = [
        *flags,
        f"-Wl,-soname,{soname}",
        "-o",
        str(path),
        *map(str, inputs),
        "-lpthread",
        "-ldl",
    ]
    call(compiler, "-shared", "-fPIC", *words)


def call(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise CannotBuild(f"{' '.join(words)} failed:\n{done.stderr}")
    if done.stderr:
        print(done.stderr, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
