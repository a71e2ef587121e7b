#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "grpo/core/error.h"
#include "grpo/io/json_config.h"
#include "io/json_config_sample.h"

/// The input: a file's text, then overrides, separated by bytes 0xFF (which UTF-8 never has). Only grpo::Error may escape reading, and
/// what was read must print to a text that reads back equal.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto next = [&rest] {
    const size_t end = rest.find('\xff');
    const std::string_view part = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    return part;
  };
  sample::Config config;
  try {
    grpo::ConfigSource source(grpo::ConfigAliases{{"lr", "optim.learning_rate"}});
    source.add_text(next(), "fuzz.json", "/configs");
    while (!rest.empty()) source.add_override(next());
    grpo::read_config(source, config);
  } catch (const grpo::Error&) {
    return 0;
  }
  sample::Config again;
  grpo::ConfigSource printed;
  printed.add_text(grpo::write_config(config), "printed.json");
  grpo::read_config(printed, again);
  if (!(again == config)) std::abort();
  return 0;
}
