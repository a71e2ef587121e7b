#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/file_text.h"
#include "grpo/core/error.h"
#include "grpo/io/atomic_file.h"
#include "grpo/io/gguf.h"
#include "grpo/text/tokenizer.h"
#include "text/gguf_tokenizer.h"
#include "text/tokenizer_files.h"

namespace grpo {
namespace {

constexpr std::string_view kLoadTokenizerWhere = "load_tokenizer";
constexpr std::array<const char*, 3> kCompanions{"tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"};

/// What stands beside a tokenizer's main file.
text::TokenizerFiles companions_in(const std::filesystem::path& folder) {
  text::TokenizerFiles files;
  for (const char* companion : kCompanions) {
    const std::filesystem::path path = folder / companion;
    if (std::filesystem::is_regular_file(path)) files[companion] = file_text(path, kLoadTokenizerWhere);
  }
  return files;
}

/// The tokenizer's main file `main`, stored under the name `name`, with what stands beside it.
std::shared_ptr<const Tokenizer> load_files(const std::filesystem::path& main, const char* name) {
  text::TokenizerFiles files = companions_in(main.parent_path());
  files[name] = file_text(main, kLoadTokenizerWhere);
  return text::tokenizer_from_files(std::move(files));
}

std::shared_ptr<const Tokenizer> load_path(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
      if (std::filesystem::is_regular_file(path / name)) return load_files(path / name, name);
    }
    fail_usage(kLoadTokenizerWhere, "expected a folder with tokenizer.json or tokenizer.model; got one with neither");
  }
  if (path.extension() == ".gguf") return text::make_gguf_tokenizer(Gguf::open(path));
  if (path.extension() == ".model") return load_files(path, "tokenizer.model");
  if (path.extension() == ".json") return load_files(path, "tokenizer.json");
  fail_usage(kLoadTokenizerWhere, "expected a folder, a tokenizer.json, a .gguf or a .model file; got another kind of file");
}

}  // namespace

std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& path) {
  expect_exists(path, kLoadTokenizerWhere);
  try {
    return load_path(path);
  } catch (const Error& error) {
    throw Error(std::string(error.what()) + " (while reading " + path.string() + ")", error.kind());
  }
}

text::TemplateParts text::load_template_parts(const std::filesystem::path& path) {
  const bool has_tokenizer = std::filesystem::exists(path / "tokenizer.json") || std::filesystem::exists(path / "tokenizer.model");
  if (std::filesystem::is_directory(path) && !has_tokenizer) {
    const TokenizerFiles files = companions_in(path);
    if (const std::string source = read_chat_template(files); !source.empty()) return {source, read_special_tokens(files)};
  }
  const auto tokenizer = load_tokenizer(path);
  TemplateParts parts{tokenizer->chat_template(), read_special_tokens(tokenizer->files())};
  const auto complete = [&](std::string& text, const std::optional<int32_t>& id) {  // a sentencepiece model names some by itself
    if (text.empty() && id) text = tokenizer->id_to_token(*id);
  };
  complete(parts.tokens.bos, tokenizer->bos_id());
  complete(parts.tokens.eos, tokenizer->eos_id());
  complete(parts.tokens.pad, tokenizer->pad_id());
  return parts;
}

void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& folder) {
  GRPO_CHECK(!tokenizer.files().empty(), "save_tokenizer", "expected a tokenizer that was loaded from files; got another");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  GRPO_CHECK(!error, "save_tokenizer", "expected a folder that can be written; got " + folder.string() + ": " + error.message());
  for (const auto& [name, content] : tokenizer.files()) write_file_atomically(folder / name, content);
}

}  // namespace grpo
