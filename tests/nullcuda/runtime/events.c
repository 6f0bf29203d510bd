// Events: a moment of a stream's clock.
#include "nullcuda.h"

struct event {
    nanoseconds at;
    int recorded;
    struct capture *capture; // in which it was recorded last, or NULL
};

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *handle, unsigned flags) {
    NEEDS_DRIVER;
    *handle = (cudaEvent_t)calloc(1, sizeof(struct event));
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *handle) { return cudaEventCreateWithFlags(handle, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    NEEDS_DRIVER;
    free(handle);
    return cudaSuccess;
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t handle, cudaStream_t stream_handle, unsigned flags) {
    NEEDS_DRIVER;
    struct event *event = (struct event *)handle;
    struct stream *stream = nullcuda_stream(stream_handle);
    event->capture = stream->capture;
    event->recorded = 1;
    event->at = nullcuda_work(stream, 0);
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
    return cudaEventRecordWithFlags(handle, stream, 0);
}

// A stream that waits for an event of a capturing stream takes part in that capture.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream_handle, cudaEvent_t handle, unsigned flags) {
    NEEDS_DRIVER;
    struct event *event = (struct event *)handle;
    struct stream *stream = nullcuda_stream(stream_handle);
    LOCK;
    if (event->capture && !event->capture->ended)
        stream->capture = event->capture;
    else if (event->at > stream->busy)
        stream->busy = event->at;
    UNLOCK;
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
    NEEDS_DRIVER;
    UNSAFE_IN_CAPTURE;
    struct event *event = (struct event *)handle;
    nanoseconds now = nullcuda_now();
    if (event->capture)
        return nullcuda_fail(cudaErrorCapturedEvent);
    if (event->at > now)
        return nullcuda_fail(cudaErrorNotReady);
    nullcuda_happen(now);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    NEEDS_DRIVER;
    struct event *event = (struct event *)handle;
    if (event->capture) {
        nullcuda_invalidate(event->capture, __func__);
        return nullcuda_fail(cudaErrorCapturedEvent);
    }
    nullcuda_log("sync %s", __func__);
    nullcuda_wait_until(event->at);
    return cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
    NEEDS_DRIVER;
    struct event *first = (struct event *)start, *second = (struct event *)end;
    if (!first->recorded || !second->recorded)
        return nullcuda_fail(cudaErrorInvalidResourceHandle);
    *milliseconds = (float)(second->at - first->at) / 1e6f;
    return cudaSuccess;
}

// Events and memory that processes share are not there.
cudaError_t cudaIpcGetEventHandle(cudaIpcEventHandle_t *out, cudaEvent_t handle) {
    return nullcuda_fail(cudaErrorNotSupported);
}
cudaError_t cudaIpcOpenEventHandle(cudaEvent_t *out, cudaIpcEventHandle_t handle) {
    return nullcuda_fail(cudaErrorNotSupported);
}
