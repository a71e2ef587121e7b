#include "reward/isolated.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "grpo/core/error.h"
#include "reward/batch_wire.h"
#include "sandbox/wire.h"

namespace grpo {
namespace {

const std::string kWasKilled = "expected verdicts; its process was killed";

/// For a process to end by itself.
void wait_a_little(const ForkedChild& child) {
  pollfd event{child.control(), POLLIN, 0};
  ::poll(&event, 1, 1000);
}

std::string answer_to(Reward& reward, std::string_view request) {
  try {
    BatchMessage batch = read_batch(request);
    std::vector<Score> scores(batch.completions.size());
    if (batch.asks_unreadable) {
      for (size_t i = 0; i < scores.size(); ++i) scores[i].reason = reward.unreadable(*batch.completions[i].problem);
    } else {
      reward.score(batch.completions, scores, batch.context);
    }
    return verdict_bytes(scores, batch.context);
  } catch (const Error& error) {
    return fault_bytes(error.what(), error.kind());
  } catch (...) {
    return fault_bytes(caught_text(), ErrorKind::kFailure);
  }
}

/// Runs in the process: makes the reward, then answers until the other side closes.
int answer_batches(const std::function<std::unique_ptr<Reward>()>& make, int socket) {
  std::unique_ptr<Reward> reward;
  try {
    reward = make();
  } catch (const Error& error) {
    send_message(socket, fault_bytes(error.what(), error.kind()));
    return 0;
  } catch (...) {
    send_message(socket, fault_bytes(caught_text(), ErrorKind::kFailure));
    return 0;
  }
  send_message(socket, verdict_bytes({}, {}));
  std::string message;
  while (receive_message(socket, message) && send_message(socket, answer_to(*reward, message))) continue;
  return 0;
}

}  // namespace

IsolatedReward::IsolatedReward(const std::function<std::unique_ptr<Reward>()>& make)
    : server_([&make](std::string_view, std::span<const int> descriptors) { return answer_batches(make, descriptors[0]); }) {
  begin();
}

IsolatedReward::~IsolatedReward() {
  if (socket_.get() < 0) return;
  socket_.reset();
  wait_a_little(child_);  // its reward is destroyed meanwhile
}

void IsolatedReward::begin() const {
  {
    const std::lock_guard lock(mutex_);
    if (abandoned_) fail("reward", kWasKilled);
    auto [mine, theirs] = make_socket_pair();
    child_ = server_.start({}, std::array<int, 1>{theirs.get()});
    socket_ = std::move(mine);
  }
  std::string message;
  if (!receive_message(socket_.get(), message)) fail_by_end();
  try {
    RewardContext none;
    read_verdicts(message, {}, none);
  } catch (...) {
    socket_.reset();
    throw;
  }
}

void IsolatedReward::fail_by_end() const {
  socket_.reset();
  ForkedChild child;
  {
    const std::lock_guard lock(mutex_);
    child = std::move(child_);
  }
  wait_a_little(child);  // its socket has gone first; a kill would be taken for the cause
  child.kill();
  const ChildEnd end = child.wait();
  fail("reward", abandoned_ ? kWasKilled : "expected verdicts; its process ended with " + to_text(end));
}

void IsolatedReward::ask(const std::string& request, std::span<Score> scores, RewardContext& context) const {
  const std::lock_guard lock(talk_);
  if (abandoned_) fail("reward", kWasKilled);
  if (socket_.get() < 0) begin();
  std::string message;
  if (!send_message(socket_.get(), request) || !receive_message(socket_.get(), message)) fail_by_end();
  read_verdicts(message, scores, context);
}

void IsolatedReward::score(std::span<const Completion> batch, std::span<Score> scores, RewardContext& context) {
  ask(batch_bytes(batch, context), scores, context);
}

std::string IsolatedReward::unreadable(const Problem& problem) const {
  Completion of_it;
  of_it.problem = &problem;
  Score score;
  RewardContext none;
  ask(batch_bytes({&of_it, 1}, none, true), {&score, 1}, none);
  return score.reason;
}

void IsolatedReward::abandon() {
  abandoned_ = true;
  const std::lock_guard lock(mutex_);
  child_.kill();
}

}  // namespace grpo
