#include "grpo/trainer/policy_trainer.h"

#include "grpo/core/config.h"
#include "grpo/core/error.h"
#include "grpo/objective/objective.h"
#include "policy/sampling.h"
#include "trainer/collector.h"
#include "trainer/gradient_step.h"
#include "trainer/mini_batches.h"
#include "trainer/prompts.h"
#include "trainer/rollout_log.h"
#include "trainer/stopwatch.h"

namespace grpo {

struct PolicyTrainer::Parts {
  std::vector<Policy::EncodedPrompt> prompts;  // of the problems
  std::unique_ptr<Collector> collector;
  std::unique_ptr<Objective> objective;
  std::unique_ptr<MiniBatches> mini_batches;
  bool began_rollout = false;  // in the present step
};

PolicyTrainer::PolicyTrainer(const Config& config, TrainerParts parts, const Registry& registry) try
    : Trainer(config, std::move(parts), registry, Command::kTrain), parts_(std::make_unique<Parts>()) {
  GRPO_CHECK(!policy_->model->config().sequence_classifier, "train", "expected a language model; got a sequence classifier");
  Parts& p = *parts_;
  const AlgorithmSection& a = config_.algorithm;
  p.prompts = encode_prompts(*policy_, problems_, config_.data);
  config_.rollout.sampling = with_turn_end(*policy_, {&problems_.front()}, config_.data.prompt, config_.rollout.sampling);
  plan_steps(a.generation_batch_size / config_.rollout.sampling.num_generations, a.updates_per_rollout());
  p.objective = registry_.objectives.make(a.objective, a.objective_options,
                                          {.policy = *policy_->model,
                                           .tokenizer = *policy_->tokenizer,
                                           .config = a,
                                           .rewards = config_.reward,
                                           .updates_per_rollout = a.updates_per_rollout(),
                                           .max_tokens = config_.trainer.max_tokens,
                                           .max_completion_length = config_.rollout.sampling.max_completion_length,
                                           .seed = static_cast<uint64_t>(config_.trainer.seed),
                                           .communicator = *communicator_,
                                           .losses = registry_.losses,
                                           .estimators = registry_.estimators});
  p.collector = std::make_unique<Collector>(config_, *policy_, problems_, p.prompts, std::move(rewards_), *order_, *communicator_,
                                            p.objective->needs_greedy());
  p.collector->look_at("train", problems_);
  p.collector->look_at("eval", eval_problems_);
  p.mini_batches = std::make_unique<MiniBatches>(a, *communicator_);
  adopt(p.objective->models());
} catch (...) {
  rethrow_as_error("PolicyTrainer");
}

PolicyTrainer::~PolicyTrainer() = default;

Metrics PolicyTrainer::update() {
  Parts& p = *parts_;
  Metrics metrics;
  p.began_rollout = p.mini_batches->empty();
  if (p.began_rollout) metrics = begin_rollout();
  if (!p.mini_batches->empty()) {  // else no group had anything to teach
    assign(metrics, train_on(p.mini_batches->share()));
    p.mini_batches->advance();
  }
  assign(metrics, p.objective->end_step(steps_done_ + 1, metrics));
  return metrics;
}

Metrics PolicyTrainer::begin_rollout() {
  Parts& p = *parts_;
  p.collector->mark();
  const double temperature = config_.rollout.temperature_at(steps_done_, total_steps_);
  auto [experience, metrics] = p.collector->collect(steps_done_, temperature);
  if (config_.rollout.final_temperature) metrics["temperature"] = temperature;
  tokens_seen_ += metrics["tokens/generated"];
  if (experience.empty()) return metrics;
  assign(metrics, length_metrics(experience));
  log_completions(completion_lines(experience, p.collector->reward_names(), steps_done_ + 1, config_.trainer.log_completions));
  const RolloutInfo rollout{.number = rollouts_done_++, .temperature = temperature};
  auto prepared = p.objective->prepare(experience, rollout);
  assign(metrics, prepared.metrics);
  if (prepared.batch.num_sequences() > 0) p.mini_batches->begin(std::move(prepared.batch), p.objective->sequences_per_example(), rollout);
  return metrics;
}

Metrics PolicyTrainer::train_on(const Batch& share) {
  Stopwatch watch;
  Parts& p = *parts_;
  Objective& objective = *p.objective;
  const RolloutInfo& rollout = p.mini_batches->rollout();
  const SplitOptions split{.max_tokens = config_.trainer.max_tokens, .keep_groups = objective.sequences_per_example() > 1};
  const auto micro_batches = share.num_sequences() > 0 ? share.split(split) : std::vector<Batch>();
  const LossNormalizer normalizer = objective.normalizer(share, static_cast<int64_t>(micro_batches.size()), rollout);
  if (normalizer.tokens == 0) return {};  // every completion was masked
  // Sampling and training take turns with the host's memory: packed weights are worth nothing after the update, gradients neither.
  if (policy_->model->device().is_cpu()) p.collector->release();
  GradientStep step(*policy_->model, *models_, *communicator_);
  if (config_.algorithm.updates_per_rollout() > 1 || config_.rollout.partial_rollout_length > 0) step.add(staleness(share, steps_done_));
  const bool moves = objective.moves_policy(steps_done_);
  BackwardOptions options = backward_options();
  options.temperature = rollout.temperature;
  for (const Batch& part : micro_batches) {
    const Batch micro = part.to(policy_->model->device());
    if (moves || objective.values_with_policy()) {
      options.logprobs = true;
      options.values = objective.values_with_policy();
      step.pass(*policy_->model, micro, options, [&](const TokenOutputs& outputs) { return objective.loss(outputs, micro, normalizer); });
    }
    for (const TrainedModel& model : models_->beside_policy()) {
      if (model.own_pass == nullptr) continue;
      options.logprobs = !model.values;
      options.values = model.values;
      step.pass(*model.own_pass, micro, options,
                [&](const TokenOutputs& outputs) { return objective.model_loss(model, outputs, micro, normalizer); });
    }
  }
  Metrics metrics = apply(step, moves);
  models_->release_gradients();
  metrics["tokens/trained"] = normalizer.tokens;
  metrics["time/update"] = watch.lap();
  return metrics;
}

void PolicyTrainer::roll_back() {
  if (!parts_->began_rollout) return;
  parts_->collector->roll_back();
  parts_->mini_batches->clear();
}

void PolicyTrainer::describe_state(ConfigVisitor& v) {
  v.section("objective", "", [this](ConfigVisitor& s) { parts_->objective->describe_state(s); });
  v.section("collector", "", [this](ConfigVisitor& s) { parts_->collector->describe_state(s); });
  v.section("mini_batches", "", [this](ConfigVisitor& s) { parts_->mini_batches->describe_state(s); });
}

void PolicyTrainer::save_files(const std::string& folder) const {
  parts_->collector->save(folder);
  parts_->mini_batches->save(folder);
}

void PolicyTrainer::load_files(const std::string& folder) {
  parts_->collector->load(folder);
  parts_->mini_batches->load(folder);
}

std::string PolicyTrainer::verdicts() const { return parts_->collector->verdicts().text(); }

std::vector<std::string> PolicyTrainer::plan_lines() const {
  const int64_t samples = config_.algorithm.generation_batch_size, group = config_.rollout.sampling.num_generations;
  const int64_t length = config_.rollout.sampling.max_completion_length, updates = config_.algorithm.updates_per_rollout();
  return {"rollout: " + std::to_string(samples / group) + " problems x " + std::to_string(group) + " samples of at most " +
              std::to_string(length) + " tokens, " + std::to_string(updates) + " updates each",
          "tokens: at most " + std::to_string(total_steps_ / updates * samples * length) + " generated"};
}

}  // namespace grpo
