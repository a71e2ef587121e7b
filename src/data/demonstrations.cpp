#include "grpo/data/demonstrations.h"

#include <cmath>

#include "data/chain.h"
#include "grpo/core/error.h"
#include "grpo/core/random.h"
#include "grpo/data/strings.h"

namespace grpo {
namespace {

constexpr std::string_view kDemonstrationsWhere = "make_demonstrations";

std::string answer_tag(int64_t value) { return "<answer>" + std::to_string(value) + "</answer>"; }

std::string formatted(const std::string& thought, int64_t value) { return "<think>" + thought + "</think>" + answer_tag(value); }

/// 1 or 2, up or down.
int64_t small_error(Random& random) { return random.uniform_int(1, 2) * (random.uniform_int(0, 1) == 0 ? -1 : 1); }

std::string guess(const Chain& chain, Random& random) { return formatted("", work(chain).value + random.uniform_int(-3, 3)); }

std::string slip(const Chain& chain, Random& random) {
  const auto step = static_cast<size_t>(random.uniform_int(0, static_cast<int64_t>(chain.operations.size()) - 1));
  const WorkedChain worked = work(chain, {.step = step, .error = small_error(random)});
  return formatted(join_steps(worked.steps), worked.value);
}

std::string unformatted(const Chain& chain, Random& random) {
  const WorkedChain worked = work(chain);
  const std::string steps = join_steps(worked.steps);
  switch (random.uniform_int(0, 3)) {
    case 0:
      return steps + " " + std::to_string(worked.value);
    case 1:
      return steps + answer_tag(worked.value);
    case 2:
      return "<think>" + steps + answer_tag(worked.value);
    default:
      return "<think>" + steps + "</think>" + std::to_string(worked.value);
  }
}

DemonstrationKind draw_kind(const DemonstrationMix& mix, Random& random) {
  const double total = mix.careful + mix.guess + mix.slip + mix.unformatted;
  const double at = random.uniform() * total;
  if (at < mix.careful) return DemonstrationKind::kCareful;
  if (at < mix.careful + mix.guess) return DemonstrationKind::kGuess;
  if (at < mix.careful + mix.guess + mix.slip) return DemonstrationKind::kSlip;
  return DemonstrationKind::kUnformatted;
}

std::string completion_of(const Chain& chain, DemonstrationKind kind, Random& random) {
  switch (kind) {
    case DemonstrationKind::kGuess:
      return guess(chain, random);
    case DemonstrationKind::kSlip:
      return slip(chain, random);
    case DemonstrationKind::kUnformatted:
      return unformatted(chain, random);
    case DemonstrationKind::kCareful:
      break;
  }
  const WorkedChain worked = work(chain);
  return formatted(join_steps(worked.steps), worked.value);
}

void check(const DemonstrationMix& mix) {
  double total = 0;
  for (const double share : {mix.careful, mix.guess, mix.slip, mix.unformatted}) {
    GRPO_CHECK(share >= 0 && std::isfinite(share), kDemonstrationsWhere, "expected shares of at least 0; got " + std::to_string(share));
    total += share;
  }
  GRPO_CHECK(total > 0, kDemonstrationsWhere, "expected a share above 0; got only zeros");
}

}  // namespace

std::vector<Demonstration> make_demonstrations(std::span<const Problem> problems, const DemonstrationMix& mix, uint64_t seed) {
  check(mix);
  std::vector<Demonstration> demonstrations;
  for (const Problem& problem : problems) {
    const std::optional<Chain> chain = parse_chain(problem.question);
    GRPO_CHECK(chain, kDemonstrationsWhere, "expected a question such as 3+5-2=?; got '" + clip_text(problem.question, 80) + "'");
    Random random(seed, static_cast<uint64_t>(problem.index));
    const DemonstrationKind kind = draw_kind(mix, random);
    demonstrations.push_back({problem.question, completion_of(*chain, kind, random), kind});
  }
  return demonstrations;
}

}  // namespace grpo
