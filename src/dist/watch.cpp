#include "dist/watch.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <utility>
#include <vector>

#include "core/wait_notice.h"
#include "dist/rendezvous.h"
#include "grpo/core/interrupt.h"

namespace grpo::dist {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPoll(250), kSettled(2000);
constexpr auto kStopKey = "stop";

}  // namespace

struct Watch::State {
  LaunchEnvironment launch;
  StorePointer store;
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false, done = false;
  bool passed_on = false;  // the wish to stop: every rank has it

  // of the collective under way
  const char* collective = nullptr;  // null: none
  int64_t number = 0;
  steady_clock::time_point since;
  bool announced = false;  // to the others
  NoticeTimes times;
};

Watch::Watch(const LaunchEnvironment& launch, milliseconds timeout) : state_(std::make_shared<State>()) {
  state_->launch = launch;
  state_->store = join_store(launch, timeout);
  std::thread([state = state_] { run(state); }).detach();
}

Watch::~Watch() {
  std::unique_lock lock(state_->mutex);
  state_->over = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, 4 * kPoll, [this] { return state_->done; });
}

void Watch::enter(const char* collective) {
  const std::lock_guard lock(state_->mutex);
  state_->collective = collective;
  ++state_->number;
  state_->since = steady_clock::now();
  state_->announced = false;
  state_->times = {};
}

void Watch::leave() {
  const std::lock_guard lock(state_->mutex);
  state_->collective = nullptr;
}

void Watch::run(const std::shared_ptr<State>& state) {
  const auto over = [&state] {
    std::unique_lock lock(state->mutex);
    return state->changed.wait_for(lock, kPoll, [&state] { return state->over; });
  };
  try {
    while (!over()) {
      pass_on_signals(*state);
      tell_of_waiting(*state);
    }
  } catch (const std::exception&) {  // rank 0 is gone with its store: the collectives report that
  }
  const std::lock_guard lock(state->mutex);
  state->done = true;
  state->changed.notify_all();
}

void Watch::pass_on_signals(State& state) {
  if (state.passed_on) return;
  if (interrupt_requested()) {
    state.store->set(kStopKey, "1");
  } else if (state.store->check({kStopKey})) {
    request_interrupt();
  } else {
    return;
  }
  state.passed_on = true;
}

/// A rank that has waited for two seconds says so in the store; those that have not are awaited. The first of the waiting ones tells.
void Watch::tell_of_waiting(State& state) {
  std::unique_lock lock(state.mutex);
  const auto waited = steady_clock::now() - state.since;
  if (state.collective == nullptr || waited < kSettled) return;
  const std::string key = "waiting/" + std::to_string(state.number) + "/", what = state.collective;
  const bool announce = !std::exchange(state.announced, true), tell = state.times.due(waited);
  lock.unlock();  // the store may take its time
  if (announce) state.store->set(key + std::to_string(state.launch.rank), "1");
  if (!tell) return;
  std::vector<int64_t> awaited;
  for (int64_t rank = 0; rank < state.launch.world_size; ++rank) {
    const bool waits = state.store->check({key + std::to_string(rank)});
    if (waits && rank < state.launch.rank) return;
    if (!waits) awaited.push_back(rank);
  }
  if (!awaited.empty()) log_waiting(to_text(awaited) + " in " + what, waited);
}

}  // namespace grpo::dist
