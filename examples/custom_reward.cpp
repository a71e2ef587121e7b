// Rewards of your own in the program: this binary is grpo with `digits`, `short` and `keyword` added, usable from JSON in every subcommand.
#include <grpo/reward.h>

#include <algorithm>

class DigitReward final : public grpo::Reward {
 public:
  void score(std::span<const grpo::Completion> batch, std::span<grpo::Score> scores, grpo::RewardContext&) override {
    for (size_t i = 0; i < batch.size(); ++i) {
      const auto& text = batch[i].text;
      const auto digits = std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
      scores[i] = text.empty() ? 0.0 : static_cast<double>(digits) / static_cast<double>(text.size());
    }
  }
};

struct Keyword {
  std::string word = "therefore";
};
void describe(grpo::ConfigVisitor& v, Keyword& k) { v.field("word", k.word, "What is looked for."); }

int main(int argc, char** argv) {
  auto registry = grpo::builtin_registry();
  registry.add_reward<DigitReward>("digits");
  registry.add_reward("short", [](const grpo::Completion& c) { return c.ids.size() < 200 ? 1.0 : 0.0; });
  registry.add_reward("keyword", [](const grpo::Completion& c, const Keyword& k, grpo::RewardContext&) -> grpo::Score {
    return {c.text.find(k.word) == std::string::npos ? 0.0 : 1.0, "looked for '" + k.word + "'"};
  });
  return grpo::main(argc, argv, registry);
}
