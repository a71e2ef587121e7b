// Oracle: the goldens of the parity folder, made by the reference tokenizers (its README says which).
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "grpo/core/error.h"
#include "grpo/text/tokenizer.h"
#include "support/parity.h"

namespace grpo {
namespace {

using testing::data_dir;
using testing::parity_dir;
using testing::read_json;
using Json = nlohmann::json;

/// One golden file and one tokenizer that has to agree with it.
struct Golden {
  std::string name;
  std::filesystem::path file, tokenizer;
};

void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.name; }

std::filesystem::path goldens_dir() { return parity_dir() / "tokenizers"; }

/// The tokenizer that `meta.source` names, else the folder <name>_tokenizer beside the golden file.
std::filesystem::path tokenizer_of(const std::filesystem::path& golden, const Json& meta) {
  const std::filesystem::path source = data_dir() / meta.at("source").get<std::string>();
  return std::filesystem::exists(source) ? source : golden.parent_path() / (golden.stem().string() + "_tokenizer");
}

std::vector<Golden> goldens() {
  std::vector<Golden> out;
  if (!std::filesystem::exists(goldens_dir())) return out;
  for (const auto& entry : std::filesystem::directory_iterator(goldens_dir())) {
    if (entry.path().extension() != ".json") continue;
    const Json meta = read_json(entry.path()).at("meta");
    const std::string name = entry.path().stem().string();
    out.push_back({name, entry.path(), tokenizer_of(entry.path(), meta)});
    const char* real_model = std::getenv("GRPO_SMOLLM2_GGUF");
    if (name == "smollm2" && real_model != nullptr) out.push_back({name + "_gguf", entry.path(), real_model});
  }
  std::sort(out.begin(), out.end(), [](const Golden& a, const Golden& b) { return a.name < b.name; });
  return out;
}

std::vector<int32_t> ids_of(const Json& json) { return json.get<std::vector<int32_t>>(); }

std::string stream(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool skip_special_tokens) {
  StreamDecoder decoder(tokenizer, skip_special_tokens);
  std::string out;
  for (const int32_t id : ids) out += decoder.push(id);
  return out + decoder.finish();
}

void check_decoding(const Tokenizer& tokenizer, const Json& row) {
  const std::vector<int32_t> ids = ids_of(row.at("ids"));
  const std::string decoded = row.at("decoded");
  const std::string skipped = row.value("decoded_skip_special", decoded);
  EXPECT_EQ(tokenizer.decode(ids), decoded);
  EXPECT_EQ(tokenizer.decode(ids, true), skipped);
  EXPECT_EQ(stream(tokenizer, ids, false), decoded);
  EXPECT_EQ(stream(tokenizer, ids, true), skipped);
  if (!row.contains("prefix_decoded")) return;
  for (size_t k = 1; k <= ids.size(); ++k) {
    EXPECT_EQ(tokenizer.decode(std::span(ids).first(k)), row.at("prefix_decoded").at(k - 1).get<std::string>()) << "prefix " << k;
  }
}

class ParityTokenizer : public ::testing::TestWithParam<Golden> {
 protected:
  void SetUp() override {
    GRPO_REQUIRE_DATA(GetParam().tokenizer);
    golden_ = read_json(GetParam().file);
    tokenizer_ = load_tokenizer(GetParam().tokenizer);
  }
  Json golden_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

TEST_P(ParityTokenizer, HasTheVocabularySize) { EXPECT_EQ(tokenizer_->vocab_size(), golden_.at("meta").at("vocab_size").get<int64_t>()); }

TEST_P(ParityTokenizer, EncodesCases) {
  for (const Json& row : golden_.at("cases")) {
    const std::string text = row.at("text");
    const std::vector<int32_t> ids = ids_of(row.at("ids"));
    EXPECT_EQ(tokenizer_->encode(text, false), ids) << row.at("id") << " " << row.at("category");
    EXPECT_EQ(tokenizer_->encode(text, true), row.contains("ids_with_special") ? ids_of(row.at("ids_with_special")) : ids) << row.at("id");
  }
}

TEST_P(ParityTokenizer, DecodesCases) {
  for (const char* part : {"cases", "decode_cases"}) {
    for (const Json& row : golden_.at(part)) {
      SCOPED_TRACE(row.at("ids").dump());
      check_decoding(*tokenizer_, row);
    }
  }
}

TEST_P(ParityTokenizer, DecodesSingleBytes) {
  for (const Json& row : golden_.at("byte_tokens")) {
    if (row.at(1).is_null()) continue;
    const std::vector<int32_t> ids{row.at(1).get<int32_t>()};
    EXPECT_EQ(tokenizer_->decode(ids), row.at(2).get<std::string>()) << "byte " << row.at(0);
  }
}

TEST_P(ParityTokenizer, SavedFilesLoadToTheSameIds) {
  const auto folder = std::filesystem::temp_directory_path() / ("grpo-tokenizer-" + GetParam().name + "-" + std::to_string(getpid()));
  save_tokenizer(*tokenizer_, folder);
  const auto again = load_tokenizer(folder);
  for (const Json& row : golden_.at("cases")) {
    const std::string text = row.at("text");
    EXPECT_EQ(again->encode(text), tokenizer_->encode(text)) << row.at("id");
  }
  EXPECT_EQ(again->bos_id(), tokenizer_->bos_id());
  EXPECT_EQ(again->eos_id(), tokenizer_->eos_id());
  EXPECT_EQ(again->pad_id(), tokenizer_->pad_id());
  EXPECT_EQ(again->chat_template(), tokenizer_->chat_template());
  std::filesystem::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Goldens, ParityTokenizer, ::testing::ValuesIn(goldens()), [](const auto& case_info) {
  std::string name = case_info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
});
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ParityTokenizer);

TEST(ParityTokenizerGoldens, ArePresent) {
  GRPO_REQUIRE_DATA(goldens_dir());
  EXPECT_FALSE(goldens().empty());
}

/// The cases of an .inp file, which a separator line ends.
std::vector<std::string> read_inputs(const std::filesystem::path& path) {
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  const std::string text = testing::read_text(path);
  std::vector<std::string> out;
  size_t at = 0;
  for (size_t end; (end = text.find(kSeparator, at)) != std::string::npos; at = end + kSeparator.size())
    out.push_back(text.substr(at, end - at));
  return out;
}

std::vector<std::vector<int32_t>> read_outputs(const std::filesystem::path& path) {
  std::istringstream lines(testing::read_text(path));
  std::vector<std::vector<int32_t>> out;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    out.emplace_back(std::istream_iterator<int32_t>(numbers), std::istream_iterator<int32_t>());
  }
  return out;
}

/// The vocabulary of ggml-vocab-X.gguf.inp: the file without .inp, else the tokenizer folder whose name begins with X.
std::filesystem::path vocabulary_of(const std::filesystem::path& inputs) {
  const std::filesystem::path file = inputs.parent_path() / inputs.stem();
  if (std::filesystem::exists(file)) return file;
  const std::string name = file.stem().string().substr(std::string_view("ggml-vocab-").size());
  for (const auto& entry : std::filesystem::directory_iterator(inputs.parent_path().parent_path())) {
    if (entry.path().filename().string().starts_with(name)) return entry.path();
  }
  return file;
}

TEST(ParityGgufVocab, EncodesEveryCase) {
  const std::filesystem::path folder = data_dir() / "tokenizers" / "gguf-vocab";
  GRPO_REQUIRE_DATA(folder);
  size_t checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".inp") continue;
    const auto tokenizer = load_tokenizer(vocabulary_of(entry.path()));
    const auto inputs = read_inputs(entry.path());
    const auto outputs = read_outputs(folder / entry.path().stem().concat(".out"));
    ASSERT_EQ(inputs.size(), outputs.size()) << entry.path();
    for (size_t i = 0; i < inputs.size(); ++i) EXPECT_EQ(tokenizer->encode(inputs[i], false), outputs[i]) << entry.path() << " case " << i;
    ++checked;
  }
  EXPECT_GT(checked, 0u);
}

}  // namespace
}  // namespace grpo
