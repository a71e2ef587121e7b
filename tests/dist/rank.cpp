// One rank of the tests of collectives: dist_rank SCENARIO SEED TIMEOUT_MS. Exit status 0 where all was as expected.
#include <ATen/ATen.h>
#include <signal.h>

#include <algorithm>
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
#include "grpo/policy/data_parallel.h"
#include "grpo/policy/evaluation.h"
#include "grpo/reward/registry.h"
#include "grpo/trainer/config.h"
#include "objective/trained_models.h"
#include "policy/gather.h"
#include "policy/sampling.h"
#include "trainer/identity.h"

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

void expect_same(const Sample& a, const Sample& b) {
  GRPO_CHECK(a.ids == b.ids && a.logprobs == b.logprobs && a.processed_logprobs == b.processed_logprobs && a.finish == b.finish &&
                 a.born_at_step == b.born_at_step && a.text == b.text && a.reward == b.reward,
             "gather", "expected the sample of one process");
  GRPO_CHECK(a.scores.size() == b.scores.size(), "gather", "expected its scores");
  for (size_t f = 0; f < a.scores.size(); ++f) {
    const Score &x = a.scores[f], &y = b.scores[f];
    const bool steps =
        std::ranges::equal(x.steps, y.steps, [](const StepScore& s, const StepScore& t) { return s.end == t.end && s.value == t.value; });
    GRPO_CHECK((x.value == y.value || !(x.defined() || y.defined())) && x.reason == y.reason && x.kind == y.kind && x.gold == y.gold &&
                   x.given == y.given && steps,
               "gather", "expected its scores");
  }
}

void expect_same(const Experience& a, const Experience& b) {
  GRPO_CHECK(a.size() == b.size(), "gather", "expected the groups of all ranks");
  for (size_t g = 0; g < a.size(); ++g) {
    GRPO_CHECK(a[g].item == b[g].item && a[g].problem == b[g].problem && a[g].key.seed == b[g].key.seed && a[g].key.step == b[g].key.step &&
                   a[g].stream == b[g].stream && a[g].prompt == b[g].prompt && a[g].prompt_ids == b[g].prompt_ids &&
                   a[g].greedy_reward == b[g].greedy_reward && a[g].samples.size() == b[g].samples.size(),
               "gather", "expected the group of one process at " + std::to_string(g));
    for (size_t i = 0; i < a[g].samples.size(); ++i) expect_same(a[g].samples[i], b[g].samples[i]);
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
  const auto verdict = [](const Group& group, const Sample& one) { return static_cast<double>(group.problem->index * 1000 + one.ids[0]); };
  const auto judge = [&verdict](Experience& groups, RewardContext& context) {
    for (Group& group : groups) {
      group.greedy_reward = static_cast<double>(group.item);
      for (Sample& one : group.samples) {
        Score judged(verdict(group, one), one.text);
        judged.steps = {{one.text.size(), 0.0}, {one.text.size() + 1, verdict(group, one)}};
        one.scores = {judged, Score::undefined()};
        one.reward = verdict(group, one);
        one.born_at_step = one.ids[0];
        context.log_metric("seen", verdict(group, one));
      }
    }
  };
  Experience expected = sample(policy, engine, asked, prompt, sampling, {seed, 4});
  RewardContext all, mine;
  judge(expected, all);

  Experience groups = begin_groups(policy, asked, share_of(4, c), prompt, {seed, 4});
  sample_groups(policy, engine, groups, sampling, {seed, 4});
  judge(groups, mine);
  std::vector<PlacedSample> placed;
  for (const Group& group : groups) {
    for (size_t i = 0; i < group.samples.size(); ++i)
      placed.push_back({.group = group.item, .place = static_cast<int64_t>(i), .sample = group.samples[i]});
  }
  gather(c, placed);
  gather(c, groups, asked);
  gather(c, mine.metrics);
  expect_same(groups, expected);
  GRPO_CHECK(placed.size() == 8, "gather", "expected the samples of all ranks");
  for (const PlacedSample& one : placed)
    expect_same(one.sample, expected.at(static_cast<size_t>(one.group)).samples.at(static_cast<size_t>(one.place)));
  GRPO_CHECK(mine.metrics == all.metrics, "gather", "expected the metrics of all ranks");
}

/// Oracle: one process in one go. Blocks of two samples a rank leave ranks without a share of the last one.
void check_evaluation(const std::shared_ptr<Communicator>& c, uint64_t seed) {
  const NewModelConfig model{
      .hidden_size = 16, .intermediate_size = 32, .num_hidden_layers = 1, .num_attention_heads = 2, .extra_tokens = {}};
  const Policy policy = load_policy({.path = {}, .tokenizer = {}, .new_model = model}, seed);
  RolloutEngine engine(*policy.model);
  std::vector<Problem> problems(7);
  for (size_t i = 0; i < problems.size(); ++i) {
    problems[i].index = static_cast<int64_t>(i % 5);
    problems[i].question = std::string(i + 1, '?');
    problems[i].further_answers = {"b"};
    problems[i].answer = "a";
  }
  RewardRegistry registry;
  registry.add("id", [](const Completion& completion) { return completion.ids[0] / 7.0; });
  RewardSet rewards;
  rewards.add("id", registry.make("id"));
  const auto evaluated = [&](const std::shared_ptr<Communicator>& communicator, int64_t block_samples) {
    std::vector<std::string> lines;
    EvaluationOptions options;
    options.sampling.num_generations = 2;
    options.sampling.max_completion_length = 9;
    options.prompt.prompt_template = "plain";
    options.on_sample = [&lines](const std::string& line) { lines.push_back(line); };
    options.communicator = communicator;
    options.block_samples = block_samples;
    return std::pair(evaluate(policy, engine, problems, rewards, options), lines);
  };
  const auto whole = evaluated(single_process(), 1000);
  GRPO_CHECK(whole.second.size() == 14, "evaluate", "expected a line per sample");
  for (const int64_t block_samples : {2, 1000})
    GRPO_CHECK(evaluated(c, block_samples) == whole, "evaluate", "expected figures and lines of one process");
}

void collectives(const std::shared_ptr<Communicator>& communicator, uint64_t seed) {
  Communicator& c = *communicator;
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
  check_evaluation(communicator, seed);
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

/// The last rank's weights are another bit: all of them print what a checkpoint says to that.
void drift(Communicator& c) {
  ParameterArena arena("layer", {{.shape = {3, 5}, .pieces = {}}}, at::kFloat, at::kCPU);
  at::Tensor flat = arena.flat();
  flat.fill_(1.0);
  const auto optimizers = builtin_optimizers();
  const auto schedules = builtin_schedules();
  const TrainedModels models({.name = "policy", .arenas = {&arena}, .optim = OptimConfig{}}, optimizers, schedules);
  expect_equal_replicas(c, models, 0, 4);
  if (c.rank() + 1 == c.world_size()) flat[7] = std::nextafter(1.0F, 2.0F);
  expect_equal_replicas(c, models, 4, 8);
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
  if (scenario == "collectives") return collectives(c, seed);
  if (scenario == "drift") return drift(*c);
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
