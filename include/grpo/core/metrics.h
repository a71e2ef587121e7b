#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace grpo {

/// The named figures of one step. Each name has one kind of accumulator, chosen by the first call since the last take().
/// NaN is never averaged away: once a NaN was given, the name's mean, minimum or maximum is NaN. Not thread-safe.
class Metrics {
 public:
  /// The mean of the values given.
  void add(std::string_view name, double value);
  /// The last value given.
  void set(std::string_view name, double value);
  void min(std::string_view name, double value);
  void max(std::string_view name, double value);

  /// The figures by name, and starts afresh.
  std::map<std::string, double> take();

 private:
  enum class Kind { kMean, kLast, kMin, kMax };
  struct Figure {
    Kind kind;
    double value;
    int64_t count;
  };
  /// The figure of that name, or nullptr where `value` made a new one. Throws Error if the name has another kind.
  Figure* find_or_start(std::string_view name, Kind kind, double value);

  std::map<std::string, Figure, std::less<>> figures_;
};

}  // namespace grpo
