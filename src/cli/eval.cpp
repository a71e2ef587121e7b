#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/kept_lines.h"
#include "cli/lines.h"
#include "core/json.h"
#include "dispatch.h"
#include "grpo/core/interrupt.h"
#include "grpo/core/log.h"
#include "grpo/core/progress.h"
#include "grpo/data/strings.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/evaluation.h"
#include "grpo/reward/verdicts.h"
#include "policy/content.h"

namespace grpo::cli {
namespace {

struct EvalArguments {
  SampledModel model;
  std::string samples_out;
  bool resume = false;
  DataSource data;
  PromptOptions prompt;
  std::vector<std::string> rewards;
  SamplingParams sampling;
  uint64_t seed = 1234;
};

/// What it samples in.
std::string dtype_of(const SampledModel& model, const Policy& policy) {
  const auto rounded = engine_options(model).compute_dtype;
  if (rounded == ComputeDType::kInt8) return "int8";
  return rounded == ComputeDType::kFloat32 && policy.model->compute().dtype == at::kFloat ? "float32" : "bfloat16";
}

/// What an evaluation's samples and scores depend on.
nlohmann::ordered_json settings_of(const EvalArguments& a, const Policy& policy, const std::vector<Problem>& problems) {
  auto arenas = policy.model->parameters();
  if (policy.model->has_adapter()) std::ranges::copy(policy.model->trainable(), std::back_inserter(arenas));
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();
  for (const auto& [name, value] : a.prompt.chat_template_kwargs) variables[name] = value;
  return {{"model", a.model.section.path},
          {"weights", content_of(arenas)},
          {"tokenizer", content_of(*policy.tokenizer)},
          {"compute_dtype", dtype_of(a.model, policy)},
          {"device", policy.model->device().str()},
          {"instructions", kernels::cpu_kernels().isa},
          {"data", a.data.path.empty() ? a.data.task : a.data.path},
          {"problems", content_of(problems)},
          {"prompt_template", a.prompt.prompt_template},
          {"system_prompt", a.prompt.system_prompt},
          {"chat_template_kwargs", variables},
          {"rewards", a.rewards},
          {"num_generations", a.sampling.num_generations},
          {"max_completion_length", a.sampling.max_completion_length},
          {"temperature", a.sampling.temperature},
          {"top_p", a.sampling.top_p},
          {"seed", a.seed}};
}

/// Says what the model is asked.
void show_prompt(const PromptOptions& options, const Policy& policy, const Problem& first) {
  log_info("prompt template: " + options.prompt_template + "; the first prompt:\n" + clip_text(policy.prompt_text(first, options), 4000));
}

/// A line of progress while samples come.
class EvalProgress {
 public:
  explicit EvalProgress(int64_t per_problem) : per_problem_(per_problem) {}

  void begin(const Evaluation& evaluation, size_t problems) {
    evaluation_ = &evaluation;
    line_.emplace("eval", static_cast<int64_t>(problems) * per_problem_,
                  ProgressOptions{.initial = finished(), .terminal = {}, .clock = {}});
  }
  /// Of the block under way.
  void update(int64_t tokens, int64_t samples) { line_->update(finished() + samples, std::to_string(tokens) + " tokens of this block"); }

 private:
  int64_t finished() const { return evaluation_->problems_finished() * per_problem_; }

  int64_t per_problem_;
  const Evaluation* evaluation_ = nullptr;
  std::optional<Progress> line_;
};

/// Evaluates to the end, or until a stop is asked for: then false.
bool run_to_end(Evaluation& evaluation) {
  try {
    while (evaluation.next()) {
    }
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInterrupted) throw;
    log_warn(error.what());
    return false;
  }
}

nlohmann::ordered_json eval_answer(const EvalArguments& arguments, size_t problems, const Evaluation& evaluation, bool whole) {
  nlohmann::ordered_json answer = {
      {"model", arguments.model.section.path}, {"problems", problems}, {"prompt_template", arguments.prompt.prompt_template}};
  if (!whole) answer["partial"] = true;
  for (const auto& [name, value] : evaluation.figures()) answer[name] = value;
  for (const auto& [function, kinds] : evaluation.verdicts()) {
    for (const auto& [kind, count] : kinds) answer["verdicts"][function][kind] = count;
  }
  return answer;
}

/// Says what may have been rejected wrongly.
void show_near_misses(const std::vector<NearMiss>& misses) {
  constexpr size_t kShown = 5;
  for (size_t i = 0; i < std::min(misses.size(), kShown); ++i) {
    const NearMiss& miss = misses[i];
    log_info("rejected by " + miss.function + ", though it looks like the right answer '" + clip_text(miss.gold, 80) + "': '" +
             clip_text(miss.given, 80) + "'" + (miss.count > 1 ? ", " + std::to_string(miss.count) + " times" : "") + "; " +
             clip_text(miss.reason, 200));
  }
}

void evaluate_model(const EvalArguments& arguments, const Registry& registry) {
  validate(arguments.prompt);
  validate(arguments.sampling);
  if (arguments.resume && arguments.samples_out.empty())
    fail_usage("eval", "expected --samples-out, the file to go on with, beside --resume");
  std::unique_ptr<KeptLines> samples;
  if (!arguments.samples_out.empty()) samples = std::make_unique<KeptLines>(arguments.samples_out, arguments.resume);
  const auto problems = load_source(arguments.data, registry.tasks, registry.readers);
  const Policy policy = load_sampled_policy(arguments.model, registry);
  RewardSet rewards;
  for (const auto& name : arguments.rewards) rewards.add(name, registry.rewards.make(name));
  for (const UnreadableGolds& golds : unreadable_golds(rewards, problems)) log_warn(to_string(golds));
  const InterruptGuard guard;
  RolloutEngine engine(*policy.model, engine_options(arguments.model));
  EvaluationOptions options{
      .sampling = arguments.sampling, .prompt = arguments.prompt, .seed = arguments.seed, .on_sample = {}, .context = {}};
  options.context.interrupted = interrupt_requested;
  EvalProgress progress(arguments.sampling.num_generations);
  options.context.on_progress = [&progress](int64_t tokens, int64_t rollouts) { progress.update(tokens, rollouts); };
  if (samples) options.on_sample = [&samples](const std::string& line) { samples->append(line); };
  Evaluation evaluation(policy, engine, problems, rewards, options);
  if (samples) {
    samples->begin(settings_of(arguments, policy, problems));
    samples->open(evaluation.take_earlier(samples->earlier(), samples->file()));
  }
  show_prompt(arguments.prompt, policy, problems.front());
  progress.begin(evaluation, problems.size());
  const bool whole = run_to_end(evaluation);
  show_near_misses(evaluation.near_misses());
  std::cout << to_text(eval_answer(arguments, problems.size(), evaluation, whole)) << std::endl;
  if (whole) return;
  const std::string done = std::to_string(evaluation.problems_finished()) + " of " + std::to_string(problems.size()) + " problems";
  fail_resumable("eval", done, samples.get());
}

}  // namespace

void add_eval(CLI::App& app, const Registry& registry) {
  auto* sub = app.add_subcommand("eval", "Accuracy, pass@k and lengths on a set of problems, as one JSON line");
  auto a = std::make_shared<EvalArguments>();
  a->rewards = {"accuracy"};
  a->sampling.num_generations = 1;
  add_sampled_model_options(*sub, a->model);
  sub->add_option("--tokenizer", a->model.section.tokenizer, "Where it is not with the model")->type_name("PATH");
  sub->add_option("--data", a->data.path, "A file of problems: .jsonl, .json, .csv or .tsv, also as .gz or .zst")->type_name("PATH");
  sub->add_option("--task", a->data.task, "Or a generated task (its test problems)");
  sub->add_option("--count", a->data.count, "Problems to generate, or the first so many of the file");
  sub->add_option("--answer-after", a->data.fields.answer_after, "The answer is what follows this text in its column (GSM8K: ####)");
  sub->add_option("--prompt-template", a->prompt.prompt_template, "r1_zero, plain, chat or a text with {question}");
  sub->add_option("--system-prompt", a->prompt.system_prompt, "First message of a chat");
  add_chat_template_kwargs(*sub, a->prompt.chat_template_kwargs);
  sub->add_option("--reward", a->rewards, "Reward functions to report")->delimiter(',');
  sub->add_option("--num-generations", a->sampling.num_generations, "Samples per problem");
  sub->add_option("--max-completion-length", a->sampling.max_completion_length, "Tokens at most");
  sub->add_option("--temperature", a->sampling.temperature, "0 = greedy");
  sub->add_option("--top-p", a->sampling.top_p, "Keep the most likely tokens of this mass");
  sub->add_option("--seed", a->seed, "Of the samples");
  sub->add_option(
      "--samples-out", a->samples_out,
      "A new .jsonl file for every sample with its scores, written as they come; FILE.settings.json says what it was made with");
  sub->add_flag("--resume", a->resume, "Go on behind the samples that are in the file of --samples-out, which count too");
  sub->callback([a, &registry] {
    const InterruptGuard loading(OnSignal::kEnd, "nothing was evaluated");
    a->data.split = "test";
    evaluate_model(*a, registry);
  });
}

}  // namespace grpo::cli
