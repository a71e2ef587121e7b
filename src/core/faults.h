#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "grpo/core/error.h"

namespace grpo {

/// Collects what is wrong with an input, so that one error names it all.
class Faults {
 public:
  void add(std::string_view fault) { faults_.emplace_back(fault); }
  void need(bool good, std::string_view fault) {
    if (!good) add(fault);
  }
  void refuse(bool bad, std::string_view fault) { need(!bad, fault); }
  /// Runs another check and takes over the message of what it throws.
  template <class Check>
  void run(const Check& check) {
    try {
      check();
    } catch (const Error& error) {
      add(error.what());
    }
  }
  bool empty() const { return faults_.empty(); }

  /// Throws `[where] <begin>fault; fault; …` if there are faults. The message has the first eight and the number of the others.
  void raise(std::string_view where, ErrorKind kind = ErrorKind::kUsage, std::string_view begin = "") const;
  /// Throws a usage error with a line for each fault if there are any.
  void raise_lines() const;

 private:
  std::vector<std::string> faults_;
};

}  // namespace grpo
