// The driver's own functions (libcuda.so.1) and the compiler at run time (libnvrtc), as far as
// PyTorch asks them something: the others are generated and do nothing.
#include "nullcuda.h"
#include <dlfcn.h>

void nullcuda_launch(const char *name, dim3 grid, cudaStream_t stream);

int cuInit(unsigned flags) { return 0; }

int cuDriverGetVersion(int *version) { return cudaDriverGetVersion(version); }

int cuGetErrorString(int error, const char **text) {
    *text = cudaGetErrorString(error);
    return 0;
}

int cuGetErrorName(int error, const char **name) {
    *name = cudaGetErrorName(error);
    return 0;
}

int cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return 0;
}

int cuDeviceGetCount(int *count) { return cudaGetDeviceCount(count); }

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    return cudaDeviceGetAttribute(value, attribute, device);
}

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    *flags = 0;
    *active = nullcuda_used(device);
    return 0;
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
    nullcuda_use(device);
    *context = (void *)(size_t)(16 + device);
    return 0;
}

int cuCtxGetCurrent(void **context) {
    int device = nullcuda_device();
    *context = nullcuda_used(device) ? (void *)(size_t)(16 + device) : NULL;
    return 0;
}

static int nothing(void) { return 0; }

static cudaError_t entry(const char *name, void **function, enum cudaDriverEntryPointQueryResult *result) {
    *function = dlsym(RTLD_DEFAULT, name);
    if (!*function)
        *function = (void *)nothing;
    if (result)
        *result = cudaDriverEntryPointSuccess;
    return cudaSuccess;
}

cudaError_t cudaGetDriverEntryPoint(const char *name, void **function, unsigned long long flags,
                                    enum cudaDriverEntryPointQueryResult *result) {
    return entry(name, function, result);
}

cudaError_t cudaGetDriverEntryPointByVersion(const char *name, void **function, unsigned version,
                                             unsigned long long flags,
                                             enum cudaDriverEntryPointQueryResult *result) {
    return entry(name, function, result);
}

// --- kernels that PyTorch compiles while it runs

int nvrtcVersion(int *major, int *minor) {
    *major = CUDART_VERSION / 1000;
    *minor = CUDART_VERSION % 1000 / 10;
    return 0;
}

int nvrtcGetCUBINSize(void *program, size_t *size) {
    *size = 8;
    return 0;
}

int nvrtcGetPTXSize(void *program, size_t *size) {
    *size = 8;
    return 0;
}

int nvrtcGetProgramLogSize(void *program, size_t *size) {
    *size = 1;
    return 0;
}

int nvrtcGetLoweredName(void *program, const char *expression, const char **name) {
    *name = "compiled";
    return 0;
}

int cuModuleGetFunction(const char **function, void *module, const char *name) {
    *function = strdup(name); // modules are few and stay
    return 0;
}

int cuLaunchKernel(const char *function, unsigned x, unsigned y, unsigned z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared, cudaStream_t stream,
                   void **arguments, void **extra) {
    NEEDS_DRIVER;
    nullcuda_launch(function, (dim3){x, y, z}, stream);
    return 0;
}

int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *function, int size, size_t shared) {
    *blocks = 2;
    return 0;
}
