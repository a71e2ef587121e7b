#include <filesystem>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/lines.h"
#include "core/json.h"
#include "grpo/core/interrupt.h"
#include "grpo/io/atomic_file.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/evaluation.h"

namespace grpo::cli {
namespace {

struct EvalArguments {
  ModelSection model;
  std::string samples_out;
  DataSource data;
  PromptOptions prompt;
  std::vector<std::string> rewards;
  SamplingParams sampling;
  uint64_t seed = 1234;
};

void evaluate_model(const EvalArguments& arguments, const Registry& registry) {
  validate(arguments.prompt);
  validate(arguments.sampling);
  const auto problems = load_source(arguments.data, registry.tasks);
  const Policy policy = load_policy(arguments.model, 0);
  RewardSet rewards;
  for (const auto& name : arguments.rewards) rewards.add(name, registry.rewards.make(name));
  const InterruptGuard guard;
  RolloutEngine engine(*policy.model);
  EvaluationOptions options{
      .sampling = arguments.sampling, .prompt = arguments.prompt, .seed = arguments.seed, .on_sample = {}, .context = {}};
  options.context.interrupted = interrupt_requested;
  std::unique_ptr<AppendFile> samples;
  if (!arguments.samples_out.empty()) {
    std::filesystem::remove(arguments.samples_out);
    samples = std::make_unique<AppendFile>(arguments.samples_out);
    options.on_sample = [&samples](const std::string& line) { samples->append_line(line); };
  }
  nlohmann::ordered_json answer = {{"model", arguments.model.path}, {"problems", problems.size()}};
  for (const auto& [name, value] : evaluate(policy, engine, problems, rewards, options)) answer[name] = value;
  std::cout << to_text(answer) << "\n";
}

}  // namespace

void add_eval(CLI::App& app, const Registry& registry) {
  auto* sub = app.add_subcommand("eval", "Accuracy, pass@k and lengths on a set of problems, as one JSON line");
  auto a = std::make_shared<EvalArguments>();
  a->rewards = {"accuracy"};
  a->sampling.num_generations = 1;
  add_model_options(*sub, a->model);
  sub->add_option("--tokenizer", a->model.tokenizer, "Where it is not with the model");
  sub->add_option("--data", a->data.path, "A .jsonl or .json file of problems");
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
  sub->add_option("--samples-out", a->samples_out, "A .jsonl file for every sample with its scores");
  sub->callback([a, &registry] {
    const InterruptGuard loading(OnSignal::kEnd, "nothing was evaluated");
    a->data.split = "test";
    evaluate_model(*a, registry);
  });
}

}  // namespace grpo::cli
