#!/usr/bin/env bash
# build.sh TARGET_DIR: builds the runtimes that compute nothing, for CUDA 12 (torch 2.6.0 from the package index) and
# CUDA 13 (torch 2.11 from there). Needs gcc. Headers come from NVIDIA's wheels: give their include directories, or none to
# skip that runtime:
#   CUDA12_INCLUDE  site-packages/nvidia/cuda_runtime/include   (installed with torch 2.6.0)
#   CUDA13_INCLUDE  site-packages/nvidia/cu13/include           (wheel nvidia-cuda-runtime 13)
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
out=${1:?usage: build.sh TARGET_DIR}
mkdir -p "$out/lib" "$out/lib13"
common=(-O1 -g -shared -fPIC -w "-I$here/include")
if [[ -n ${CUDA12_INCLUDE:-} ]]; then
    gcc "${common[@]}" "-I$CUDA12_INCLUDE" -o "$out/libnullcudart.so" "$here/fakecudart.c" "$here/gen_cublas.c" -lpthread
    gcc -O1 -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$out/lib/libcuda.so.1" "$here/fakecuda.c"
fi
if [[ -n ${CUDA13_INCLUDE:-} ]]; then
    gcc "${common[@]}" "-I$CUDA13_INCLUDE" -o "$out/libnullcudart13.so" "$here/fakecudart.c" "$here/gen13.c" -lpthread
    for name in libcublas.so.13 libcublasLt.so.13 libcuda.so.1 libcudart.so.13 libcudnn.so.9 libcufft.so.12 libcufile.so.0 \
        libcupti.so.13 libcurand.so.10 libcusolver.so.12 libcusparse.so.12 libcusparseLt.so.0 libnccl.so.2 libnvrtc.so.13 \
        libnvshmem_host.so.3 libnvJitLink.so.13; do
        echo | gcc -shared -fPIC -x c "-Wl,-soname,$name" -o "$out/lib13/$name" -
    done
    gcc -O1 -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$out/lib13/libcuda.so.1" "$here/fakecu13.c" "$here/gencu.c"
    gcc -O1 -shared -fPIC -w -Wl,-soname,libnvrtc.so.13 -o "$out/lib13/libnvrtc.so.13" "$here/gennv.c"
fi
for version in '' 13; do
    [[ -e $out/libnullcudart$version.so ]] || continue
    cat > "$out/run$version" <<RUN
#!/bin/sh
# run$version PYTHON ARGS...: a Python that sees CUDA devices which compute nothing
exec env LD_PRELOAD=$out/libnullcudart$version.so LD_LIBRARY_PATH=$out/lib$version\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH} "\$@"
RUN
    chmod +x "$out/run$version"
done
