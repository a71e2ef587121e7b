#include "../../device.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <vector>

#include "fibers.h"
#include "grpo/core/error.h"
#include "twin.h"

using Work = std::function<void()>;

// Work is done when somebody waits for it, so that what is read too early is seen: it is not there yet.
struct CUstream_st {
  static std::set<CUstream_st*>& all() {
    static std::set<CUstream_st*> streams;
    return streams;
  }
  CUstream_st() { all().insert(this); }
  ~CUstream_st() { all().erase(this); }
  CUstream_st(const CUstream_st&) = delete;

  std::deque<Work> waiting;
  uint64_t enqueued = 0;  // works ever
  std::vector<Work>* recording = nullptr;

  void run_until(uint64_t number) {
    while (enqueued - waiting.size() < number) {
      const Work work = std::move(waiting.front());
      waiting.pop_front();
      work();
    }
  }
};
struct CUevent_st {
  CUstream_st* stream = nullptr;
  uint64_t number = 0;
};
struct CUgraphExec_st {
  std::shared_ptr<const std::vector<Work>> works;
};

namespace grpo::kernels::host {

void enqueue(CUstream_st* stream, Work work) {
  if (stream == nullptr) {
    work();
  } else if (stream->recording != nullptr) {
    stream->recording->push_back(std::move(work));
  } else {
    stream->waiting.push_back(std::move(work));
    ++stream->enqueued;
  }
}

}  // namespace grpo::kernels::host

namespace grpo::device {
namespace {

using kernels::host::enqueue;

constexpr size_t kAlignment = 256;  // cudaMalloc's

template <class T>
float element(const Matrix& matrix, int64_t row, int64_t column) {
  if (matrix.transposed) std::swap(row, column);
  return kernels::to_float(static_cast<const T*>(matrix.data)[row * matrix.stride + column]);
}

// One chain of sums per output: a row does not depend on its neighbours.
template <class In, class Out>
void multiply(const Matrix& a, const Matrix& b, const Product& product, int64_t m, int64_t n, int64_t k) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0.0F;
      for (int64_t l = 0; l < k; ++l) sum += element<In>(a, i, l) * element<In>(b, l, j);
      Out& out = static_cast<Out*>(product.c)[i * product.stride + j];
      sum *= product.alpha;
      if (product.beta != 0.0F) sum += product.beta * kernels::to_float(out);
      out = kernels::from_float<Out>(sum);
    }
  }
}

}  // namespace

int count() { return 1; }
Properties properties() {
  return {.name = "host",
          .multiprocessors = 4,
          .shared_bytes = kernels::host::kMaxSharedBytes,
          .total_bytes = int64_t{1} << 30,
          .free_bytes = int64_t{1} << 30};
}

void Buffer::resize(int64_t bytes, std::string_view what) {
  if (bytes <= bytes_) return;
  release();
  const bool given = posix_memalign(&data_, kAlignment, static_cast<size_t>(bytes)) == 0;  // not a byte more: sanitizers see its end
  GRPO_CHECK(given, "Buffer", "expected " + std::to_string(bytes) + " bytes of memory for " + std::string(what) + "; got none");
  std::memset(data_, kernels::host::kPoison, static_cast<size_t>(bytes));
  bytes_ = bytes;
}

void Buffer::release() noexcept {
  if (data_ != nullptr) std::memset(data_, kernels::host::kPoison, static_cast<size_t>(bytes_));
  std::free(data_);
  data_ = nullptr;
  bytes_ = 0;
}

Stream::Stream() : stream_(new CUstream_st) {}
Stream::~Stream() { delete stream_; }
void Stream::synchronize() {
  GRPO_CHECK(stream_->recording == nullptr, "Stream::synchronize", "expected no capture under way; got one");
  stream_->run_until(stream_->enqueued);
}

Event::Event() : event_(new CUevent_st) {}
Event::~Event() { delete event_; }
void Event::record(const Stream& stream) { *event_ = {stream.get(), stream.get()->enqueued}; }
void Event::hold(const Stream& stream) const {
  enqueue(stream.get(), [event = *event_] {
    if (event.stream != nullptr) event.stream->run_until(event.number);
  });
}
void Event::synchronize() const {
  if (event_->stream != nullptr) event_->stream->run_until(event_->number);
}

Graph::~Graph() { delete graph_; }
Graph Graph::capture(const Stream& stream, const Work& work) {
  const auto works = std::make_shared<std::vector<Work>>();
  stream.get()->recording = works.get();
  try {
    work();
  } catch (...) {
    stream.get()->recording = nullptr;
    throw;
  }
  stream.get()->recording = nullptr;
  Graph graph;
  graph.graph_ = new CUgraphExec_st{works};
  return graph;
}
void Graph::replay(const Stream& stream) const {
  enqueue(stream.get(), [works = graph_->works] {
    for (const Work& work : *works) work();
  });
}

void synchronize() {
  for (CUstream_st* stream : CUstream_st::all()) stream->run_until(stream->enqueued);
}

void copy(void* to, const void* from, int64_t bytes, CUstream_st* stream) {
  if (bytes > 0) enqueue(stream, [=] { std::memcpy(to, from, static_cast<size_t>(bytes)); });
}
void upload(void* to, const void* from, int64_t bytes, CUstream_st* stream) { copy(to, from, bytes, stream); }
void download(void* to, const void* from, int64_t bytes, CUstream_st* stream) { copy(to, from, bytes, stream); }
void fill(void* to, uint8_t value, int64_t bytes, CUstream_st* stream) {
  if (bytes > 0) enqueue(stream, [=] { std::memset(to, value, static_cast<size_t>(bytes)); });
}

void matmul(const Matrix& a, const Matrix& b, const Product& product, int64_t m, int64_t n, int64_t k, CUstream_st* stream) {
  GRPO_CHECK(a.element == b.element && (product.element == a.element || product.element == Element::kF32), "matmul",
             "expected operands of one type and a result of theirs or fp32; got others");
  enqueue(stream, [=] {
    if (a.element == Element::kF32) {
      multiply<float, float>(a, b, product, m, n, k);
    } else if (product.element == Element::kF32) {
      multiply<kernels::bf16, float>(a, b, product, m, n, k);
    } else {
      multiply<kernels::bf16, kernels::bf16>(a, b, product, m, n, k);
    }
  });
}

}  // namespace grpo::device
