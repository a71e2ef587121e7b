#pragma once

#include <ucontext.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace grpo::kernels::host {

/// What fresh memory is filled with: NaN as float, double and bfloat16, -1 as an integer.
inline constexpr int kPoison = 0xFF;

/// The order in which a block's threads run between two barriers, and a grid's blocks: 0 ascending, 1 descending, others shuffled, anew
/// after every barrier. A warp whose lanes have met goes on at once, so that warps run ahead of each other. A result that depends on it is
/// a race.
void set_order(uint64_t seed);

/// One lane's part of a warp operation, as the other lanes see it.
struct alignas(16) LaneValue {
  std::array<std::byte, 32> bytes;
};

/// Runs the threads of one block as fibers. A barrier or a warp operation parks a fiber until all that it waits for have come.
class Block {
 public:
  Block();
  ~Block();
  Block(const Block&) = delete;

  /// Runs `body` once per thread, threadIdx set. Throws an Error where threads wait for others that never come: at a barrier for threads
  /// that have left, in a warp operation for lanes that do something else.
  void run(unsigned threads, size_t dynamic_shared_bytes, const std::function<void()>& body, std::mt19937_64* shuffle);

  // From within `body`.
  void barrier();
  /// Deposits this lane's value and waits for the warp's 32 lanes; the array holds until this lane's next warp operation but one.
  const LaneValue* exchange(const char* operation, const void* value, size_t bytes);
  /// The block's array that belongs to a place in the source, poisoned when the first thread comes by.
  void* shared(const void* site, size_t bytes);
  void* dynamic_shared() { return dynamic_shared_.get(); }
  /// A copy that arrives when this thread waits for its group; until then the target is poison. `from` null: zeros arrive.
  void copy_async(void* to, const void* from, size_t bytes);
  void commit_copies() { ++threads_[current_].committed; }
  /// Until at most `newest` committed groups of this thread are under way.
  void wait_copies(unsigned newest);

 private:
  enum class State : uint8_t { kReady, kAtBarrier, kInWarp, kDone };
  struct Fiber;
  struct Copy {
    void* to;
    const void* from;
    size_t bytes;
    unsigned group;
  };
  struct Thread {
    State state = State::kReady;
    Fiber* fiber = nullptr;  // null = not begun
    const char* operation = "";
    unsigned exchanges = 0, committed = 0;
    std::vector<Copy> copies;
  };
  struct Warp {
    std::array<std::array<LaneValue, 32>, 2> slots;
    unsigned waiting;  // lanes
  };
  struct SharedArray {
    const void* site;
    std::unique_ptr<std::byte[]> memory;
  };

  void resume(unsigned thread);
  void park();
  void run_fiber(Fiber& fiber);
  static void fiber_entry(unsigned high, unsigned low);
  Fiber* take_fiber();
  void drop_fibers();
  void order_ready();
  bool release_waiting();
  void release_warp(unsigned warp);
  std::string describe_deadlock() const;

  unsigned current_ = 0;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<unsigned> ready_;  // the next one last
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  std::vector<SharedArray> shared_;
  std::unique_ptr<std::byte[]> dynamic_shared_;
  const std::function<void()>* body_ = nullptr;
  std::mt19937_64* shuffle_ = nullptr;
  std::exception_ptr error_;
  std::unique_ptr<Fiber> main_;
};

/// The block that runs now. Launches come from one thread at a time.
Block& block();

}  // namespace grpo::kernels::host
