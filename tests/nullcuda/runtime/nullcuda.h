// What the parts of the runtime share: the start of the driver, errors, the log, and time.
#pragma once
#define _GNU_SOURCE
#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_DEVICES 16

// --- state.c: one driver for each process, as on a real machine

// Whether the driver works in this process. The first call starts it and says so in the log. A
// child that was forked after the start has no driver: every call fails there, as CUDA's do.
int nullcuda_start(const char *function);

// Remember an error for cudaGetLastError, and hand it back.
cudaError_t nullcuda_fail(cudaError_t error);

// First line of every function that needs the driver.
#define NEEDS_DRIVER                                          \
    do {                                                      \
        if (!nullcuda_start(__func__))                        \
            return nullcuda_fail(cudaErrorInitializationError); \
    } while (0)

// A line in the file NULLCUDA_LOG, after the number of the process.
void nullcuda_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Guards everything below. The same thread may take it again.
extern pthread_mutex_t nullcuda_lock;
#define LOCK pthread_mutex_lock(&nullcuda_lock)
#define UNLOCK pthread_mutex_unlock(&nullcuda_lock)

// --- devices.c

int nullcuda_devices(void); // how many this process sees
int nullcuda_device(void);  // the current one of this thread
void nullcuda_use(int device); // the device has a context from now on
int nullcuda_used(int device);

// --- streams.c: a stream is a clock that says until when the device is busy

typedef long long nanoseconds; // of CLOCK_MONOTONIC

struct capture;
struct stream {
    int device;
    nanoseconds busy; // until when
    struct capture *capture; // that the stream takes part in, or NULL
    struct stream *next;
};

struct stream *nullcuda_stream(cudaStream_t stream); // also for the default streams
nanoseconds nullcuda_now(void);
nanoseconds nullcuda_kernel_time(void);

// Keep a stream busy for some time longer. Returns when the work will be done.
nanoseconds nullcuda_work(struct stream *stream, nanoseconds time);

// Wait until a moment has come, and let the copies that are due by then happen.
void nullcuda_wait_until(nanoseconds moment);
void nullcuda_wait_for_device(int device);

// The streams that take part in a capture leave it.
void nullcuda_leave(struct capture *capture);

// --- memory.c: what a stream does to memory happens when the stream's clock gets there

enum action { COPY, FILL };
struct operation {
    nanoseconds due;
    unsigned long long order; // of the call, for operations that are due together
    enum action action;
    void *to;
    const void *from;
    void *own; // a copy of `from`, to be freed, or NULL
    int value; // for FILL
    size_t size;
};

void nullcuda_enqueue(struct stream *stream, struct operation operation);
void nullcuda_happen(nanoseconds moment); // do what is due by then

// --- graphs.c

struct capture {
    enum cudaStreamCaptureMode mode;
    int invalid;
    int ended;
    unsigned long long id;
    struct stream *origin;
    struct graph *graph;
    pthread_t thread; // that began it
    struct capture *next;
};

// Whether a capture forbids this thread a call such as cudaMalloc. Invalidates the capture.
int nullcuda_forbidden(const char *function);

// A call that no capturing stream allows: invalidates the capture that the stream is in.
void nullcuda_invalidate(struct capture *capture, const char *function);

// Into the graph instead of onto the device.
void nullcuda_capture_kernel(struct capture *capture);
void nullcuda_capture_operation(struct capture *capture, struct operation operation);

// First line of every function that is unsafe while a stream captures.
#define UNSAFE_IN_CAPTURE                                               \
    do {                                                                \
        if (nullcuda_forbidden(__func__))                               \
            return nullcuda_fail(cudaErrorStreamCaptureUnsupported);    \
    } while (0)
