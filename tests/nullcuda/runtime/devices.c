// Devices: how many, which is current, and what they say of themselves (those of an H200).
#include "nullcuda.h"

#define MEMORY (140UL << 30)

static __thread int current;
static int used[MOST_DEVICES];
static int physical[MOST_DEVICES]; // the number of each visible device among all

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text && *text ? atoi(text) : otherwise;
}

// CUDA reads CUDA_VISIBLE_DEVICES when the driver starts, and stops at the first entry that is
// no device (CUDA C++ Programming Guide, "CUDA Environment Variables"). Names of devices by
// UUID are not understood here.
int nullcuda_devices(void) {
    static int visible = -1;
    LOCK;
    if (visible < 0) {
        int all = number("NULLCUDA_DEVICES", 2);
        const char *entry = getenv("CUDA_VISIBLE_DEVICES");
        if (all > MOST_DEVICES)
            all = MOST_DEVICES;
        visible = 0;
        if (!entry)
            for (; visible < all; visible++)
                physical[visible] = visible;
        while (entry && visible < MOST_DEVICES) {
            char *end;
            long device = strtol(entry, &end, 10);
            if (end == entry || device < 0 || device >= all)
                break;
            physical[visible++] = (int)device;
            entry = *end == ',' ? end + 1 : NULL;
        }
    }
    UNLOCK;
    return visible;
}

int nullcuda_device(void) { return current; }
void nullcuda_use(int device) { used[device] = 1; }
int nullcuda_used(int device) { return used[device]; }

static int capability(void) { return number("NULLCUDA_CAPABILITY", 90); }
static int driver(void) { return number("NULLCUDA_DRIVER", CUDART_VERSION); }

cudaError_t cudaGetDeviceCount(int *count) {
    NEEDS_DRIVER;
    *count = 0;
    if (driver() / 1000 < CUDART_VERSION / 1000)
        return nullcuda_fail(cudaErrorInsufficientDriver);
    *count = nullcuda_devices();
    return *count ? cudaSuccess : nullcuda_fail(cudaErrorNoDevice);
}

cudaError_t cudaGetDevice(int *device) {
    NEEDS_DRIVER;
    *device = current;
    return cudaSuccess;
}

// From CUDA 12 on this makes the device's context.
cudaError_t cudaSetDevice(int device) {
    NEEDS_DRIVER;
    if (device < 0 || device >= nullcuda_devices())
        return nullcuda_fail(cudaErrorInvalidDevice);
    current = device;
    nullcuda_use(device);
    return cudaSuccess;
}

// The header of CUDA 12 renames this to cudaGetDeviceProperties_v2, which is right there.
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
    NEEDS_DRIVER;
    if (device < 0 || device >= nullcuda_devices())
        return nullcuda_fail(cudaErrorInvalidDevice);
    const char *name = getenv("NULLCUDA_NAME");
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "%s", name ? name : "Null H200");
    for (int i = 0; i < 16; i++)
        properties->uuid.bytes[i] = (char)(i + physical[device]);
    properties->pciBusID = physical[device] + 1;
    properties->major = capability() / 10;
    properties->minor = capability() % 10;
    properties->totalGlobalMem = MEMORY;
    properties->l2CacheSize = 50 << 20;
    properties->multiProcessorCount = 132;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = 1024;
    properties->maxThreadsDim[2] = 64;
    properties->maxGridSize[0] = 2147483647;
    properties->maxGridSize[1] = properties->maxGridSize[2] = 65535;
    properties->maxThreadsPerMultiProcessor = 2048;
    properties->maxBlocksPerMultiProcessor = 32;
    properties->regsPerBlock = properties->regsPerMultiprocessor = 65536;
    properties->sharedMemPerBlock = 49152;
    properties->sharedMemPerBlockOptin = 232448;
    properties->sharedMemPerMultiprocessor = 233472;
    properties->textureAlignment = 512;
    properties->unifiedAddressing = 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device) {
    NEEDS_DRIVER;
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: *value = capability() / 10; break;
    case cudaDevAttrComputeCapabilityMinor: *value = capability() % 10; break;
    case cudaDevAttrMultiProcessorCount: *value = 132; break;
    case cudaDevAttrWarpSize: *value = 32; break;
    case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
    case cudaDevAttrMaxGridDimX: *value = 2147483647; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = 49152; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 232448; break;
    default: *value = 1; // mostly: whether the device can do something
    }
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int size, int device) {
    NEEDS_DRIVER;
    snprintf(text, size, "0000:%02x:00.0", physical[device] + 1);
    return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer) {
    NEEDS_DRIVER;
    *can = device != peer;
    return cudaSuccess;
}

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned flags) {
    NEEDS_DRIVER;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version) {
    *version = driver();
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    *version = CUDART_VERSION;
    return cudaSuccess;
}
