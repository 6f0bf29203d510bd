// Streams. A stream is a clock: it says until when the work that was launched keeps the device
// busy. Nothing computes meanwhile; copies happen when the clock gets there (memory.c).
#include "nullcuda.h"
#include <time.h>

static struct stream defaults[MOST_DEVICES];
static struct stream *others; // all that were ever made: PyTorch destroys none

nanoseconds nullcuda_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

nanoseconds nullcuda_kernel_time(void) {
    static nanoseconds time = -1;
    if (time < 0) {
        const char *text = getenv("NULLCUDA_KERNEL_NS");
        time = text ? atoll(text) : 3000;
    }
    return time;
}

// Handles 0, 1 and 2 are the legacy default stream, twice, and that of the thread.
struct stream *nullcuda_stream(cudaStream_t handle) {
    if ((size_t)handle > 2)
        return (struct stream *)handle;
    struct stream *stream = &defaults[nullcuda_device()];
    stream->device = nullcuda_device();
    return stream;
}

nanoseconds nullcuda_work(struct stream *stream, nanoseconds time) {
    LOCK;
    nanoseconds now = nullcuda_now();
    stream->busy = (stream->busy > now ? stream->busy : now) + time;
    nanoseconds done = stream->busy;
    nullcuda_use(stream->device);
    UNLOCK;
    return done;
}

void nullcuda_wait_until(nanoseconds moment) {
    nanoseconds left = moment - nullcuda_now();
    if (left > 0) {
        struct timespec rest = {left / 1000000000LL, left % 1000000000LL};
        nanosleep(&rest, NULL);
    }
    nullcuda_happen(moment);
}

void nullcuda_wait_for_device(int device) {
    LOCK;
    nanoseconds busy = defaults[device].busy;
    for (struct stream *each = others; each; each = each->next)
        if (each->device == device && each->busy > busy)
            busy = each->busy;
    UNLOCK;
    nullcuda_wait_until(busy);
}

void nullcuda_leave(struct capture *capture) {
    LOCK;
    for (int i = 0; i < MOST_DEVICES; i++)
        if (defaults[i].capture == capture)
            defaults[i].capture = NULL;
    for (struct stream *each = others; each; each = each->next)
        if (each->capture == capture)
            each->capture = NULL;
    UNLOCK;
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *handle, unsigned flags, int priority) {
    NEEDS_DRIVER;
    struct stream *stream = calloc(1, sizeof *stream);
    stream->device = nullcuda_device();
    nullcuda_use(stream->device);
    LOCK;
    stream->next = others;
    others = stream;
    UNLOCK;
    *handle = (cudaStream_t)stream;
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *handle, unsigned flags) {
    return cudaStreamCreateWithPriority(handle, flags, 0);
}

cudaError_t cudaStreamCreate(cudaStream_t *handle) {
    return cudaStreamCreateWithPriority(handle, 0, 0);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    NEEDS_DRIVER;
    return cudaSuccess;
}

cudaError_t cudaStreamGetPriority(cudaStream_t handle, int *priority) {
    NEEDS_DRIVER;
    *priority = 0;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    NEEDS_DRIVER;
    if (least)
        *least = 0;
    if (greatest)
        *greatest = -5;
    return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    NEEDS_DRIVER;
    UNSAFE_IN_CAPTURE;
    nanoseconds now = nullcuda_now();
    if (nullcuda_stream(handle)->busy > now)
        return nullcuda_fail(cudaErrorNotReady);
    nullcuda_happen(now);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    NEEDS_DRIVER;
    struct stream *stream = nullcuda_stream(handle);
    if (stream->capture) {
        nullcuda_invalidate(stream->capture, __func__);
        return nullcuda_fail(cudaErrorStreamCaptureUnsupported);
    }
    nullcuda_log("sync %s", __func__);
    nullcuda_wait_until(stream->busy);
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void) {
    NEEDS_DRIVER;
    UNSAFE_IN_CAPTURE;
    nullcuda_log("sync %s", __func__);
    nullcuda_wait_for_device(nullcuda_device());
    return cudaSuccess;
}

// A function that the stream calls. Here the host waits for its turn, which the real one does not.
cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void *data) {
    NEEDS_DRIVER;
    nullcuda_wait_until(nullcuda_stream(handle)->busy);
    function(data);
    return cudaSuccess;
}

cudaError_t cudaStreamAddCallback(cudaStream_t handle, cudaStreamCallback_t function, void *data,
                                  unsigned flags) {
    NEEDS_DRIVER;
    nullcuda_wait_until(nullcuda_stream(handle)->busy);
    function(handle, cudaSuccess, data);
    return cudaSuccess;
}
