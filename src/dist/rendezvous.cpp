#include "dist/rendezvous.h"

#include <algorithm>
#include <future>
#include <numeric>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "core/wait_notice.h"
#include "grpo/core/error.h"

namespace grpo::dist {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

std::string seconds(milliseconds duration) { return std::to_string(static_cast<double>(duration.count()) / 1000.0).substr(0, 5) + " s"; }

/// Whether the key is there before the deadline. A store that cannot be asked throws another error than one that has waited in vain.
bool wait_for(c10d::Store& store, const std::string& key, Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
  try {
    store.wait({key}, std::max(left, milliseconds(1)));
    return true;
  } catch (const c10::DistStoreError&) {
    return false;
  }
}

/// Those of `ranks` without a key `prefix`/rank.
std::vector<int64_t> without(c10d::Store& store, const std::string& prefix, std::vector<int64_t> ranks) {
  std::erase_if(ranks, [&](int64_t rank) { return store.check({prefix + std::to_string(rank)}); });
  return ranks;
}

/// The ranks without a key `prefix`/rank at the deadline. A long wait says for whom.
std::vector<int64_t> missing(c10d::Store& store, const std::string& prefix, int64_t world_size, Clock::time_point deadline) {
  std::vector<int64_t> ranks(static_cast<size_t>(world_size));
  std::iota(ranks.begin(), ranks.end(), 0);
  const auto began = Clock::now();
  NoticeTimes times;
  while (!(ranks = without(store, prefix, std::move(ranks))).empty() && Clock::now() < deadline) {
    if (times.due(Clock::now() - began)) log_waiting(to_text(ranks), Clock::now() - began);
    const auto next = began + std::chrono::duration_cast<Clock::duration>(times.next());
    wait_for(store, prefix + std::to_string(ranks.front()), std::min(deadline, next));
  }
  return ranks;
}

StorePointer open_store(const LaunchEnvironment& launch, milliseconds timeout, bool serves) {
  const std::string address = launch.master_address + ":" + std::to_string(launch.master_port);
  const WaitNotice notice(serves ? "the port " + address : "rank 0 at " + address);
  c10d::TCPStoreOptions options;
  options.port = launch.master_port;
  options.isServer = serves;
  options.waitWorkers = false;
  options.timeout = timeout;
  try {
    return c10::make_intrusive<c10d::PrefixStore>("grpo/" + std::to_string(launch.attempt),
                                                  c10::make_intrusive<c10d::TCPStore>(launch.master_address, options));
  } catch (const std::exception& error) {
    fail("connect", std::string("expected to ") + (serves ? "listen on" : "reach rank 0 at") + " MASTER_ADDR:MASTER_PORT " + address +
                        " within " + seconds(timeout) + "; got " + reason(error));
  }
}

/// The ranks that did not call the roll of that name within `patience` of this one. Rank 0 stays until those that did know it.
std::vector<int64_t> call_roll(c10d::Store& store, const std::string& name, int64_t rank, int64_t world_size, milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  const std::string present = name + "/present/", done = name + "/done/";
  const int64_t callers = store.add(present + std::to_string(rank), 1);
  GRPO_CHECK(callers == 1, name, "expected one process of each rank; got two of " + to_text({rank}));
  auto absent = missing(store, present, world_size, deadline);
  store.set(done + std::to_string(rank), "1");
  for (int64_t other = 0; rank == 0 && other < world_size; ++other) {
    const bool came = std::find(absent.begin(), absent.end(), other) == absent.end();
    if (came) wait_for(store, done + std::to_string(other), deadline + patience / 2);
  }
  return absent;
}

}  // namespace

StorePointer meet(const LaunchEnvironment& launch, const ConnectOptions& options) {
  auto store = open_store(launch, options.timeout, launch.rank == 0 && !launch.store_served);
  std::vector<int64_t> absent;
  try {
    absent = call_roll(*store, "connect", launch.rank, launch.world_size, options.timeout);
  } catch (const c10::Error&) {
    absent = {0};  // it holds the store
  }
  GRPO_CHECK(absent.empty(), "connect",
             "expected all " + std::to_string(launch.world_size) + " ranks at " + launch.master_address + ":" +
                 std::to_string(launch.master_port) + " within " + seconds(options.timeout) + "; got no sign of " + to_text(absent));
  return store;
}

StorePointer join_store(const LaunchEnvironment& launch, milliseconds timeout) { return open_store(launch, timeout, false); }

std::vector<int64_t> absent_ranks(const StorePointer& store, const LaunchEnvironment& launch, milliseconds patience) {
  // A stopped server leaves its clients waiting without end, so another thread asks, and is left behind if it gets no answer.
  std::promise<std::vector<int64_t>> promise;
  auto answer = promise.get_future();
  std::thread([store, launch, patience, promise = std::move(promise)]() mutable {
    try {
      promise.set_value(call_roll(*store, "failure", launch.rank, launch.world_size, patience));
    } catch (const std::exception&) {
      promise.set_value({0});
    }
  }).detach();
  return answer.wait_for(2 * patience) == std::future_status::ready ? answer.get() : std::vector<int64_t>{0};
}

std::string to_text(const std::vector<int64_t>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (i > 0) text += i + 1 == ranks.size() ? " and " : ", ";
    text += std::to_string(ranks[i]);
  }
  return text;
}

std::string reason(const std::exception& error) {
  const auto* of_torch = dynamic_cast<const c10::Error*>(&error);
  const std::string text = of_torch != nullptr ? of_torch->what_without_backtrace() : error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace grpo::dist
