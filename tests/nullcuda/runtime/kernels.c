// Kernels: nvcc's host code registers each by name at the start, and launches it by the address of
// its stub. A launch is a line in the log, and time.
#include "nullcuda.h"

// --- names: a hash table from the stub's address; PyTorch has more than 100 000

struct kernel {
    const void *stub;
    const char *name;
};
static struct kernel *table;
static size_t room, used;

static struct kernel *find(struct kernel *table, size_t room, const void *stub) {
    size_t i = ((size_t)stub >> 4) * 11400714819323198485UL & (room - 1);
    while (table[i].stub && table[i].stub != stub)
        i = (i + 1) & (room - 1);
    return &table[i];
}

static void grow(void) {
    size_t larger = room ? room * 2 : 1 << 17;
    struct kernel *copy = calloc(larger, sizeof *copy);
    for (size_t i = 0; i < room; i++)
        if (table[i].stub)
            *find(copy, larger, table[i].stub) = table[i];
    free(table);
    table = copy;
    room = larger;
}

void __cudaRegisterFunction(void **module, const char *stub, char *device_stub, const char *name,
                            int thread_limit, uint3 *thread, uint3 *block, dim3 *block_size,
                            dim3 *grid_size, int *warp_size) {
    LOCK;
    if (used * 2 >= room)
        grow();
    struct kernel *kernel = find(table, room, stub);
    used += !kernel->stub;
    *kernel = (struct kernel){stub, name};
    UNLOCK;
}

static const char *name_of(const void *stub) {
    const char *name = table ? find(table, room, stub)->name : NULL;
    return name ? name : "?";
}

void **__cudaRegisterFatBinary(void *binary) {
    static void *module[4];
    return module;
}
void __cudaRegisterFatBinaryEnd(void **module) {}
void __cudaUnregisterFatBinary(void **module) {}
char __cudaInitModule(void **module) { return 1; }
void __cudaRegisterVar(void **module, char *host, char *device, const char *name, int external,
                       size_t size, int constant, int global) {}

// --- launches: kernel<<<grid, block, shared, stream>>>(...) pushes, pops, and calls the stub

struct configuration {
    dim3 grid, block;
    size_t shared;
    cudaStream_t stream;
};
static __thread struct configuration pushed[16];
static __thread unsigned top;

unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st *stream) {
    pushed[top++ & 15] = (struct configuration){grid, block, shared, stream};
    return 0;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream) {
    struct configuration last = pushed[--top & 15];
    *grid = last.grid;
    *block = last.block;
    *shared = last.shared;
    *(cudaStream_t *)stream = last.stream;
    return cudaSuccess;
}

// For kernels.c and driver.c.
void nullcuda_launch(const char *name, dim3 grid, cudaStream_t handle) {
    struct stream *stream = nullcuda_stream(handle);
    if (stream->capture)
        nullcuda_capture_kernel(stream->capture);
    else
        nullcuda_work(stream, nullcuda_kernel_time());
    nullcuda_log("kernel %s <<<%u,%u,%u>>>%s", name, grid.x, grid.y, grid.z,
                 stream->capture ? " captured" : "");
}

cudaError_t cudaLaunchKernel(const void *stub, dim3 grid, dim3 block, void **arguments,
                             size_t shared, cudaStream_t stream) {
    NEEDS_DRIVER;
    nullcuda_launch(name_of(stub), grid, stream);
    return cudaSuccess;
}

cudaError_t cudaLaunchCooperativeKernel(const void *stub, dim3 grid, dim3 block, void **arguments,
                                        size_t shared, cudaStream_t stream) {
    return cudaLaunchKernel(stub, grid, block, arguments, shared, stream);
}

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *how, const void *stub, void **arguments) {
    return cudaLaunchKernel(stub, how->gridDim, how->blockDim, arguments, how->dynamicSmemBytes,
                            how->stream);
}

// What nvcc 13's host code calls instead of cudaLaunchKernel.
cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *stub) {
    *kernel = (cudaKernel_t)stub;
    return cudaSuccess;
}

cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments,
                               size_t shared, cudaStream_t stream) {
    return cudaLaunchKernel((const void *)kernel, grid, block, arguments, shared, stream);
}

// --- what kernels say of themselves

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *attributes, const void *stub) {
    NEEDS_DRIVER;
    int major, minor;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
    memset(attributes, 0, sizeof *attributes);
    attributes->binaryVersion = attributes->ptxVersion = major * 10 + minor;
    attributes->maxThreadsPerBlock = 1024;
    attributes->numRegs = 32;
    attributes->maxDynamicSharedSizeBytes = 232448;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *stub, enum cudaFuncAttribute name, int value) {
    NEEDS_DRIVER;
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *stub,
                                                          int size, size_t shared) {
    *blocks = 2;
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *stub,
                                                                   int size, size_t shared,
                                                                   unsigned flags) {
    *blocks = 2;
    return cudaSuccess;
}
