// Parts of one's own of every kind, named in a config. Oracles: hand values of schedules and updates; the built-in parts that the own ones
// repeat; messages by hand.
#include "grpo/trainer/registry.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "grpo/algorithm/advantages.h"
#include "grpo/data/dataset.h"
#include "grpo/objective/objective.h"
#include "grpo/optim/optimizer.h"
#include "grpo/optim/schedule.h"
#include "grpo/run/metric_sink.h"
#include "support/checkpoints.h"
#include "support/errors.h"
#include "trainer/tiny_run.h"

namespace grpo {
namespace {

using testing::message_of;
namespace fs = std::filesystem;

/// w ← w − rate · gradient, with momentum: a buffer that checkpoints keep.
class Momentum final : public Optimizer {
 public:
  Momentum(const NamedOptions& options, const OptimizerContext& context) : Optimizer(context) {
    read_options("momentum", options, [this](ConfigVisitor& v) { v.field("beta", beta_, "", kFraction); });
    for (const auto* arena : arenas()) velocity_.push_back(at::zeros_like(arena->flat()));
  }

  std::vector<Buffer> buffers() const override {
    std::vector<Buffer> all;
    for (size_t i = 0; i < velocity_.size(); ++i) all.push_back({i, "velocity", velocity_[i]});
    return all;
  }

 private:
  void update(double learning_rate, const std::vector<at::Tensor>& gradients, double scale) override {
    for (size_t i = 0; i < gradients.size(); ++i) {
      velocity_[i].mul_(beta_).add_(gradients[i], scale);
      at::Tensor(arenas()[i]->flat()).sub_(velocity_[i], learning_rate);
    }
  }

  double beta_ = 0.0;
  std::vector<at::Tensor> velocity_;
};

/// rloo again, by way of the public interface.
class OwnRloo final : public AdvantageEstimator {
 public:
  explicit OwnRloo(const NamedOptions& options) {
    read_options("own_rloo", options, [this](ConfigVisitor& v) { v.field("factor", factor_, ""); });
  }
  at::Tensor advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) const override {
    AdvantageConfig same = config;
    same.advantage_estimator = "rloo";
    return estimate_advantages(signals, batch, same) * factor_;
  }

 private:
  double factor_ = 1.0;
};

/// ReMax from the signal that it asks for.
class OwnRemax final : public AdvantageEstimator {
 public:
  at::Tensor advantages(const RewardSignals& signals, const Batch& batch, const AdvantageConfig& config) const override {
    AdvantageConfig same = config;
    same.advantage_estimator = "remax";
    return estimate_advantages(signals, batch, same);
  }
  Needs needs() const override { return {.greedy = true}; }
};

/// grpo with its loss multiplied: everything else is handed on.
class Scaled final : public Objective {
 public:
  Scaled(const NamedOptions& options, const ObjectiveContext& context) : grpo_(builtin_objectives().make("grpo", context)) {
    read_options("scaled", options, [this](ConfigVisitor& v) { v.field("factor", factor_, ""); });
  }
  PreparedBatch prepare(const Experience& experience, const RolloutInfo& rollout) override { return grpo_->prepare(experience, rollout); }
  LossNormalizer normalizer(const Batch& share, int64_t micro_batches, const RolloutInfo& rollout) override {
    return grpo_->normalizer(share, micro_batches, rollout);
  }
  LossOutput loss(const TokenOutputs& outputs, const Batch& micro, const LossNormalizer& normalizer) override {
    LossOutput out = grpo_->loss(outputs, micro, normalizer);
    out.loss = out.loss * factor_;
    return out;
  }

 private:
  std::unique_ptr<Objective> grpo_;
  double factor_ = 1.0;
};

/// Lines "step reward" in a file of the run's folder.
class LineSink final : public MetricSink {
 public:
  LineSink(const NamedOptions& options, const SinkContext& context) {
    std::string name = "lines";
    read_options("lines", options, [&name](ConfigVisitor& v) { v.field("name", name, ""); });
    out_.open(context.folder / name, std::ios::app);
    if (context.resumed_step) out_ << "after " << *context.resumed_step << "\n";
  }
  void write(int64_t step, const std::map<std::string, double>& figures) override {
    if (figures.contains("reward")) out_ << step << "\n" << std::flush;
  }

 private:
  std::ofstream out_;
};

/// Lines "question;answer".
class SemicolonReader final : public DatasetReader {
  void read(const fs::path& file, ProblemRows& rows) const override {
    std::ifstream in(file);
    int64_t number = 0;
    for (std::string line; std::getline(in, line);) {
      const size_t cut = line.find(';');
      const nlohmann::json row = {{"question", line.substr(0, cut)}, {"answer", line.substr(cut + 1)}};
      rows.add(row.dump(), ++number);
    }
  }
};

struct Keyword {
  std::string word;
};
void describe(ConfigVisitor& v, Keyword& keyword) { v.field("word", keyword.word, "What is looked for."); }

Registry own_registry() {
  Registry r = testing::registry();
  r.add_reward("keyword", [](const Completion& c, const Keyword& k, RewardContext& context) -> Score {
    context.log_metric("keyword/looked", 1.0);
    return {c.text.find(k.word) == std::string::npos ? 0.0 : 1.0, "looked for " + k.word};
  });
  r.add_optimizer<Momentum>("momentum");
  r.add_advantage<OwnRloo>("own_rloo");
  r.add_advantage<OwnRemax>("own_remax");
  r.add_objective<Scaled>("scaled");
  r.add_sink<LineSink>("lines");
  r.add_reader<SemicolonReader>("ssv");
  r.add_schedule("halves", [](const ScheduleStep& s) { return s.step % 2 == 0 ? 1.0 : 0.5; });
  r.add_loss("asym", [](const NamedOptions&) -> std::unique_ptr<PolicyTerm> { return nullptr; });
  r.add_command("hello", "Says hello", [](const std::vector<std::string>& words) { return static_cast<int>(words.size()); });
  return r;
}

std::vector<at::Tensor> trained(const Config& c, std::vector<Metrics>* steps = nullptr) {
  fs::remove_all(c.trainer.output_dir);
  PolicyTrainer trainer(c, {}, own_registry());
  trainer.on_step([steps](const TrainReport& report) {
    if (steps) steps->push_back(report.metrics);
  });
  EXPECT_TRUE(trainer.train());
  return testing::weights(trainer.model());
}

TEST(OwnParts, EveryKindIsNamedInAConfig) {
  const fs::path folder = fs::path(::testing::TempDir()) / "own-parts";
  fs::remove_all(folder);
  fs::create_directories(folder);
  {
    std::ofstream data(folder / "sums.ssv");
    for (int i = 0; i < 8; ++i) data << i << "+1=?;" << i + 1 << "\n";
  }
  ConfigSource source = config_source(own_registry());
  source.add_text(R"({
    "data": {"train": {"path": "sums.ssv"}},
    "reward": [{"name": "even"}, {"name": "seen", "function": "keyword", "options": {"word": "a"}}],
    "advantage_estimator": "own_rloo",
    "algorithm": {"objective": "scaled", "objective_options": {"factor": 2.0}, "advantage_options": {"factor": 0.5}},
    "optim": {"optimizer": "momentum", "optimizer_options": {"beta": 0.5}, "max_grad_norm": 0},
    "lr_scheduler_type": "halves", "learning_rate": 0.01,
    "report_to": ["lines", "tensorboard"], "trainer": {"report_to_options": {"lines": {"name": "steps.txt"}}, "save_steps": 2}
  })",
                  (folder / "run.json").string(), folder);
  Config c = testing::tiny_config("own-parts-run");
  c.data.train.task.clear();
  c.data.train.options.clear();
  c.data.train.count = 0;
  read_config(source, c);
  std::vector<Metrics> steps;
  const auto weights = trained(c, &steps);
  EXPECT_EQ(testing::read_text(fs::path(c.trainer.output_dir) / "steps.txt"), "1\n2\n3\n4\n");
  EXPECT_TRUE(fs::exists(fs::path(c.trainer.output_dir) / "events"));
  ASSERT_EQ(steps.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(steps[i].at("learning_rate"), i % 2 == 0 ? 0.01 : 0.005);
  EXPECT_EQ(steps[0].at("keyword/looked"), 1.0);

  // The momentum is in the checkpoint: the run goes on from the middle to the same weights.
  fs::remove_all(fs::path(c.trainer.output_dir) / "checkpoint-4");
  PolicyTrainer again(c, {}, own_registry());
  ASSERT_TRUE(again.resume());
  EXPECT_EQ(again.steps_done(), 2);
  ASSERT_TRUE(again.train());
  EXPECT_TRUE(testing::equal(testing::weights(again.model()), weights));
  EXPECT_TRUE(testing::read_text(fs::path(c.trainer.output_dir) / "steps.txt").ends_with("after 2\n3\n4\n"));
}

// Oracle: the built-in parts that they repeat. A factor of 2 in the loss and 0.5 in the advantages is none.
TEST(OwnParts, RepeatTheBuiltInOnesBitForBit) {
  for (const auto& [own, builtin] : {std::pair("own_rloo", "rloo"), std::pair("own_remax", "remax")}) {
    Config c = testing::tiny_config("own-bits");
    c.algorithm.advantage.advantage_estimator = builtin;
    const auto expected = trained(c);
    c.algorithm.advantage.advantage_estimator = own;
    c.algorithm.objective = "scaled";
    if (own == std::string("own_rloo")) {
      c.algorithm.objective_options = {{"factor", "2.0"}};
      c.algorithm.advantage.advantage_options = {{"factor", "0.5"}};
    }
    if (own == std::string("own_remax")) c.algorithm.objective = "grpo";
    EXPECT_TRUE(testing::equal(trained(c), expected)) << own;
  }
}

// Oracle: the update by hand, from gradients that a rate of 0 leaves: one step without momentum moves by rate · gradient.
TEST(OwnParts, AnOptimizerIsGivenClippedGradients) {
  Config c = testing::tiny_config("own-clip");
  c.trainer.max_steps = 1;
  c.optim.optimizer = "momentum";
  c.optim.lr_scheduler_type = "constant";
  c.optim.learning_rate = 1.0;
  c.optim.max_grad_norm = 1e-3;
  c.algorithm.advantage.scale_rewards = ScaleRewards::kNone;
  PolicyTrainer start(c, {}, own_registry());
  const auto before = testing::weights(start.model());
  ASSERT_TRUE(start.step());
  const auto after = testing::weights(start.model());
  double moved = 0.0;
  for (size_t i = 0; i < before.size(); ++i) moved += (after[i] - before[i]).square().sum(at::kDouble).item<double>();
  EXPECT_NEAR(std::sqrt(moved), 1e-3, 2e-5);
}

/// What reading a config's text says, the registry's parts being known.
std::string complaint(const std::string& text) {
  return message_of([&] {
    ConfigSource source = config_source(own_registry());
    source.add_text(text, "run.json");
    Config config;
    read_config(source, config);
  });
}

TEST(OwnParts, UnknownNamesAreRefusedWithTheirLine) {
  EXPECT_EQ(complaint("{\"reward\": [{\n\"name\": \"acuracy\"}]}"),
            "run.json:2: reward[0].name: expected the name of a reward; got 'acuracy' (did you mean 'accuracy'?)");
  EXPECT_EQ(complaint("{\"reward\": [{\"name\": \"mine\", \"function\": \"keywrd\"}]}"),
            "run.json:1: reward[0].function: expected the name of a reward; got 'keywrd' (did you mean 'keyword'?)");
  EXPECT_EQ(complaint("{\"reward\": [{\"name\": \"mine\", \"function\": \"keyword\"}]}"), "no error");
  EXPECT_EQ(complaint("{\"report_to\": \"wandb\"}"),
            "run.json:1: trainer.report_to: expected the name of a sink; got 'wandb' (there are 'lines', 'none', 'tensorboard')");
  EXPECT_EQ(complaint("{\"optim\": \"sgd\"}"),
            "run.json:1: optim.optimizer: expected the name of an optimizer; got 'sgd' (there are 'adamw', 'momentum')");
}

TEST(OwnParts, ANameOfAnotherKindSaysWhereItBelongs) {
  for (const auto& [text, option] : std::vector<std::pair<std::string, std::string>>{
           {"{\"loss_type\": \"asym\"}", "algorithm.custom_loss names it"},
           {"{\"custom_loss\": \"dapo\"}", "algorithm.loss_type names it"},
           {"{\"reward\": [{\"name\": \"countdwn\", \"function\": \"chained_arithmetic\"}]}", "data.train.task names it"},
           {"{\"data\": {\"train\": {\"task\": \"accuracy\"}}}", "reward[].function names it"},
           {"{\"advantage_estimator\": \"prime\"}", "algorithm.objective names it"},
           {"{\"algorithm\": {\"objective\": \"own_rloo\"}}", "algorithm.advantage_estimator names it"},
           {"{\"lr_scheduler_type\": \"momentum\"}", "optim.optimizer names it"},
           {"{\"optim\": \"halves\"}", "optim.lr_scheduler_type names it"},
           {"{\"report_to\": \"jsonl\"}", "data.train.format names it"},
           {"{\"data\": {\"train\": {\"format\": \"tensorboard\"}}}", "trainer.report_to names it"},
           {"{\"loss_type\": \"hello\"}", "the command line names it"}}) {
    EXPECT_NE(complaint(text).find(option), std::string::npos) << text << ": " << complaint(text);
  }
}

TEST(OwnParts, NamesThatAreTakenAreRefused) {
  Registry r = own_registry();
  const auto nothing = [](const NamedOptions&) { return nullptr; };
  EXPECT_THROW(r.add_reward("accuracy", [](const Completion&) { return 0.0; }), Error);
  EXPECT_THROW(r.add_task("countdown", nothing), Error);
  EXPECT_THROW(r.add_reader("json", nothing), Error);
  EXPECT_THROW(r.add_loss("asym", nothing), Error);
  EXPECT_THROW(r.add_advantage("group", nothing), Error);
  EXPECT_THROW(r.add_objective<Scaled>("grpo"), Error);
  EXPECT_THROW(r.add_optimizer<Momentum>("adamw"), Error);
  EXPECT_THROW(r.add_schedule("linear", [](const ScheduleStep&) { return 1.0; }), Error);
  EXPECT_THROW(r.add_sink<LineSink>("none"), Error);
  EXPECT_THROW(r.add_model_family("llama", nothing), Error);
  EXPECT_THROW(r.add_command("hello", "", {}), Error);
}

// A config that was made by a program has no lines.
TEST(OwnParts, AProgramsConfigIsCheckedBeforeAnythingIsLoaded) {
  const auto refused = [](const std::function<void(Config&)>& change) {
    Config c = testing::tiny_config("own-check");
    change(c);
    return message_of([&] { check_parts(c, own_registry()); });
  };
  EXPECT_EQ(refused([](Config&) {}), "no error");
  EXPECT_EQ(refused([](Config& c) { c.algorithm.loss.custom_loss = "dapo"; }),
            "algorithm.custom_loss: expected the name of a loss; got 'dapo' ('dapo' is a loss_type: algorithm.loss_type names it)");
  for (const auto& change : std::vector<std::function<void(Config&)>>{
           [](Config& c) { c.algorithm.objective = "gprs"; }, [](Config& c) { c.algorithm.advantage.advantage_estimator = "x"; },
           [](Config& c) { c.optim.optimizer = "x"; }, [](Config& c) { c.optim.lr_scheduler_type = "x"; },
           [](Config& c) {
             c.optim.lr_scheduler_kwargs = {{"x", "1"}};
           },
           [](Config& c) { c.trainer.report_to = {"x"}; },
           [](Config& c) {
             c.trainer.report_to_options = {{"lines", "{}"}};
           },
           [](Config& c) { c.data.train.task = "x"; }, [](Config& c) { c.eval.data.format.name = "x"; },
           [](Config& c) { c.reward[0].name = "x"; }}) {
    EXPECT_NE(refused(change), "no error");
  }
}

}  // namespace
}  // namespace grpo
