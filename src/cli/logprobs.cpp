#include <c10/core/GradMode.h>

#include <memory>
#include <span>

#include "cli/commands.h"
#include "cli/lines.h"
#include "grpo/model/transformer.h"
#include "grpo/policy/policy.h"
#include "grpo/rollout/engine.h"

namespace grpo::cli {
namespace {

/// A sequence that predicts each of its own next ids.
PackedTokens one_sequence(const std::vector<int32_t>& ids) {
  PackedTokens batch;
  batch.add_segment(ids);
  batch.add_pairs(0, std::span(ids).subspan(1), 0);
  return batch;
}

std::vector<float> as_floats(const at::Tensor& anywhere) {
  const at::Tensor tensor = anywhere.cpu();
  return {tensor.const_data_ptr<float>(), tensor.const_data_ptr<float>() + tensor.numel()};
}

std::vector<int32_t> greedy(RolloutEngine& engine, const std::vector<int32_t>& ids, int64_t count) {
  SamplingParams params;
  params.num_generations = 1;
  params.max_completion_length = count;
  params.temperature = 0.0;
  params.ignore_eos = true;
  const Prompt prompt{0, ids};
  return engine.generate({&prompt, 1}, params, {}).front().ids;
}

}  // namespace

void add_logprobs(CLI::App& app, const Registry& registry) {
  struct Arguments {
    ModelSection model;
    int64_t greedy = 0;
  };
  auto* sub = app.add_subcommand("logprobs", "Lines {\"ids\": […]} from stdin to log-probabilities and entropies in nats");
  auto arguments = std::make_shared<Arguments>();
  add_model_options(*sub, arguments->model);
  sub->add_option("--adapter", arguments->model.lora.path, "A PEFT folder of LoRA for that model")->type_name("PATH");
  sub->add_option("--greedy", arguments->greedy, "Add new_ids: exactly so many greedy tokens, stop ids ignored")
      ->check(CLI::NonNegativeNumber);
  sub->callback([arguments, &registry] {
    const c10::NoGradGuard no_grad;
    const auto model = load_weights(arguments->model, 0, registry.families);
    RolloutEngine engine(*model);
    map_lines([&](const nlohmann::json& line) {
      const auto ids = ids_field(line, "ids");
      GRPO_CHECK(!ids.empty(), "logprobs", "expected at least one id");
      const TokenOutputs out = model->logprobs(one_sequence(ids), {.entropy = true});
      nlohmann::ordered_json answer = {{"logprobs", as_floats(out.logprobs)}, {"entropy", as_floats(out.entropy)}};
      if (arguments->greedy > 0) answer["new_ids"] = greedy(engine, ids, arguments->greedy);
      return answer;
    });
  });
}

}  // namespace grpo::cli
