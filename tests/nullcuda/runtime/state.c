// One driver for each process: its start, errors, and the log.
#include "nullcuda.h"
#include <execinfo.h>
#include <stdarg.h>

static pid_t owner; // the process that started the driver; 0 as long as none has
static __thread cudaError_t last;

__attribute__((constructor)) static void prepare(void) {
    pthread_mutexattr_t again;
    pthread_mutexattr_init(&again);
    pthread_mutexattr_settype(&again, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&nullcuda_lock, &again);
}
pthread_mutex_t nullcuda_lock;

int nullcuda_start(const char *function) {
    if (!owner) {
        owner = getpid();
        nullcuda_log("start by %s", function);
        if (getenv("NULLCUDA_TRACE_START")) {
            void *frames[64];
            backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
        }
    }
    if (owner == getpid())
        return 1;
    nullcuda_log("%s in a forked child", function);
    return 0;
}

cudaError_t nullcuda_fail(cudaError_t error) {
    if (error)
        last = error;
    return error;
}

cudaError_t cudaGetLastError(void) {
    cudaError_t error = last;
    last = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void) { return last; }

// The errors that this runtime gives, as the real one words them.
static const struct { cudaError_t error; const char *name, *text; } errors[] = {
#define ERROR(name, text) {name, #name, text}
    ERROR(cudaSuccess, "no error"),
    ERROR(cudaErrorInvalidValue, "invalid argument"),
    ERROR(cudaErrorMemoryAllocation, "out of memory"),
    ERROR(cudaErrorInitializationError, "initialization error"),
    ERROR(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version"),
    ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    ERROR(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device"),
    ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    ERROR(cudaErrorNotReady, "device not ready"),
    ERROR(cudaErrorNotSupported, "operation not supported"),
    ERROR(cudaErrorPeerAccessAlreadyEnabled, "peer access is already enabled"),
    ERROR(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    ERROR(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    ERROR(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream"),
};

const char *cudaGetErrorString(cudaError_t error) {
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].error == error)
            return errors[i].text;
    return "an error that the null runtime does not know";
}

const char *cudaGetErrorName(cudaError_t error) {
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].error == error)
            return errors[i].name;
    return "cudaErrorUnknown";
}

void nullcuda_log(const char *format, ...) {
    static FILE *file;
    static int opened;
    LOCK;
    if (!opened) {
        const char *name = getenv("NULLCUDA_LOG");
        file = name ? fopen(name, "ae") : NULL;
        if (file)
            setvbuf(file, NULL, _IOLBF, 1 << 16); // whole lines: processes share the file
        opened = 1;
    }
    if (file) {
        va_list arguments;
        va_start(arguments, format);
        fprintf(file, "%d ", (int)getpid());
        vfprintf(file, format, arguments);
        fputc('\n', file);
        va_end(arguments);
    }
    UNLOCK;
}
