#include "grpo/rollout/engine.h"

#include <algorithm>
#include <string>
#include <utility>

#include "backend.h"
#include "core/one_caller.h"
#include "grpo/core/error.h"
#include "scheduler.h"

namespace grpo {
namespace {

constexpr std::string_view kEngineWhere = "RolloutEngine::generate";

std::unique_ptr<DecodeBackend> make_backend(ModelView::Device device, const EngineOptions& options) {
  if (device == ModelView::Device::kCpu) return make_cpu_backend(options);
  if (!options.exact())
    fail_usage("RolloutEngine", "expected compute_dtype and kv_dtype float32 on CUDA, which computes in the weights' type");
  return make_cuda_backend();
}

int64_t context_length(const ModelView& view, const EngineOptions& options) {
  const int64_t model = std::min(view.config->max_position_embeddings, view.rope->positions);
  return options.max_sequence_length > 0 ? std::min(options.max_sequence_length, model) : model;
}

void check_ids(const std::string& name, std::span<const int32_t> ids, int64_t vocab) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= vocab)
      fail_usage(kEngineWhere, name + ": expected ids in [0, " + std::to_string(vocab) + "); got " + std::to_string(id));
  }
}

void check_continuation(const std::string& name, const Continuation& earlier, int64_t limit) {
  const size_t length = earlier.ids.size();
  if (static_cast<int64_t>(length) >= limit) {
    fail_usage(kEngineWhere, name + ": expected a sample to go on with that has fewer than the " + std::to_string(limit) +
                                 " tokens at which it ends; got " + std::to_string(length));
  }
  if (earlier.logprobs.size() != length || earlier.processed_logprobs.size() != length)
    fail_usage(kEngineWhere,
               name + ": expected both log-probs of each of " + std::to_string(length) + " earlier tokens; got another number");
}

void check_prompts(const GeneratePlan& plan, int64_t vocab) {
  for (const Prompt& prompt : plan.prompts) {
    const std::string name =
        prompt.problem >= 0 ? "problem " + std::to_string(prompt.problem) : "prompt " + std::to_string(&prompt - plan.prompts.data());
    const auto length = static_cast<int64_t>(prompt.ids.size());
    if (length == 0) fail_usage(kEngineWhere, name + ": expected a prompt of at least one token; got none");
    if (length >= plan.max_length) {
      fail_usage(kEngineWhere, name + ": expected a prompt of fewer than " + std::to_string(plan.max_length) +
                                   " tokens (the context, max_sequence_length or the model's max_position_embeddings); got " +
                                   std::to_string(length));
    }
    if (prompt.max_completion_length < 0)
      fail_usage(kEngineWhere, name + ": expected max_completion_length >= 0; got " + std::to_string(prompt.max_completion_length));
    check_ids(name, prompt.ids, vocab);
    if (!prompt.continuation) continue;
    check_continuation(name, *prompt.continuation, plan.completion_limit(prompt));
    check_ids(name, prompt.continuation->ids, vocab);
  }
}

// How large a call is: the longest prompt and completion, in positions of a prefix and of a sample's own.
struct Extent {
  int64_t prefix = 0, own = 0;
  int64_t samples = 0, prompts = 0;
};

Extent extent_of(const GeneratePlan& plan) {
  Extent extent;
  for (const Prompt& prompt : plan.prompts) {
    extent.prefix = std::max(extent.prefix, static_cast<int64_t>(prompt.ids.size()) - 1);
    extent.own = std::max(extent.own, plan.call_limit(prompt));
    extent.samples += plan.samples_of(prompt);
    ++extent.prompts;
  }
  return extent;
}

// The pages that kv_budget_bytes pays for; a usage error where one sequence may need more.
int64_t budget_pages(const EngineOptions& options, const DecodeBackend& backend, const ModelView& view, const Extent& extent) {
  const int64_t page_bytes = backend.page_bytes(view), budget = options.kv_budget_bytes / page_bytes;
  const int64_t needed = pages_for(extent.own) + pages_for(extent.prefix);
  if (budget < needed) {
    fail_usage(kEngineWhere, "expected kv_budget_bytes of at least " + std::to_string(needed * page_bytes) +
                                 " for the keys and values of one sequence; got " + std::to_string(options.kv_budget_bytes) +
                                 " (raise it, in a config rollout.kv_cache_gib, or lower max_completion_length or the prompts' length)");
  }
  return budget;
}

// Slots, and the pages that they share. A sample is expected to need half of the pages that it may: with more slots than fit then, they
// would take pages from each other.
void plan_slots(const EngineOptions& options, const DecodeBackend& backend, const ModelView& view, const Extent& extent, int64_t budget,
                GeneratePlan& plan) {
  const int64_t own = pages_for(extent.own), prefix = pages_for(extent.prefix);
  const auto most = [&](int64_t slots) { return slots * own + std::min(slots, extent.prompts) * prefix; };  // pages
  const int64_t slots = options.max_slots > 0 ? options.max_slots : backend.slots(view, extent.prefix + extent.own);
  plan.slots = std::min(slots, extent.samples);
  while (plan.slots > 1 && most(plan.slots) > 2 * budget) --plan.slots;
  plan.pages = std::min(budget, most(plan.slots));
}

std::vector<int32_t> stop_ids_of(const ModelConfig& config, const SamplingParams& params) {
  std::vector<int32_t> ids = params.stop_ids;
  if (!params.ignore_eos) ids.insert(ids.end(), config.eos_token_ids.begin(), config.eos_token_ids.end());
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

Prompt resumed(const Rollout& paused, const RolloutKey& key) {
  return {.problem = paused.problem,
          .ids = paused.prompt_ids,
          .continuation = Continuation{.sample = paused.sample,
                                       .key = key,
                                       .weights_version = paused.weights_version,
                                       .ids = paused.ids,
                                       .logprobs = paused.logprobs,
                                       .processed_logprobs = paused.processed_logprobs}};
}

RolloutEngine::RolloutEngine(const ModelView& view, std::function<int64_t()> version, EngineOptions options)
    : view_(&view), version_(std::move(version)), options_(options), backend_(make_backend(view.device, options)) {
  if (options.max_slots < 0 || options.max_sequence_length < 0 || options.kv_budget_bytes < 1 || options.prefill_tokens < 1 ||
      options.threads < 0) {
    fail_usage("RolloutEngine", "expected max_slots, max_sequence_length, threads >= 0 and kv_budget_bytes, prefill_tokens >= 1");
  }
}

RolloutEngine::~RolloutEngine() = default;
RolloutEngine::RolloutEngine(RolloutEngine&&) noexcept = default;

void RolloutEngine::release() {
  const OneCaller alone(backend_->busy, "RolloutEngine::release");
  backend_->release();
}

std::vector<Rollout> RolloutEngine::generate(std::span<const Prompt> prompts, const SamplingParams& params, const RolloutKey& key,
                                             const GenerateContext& context) try {
  const OneCaller alone(backend_->busy, kEngineWhere);
  validate(params);
  if (context.max_new_tokens < 0) fail_usage(kEngineWhere, "expected max_new_tokens >= 0; got " + std::to_string(context.max_new_tokens));
  if (!params.stop.empty() && context.tokenizer == nullptr) fail_usage(kEngineWhere, "expected a tokenizer for stop strings; got none");
  GeneratePlan plan{.prompts = prompts, .params = params, .key = key, .context = context, .stop_ids = stop_ids_of(*view_->config, params)};
  plan.max_length = context_length(*view_, options_);
  check_prompts(plan, view_->config->vocab_size);
  if (prompts.empty()) return {};

  const Extent extent = extent_of(plan);
  const int64_t budget = budget_pages(options_, *backend_, *view_, extent);
  plan.weights_version = version_();
  backend_->refresh(*view_, plan.weights_version);
  plan_slots(options_, *backend_, *view_, extent, budget, plan);
  plan.prefill_tokens = options_.prefill_tokens;
  backend_->reserve({.rows = plan.slots + plan.prefill_tokens,
                     .slots = plan.slots,
                     .pages = plan.pages,
                     .slot_capacity = extent.own,
                     .prefix_capacity = extent.prefix,
                     .length = std::min(plan.max_length, extent.prefix + extent.own)});
  return Scheduler(plan, *backend_).run();
} catch (...) {
  rethrow_as_error(kEngineWhere);
}

}  // namespace grpo
