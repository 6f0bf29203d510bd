// Memory of the devices is the host's. A copy happens when the clock of its stream gets there, and
// only then: who reads pinned memory before the event has come reads what was there before, as
// with a real device that lags behind.
#include "nullcuda.h"
#include <sys/mman.h>

// --- what was allocated

#define PINNED (-1) // instead of a device

struct range {
    char *start;
    size_t size;
    int device;
    int ours; // to be given back to the system
    struct range *next;
};
static struct range *ranges;
static size_t allocated[MOST_DEVICES];

#define MEMORY (140UL << 30)

static struct range *range_of(const void *address) {
    LOCK;
    struct range *range = ranges;
    while (range && !(range->start <= (char *)address && (char *)address < range->start + range->size))
        range = range->next;
    UNLOCK;
    return range;
}

static void add(void *start, size_t size, int device, int ours) {
    struct range *range = malloc(sizeof *range);
    LOCK;
    *range = (struct range){start, size, device, ours, ranges};
    ranges = range;
    if (device >= 0) {
        allocated[device] += size;
        nullcuda_use(device);
    }
    UNLOCK;
}

static int on_device(const void *address) {
    struct range *range = range_of(address);
    return range && range->device >= 0;
}

// Zeros, as every number that a kernel of this runtime gives.
static cudaError_t allocate(void **out, size_t size, int device) {
    size = size ? size : 1;
    if (device >= 0 && allocated[device] + size > MEMORY)
        return nullcuda_fail(cudaErrorMemoryAllocation);
    void *start = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return nullcuda_fail(cudaErrorMemoryAllocation);
    add(start, size, device, 1);
    *out = start;
    return cudaSuccess;
}

// CUDA waits for everything that may use the memory, without saying so.
static cudaError_t release(void *start) {
    if (!start)
        return cudaSuccess;
    for (int device = 0; device < nullcuda_devices(); device++)
        nullcuda_wait_for_device(device);
    LOCK;
    struct range **link = &ranges;
    while (*link && (*link)->start != start)
        link = &(*link)->next;
    struct range *range = *link;
    if (range) {
        *link = range->next;
        if (range->device >= 0)
            allocated[range->device] -= range->size;
        if (range->ours)
            munmap(range->start, range->size);
        free(range);
    }
    UNLOCK;
    return range ? cudaSuccess : nullcuda_fail(cudaErrorInvalidValue);
}

cudaError_t cudaMalloc(void **out, size_t size) {
    NEEDS_DRIVER;
    UNSAFE_IN_CAPTURE;
    nullcuda_log("cudaMalloc %zu on %d", size, nullcuda_device());
    return allocate(out, size, nullcuda_device());
}

cudaError_t cudaMallocAsync(void **out, size_t size, cudaStream_t stream) {
    NEEDS_DRIVER;
    return allocate(out, size, nullcuda_device());
}

cudaError_t cudaFree(void *start) {
    NEEDS_DRIVER;
    UNSAFE_IN_CAPTURE;
    return release(start);
}

cudaError_t cudaFreeAsync(void *start, cudaStream_t stream) {
    NEEDS_DRIVER;
    return release(start);
}

cudaError_t cudaHostAlloc(void **out, size_t size, unsigned flags) {
    NEEDS_DRIVER;
    UNSAFE_IN_CAPTURE;
    nullcuda_log("cudaHostAlloc %zu", size);
    return allocate(out, size, PINNED);
}

cudaError_t cudaFreeHost(void *start) {
    NEEDS_DRIVER;
    UNSAFE_IN_CAPTURE;
    return release(start);
}

cudaError_t cudaHostRegister(void *start, size_t size, unsigned flags) {
    NEEDS_DRIVER;
    add(start, size, PINNED, 0);
    return cudaSuccess;
}

cudaError_t cudaHostUnregister(void *start) {
    NEEDS_DRIVER;
    return release(start);
}

cudaError_t cudaHostGetDevicePointer(void **device, void *host, unsigned flags) {
    NEEDS_DRIVER;
    *device = host;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *total) {
    NEEDS_DRIVER;
    *total = MEMORY;
    *left = MEMORY - allocated[nullcuda_device()];
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *attributes, const void *address) {
    NEEDS_DRIVER;
    struct range *range = range_of(address);
    memset(attributes, 0, sizeof *attributes);
    attributes->type = cudaMemoryTypeUnregistered;
    if (range) {
        attributes->type = range->device < 0 ? cudaMemoryTypeHost : cudaMemoryTypeDevice;
        attributes->device = range->device < 0 ? 0 : range->device;
        attributes->devicePointer = (void *)address;
        attributes->hostPointer = range->device < 0 ? (void *)address : NULL;
    }
    return cudaSuccess;
}

// --- what streams will do to memory: a list in the order in which it will happen

static struct pending {
    struct operation operation;
    struct pending *next;
} *pending;

static void perform(struct operation *operation) {
    if (operation->action == COPY)
        memmove(operation->to, operation->own ? operation->own : operation->from, operation->size);
    else
        memset(operation->to, operation->value, operation->size);
    free(operation->own);
}

void nullcuda_happen(nanoseconds moment) {
    LOCK;
    while (pending && pending->operation.due <= moment) {
        struct pending *first = pending;
        pending = first->next;
        perform(&first->operation);
        free(first);
    }
    UNLOCK;
}

void nullcuda_enqueue(struct stream *stream, struct operation operation) {
    static unsigned long long calls;
    struct pending *item = malloc(sizeof *item);
    LOCK;
    nullcuda_happen(nullcuda_now());
    operation.due = nullcuda_work(stream, nullcuda_kernel_time());
    operation.order = ++calls;
    struct pending **link = &pending;
    while (*link && (*link)->operation.due <= operation.due)
        link = &(*link)->next;
    *item = (struct pending){operation, *link};
    *link = item;
    UNLOCK;
}

// --- copies and fills

static void submit(struct stream *stream, struct operation operation) {
    if (stream->capture)
        nullcuda_capture_operation(stream->capture, operation);
    else
        nullcuda_enqueue(stream, operation);
}

// CUDA has copied pageable memory of the host when the call returns, and has written into
// pageable memory of the host as well (CUDA Runtime API, "API synchronization behavior").
static cudaError_t copy(struct stream *stream, void *to, const void *from, size_t size) {
    struct range *target = range_of(to), *source = range_of(from);
    struct operation operation = {.action = COPY, .to = to, .from = from, .size = size};
    if (!source && !stream->capture) {
        operation.own = malloc(size ? size : 1);
        memcpy(operation.own, from, size);
    }
    submit(stream, operation);
    if (!target && !stream->capture)
        nullcuda_wait_until(stream->busy);
    return cudaSuccess;
}

static const char *direction(const void *to, const void *from) {
    return !on_device(to) ? "to host" : !on_device(from) ? "to device" : "within";
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
    NEEDS_DRIVER;
    nullcuda_log("copy %zu %s", size, direction(to, from));
    return copy(nullcuda_stream(stream), to, from, size);
}

cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device,
                                size_t size, cudaStream_t stream) {
    NEEDS_DRIVER;
    nullcuda_log("copy %zu from %d to %d", size, from_device, to_device);
    return copy(nullcuda_stream(stream), to, from, size);
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                              size_t width, size_t height, enum cudaMemcpyKind kind,
                              cudaStream_t handle) {
    NEEDS_DRIVER;
    nullcuda_log("copy %zu %s", width * height, direction(to, from));
    for (size_t row = 0; row < height; row++)
        copy(nullcuda_stream(handle), (char *)to + row * to_pitch,
             (const char *)from + row * from_pitch, width);
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
    NEEDS_DRIVER;
    UNSAFE_IN_CAPTURE;
    nullcuda_log("sync cudaMemcpy %zu", size);
    copy(nullcuda_stream(0), to, from, size);
    nullcuda_wait_until(nullcuda_stream(0)->busy);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream) {
    NEEDS_DRIVER;
    submit(nullcuda_stream(stream),
           (struct operation){.action = FILL, .to = to, .value = value, .size = size});
    return cudaSuccess;
}

cudaError_t cudaMemset(void *to, int value, size_t size) {
    return cudaMemsetAsync(to, value, size, 0);
}

// Variables of device code: nothing reads them.
cudaError_t cudaMemcpyToSymbol(const void *symbol, const void *from, size_t size, size_t offset,
                               enum cudaMemcpyKind kind) {
    return cudaSuccess;
}

cudaError_t cudaGetSymbolAddress(void **address, const void *symbol) {
    static char room[1 << 16];
    *address = room;
    return cudaSuccess;
}

// --- pools, which PyTorch uses with the back end cudaMallocAsync only; and sharing, not there

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t *pool, int device) {
    *pool = (cudaMemPool_t)16;
    return cudaSuccess;
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, enum cudaMemPoolAttr name, void *value) {
    *(size_t *)value = 0;
    return cudaSuccess;
}

cudaError_t cudaIpcGetMemHandle(cudaIpcMemHandle_t *handle, void *start) {
    return nullcuda_fail(cudaErrorNotSupported);
}
cudaError_t cudaIpcOpenMemHandle(void **start, cudaIpcMemHandle_t handle, unsigned flags) {
    return nullcuda_fail(cudaErrorNotSupported);
}
cudaError_t cudaIpcCloseMemHandle(void *start) { return nullcuda_fail(cudaErrorNotSupported); }
