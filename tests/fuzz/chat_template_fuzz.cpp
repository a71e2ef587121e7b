#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "grpo/core/error.h"
#include "grpo/text/chat_template.h"

/// The input: a template, then messages as JSON, separated by the first byte 0xFF (which UTF-8 never has). Only grpo::Error may escape;
/// the interpreter's own limits bound the time.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\xff');
  const std::string messages(end == std::string_view::npos ? R"([{"role": "user", "content": " a\nb é"}])" : input.substr(end + 1));
  try {
    grpo::ChatTemplate::Options options;
    options.variables_json = R"({"number": 3, "real": 1.5, "list": [1, [2], {"k": null}]})";
    grpo::ChatTemplate(std::string(input.substr(0, end))).render_json(messages, R"([{"name": "f", "parameters": {}}])", options);
  } catch (const grpo::Error&) {
  }
  return 0;
}
