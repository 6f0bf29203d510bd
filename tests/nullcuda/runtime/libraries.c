// cuBLAS, cuDNN and their siblings: what PyTorch needs an answer from. Everything else of them is
// generated (build.py) and calls nullcuda_library.
#include "nullcuda.h"

// A handle is an object of ours, so that a call is known to have one as its first argument.
struct handle {
    unsigned long long mark;
    cudaStream_t stream;
};
#define MARK 0x6e756c6c63756461ULL // "nullcuda"

static int make(void **out) {
    struct handle *handle = calloc(1, sizeof *handle);
    handle->mark = MARK;
    *out = handle;
    return 0;
}

static int known(const void *first) {
    // Small numbers are enumerations and counts.
    return first && (size_t)first > 1 << 16 && !((size_t)first & 15) &&
           ((const struct handle *)first)->mark == MARK;
}

// A call of a library. One with a handle keeps the handle's stream busy, as a kernel does.
int nullcuda_library(const char *function, const void *first) {
    if (!nullcuda_start(function))
        return 1; // not initialised
    nullcuda_log("library %s", function);
    if (known(first)) {
        struct stream *stream = nullcuda_stream(((const struct handle *)first)->stream);
        if (stream->capture)
            nullcuda_capture_kernel(stream->capture);
        else
            nullcuda_work(stream, nullcuda_kernel_time());
    }
    return 0;
}

// The many functions that make a handle or a descriptor: build.py generates them.
int nullcuda_create(const char *function, void **out) {
    return nullcuda_start(function) ? make(out) : 1;
}

#define SETS_STREAM(name)                             \
    int name(void *handle, cudaStream_t stream) {     \
        if (known(handle))                            \
            ((struct handle *)handle)->stream = stream; \
        return 0;                                     \
    }
SETS_STREAM(cublasSetStream_v2)
SETS_STREAM(cudnnSetStream)
SETS_STREAM(cusolverDnSetStream)
SETS_STREAM(cusparseSetStream)

int cudnnGetStream(const void *handle, cudaStream_t *stream) {
    *stream = known(handle) ? ((const struct handle *)handle)->stream : 0;
    return 0;
}

#define WORDS(name) \
    const char *name(int error) { return error ? "an error of the null runtime" : "success"; }
WORDS(cublasGetStatusString)
WORDS(cublasGetStatusName)
WORDS(cudnnGetErrorString)
WORDS(cusparseGetErrorString)
WORDS(nvrtcGetErrorString)
WORDS(ncclGetErrorString)

void cudnnGetLastErrorString(char *text, size_t size) { snprintf(text, size, "null runtime"); }
const char *ncclGetLastError(void *communicator) { return "null runtime"; }

int cublasLtMatmulAlgoGetHeuristic(void *handle, void *operation, void *a, void *b, void *c, void *d,
                                   void *preference, int asked, void *results, int *found) {
    *found = 1;
    return 0;
}

// Versions: those of the wheels that this torch asks for (build.py reads them).
size_t cudnnGetVersion(void) { return CUDNN_VERSION; }
size_t cudnnGetCudartVersion(void) { return CUDART_VERSION; }

int cudnnGetProperty(int which, int *value) {
    *value = which == 0   ? CUDNN_VERSION / 10000
             : which == 1 ? CUDNN_VERSION / 100 % 100
                          : CUDNN_VERSION % 100;
    return 0;
}

int ncclGetVersion(int *version) {
    *version = NCCL_VERSION;
    return 0;
}

// cuDNN's graphs: the heuristics find one engine, of which nothing else is known. Numbers from
// cudnn_graph.h, which does not come with every wheel.
#define CUDNN_TYPE_INT64 3
#define CUDNN_TYPE_INT32 23
#define CUDNN_ATTR_ENGINEHEUR_RESULTS 202

int cudnnBackendCreateDescriptor(int type, void **descriptor) { return make(descriptor); }

int cudnnBackendGetAttribute(void *descriptor, int name, int type, long long asked,
                             long long *count, void *values) {
    if (count)
        *count = name == CUDNN_ATTR_ENGINEHEUR_RESULTS;
    if (values && (type == CUDNN_TYPE_INT64 || type == CUDNN_TYPE_INT32))
        memset(values, 0, asked * (type == CUDNN_TYPE_INT64 ? 8 : 4)); // sizes of memory
    return 0;
}

int cudnnBackendExecute(void *handle, void *plan, void *variants) {
    return nullcuda_library(__func__, handle);
}

// Sizes of work spaces: none is needed.
#define NEEDS_NO_SPACE(name, parameters) \
    int name parameters {                \
        *size = 0;                       \
        return 0;                        \
    }
NEEDS_NO_SPACE(cudnnDropoutGetStatesSize, (void *handle, size_t *size))
NEEDS_NO_SPACE(cudnnGetRNNWeightSpaceSize, (void *handle, void *rnn, size_t *size))

int cudnnGetRNNTempSpaceSizes(void *handle, void *rnn, int mode, void *data, size_t *work,
                              size_t *reserve) {
    *work = *reserve = 0;
    return 0;
}
