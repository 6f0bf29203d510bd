// Captures and graphs. A graph holds the kernels and copies of its capture; a launch of the graph
// makes them happen again.
#include "nullcuda.h"

struct graph {
    size_t kernels;
    size_t operations;
    struct operation *list;
};

static struct capture *captures; // under way
static __thread enum cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;

int nullcuda_forbidden(const char *function) {
    int forbidden = 0;
    LOCK;
    for (struct capture *each = captures; each && mode != cudaStreamCaptureModeRelaxed; each = each->next) {
        int ours = pthread_equal(each->thread, pthread_self());
        if (each->mode == cudaStreamCaptureModeRelaxed ||
            (!ours && (each->mode != cudaStreamCaptureModeGlobal || mode != cudaStreamCaptureModeGlobal)))
            continue;
        nullcuda_log("UNSAFE %s during a capture", function);
        nullcuda_invalidate(each, function);
        forbidden = 1;
    }
    UNLOCK;
    return forbidden;
}

void nullcuda_invalidate(struct capture *capture, const char *function) {
    nullcuda_log("INVALIDATED by %s", function);
    capture->invalid = 1;
}

void nullcuda_capture_kernel(struct capture *capture) {
    LOCK;
    capture->graph->kernels++;
    UNLOCK;
}

void nullcuda_capture_operation(struct capture *capture, struct operation operation) {
    struct graph *graph = capture->graph;
    LOCK;
    graph->list = realloc(graph->list, (graph->operations + 1) * sizeof *graph->list);
    graph->list[graph->operations++] = operation;
    UNLOCK;
}

cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *other) {
    enum cudaStreamCaptureMode former = mode;
    mode = *other;
    *other = former;
    return cudaSuccess;
}

static cudaError_t begin(cudaStream_t handle, struct graph *graph, enum cudaStreamCaptureMode how) {
    static unsigned long long begun;
    struct stream *stream = nullcuda_stream(handle);
    struct capture *capture = calloc(1, sizeof *capture);
    LOCK;
    *capture = (struct capture){.mode = how, .id = ++begun, .origin = stream, .graph = graph,
                                .thread = pthread_self(), .next = captures};
    captures = capture;
    stream->capture = capture;
    UNLOCK;
    nullcuda_log("capture begins");
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, enum cudaStreamCaptureMode how) {
    NEEDS_DRIVER;
    return begin(handle, calloc(1, sizeof(struct graph)), how);
}

cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t handle, cudaGraph_t graph,
                                          const cudaGraphNode_t *dependencies,
                                          const cudaGraphEdgeData *edges, size_t count,
                                          enum cudaStreamCaptureMode how) {
    NEEDS_DRIVER;
    return begin(handle, (struct graph *)graph, how);
}

// What ended stays in memory: events may still name it.
cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *graph) {
    NEEDS_DRIVER;
    struct capture *capture = nullcuda_stream(handle)->capture;
    if (!capture)
        return nullcuda_fail(cudaErrorInvalidValue);
    LOCK;
    struct capture **link = &captures;
    while (*link && *link != capture)
        link = &(*link)->next;
    if (*link)
        *link = capture->next;
    capture->ended = 1;
    UNLOCK;
    nullcuda_leave(capture);
    nullcuda_log("capture ends%s", capture->invalid ? " INVALID" : "");
    *graph = capture->invalid ? NULL : (cudaGraph_t)capture->graph;
    return capture->invalid ? nullcuda_fail(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, enum cudaStreamCaptureStatus *status) {
    NEEDS_DRIVER;
    struct capture *capture = nullcuda_stream(handle)->capture;
    *status = !capture          ? cudaStreamCaptureStatusNone
              : capture->invalid ? cudaStreamCaptureStatusInvalidated
                                 : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

// The header of CUDA 12 renames this to cudaStreamGetCaptureInfo_v2, which is right there.
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, enum cudaStreamCaptureStatus *status,
                                     unsigned long long *id, cudaGraph_t *graph,
                                     const cudaGraphNode_t **dependencies,
#if CUDART_VERSION >= 13000
                                     const cudaGraphEdgeData **edges,
#endif
                                     size_t *count) {
    cudaError_t error = cudaStreamIsCapturing(handle, status);
    struct capture *capture = nullcuda_stream(handle)->capture;
    if (error || !capture)
        return error;
    if (id)
        *id = capture->id;
    if (graph)
        *graph = (cudaGraph_t)capture->graph;
    if (dependencies)
        *dependencies = NULL;
#if CUDART_VERSION >= 13000
    if (edges)
        *edges = NULL;
#endif
    if (count)
        *count = 0;
    return cudaSuccess;
}

static cudaError_t instantiate(cudaGraphExec_t *executable, cudaGraph_t handle) {
    struct graph *graph = (struct graph *)handle, *copy = malloc(sizeof *copy);
    size_t size = graph->operations * sizeof *graph->list;
    *copy = *graph;
    copy->list = malloc(size ? size : 1);
    if (size)
        memcpy(copy->list, graph->list, size);
    *executable = (cudaGraphExec_t)copy;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph,
                                 unsigned long long flags) {
    NEEDS_DRIVER;
    return instantiate(executable, graph);
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *executable, cudaGraph_t graph,
                                          unsigned long long flags) {
    NEEDS_DRIVER;
    return instantiate(executable, graph);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
    NEEDS_DRIVER;
    struct graph *graph = (struct graph *)executable;
    struct stream *stream = nullcuda_stream(handle);
    nullcuda_log("graph of %zu kernels and %zu copies", graph->kernels, graph->operations);
    nullcuda_work(stream, nullcuda_kernel_time() * (nanoseconds)graph->kernels);
    for (size_t i = 0; i < graph->operations; i++)
        nullcuda_enqueue(stream, graph->list[i]);
    return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t handle, cudaGraphNode_t *nodes, size_t *count) {
    struct graph *graph = (struct graph *)handle;
    *count = graph->kernels + graph->operations;
    return cudaSuccess;
}

cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t node, cudaGraphNode_t *dependencies,
#if CUDART_VERSION >= 13000
                                         cudaGraphEdgeData *edges,
#endif
                                         size_t *count) {
    *count = 0;
    return cudaSuccess;
}

static cudaError_t forget(struct graph *graph) {
    if (graph)
        free(graph->list);
    free(graph);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return forget((struct graph *)graph); }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return forget((struct graph *)graph); }
