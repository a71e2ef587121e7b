#include "trainer/identity.h"

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "dispatch.h"
#include "grpo/core/error.h"
#include "grpo/model/transformer.h"
#include "grpo/version.h"
#include "io/file_hash.h"
#include "policy/content.h"

namespace grpo {

Fingerprint fingerprint_of(const Config& config, const Policy& policy, const std::vector<Problem>& problems,
                           const std::vector<Problem>& eval_problems, const Communicator& communicator) {
  Fingerprint all = option_values(config);
  const ModelConfig& shape = policy.model->config();
  auto weights = content_of(policy.model->parameters());
  if (policy.model->has_adapter() && config.model.lora.rank == 0) weights += ", " + content_of(policy.model->trainable());
  all["content.model"] = weights;
  all["content.model_config"] = hash_of(model_config_to_json(shape, "float32"));
  all["content.tokenizer"] = content_of(*policy.tokenizer);
  all["content.chat_template"] = hash_of(policy.tokenizer->chat_template());
  all["content.data"] = content_of(problems);
  all["content.eval_data"] = content_of(eval_problems);
  all["program.version"] = version();
  all["program.torch"] = GRPO_TORCH_VERSION;
  all["program.instructions"] = kernels::cpu_kernels().isa;
  all["program.ranks"] = std::to_string(communicator.world_size());
  return all;
}

void expect_equal_ranks(Communicator& communicator, const Fingerprint& mine) {
  if (communicator.world_size() == 1) return;
  const auto all = all_gather(communicator, to_text(nlohmann::json(mine)));
  const auto first = parse_json(all.front()).get<Fingerprint>();
  std::string faults;
  for (size_t rank = 1; rank < all.size(); ++rank) {
    for (const Change& change : changes_between(first, parse_json(all[rank]).get<Fingerprint>()))
      faults += "\n  " + change.key + ": rank 0 has " + change.was + ", rank " + std::to_string(rank) + " has " + change.now;
  }
  if (!faults.empty()) fail_usage("ranks", "expected all ranks to be started alike; they are not:" + faults);
}

void expect_equal_replicas(Communicator& communicator, const TrainedModels& models, int64_t last_equal, int64_t now) {
  if (communicator.world_size() == 1) return;
  const auto all = all_gather(communicator, content_of(models.arenas()));
  for (size_t rank = 1; rank < all.size(); ++rank) {
    GRPO_CHECK(all[rank] == all.front(), "train",
               "expected the same weights on all ranks; those of rank " + std::to_string(rank) + " drifted from rank 0's between step " +
                   std::to_string(last_equal) + " and step " + std::to_string(now) + "; nothing is saved, earlier checkpoints stand");
  }
}

}  // namespace grpo
