#pragma once

#include <gtest/gtest.h>

#include <array>
#include <exception>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

namespace grpo::testing {

/// A key that a fixture's numbers do not depend on, or that the test reads from somewhere else.
struct HarmlessKey {
  std::string_view format, key, reason;
};

inline constexpr std::array<HarmlessKey, 3> kHarmlessKeys = {{
    {"grpo-loss", "num_iterations", "whether there are old log-probs is said by the inputs, which hold them or null"},
    {"grpo-e2e", "num_iterations", "the case holds one step on fresh samples, whose old log-probs are the policy's own"},
    {"grpo-train", "per_device_train_batch_size", "the rollouts hold the rows of a batch, and the loss does not depend on how it is cut"},
}};

/// The options that a fixture's numbers were computed under. A test takes each of them; when the object goes, the test fails, naming every
/// key that nobody took and that is not known to be harmless: an option that a test does not understand is a fault of the test, and
/// comparing numbers would blame the library for it.
class FixtureConfig {
 public:
  FixtureConfig(const nlohmann::json& options, std::string_view format)
      : options_(options), format_(format), exceptions_(std::uncaught_exceptions()) {
    for (const HarmlessKey& harmless : kHarmlessKeys) {
      if (harmless.format == format) taken_.emplace(harmless.key);
    }
  }
  ~FixtureConfig() {
    if (std::uncaught_exceptions() > exceptions_) return;  // the test has failed already, perhaps before it took all keys
    const std::string left = not_taken();
    if (!left.empty()) ADD_FAILURE() << "options of a fixture of format " << format_ << " that the test does not read: " << left;
  }
  FixtureConfig(const FixtureConfig&) = delete;
  FixtureConfig& operator=(const FixtureConfig&) = delete;

  bool has(const std::string& key) const { return options_.contains(key); }
  /// Throws, naming the key, where there is no such option.
  const nlohmann::json& take(const std::string& key) const {
    if (!has(key)) throw std::runtime_error("a fixture of format " + format_ + " lacks the option " + key);
    taken_.insert(key);
    return options_.at(key);
  }
  template <class T>
  T take(const std::string& key) const {
    return take(key).get<T>();
  }
  /// The value, or `otherwise` where the option is absent or null.
  template <class T>
  T take_or(const std::string& key, const T& otherwise) const {
    return has(key) && !take(key).is_null() ? take<T>(key) : otherwise;
  }

  /// The keys that nobody took, separated by commas.
  std::string not_taken() const {
    std::string left;
    for (const auto& [key, value] : options_.items()) {
      if (!taken_.contains(key)) left += (left.empty() ? "" : ", ") + key + " = " + value.dump();
    }
    return left;
  }

 private:
  const nlohmann::json& options_;
  std::string format_;
  int exceptions_;
  mutable std::set<std::string, std::less<>> taken_;
};

}  // namespace grpo::testing
