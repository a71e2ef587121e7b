#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/rollout/engine.h"

namespace grpo {

RolloutEngine::RolloutEngine(Transformer& model, EngineOptions options)
    : RolloutEngine(
          model.view(), [&model] { return model.version(); }, options) {
  GRPO_CHECK(model.device().is_cpu() || model.device().is_cuda(), "RolloutEngine",
             "expected a model on a CPU or a CUDA device; got one on " + model.device().str());
  if (model.compute().exact && !options.exact())
    fail_usage("RolloutEngine", "expected compute_dtype and kv_dtype float32 for a model with exact log-probs; got others");
}

}  // namespace grpo
