#pragma once

#include <cmath>
#include <cstdint>

namespace grpo {

/// The mean of the values that are defined (not NaN); NaN for none.
class Mean {
 public:
  void add(double value) {
    if (std::isnan(value)) return;
    sum_ += value;
    ++count_;
  }
  double result() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : std::nan(""); }

 private:
  double sum_ = 0.0;
  int64_t count_ = 0;
};

}  // namespace grpo
