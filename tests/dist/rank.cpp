// One rank of the tests of collectives: dist_rank SCENARIO SEED TIMEOUT_MS. Exit status 0 where all was as expected.
#include <ATen/ATen.h>
#include <signal.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <thread>

#include "grpo/core/error.h"
#include "grpo/core/random.h"
#include "grpo/dist/communicator.h"
#include "grpo/model/transformer.h"
#include "grpo/trainer/config.h"
#include "grpo/trainer/data_parallel.h"
#include "trainer/exchange.h"

namespace grpo {
namespace {

using std::chrono::milliseconds;

void expect_equal(const at::Tensor& got, const at::Tensor& expected, const std::string& what) {
  GRPO_CHECK(got.equal(expected), what, "expected other values");
}

/// Whole numbers that every rank can draw for each other: sums of them are exact in every dtype.
at::Tensor values_of(uint64_t seed, int64_t rank, at::IntArrayRef shape, at::ScalarType dtype) {
  Random random(seed, static_cast<uint64_t>(rank));
  at::Tensor values = at::empty(shape, at::kLong);
  for (int64_t i = 0; i < values.numel(); ++i) values.data_ptr<int64_t>()[i] = random.uniform_int(-1000, 1000);
  return values.to(dtype);
}

void check_reductions(Communicator& c, const std::vector<at::Tensor>& all) {
  at::Tensor sum = at::zeros_like(all[0]), largest = all[0].clone();
  for (const auto& values : all) sum += values, largest = at::maximum(largest, values);
  const at::Tensor& mine = all[static_cast<size_t>(c.rank())];

  at::Tensor reduced = mine.clone();
  c.all_reduce(reduced);
  expect_equal(reduced, sum, "all_reduce sum");
  reduced = mine.clone();
  c.all_reduce(reduced, Reduction::kMax);
  expect_equal(reduced, largest, "all_reduce max");

  const int64_t rows = mine.size(0) / c.world_size();
  at::Tensor share = at::empty_like(mine.narrow(0, 0, rows));
  c.reduce_scatter(share, mine);
  expect_equal(share, sum.narrow(0, c.rank() * rows, rows), "reduce_scatter");
}

void check_copies(Communicator& c, const std::vector<at::Tensor>& all) {
  const at::Tensor& mine = all[static_cast<size_t>(c.rank())];
  for (int64_t root = 0; root < c.world_size(); ++root) {
    at::Tensor copy = mine.clone();
    c.broadcast(copy, root);
    expect_equal(copy, all[static_cast<size_t>(root)], "broadcast from " + std::to_string(root));
  }
  at::Tensor gathered = at::empty_like(at::cat(all));
  c.all_gather(gathered, mine);
  expect_equal(gathered, at::cat(all), "all_gather");
}

void check_host_values(Communicator& c, Random& random) {
  const double base = random.uniform_int(1, 50);
  const auto world = static_cast<double>(c.world_size()), rank = static_cast<double>(c.rank());
  std::vector<double> numbers = {base + rank, -rank};
  c.all_reduce(numbers);
  GRPO_CHECK(numbers[0] == base * world + world * (world - 1) / 2 && numbers[1] == -world * (world - 1) / 2, "all_reduce", "of numbers");
  numbers = {base + rank, -rank};
  c.all_reduce(numbers, Reduction::kMax);
  GRPO_CHECK(numbers[0] == base + world - 1 && numbers[1] == 0.0, "all_reduce", "maximum of numbers");

  const auto bytes_of = [&](int64_t r) {
    return std::string(static_cast<size_t>(r) * static_cast<size_t>(base), static_cast<char>('a' + r));
  };
  const auto gathered = all_gather(c, bytes_of(c.rank()));  // rank 0 has none
  GRPO_CHECK(static_cast<int64_t>(gathered.size()) == c.world_size(), "all_gather", "expected an entry per rank");
  for (int64_t r = 0; r < c.world_size(); ++r) GRPO_CHECK(gathered[static_cast<size_t>(r)] == bytes_of(r), "all_gather", "of bytes");
}

void check_barrier(Communicator& c) {
  const auto now = [] { return static_cast<double>(std::chrono::steady_clock::now().time_since_epoch().count()); };  // one clock for all
  std::this_thread::sleep_for(milliseconds(200) * c.rank());
  std::vector<double> last_arrival = {now()};
  c.barrier();
  const double left = now();
  c.all_reduce(last_arrival, Reduction::kMax);
  GRPO_CHECK(left >= last_arrival[0], "barrier", "left before the last rank came");
}

/// Ranks begin with weights of their own.
void check_weights(Communicator& c) {
  ModelConfig config;
  config.vocab_size = 11;
  config.hidden_size = 8;
  config.intermediate_size = 12;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.head_dim = 4;
  Transformer mine(config, at::kFloat, at::kCPU), main(config, at::kFloat, at::kCPU);
  init_weights(mine, static_cast<uint64_t>(c.rank()));
  init_weights(main, 0);
  const int64_t version = mine.version();
  broadcast_weights(mine, c);
  GRPO_CHECK(c.world_size() == 1 || mine.version() > version, "broadcast_weights", "expected a new version");
  for (size_t i = 0; i < mine.parameters().size(); ++i) {
    expect_equal(mine.parameters()[i]->flat(), main.parameters()[i]->flat(), "broadcast_weights");
  }
}

/// Oracle: `sample` of all problems in one process, and verdicts that can be told from the completion.
void check_samples(Communicator& c, uint64_t seed) {
  const NewModelConfig model{
      .hidden_size = 16, .intermediate_size = 32, .num_hidden_layers = 1, .num_attention_heads = 2, .extra_tokens = {}};
  const Policy policy = load_policy({.path = {}, .tokenizer = {}, .new_model = model}, seed);
  RolloutEngine engine(*policy.model);
  std::vector<Problem> problems(3);
  for (size_t i = 0; i < problems.size(); ++i) problems[i].index = static_cast<int64_t>(i), problems[i].question = std::string(i + 1, '?');
  const std::vector<const Problem*> asked = {&problems[2], &problems[0], &problems[2], &problems[1]};  // one of them twice
  SamplingParams sampling;
  sampling.num_generations = 2;
  sampling.max_completion_length = 9;
  PromptOptions prompt;
  prompt.prompt_template = "plain";
  const SampledBatch expected = sample(policy, engine, asked, prompt, sampling, {seed, 4});

  SampledBatch sampled = sample_share(policy, engine, asked, share_of(4, c), prompt, sampling, {seed, 4});
  const auto verdict = [](const Completion& one) { return static_cast<double>(one.problem->index * 1000 + one.ids[0]); };
  ScoredBatch scores{.per_function = {{}, {}}, .reasons = {{}, {}}, .rewards = {}, .steps = {{}, {}}};
  RewardContext context;
  for (const Completion& one : sampled.completions) {
    scores.per_function[0].push_back(verdict(one));
    scores.per_function[1].push_back(std::nan(""));
    scores.reasons[0].push_back(one.text);
    scores.reasons[1].emplace_back();
    scores.rewards.push_back(verdict(one));
    scores.steps[0].push_back({{one.text.size(), 0.0}, {one.text.size() + 1, verdict(one)}});
    scores.steps[1].emplace_back();
    context.log_metric("seen", verdict(one));
  }
  std::vector<Rollout> rollouts = sampled.rollouts;
  gather(c, rollouts);
  gather(c, asked, sampled, scores, context);
  GRPO_CHECK(sampled.rollouts.size() == 8 && sampled.completions.size() == 8, "gather", "expected the samples of all ranks");
  double sum = 0.0;
  for (size_t i = 0; i < 8; ++i) {
    const Rollout &a = sampled.rollouts[i], &b = expected.rollouts[i];
    GRPO_CHECK(a.problem == b.problem && a.group == b.group && a.sample == b.sample && a.prompt_ids == b.prompt_ids && a.ids == b.ids &&
                   a.logprobs == b.logprobs && a.processed_logprobs == b.processed_logprobs && a.finish == b.finish &&
                   a.policy_version == b.policy_version,
               "gather", "expected the rollout of one process at " + std::to_string(i));
    GRPO_CHECK(rollouts.at(i).group == b.group && rollouts[i].sample == b.sample && rollouts[i].ids == b.ids, "gather",
               "expected the rollout of one process, without its text, at " + std::to_string(i));
    const Completion &x = sampled.completions[i], &y = expected.completions[i];
    GRPO_CHECK(x.problem == y.problem && x.prompt == y.prompt && x.text == y.text && x.ids == y.ids && x.finish == y.finish &&
                   x.sample == y.sample,
               "gather", "expected the completion of one process at " + std::to_string(i));
    GRPO_CHECK(scores.per_function[0][i] == verdict(y) && std::isnan(scores.per_function[1][i]) && scores.reasons[0][i] == y.text &&
                   scores.reasons[1][i].empty() && scores.rewards[i] == verdict(y),
               "gather", "expected the verdict of one process at " + std::to_string(i));
    const auto& steps = scores.steps[0][i];
    GRPO_CHECK(steps.size() == 2 && steps[0].end == y.text.size() && steps[1].value == verdict(y) && scores.steps[1][i].empty(), "gather",
               "expected the steps of one process at " + std::to_string(i));
    sum += verdict(y);
  }
  GRPO_CHECK(context.metrics["seen"] == std::pair(sum, int64_t{8}), "gather", "expected the metrics of all ranks");
}

void collectives(Communicator& c, uint64_t seed) {
  Random random(seed, 1000);
  for (const auto dtype : {at::kFloat, at::kDouble, at::kLong}) {
    const std::vector<int64_t> shape = {c.world_size() * random.uniform_int(1, 4), random.uniform_int(1, 5), random.uniform_int(1, 700)};
    std::vector<at::Tensor> all;
    for (int64_t rank = 0; rank < c.world_size(); ++rank) all.push_back(values_of(seed, rank, shape, dtype));
    check_reductions(c, all);
    check_copies(c, all);
  }
  check_host_values(c, random);
  check_weights(c);
  check_samples(c, seed);
  check_barrier(c);
}

/// The rank of that number gets the signal between two collectives; the others print what the second one says.
void lose(Communicator& c, int64_t lost, int signal) {
  at::Tensor ones = at::ones({64});
  c.all_reduce(ones);
  if (c.rank() == lost) ::raise(signal);
  try {
    c.all_reduce(ones);
    fail("lose", "expected an error");
  } catch (const Error& error) {
    std::cout << error.what() << std::endl;
  }
  try {
    c.barrier();
    fail("lose", "expected an error of a broken communicator");
  } catch (const Error& error) {
    std::cout << error.what() << std::endl;
  }
}

/// By thread of this process, whether it blocks SIGPIPE.
std::map<std::string, bool> blocks_broken_pipes() {
  std::map<std::string, bool> threads;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("SigBlk:")) threads[thread.path().filename()] = (std::stoull(line.substr(7), nullptr, 16) >> (SIGPIPE - 1)) & 1U;
    }
  }
  return threads;
}

/// Only threads that connect() starts block SIGPIPE: gloo's write to sockets whose other end may be gone.
void check_broken_pipes(const std::map<std::string, bool>& before, int64_t world_size) {
  size_t started = 0;
  for (const auto& [thread, blocks] : blocks_broken_pipes()) {
    started += static_cast<size_t>(!before.contains(thread));
    GRPO_CHECK(blocks != before.contains(thread), "connect", "expected SIGPIPE blocked in the threads that it starts, and in no other");
  }
  GRPO_CHECK((started > 0) == (world_size > 1), "connect", "expected threads of a back end where there are several ranks");
}

void run(const std::string& scenario, uint64_t seed, milliseconds timeout) {
  const auto before = blocks_broken_pipes();
  const auto c = connect(read_launch_environment(), {.timeout = timeout, .roll_call = milliseconds(3000)});
  check_broken_pipes(before, c->world_size());
  if (scenario == "collectives") return collectives(*c, seed);
  const auto lost = static_cast<int64_t>(seed);
  if (scenario == "kill") return lose(*c, lost, SIGKILL);
  if (scenario == "stop") return lose(*c, lost, SIGSTOP);
  fail("dist_rank", "expected a scenario; got " + scenario);
}

}  // namespace
}  // namespace grpo

int main(int argc, char** argv) try {
  if (argc != 4) return 2;
  grpo::run(argv[1], std::stoull(argv[2]), std::chrono::milliseconds(std::stoll(argv[3])));
  return 0;
} catch (const std::exception& error) {
  std::cout << error.what() << std::endl;
  return 1;
}
