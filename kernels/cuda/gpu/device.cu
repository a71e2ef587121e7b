#include "../../device.h"

#include "check.h"

namespace grpo::device {

int count() {
  int devices = 0;
  return cudaGetDeviceCount(&devices) == cudaSuccess ? devices : 0;
}

Properties properties() {
  int device = 0, shared = 0;
  check(cudaGetDevice(&device), "properties");
  cudaDeviceProp found{};
  check(cudaGetDeviceProperties(&found, device), "properties");
  check(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "properties");
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "properties");
  Properties properties;
  properties.name = found.name;
  properties.multiprocessors = found.multiProcessorCount;
  properties.shared_bytes = shared;
  properties.total_bytes = static_cast<int64_t>(total);
  properties.free_bytes = static_cast<int64_t>(free);
  return properties;
}

void Buffer::resize(int64_t bytes, std::string_view what) {
  if (bytes <= bytes_) return;
  release();
  const cudaError_t status = cudaMalloc(&data_, static_cast<size_t>(bytes));
  if (status == cudaErrorMemoryAllocation) cudaGetLastError();  // or the next check would find it again
  GRPO_CHECK(
      status == cudaSuccess, "Buffer",
      "expected " + std::to_string(bytes) + " bytes of device memory for " + std::string(what) + "; got " + cudaGetErrorString(status));
  bytes_ = bytes;
}

void Buffer::release() noexcept {
  cudaFree(data_);
  data_ = nullptr;
  bytes_ = 0;
}

Stream::Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Stream"); }
Stream::~Stream() { cudaStreamDestroy(stream_); }
void Stream::synchronize() { check(cudaStreamSynchronize(stream_), "Stream::synchronize"); }

Event::Event() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "Event"); }
Event::~Event() { cudaEventDestroy(event_); }
void Event::record(const Stream& stream) { check(cudaEventRecord(event_, stream.get()), "Event::record"); }
void Event::hold(const Stream& stream) const { check(cudaStreamWaitEvent(stream.get(), event_, 0), "Event::hold"); }
void Event::synchronize() const { check(cudaEventSynchronize(event_), "Event::synchronize"); }

Graph::~Graph() {
  if (graph_ != nullptr) cudaGraphExecDestroy(graph_);
}

Graph Graph::capture(const Stream& stream, const std::function<void()>& work) {
  check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "Graph::capture");
  cudaGraph_t recorded = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream.get(), &recorded);
    if (recorded != nullptr) cudaGraphDestroy(recorded);
    throw;
  }
  check(cudaStreamEndCapture(stream.get(), &recorded), "Graph::capture");
  Graph graph;
  const cudaError_t status = cudaGraphInstantiate(&graph.graph_, recorded, 0);
  cudaGraphDestroy(recorded);
  check(status, "Graph::capture");
  return graph;
}

void Graph::replay(const Stream& stream) const { check(cudaGraphLaunch(graph_, stream.get()), "Graph::replay"); }

void synchronize() { check(cudaDeviceSynchronize(), "synchronize"); }

void upload(void* to, const void* from, int64_t bytes, CUstream_st* stream) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, stream), "upload");
}
void download(void* to, const void* from, int64_t bytes, CUstream_st* stream) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, stream), "download");
}
void copy(void* to, const void* from, int64_t bytes, CUstream_st* stream) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream), "copy");
}
void fill(void* to, uint8_t value, int64_t bytes, CUstream_st* stream) {
  if (bytes == 0) return;
  check(cudaMemsetAsync(to, value, static_cast<size_t>(bytes), stream), "fill");
}

}  // namespace grpo::device
