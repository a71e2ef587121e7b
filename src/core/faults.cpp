#include "core/faults.h"

#include <algorithm>

namespace grpo {

void Faults::raise(std::string_view where, ErrorKind kind, std::string_view begin) const {
  if (faults_.empty()) return;
  constexpr size_t kMost = 8;
  std::string text(begin);
  for (size_t i = 0; i < std::min(faults_.size(), kMost); ++i) text.append(i > 0 ? "; " : "").append(faults_[i]);
  if (faults_.size() > kMost) text += "; and " + std::to_string(faults_.size() - kMost) + " more";
  if (kind == ErrorKind::kUsage) fail_usage(where, text);
  fail(where, text);
}

void Faults::raise_lines() const {
  std::string text;
  for (const auto& fault : faults_) text.append(text.empty() ? "" : "\n").append(fault);
  if (!text.empty()) throw Error(text, ErrorKind::kUsage);
}

}  // namespace grpo
