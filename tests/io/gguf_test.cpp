#include "grpo/io/gguf.h"

#include <algorithm>
#include <cstring>

#include "io/gguf_bytes.h"
#include "io/temp_folder.h"
#include "support/parity.h"

namespace grpo {
namespace {

using testing::GgufBytes;
using testing::read_json;

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Two F32 tensors behind two metadata pairs: small enough to damage in every way.
std::string small_file() {
  GgufBytes file;
  file.header(2, 2).pair<uint32_t>("general.alignment", 4, 8);
  file.key("names", 9).raw<uint32_t>(8).raw<uint64_t>(2).string("a").string("");
  file.tensor("w", {2, 1}, 0, 0).tensor("v", {1}, 0, 8).pad(8);
  return file.data(bytes_of<float>({1.5f, -2.0f, 3.0f})).str();
}

using GgufTest = testing::TempFolder;

struct BadFile {
  std::string file, message;
};

// Hand values: every metadata type, single and in arrays.
TEST_F(GgufTest, ReadsEveryMetadataType) {
  GgufBytes file;
  file.header(0, 15, 2);
  file.pair<uint8_t>("u8", 0, 255).pair<int8_t>("i8", 1, -128).pair<uint16_t>("u16", 2, 65535).pair<int16_t>("i16", 3, -32768);
  file.pair<uint32_t>("u32", 4, 4000000000).pair<int32_t>("i32", 5, -7).pair<float>("f32", 6, 0.5f).pair<uint8_t>("bool", 7, 1);
  file.key("string", 8).string("text").pair<uint64_t>("u64", 10, 1ull << 63).pair<int64_t>("i64", 11, -1).pair<double>("f64", 12, 1e-300);
  file.key("bools", 9).raw<uint32_t>(7).raw<uint64_t>(2).raw<uint8_t>(1).raw<uint8_t>(0);
  file.key("u8s", 9).raw<uint32_t>(0).raw<uint64_t>(2).raw<uint8_t>(7).raw<uint8_t>(200);
  file.key("empty", 9).raw<uint32_t>(8).raw<uint64_t>(0);
  const Gguf gguf = parse_gguf(as_bytes(file.str()));
  const std::map<std::string, GgufValue> expected = {{"u8", uint64_t{255}},
                                                     {"i8", int64_t{-128}},
                                                     {"u16", uint64_t{65535}},
                                                     {"i16", int64_t{-32768}},
                                                     {"u32", uint64_t{4000000000}},
                                                     {"i32", int64_t{-7}},
                                                     {"f32", 0.5},
                                                     {"bool", true},
                                                     {"string", std::string("text")},
                                                     {"u64", uint64_t{1} << 63},
                                                     {"i64", int64_t{-1}},
                                                     {"f64", 1e-300},
                                                     {"bools", std::vector<bool>{true, false}},
                                                     {"u8s", std::vector<uint64_t>{7, 200}},
                                                     {"empty", std::vector<std::string>{}}};
  EXPECT_EQ(gguf.version(), 2u);
  EXPECT_EQ(gguf.metadata(), expected);
}

TEST_F(GgufTest, TypedAccessNamesTheKey) {
  GgufBytes file;
  file.header(0, 5).pair<uint64_t>("big", 10, 1ull << 63).pair<uint32_t>("u", 4, 5).pair<int32_t>("i", 5, -5).pair<float>("f", 6, 2.5f);
  file.key("s", 8).string("x");
  const Gguf gguf = parse_gguf(as_bytes(file.str()));
  EXPECT_EQ(gguf.get_int("u"), 5);
  EXPECT_EQ(gguf.get_int("i", 9), -5);
  EXPECT_EQ(gguf.get_int("absent", 9), 9);
  EXPECT_EQ(gguf.get_float("f", 0), 2.5);
  EXPECT_EQ(gguf.get_float("absent", 1), 1);
  EXPECT_EQ(gguf.get_string("s"), "x");
  EXPECT_EQ(gguf.get_string("absent", "y"), "y");
  EXPECT_TRUE(gguf.get_bool("absent", true));
  EXPECT_TRUE(gguf.has("s"));
  EXPECT_FALSE(gguf.has("absent"));
  GRPO_EXPECT_ERROR(gguf.get_int("absent"), "the metadata key absent");
  GRPO_EXPECT_ERROR(gguf.get_int("big"), "below 2^63 for the metadata key big");
  GRPO_EXPECT_ERROR(gguf.get_int("s", 1), "an integer for the metadata key s");
  GRPO_EXPECT_ERROR(gguf.get_float("u", 1), "a floating-point number for the metadata key u");
  GRPO_EXPECT_ERROR(gguf.get_bool("u", true), "a boolean for the metadata key u");
  GRPO_EXPECT_ERROR(gguf.get_string("u"), "a string for the metadata key u");
  GRPO_EXPECT_ERROR(gguf.get_strings("s"), "an array of strings for the metadata key s");
}

// Hand values: dims reversed, offsets from the start of the file, alignment from the metadata.
TEST_F(GgufTest, ReadsTensors) {
  const auto path = write("x.gguf", small_file());
  Gguf opened = Gguf::open(path);
  const Gguf gguf = std::move(opened);
  ASSERT_EQ(gguf.tensors().size(), 2u);
  const GgufTensor* w = gguf.find("w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(w->numel(), 2);
  EXPECT_EQ(w->offset, small_file().size() - 12);
  std::vector<float> values(2);
  dequantize(*w, values);
  EXPECT_EQ(values, (std::vector<float>{1.5f, -2.0f}));
  EXPECT_EQ(gguf.find("x"), nullptr);
  EXPECT_EQ(gguf.get_strings("names"), (std::vector<std::string>{"a", ""}));
  GRPO_EXPECT_ERROR(dequantize(*w, std::span(values).first(1)), "room for 2 values of w; got 1");
}

/// File `number` of `count` of a split model, with one tensor of one value.
std::string split_part(uint16_t number, uint16_t count, const std::string& tensor, float value, int32_t all = 2) {
  GgufBytes file;
  file.header(1, 4).pair<uint16_t>("split.no", 2, number).pair<uint16_t>("split.count", 2, count);
  file.pair<int32_t>("split.tensors.count", 5, all).pair<uint32_t>("part", 4, number);
  return file.tensor(tensor, {1}, 0, 0).pad().data(bytes_of<float>({value})).str();
}

// Hand values: the tensors of all files, the metadata of the first.
TEST_F(GgufTest, ReadsSplitModels) {
  const auto first = write("m-00001-of-00002.gguf", split_part(0, 2, "a", 1.5f));
  const auto second = write("m-00002-of-00002.gguf", split_part(1, 2, "b", -2.0f));
  const Gguf gguf = Gguf::open(first);
  ASSERT_EQ(gguf.tensors().size(), 2u);
  EXPECT_EQ(gguf.get_int("part"), 0);
  for (const auto& [name, value] : {std::pair("a", 1.5f), std::pair("b", -2.0f)}) {
    std::vector<float> values(1);
    ASSERT_NE(gguf.find(name), nullptr);
    dequantize(*gguf.find(name), values);
    EXPECT_EQ(values.front(), value);
  }
  GRPO_EXPECT_ERROR(Gguf::open(second), "expected the first file of a split model, m-00001-of-00002.gguf");
}

// Hand cases: parts that are missing, misnamed, of another model or too few.
TEST_F(GgufTest, RefusesSplitModelsThatAreNotWhole) {
  const auto first = write("m-00001-of-00002.gguf", split_part(0, 2, "a", 1));
  GRPO_EXPECT_ERROR(Gguf::open(first), "m-00002-of-00002.gguf");
  const std::vector<BadFile> seconds = {{split_part(0, 2, "b", 1), "expected split.no 1 of 2"},
                                        {split_part(1, 3, "b", 1), "expected split.no 1 of 2"},
                                        {GgufBytes().header(0, 0).str(), "expected split.no 1 of 2"},
                                        {split_part(1, 2, "a", 1), "got a in two"}};
  for (const BadFile& bad : seconds) {
    write("m-00002-of-00002.gguf", bad.file);
    GRPO_EXPECT_ERROR(Gguf::open(first), bad.message);
  }
  write("m-00002-of-00002.gguf", split_part(1, 2, "b", 1));
  GRPO_EXPECT_ERROR(Gguf::open(write("m-00001-of-00002.gguf", split_part(0, 2, "a", 1, 3))), "expected 3 tensors");
  GRPO_EXPECT_ERROR(Gguf::open(write("m.gguf", split_part(0, 2, "a", 1))), "to be called …-00001-of-00002.gguf");
  GRPO_EXPECT_ERROR(Gguf::open(write("n-00003-of-00002.gguf", split_part(2, 2, "a", 1))), "split.no below split.count");
}

std::string tensor_file(std::initializer_list<uint64_t> dims, uint32_t type, uint64_t offset = 0) {
  return GgufBytes().header(1, 0).tensor("w", dims, type, offset).pad().data(std::string(64, '\0')).str();
}

// Hand cases: one for each rule of the format; huge counts are refused before anything is allocated for them.
TEST_F(GgufTest, RefusesWhatTheFormatForbids) {
  constexpr uint64_t kHuge = uint64_t{1} << 60;
  const auto with_pair = [](uint32_t type) { return GgufBytes().header(0, 1).key("k", type); };
  const std::vector<BadFile> cases = {
      {"", "end of the file"},
      {"GGML" + std::string(20, '\0'), "starts with GGUF"},
      {GgufBytes().header(0, 0, 1).str(), "got 1"},
      {GgufBytes().header(0, 0, 4).str(), "got 4"},
      {GgufBytes().header(0, 0, 0x03000000).str(), "little endian"},
      {GgufBytes().header(kHuge, 0).str(), "counts that fit the file"},
      {GgufBytes().header(0, kHuge).str(), "counts that fit the file"},
      {GgufBytes().header(0, 1).raw<uint64_t>(kHuge).data(std::string(99, 'x')).str(), "counts that fit the file"},
      {with_pair(13).data(std::string(9, '\0')).str(), "from 0 to 12; got 13 for k"},
      {with_pair(7).raw<uint8_t>(2).data("padding").str(), "boolean"},
      {with_pair(8).raw<uint64_t>(~0ull).str(), "counts that fit the file"},
      {with_pair(9).raw<uint32_t>(12).raw<uint64_t>(kHuge).str(), "counts that fit the file"},
      {with_pair(9).raw<uint32_t>(8).raw<uint64_t>(2).data(std::string(15, '\0')).str(), "counts that fit the file"},
      {with_pair(9).raw<uint32_t>(9).raw<uint64_t>(0).str(), "array of arrays for k"},
      {with_pair(9).raw<uint32_t>(77).raw<uint64_t>(0).str(), "got 77 for k"},
      {GgufBytes().header(0, 2).pair<uint32_t>("k", 4, 1).pair<uint32_t>("k", 4, 1).str(), "got \"k\" twice"},
      {GgufBytes().header(0, 1).pair<uint32_t>("general.alignment", 4, 0).str(), "power of two"},
      {GgufBytes().header(0, 1).pair<uint32_t>("general.alignment", 4, 12).str(), "power of two"},
      {GgufBytes().header(0, 1).pair<uint64_t>("general.alignment", 10, kHuge).str(), "power of two"},
      {GgufBytes().header(0, 1).pair<float>("general.alignment", 6, 32.0f).str(), "power of two"},
      {tensor_file({1, 1, 1, 1, 1}, 0), "at most 4 dimensions; got 5"},
      {tensor_file({kHuge, 16}, 0), "less than 2^63 values"},
      {tensor_file({1ull << 63}, 0), "less than 2^63 values"},
      {tensor_file({0, kHuge, kHuge}, 0), "less than 2^63 values"},
      {tensor_file({1ull << 62}, 0), "below 2^64 bytes"},
      {tensor_file({17}, 0), "expected 68 bytes of data for w"},
      {tensor_file({16}, 0, 32), "expected 64 bytes of data for w at 32"},
      {tensor_file({4}, 0, 4), "multiples of 32"},
      {tensor_file({4}, 0, ~0ull - 31), "got a data section of 64"},
      {tensor_file({4}, 9), "got Q8_1 for w"},
      {tensor_file({4}, 16), "got IQ2_XXS for w"},
      {tensor_file({4}, 23), "got IQ4_XS for w"},
      {tensor_file({4}, 39), "got MXFP4 for w"},
      {tensor_file({4}, 99), "got type 99 for w"},
      {tensor_file({16, 2}, 8), "whole Q8_0 blocks; got rows of 16"},
      {GgufBytes().header(2, 0).tensor("w", {1}, 0, 0).tensor("w", {1}, 0, 32).pad().data(std::string(64, '\0')).str(), "got \"w\" twice"},
      {GgufBytes().header(2, 0).tensor("w", {16}, 0, 0).tensor("v", {1}, 0, 32).pad().data(std::string(64, '\0')).str(), "got w and v"},
      {GgufBytes().header(1, 0).tensor("w", {1}, 0, 0).str(), "got a data section of 0"},
  };
  for (const BadFile& bad : cases) {
    SCOPED_TRACE(bad.file);
    GRPO_EXPECT_ERROR(parse_gguf(as_bytes(bad.file)), bad.message);
  }
}

// Property, exhaustive: no proper prefix of a file whose last byte is a tensor's is a file.
TEST_F(GgufTest, RefusesEveryTruncation) {
  const std::string file = small_file();
  ASSERT_EQ(parse_gguf(as_bytes(file)).tensors().size(), 2u);
  for (size_t length = 0; length < file.size(); ++length) {
    const std::string cut = file.substr(0, length);
    EXPECT_THROW(parse_gguf(as_bytes(cut)), Error) << length;
  }
}

// Property, exhaustive: any byte may become any other; the outcome is tensors that can be read or an Error.
TEST_F(GgufTest, SurvivesEveryChangedByte) {
  std::string file = small_file();
  for (char& byte : file) {
    const char original = byte;
    for (int value = 0; value < 256; ++value) {
      byte = static_cast<char>(value);
      try {
        const Gguf gguf = parse_gguf(as_bytes(file));
        for (const GgufTensor& tensor : gguf.tensors()) {
          std::vector<float> values(static_cast<size_t>(tensor.numel()));
          dequantize(tensor, values);
        }
      } catch (const Error&) {
      }
    }
    byte = original;
  }
}

/// The value that the fixture's JSON gives for a metadata key, compared with the file's.
void expect_value(const GgufValue& value, const nlohmann::json& expected) {
  std::visit([&](const auto& actual) { EXPECT_EQ(nlohmann::json(actual), expected); }, value);
}

// Oracle: ggml's own Python reader (tiny_quants.json), every value exact.
TEST_F(GgufTest, ReadsTheTinyFixture) {
  const auto folder = testing::parity_dir() / "smollm2";
  GRPO_REQUIRE_DATA(folder / "tiny_quants.gguf");
  const Gguf gguf = Gguf::open(folder / "tiny_quants.gguf");
  const auto golden = read_json(folder / "tiny_quants.json");
  EXPECT_EQ(gguf.tensors().size(), golden["tensors"].size());
  for (const auto& [name, expected] : golden["tensors"].items()) {
    SCOPED_TRACE(name);
    const GgufTensor* tensor = gguf.find(name);
    ASSERT_NE(tensor, nullptr);
    auto dims = expected["gguf_dims"].get<std::vector<int64_t>>();
    std::reverse(dims.begin(), dims.end());
    EXPECT_EQ(tensor->shape, dims);
    EXPECT_EQ(tensor->offset, expected["offset"]);
    std::vector<float> values(static_cast<size_t>(tensor->numel()));
    dequantize(*tensor, values);
    EXPECT_EQ(values, expected["values"].get<std::vector<float>>());
  }
  for (const auto& [key, expected] : golden["metadata"].items()) {
    SCOPED_TRACE(key);
    if (key.starts_with("GGUF.")) continue;  // of the header, not a metadata key
    ASSERT_TRUE(gguf.has(key));
    expect_value(gguf.metadata().at(key), expected);
  }
}

// Oracle: vocabularies of llama.cpp, which hold no tensors and end with their metadata.
TEST_F(GgufTest, ReadsFilesWithoutTensors) {
  const auto folder = testing::data_dir() / "tokenizers" / "gguf-vocab";
  GRPO_REQUIRE_DATA(folder);
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    if (item.path().extension() != ".gguf") continue;
    SCOPED_TRACE(item.path());
    const Gguf gguf = Gguf::open(item.path());
    EXPECT_TRUE(gguf.tensors().empty());
    EXPECT_GT(gguf.get_strings("tokenizer.ggml.tokens").size(), 1000u);
  }
}

}  // namespace
}  // namespace grpo
