#include "fibers.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "grpo/core/error.h"
#include "twin.h"

#if defined(__SANITIZE_ADDRESS__)
#define GRPO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRPO_ASAN 1
#endif
#endif
#ifdef GRPO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace grpo::kernels::host {
namespace {

constexpr size_t kStackBytes = size_t{128} << 10;
constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kLanes = 32;

uint64_t order_seed = 0;
std::mt19937_64 order_random;

std::unique_ptr<std::byte[]> poisoned(size_t bytes) {
  std::unique_ptr<std::byte[]> memory(new std::byte[bytes]);
  std::memset(memory.get(), kPoison, bytes);
  return memory;
}

// Goes on where another stack has left off. No frame is left for good, so what AddressSanitizer does at a call that never returns, and
// longjmp with it, is neither needed nor cheap.
__attribute__((noinline, no_sanitize("address"))) void leap(void** point) { __builtin_longjmp(point, 1); }

}  // namespace

void set_order(uint64_t seed) {
  order_seed = seed;
  order_random.seed(seed);
}

// A stack to run on; the main one has none of its own.
struct Block::Fiber {
  ucontext_t context{};
  std::unique_ptr<std::byte[]> stack;
  size_t stack_bytes = 0;
  const void* stack_bottom = nullptr;
  void* fake_stack = nullptr;  // AddressSanitizer's
  unsigned thread = 0;
  std::array<void*, 5> resume_point{};
  bool entered = false;

  void prepare() {
    stack.reset(new std::byte[kStackBytes]);
    stack_bottom = stack.get();
    stack_bytes = kStackBytes;
    getcontext(&context);
    context.uc_stack.ss_sp = stack.get();
    context.uc_stack.ss_size = kStackBytes;
    context.uc_link = nullptr;
    const auto address = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(this));
    makecontext(&context, reinterpret_cast<void (*)()>(&Block::fiber_entry), 2, static_cast<unsigned>(address >> 32),
                static_cast<unsigned>(address));
  }
  // AddressSanitizer is told of every switch, or it would take the other stack's frames for this one's.
  void switch_to(Fiber& next) {
#ifdef GRPO_ASAN
    __sanitizer_start_switch_fiber(&fake_stack, next.stack_bottom, next.stack_bytes);
#endif
    jump(next);
    arrived(&next);
  }
  // swapcontext costs a system call, so a stack is entered by it only once.
  __attribute__((no_sanitize("address"))) void jump(Fiber& next) {
    if (__builtin_setjmp(resume_point.data()) != 0) return;
    if (std::exchange(next.entered, true)) leap(next.resume_point.data());
    swapcontext(&context, &next.context);
  }
  void arrived([[maybe_unused]] Fiber* from) {
#ifdef GRPO_ASAN
    const void* bottom = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(fake_stack, &bottom, &bytes);
    if (from != nullptr && from->stack_bottom == nullptr) {
      from->stack_bottom = bottom;
      from->stack_bytes = bytes;
    }
#endif
  }
};

Block::Block() : main_(std::make_unique<Fiber>()) { main_->entered = true; }
Block::~Block() { drop_fibers(); }

Block& block() {
  static Block instance;
  return instance;
}

void Block::drop_fibers() {
#ifdef GRPO_ASAN
  for (const auto& fiber : fibers_) __asan_unpoison_memory_region(fiber->stack.get(), kStackBytes);
#endif
  fibers_.clear();
  idle_.clear();
}

Block::Fiber* Block::take_fiber() {
  if (idle_.empty()) {
    fibers_.push_back(std::make_unique<Fiber>());
    fibers_.back()->prepare();
    return fibers_.back().get();
  }
  Fiber* fiber = idle_.back();
  idle_.pop_back();
  return fiber;
}

void Block::fiber_entry(unsigned high, unsigned low) {
  auto* fiber = reinterpret_cast<Fiber*>(static_cast<uintptr_t>(uint64_t{high} << 32 | low));  // NOLINT(performance-no-int-to-ptr)
  Block& owner = block();
  fiber->arrived(owner.main_.get());
  owner.run_fiber(*fiber);
}

// Threads that never wait run on one fiber, one after the other: no switch between them.
void Block::run_fiber(Fiber& fiber) {
  for (;;) {
    current_ = fiber.thread;
    threadIdx = dim3(current_);
    try {
      (*body_)();
    } catch (...) {
      error_ = std::current_exception();
    }
    threads_[current_].state = State::kDone;
    if (!error_ && !ready_.empty() && threads_[ready_.back()].fiber == nullptr) {
      fiber.thread = ready_.back();
      threads_[fiber.thread].fiber = &fiber;
      ready_.pop_back();
      continue;
    }
    idle_.push_back(&fiber);
    fiber.switch_to(*main_);
  }
}

void Block::resume(unsigned thread) {
  Thread& next = threads_[thread];
  if (next.fiber == nullptr) {
    next.fiber = take_fiber();
    next.fiber->thread = thread;
  }
  current_ = thread;
  threadIdx = dim3(thread);
  main_->switch_to(*next.fiber);
}

void Block::park() {
  const unsigned self = current_;
  threads_[self].fiber->switch_to(*main_);
  current_ = self;
  threadIdx = dim3(self);
}

void Block::barrier() {
  threads_[current_].state = State::kAtBarrier;
  park();
}

const LaneValue* Block::exchange(const char* operation, const void* value, size_t bytes) {
  Thread& thread = threads_[current_];
  auto& slots = warps_[current_ / kLanes].slots[thread.exchanges++ % 2];
  std::memcpy(slots[current_ % kLanes].bytes.data(), value, bytes);
  thread.state = State::kInWarp;
  thread.operation = operation;
  ++warps_[current_ / kLanes].waiting;
  park();
  return slots.data();
}

void* Block::shared(const void* site, size_t bytes) {
  for (const SharedArray& array : shared_) {
    if (array.site == site) return array.memory.get();
  }
  return shared_.emplace_back(SharedArray{site, poisoned(bytes)}).memory.get();
}

void Block::copy_async(void* to, const void* from, size_t bytes) {
  std::memset(to, kPoison, bytes);
  threads_[current_].copies.push_back({to, from, bytes, threads_[current_].committed});
}

void Block::wait_copies(unsigned newest) {
  Thread& thread = threads_[current_];
  const auto waiting = [&](const Copy& copy) { return copy.group + newest >= thread.committed; };
  const auto arrived = std::stable_partition(thread.copies.begin(), thread.copies.end(), waiting);
  for (auto copy = arrived; copy != thread.copies.end(); ++copy) {
    if (copy->from != nullptr) {
      std::memcpy(copy->to, copy->from, copy->bytes);
    } else {
      std::memset(copy->to, 0, copy->bytes);
    }
  }
  thread.copies.erase(arrived, thread.copies.end());
}

// Shuffled: now thread by thread, now warp by warp, so that some warps are far ahead.
void Block::order_ready() {
  std::sort(ready_.begin(), ready_.end(), std::greater<>());
  if (order_seed == 1) std::reverse(ready_.begin(), ready_.end());
  if (shuffle_ == nullptr) return;
  std::shuffle(ready_.begin(), ready_.end(), *shuffle_);
  const unsigned flips = (*shuffle_)() % 64;
  if (flips % 2 == 0) return;
  std::stable_sort(ready_.begin(), ready_.end(), [&](unsigned a, unsigned b) { return ((a / kLanes) ^ flips) < ((b / kLanes) ^ flips); });
}

// Once its 32 lanes are in the same operation.
void Block::release_warp(unsigned warp) {
  const auto first = threads_.begin() + warp * kLanes, end = first + kLanes;
  if (std::any_of(first, end, [&](const Thread& thread) { return std::strcmp(thread.operation, first->operation) != 0; })) return;
  warps_[warp].waiting = 0;
  for (auto thread = first; thread != end; ++thread) {
    thread->state = State::kReady;
    ready_.push_back(static_cast<unsigned>(thread - threads_.begin()));
  }
  if (shuffle_ != nullptr) std::shuffle(ready_.end() - kLanes, ready_.end(), *shuffle_);
}

bool Block::release_waiting() {
  const auto at_barrier = [](const Thread& thread) { return thread.state == State::kAtBarrier; };
  if (!std::all_of(threads_.begin(), threads_.end(), at_barrier)) return false;
  for (unsigned t = 0; t < threads_.size(); ++t) {
    threads_[t].state = State::kReady;
    ready_.push_back(t);
  }
  order_ready();
  return true;
}

std::string Block::describe_deadlock() const {
  std::array<size_t, 4> count{};
  for (const Thread& thread : threads_) ++count[static_cast<size_t>(thread.state)];
  std::string message = "expected all threads of block " + std::to_string(blockIdx.x) + " to meet; got " + std::to_string(count[1]) +
                        " at a barrier, " + std::to_string(count[2]) + " in warp operations and " + std::to_string(count[3]) + " that left";
  for (size_t t = 0; t < threads_.size(); ++t) {
    if (threads_[t].state != State::kInWarp) continue;
    message += "; a warp is incomplete or its lanes differ: thread " + std::to_string(t) + " waits in " + threads_[t].operation;
    break;
  }
  return message;
}

void Block::run(unsigned threads, size_t dynamic_shared_bytes, const std::function<void()>& body, std::mt19937_64* shuffle) {
  GRPO_CHECK(threads > 0 && threads <= kMaxThreads && threads % kLanes == 0, "launch",
             "expected whole warps, at most 1024 threads; got " + std::to_string(threads));
  threads_.assign(threads, {});
  warps_.resize(threads / kLanes);
  std::memset(static_cast<void*>(warps_.data()), kPoison, warps_.size() * sizeof(Warp));
  for (Warp& warp : warps_) warp.waiting = 0;
  shared_.clear();
  dynamic_shared_ = poisoned(dynamic_shared_bytes);
  body_ = &body;
  shuffle_ = shuffle;
  error_ = nullptr;
  ready_.clear();
  for (unsigned t = 0; t < threads; ++t) ready_.push_back(t);
  order_ready();
  do {
    while (!ready_.empty() && !error_) {
      const unsigned thread = ready_.back();
      ready_.pop_back();
      resume(thread);
      if (warps_[current_ / kLanes].waiting == kLanes) release_warp(current_ / kLanes);
    }
  } while (!error_ && release_waiting());
  if (error_) {
    drop_fibers();
    std::rethrow_exception(error_);
  }
  if (std::all_of(threads_.begin(), threads_.end(), [](const Thread& thread) { return thread.state == State::kDone; })) return;
  const std::string message = describe_deadlock();
  drop_fibers();
  fail("launch", message);
}

void run_grid(dim3 grid, unsigned threads, size_t shared_bytes, const std::function<void()>& body) {
  GRPO_CHECK(grid.x > 0 && grid.y > 0 && grid.z > 0 && grid.y < 65536 && grid.z < 65536, "launch",
             "expected a grid of 1 to 65535 blocks along y and z; got " + std::to_string(grid.x) + " x " + std::to_string(grid.y) + " x " +
                 std::to_string(grid.z));
  GRPO_CHECK(shared_bytes <= kMaxSharedBytes, "launch", "expected at most 227 KiB of shared memory; got " + std::to_string(shared_bytes));
  std::vector<uint64_t> order(uint64_t{grid.x} * grid.y * grid.z);
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937_64* shuffle = order_seed > 1 ? &order_random : nullptr;
  if (shuffle != nullptr) std::shuffle(order.begin(), order.end(), *shuffle);
  if (order_seed == 1) std::reverse(order.begin(), order.end());
  gridDim = grid;
  blockDim = dim3(threads);
  for (const uint64_t number : order) {
    blockIdx = dim3(static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
                    static_cast<unsigned>(number / grid.x / grid.y));
    block().run(threads, shared_bytes, body, shuffle);
  }
}

}  // namespace grpo::kernels::host
