#include "grpo/io/safetensors.h"

#include <cstring>
#include <numeric>
#include <set>

#include "io/temp_folder.h"
#include "support/parity.h"

#if __has_include(<rapidcheck/gtest.h>)
#include <rapidcheck/gtest.h>
#define GRPO_HAVE_RAPIDCHECK
#endif

namespace grpo {
namespace {

using testing::read_json;
using testing::read_text;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string text_of(const TensorEntry& tensor) { return {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()}; }

/// A file from its two parts, as the format says: length, header, data.
std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  std::string file(sizeof(length), '\0');
  std::memcpy(file.data(), &length, sizeof(length));
  return file + header + data;
}

/// Tensors over one string of data, which must outlive them.
TensorEntry entry(const std::string& name, DType dtype, std::vector<int64_t> shape, const std::string& data) {
  return {name, dtype, std::move(shape), bytes_of(data)};
}

std::set<std::string> file_names(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& item : std::filesystem::directory_iterator(folder)) names.insert(item.path().filename().string());
  return names;
}

using SafetensorsTest = testing::TempFolder;

// Hand values: a file written by hand from the format's definition, with an unaligned buffer, a scalar and an empty tensor.
TEST_F(SafetensorsTest, ReadsAHandWrittenFile) {
  const std::string header =
      R"({"__metadata__":{"format":"pt","a":"\u00e9"},"b":{"dtype":"F32","shape":[],"data_offsets":[6,10]},)"
      R"("a":{"shape":[2,3],"data_offsets":[0,6],"dtype":"U8"},"none":{"dtype":"F64","shape":[3,0],"data_offsets":[6,6]}}   )";
  const auto path = write("x.safetensors", file_of(header, "abcdefwxyz"));
  const Safetensors file = Safetensors::open(path);
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"a", "é"}}));
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.tensors()[0].name, "a");
  EXPECT_EQ(file.tensors()[0].dtype, DType::kU8);
  EXPECT_EQ(file.tensors()[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(text_of(file.tensors()[0]), "abcdef");
  EXPECT_EQ(text_of(*file.find("b")), "wxyz");
  EXPECT_EQ(file.find("b")->numel(), 1);
  EXPECT_EQ(file.find("none")->numel(), 0);
  EXPECT_EQ(file.find("c"), nullptr);
}

/// Bytes of files that this process has mapped and in memory.
int64_t mapped_in_memory() {
  std::ifstream in("/proc/self/status");
  int64_t kilobytes = 0;
  for (std::string line; std::getline(in, line);) {
    for (const char* name : {"RssFile:", "RssShmem:"}) {  // the latter of files in a tmpfs
      if (line.starts_with(name)) kilobytes += std::stoll(line.substr(std::strlen(name)));
    }
  }
  return kilobytes * 1024;
}

// Oracle: the system's own count.
TEST_F(SafetensorsTest, ReleasedTensorsTakeNoMemoryAndAreStillThere) {
  constexpr int64_t kSize = 32 << 20;
  std::string data(kSize, 'x');
  data.back() = 'y';
  write_safetensors(folder_ / "x.safetensors", {entry("a", DType::kU8, {kSize}, data), entry("none", DType::kU8, {0}, "")});
  const Safetensors file = Safetensors::open(folder_ / "x.safetensors");
  const int64_t before = mapped_in_memory();
  EXPECT_EQ(text_of(*file.find("a")), data);
  EXPECT_GT(mapped_in_memory() - before, kSize / 2);
  file.release(*file.find("a"));
  file.release(*file.find("none"));
  EXPECT_LT(mapped_in_memory() - before, kSize / 8);
  EXPECT_EQ(text_of(*file.find("a")), data);
}

TEST_F(SafetensorsTest, ReadsTheSmallestFile) { EXPECT_TRUE(parse_safetensors(bytes_of(file_of("{}      "))).empty()); }

struct BadSafetensors {
  std::string file, message;
};

// Hand cases: one for each rule of the format.
TEST_F(SafetensorsTest, RefusesWhatTheFormatForbids) {
  const auto one = [](const std::string& fields) { return "{\"a\":{" + fields + "}}"; };
  const std::string good = R"("dtype":"U8","shape":[4],"data_offsets":[0,4])";
  const std::vector<BadSafetensors> cases = {
      {"", "8-byte header length"},
      {std::string(7, '\0'), "8-byte header length"},
      {file_of(""), "starts with {"},
      {file_of(" {}"), "starts with {"},
      {file_of("\xEF\xBB\xBF{}"), "starts with {"},
      {file_of("[]"), "starts with {"},
      {std::string("\x01\xE1\xF5\x05\0\0\0\0{}", 10), "at most 100000000"},
      {std::string(8, '\xFF') + "{}", "at most 100000000"},
      {std::string("\x03\0\0\0\0\0\0\0{}", 10), "header of 3 bytes"},
      {file_of("{"), "valid JSON"},
      {file_of("{}x"), "valid JSON"},
      {file_of(std::string("{}\0\0", 4)), "NUL"},
      {file_of("{\"\xFF\":1}"), "valid JSON"},
      {file_of("{}", "x"), "expected 0 bytes of data"},
      {file_of(one(good) + one(good), "abcd"), "valid JSON"},
      {file_of(one(good), "abc"), "within 3 bytes"},
      {file_of(one(good), "abcde"), "expected 4 bytes of data"},
      {file_of(R"({"a":1})"), "got a number"},
      {file_of(R"({"a":[]})"), "got an array"},
      {file_of(R"({"a":{}})"), "got less for a"},
      {file_of(one(R"("dtype":"U8","shape":[4])"), "abcd"), "got less for a"},
      {file_of(one(good + R"(,"more":1)"), "abcd"), "got the field \"more\""},
      {file_of(one(good + R"(,"dtype":"U8")"), "abcd"), "\"dtype\" of a twice"},
      {file_of(one(good + R"(,"shape":[4])"), "abcd"), "\"shape\" of a twice"},
      {file_of("{\"a\":{" + good + "},\"a\":{" + good + "}}", "abcd"), "got \"a\" twice"},
      {file_of(R"({"__metadata__":{},"__metadata__":{}})"), "got \"__metadata__\" twice"},
      {file_of(R"({"__metadata__":{"k":"a","k":"b"}})"), "got \"k\" twice"},
      {file_of(R"({"__metadata__":{"k":1}})"), "got a number"},
      {file_of(R"({"__metadata__":{"k":null}})"), "got null"},
      {file_of(R"({"__metadata__":{"k":{}}})"), "got an object"},
      {file_of(R"({"__metadata__":"x"})"), "got a string"},
      {file_of(one(R"("dtype":"C64","shape":[],"data_offsets":[0,8])"), "12345678"), "known dtype for a"},
      {file_of(one(R"("dtype":3,"shape":[4],"data_offsets":[0,4])"), "abcd"), "got a number"},
      {file_of(one(R"("dtype":"U8","shape":[-4],"data_offsets":[0,4])"), "abcd"), "got a negative number"},
      {file_of(one(R"("dtype":"U8","shape":[4.0],"data_offsets":[0,4])"), "abcd"), "no unsigned integer"},
      {file_of(one(R"("dtype":"U8","shape":[[4]],"data_offsets":[0,4])"), "abcd"), "got an array"},
      {file_of(one(R"("dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,4])"), "abcd"), "no unsigned integer"},
      {file_of(one(R"("dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4])"), "abcd"), "below 2^63"},
      {file_of(one(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4])"), "abcd"), "below 2^63 bytes"},
      {file_of(one(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4])"), "abcd"), "below 2^63 bytes"},
      {file_of(one(R"("dtype":"U8","shape":[5],"data_offsets":[0,4])"), "abcd"), "expected 5 bytes"},
      {file_of(one(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), "abcd"), "expected 8 bytes"},
      {file_of(one(R"("dtype":"U8","shape":[4],"data_offsets":[4,0])"), "abcd"), "[begin, end]"},
      {file_of(one(R"("dtype":"U8","shape":[4],"data_offsets":[0])"), "abcd"), "[begin, end]"},
      {file_of(one(R"("dtype":"U8","shape":[4],"data_offsets":[0,4,4])"), "abcd"), "[begin, end]"},
      {file_of(one(R"("dtype":"U8","shape":[4],"data_offsets":[1,5])"), "abcde"), "without holes"},
      {file_of("{\"a\":{" + good + R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})", "abcde"), "without holes"},
      {file_of("{\"a\":{" + good + R"(},"b":{"dtype":"U8","shape":[1],"data_offsets":[5,6]}})", "abcdef"), "without holes"},
      {file_of("{\"a\":{" + good + R"(},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})", "abcd"), "without holes"},
  };
  for (const BadSafetensors& bad : cases) {
    SCOPED_TRACE(bad.file);
    GRPO_EXPECT_ERROR(parse_safetensors(bytes_of(bad.file)), bad.message);
  }
}

// Property: a header that opens arrays without end is refused at once, however deep.
TEST_F(SafetensorsTest, RefusesDeepNesting) {
  GRPO_EXPECT_ERROR(parse_safetensors(bytes_of(file_of("{\"a\":" + std::string(1'000'000, '[')))), "got an array");
  GRPO_EXPECT_ERROR(parse_safetensors(bytes_of(file_of("{\"a\":{\"shape\":" + std::string(1'000'000, '[')))), "got an array");
}

std::string small_safetensors() {
  return file_of(R"({"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}} )", "12345678");
}

// Property, exhaustive: no proper prefix of a file is a file.
TEST_F(SafetensorsTest, RefusesEveryTruncation) {
  const std::string file = small_safetensors();
  ASSERT_EQ(parse_safetensors(bytes_of(file)).size(), 1u);
  for (size_t length = 0; length < file.size(); ++length) {
    const std::string cut = file.substr(0, length);
    EXPECT_THROW(parse_safetensors(bytes_of(cut)), Error) << length;
  }
}

// Property, exhaustive: any byte may become any other; the outcome is a list of tensors or an Error.
TEST_F(SafetensorsTest, SurvivesEveryChangedByte) {
  std::string file = small_safetensors();
  for (char& byte : file) {
    const char original = byte;
    for (int value = 0; value < 256; ++value) {
      byte = static_cast<char>(value);
      try {
        for (const TensorEntry& tensor : parse_safetensors(bytes_of(file))) EXPECT_LE(tensor.bytes.size(), 8u);
      } catch (const Error&) {
      }
    }
    byte = original;
  }
}

// Hand value: the bytes that the reference implementation writes for these tensors (bigger elements first, then by name, header padded to
// 8).
TEST_F(SafetensorsTest, WritesTheReferenceOrder) {
  const std::string one = "1", two = "22", four = "4444", other = "oooo";
  const auto path = folder_ / "x.safetensors";
  write_safetensors(path, {entry("z", DType::kU8, {1}, one), entry("h", DType::kF16, {1}, two), entry("b", DType::kF32, {1, 1}, four),
                           entry("a", DType::kF32, {}, other)});
  EXPECT_EQ(read_text(path),
            file_of(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                    R"("b":{"dtype":"F32","shape":[1,1],"data_offsets":[4,8]},"h":{"dtype":"F16","shape":[1],"data_offsets":[8,10]},)"
                    R"("z":{"dtype":"U8","shape":[1],"data_offsets":[10,11]}} )",
                    "oooo4444221"));
}

TEST_F(SafetensorsTest, RefusesToWriteWhatCannotBeRead) {
  const std::string data = "1234";
  const auto path = folder_ / "x.safetensors";
  const auto good = entry("a", DType::kF32, {1}, data);
  GRPO_EXPECT_ERROR(write_safetensors(path, {good, good}), "got \"a\"");
  GRPO_EXPECT_ERROR(write_safetensors(path, {entry("__metadata__", DType::kF32, {1}, data)}), "__metadata__");
  GRPO_EXPECT_ERROR(write_safetensors(path, {entry("a", DType::kF32, {2}, data)}), "expected 8 bytes for a; got 4");
  GRPO_EXPECT_ERROR(write_safetensors(path, {entry("a", DType::kF32, {-1, -1}, data)}), "at least 0");
  GRPO_EXPECT_ERROR(write_safetensors(path, {entry("\xFF", DType::kF32, {1}, data)}), "UTF-8");
  GRPO_EXPECT_ERROR(write_safetensors(folder_ / "missing" / "x", {good}), "No such file");
  GRPO_EXPECT_ERROR(write_safetensors_sharded(folder_, {good}, 0), "at least 1");
  GRPO_EXPECT_ERROR(write_safetensors_sharded(write("file", "x"), {good}, 9), "write a model folder");
  EXPECT_EQ(file_names(folder_), (std::set<std::string>{"file"}));
}

// Hand values: 4 + 4 bytes fit a shard of 10, 6 more do not, and 20 get a shard of their own.
TEST_F(SafetensorsTest, SplitsIntoShardsAndBack) {
  const std::string data(20, 'x');
  const std::string four = "1234", six = "123456";
  const std::vector<TensorEntry> tensors = {entry("d", DType::kU8, {4}, four), entry("c", DType::kF32, {1}, four),
                                            entry("b", DType::kU8, {6}, six), entry("a", DType::kU8, {20}, data)};
  const auto folder = folder_ / "new" / "model";
  write_safetensors_sharded(folder, tensors, 10);
  const std::string first = "model-00001-of-00003.safetensors", second = "model-00002-of-00003.safetensors",
                    third = "model-00003-of-00003.safetensors", index = "model.safetensors.index.json";
  EXPECT_EQ(file_names(folder), (std::set<std::string>{first, second, third, index}));
  const auto json = read_json(folder / index);
  EXPECT_EQ(json["metadata"]["total_size"], 34);
  EXPECT_EQ(json["weight_map"], (nlohmann::json{{"a", third}, {"b", second}, {"c", first}, {"d", first}}));
  EXPECT_EQ(Safetensors::open(folder / first).metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));

  const Safetensors read = Safetensors::open(folder);
  ASSERT_EQ(read.tensors().size(), 4u);
  for (const TensorEntry& tensor : tensors) {
    ASSERT_NE(read.find(tensor.name), nullptr);
    EXPECT_EQ(text_of(*read.find(tensor.name)), text_of(tensor));
    EXPECT_EQ(read.find(tensor.name)->shape, tensor.shape);
  }
}

// Property: each save leaves exactly its own files, and foreign files alone; a mapped source stays valid while it is overwritten.
TEST_F(SafetensorsTest, ReplacesAnEarlierSaveOfTheOtherForm) {
  const std::string four = "1234", other = "abcd";
  const std::vector<TensorEntry> tensors = {entry("a", DType::kU8, {4}, four), entry("b", DType::kU8, {4}, other)};
  write("config.json", "{}");
  write("model-lora.safetensors", "mine");
  const std::set<std::string> foreign = {"config.json", "model-lora.safetensors"};
  const auto names_without_foreign = [&] {
    auto names = file_names(folder_);
    for (const std::string& name : foreign) EXPECT_EQ(names.erase(name), 1u);
    return names;
  };
  write_safetensors_sharded(folder_, tensors, 4);
  EXPECT_EQ(names_without_foreign().size(), 3u);
  write_safetensors_sharded(folder_, Safetensors::open(folder_).tensors(), 8);
  EXPECT_EQ(names_without_foreign(), (std::set<std::string>{"model.safetensors"}));
  const Safetensors single = Safetensors::open(folder_);
  write_safetensors_sharded(folder_, single.tensors(), 4);
  EXPECT_EQ(names_without_foreign().size(), 3u);
  EXPECT_EQ(text_of(*single.find("b")), other);
  EXPECT_EQ(text_of(*Safetensors::open(folder_).find("b")), other);
}

TEST_F(SafetensorsTest, RefusesBadIndexes) {
  const std::string four = "1234";
  write_safetensors(folder_ / "s.safetensors", {entry("a", DType::kU8, {4}, four)});
  std::filesystem::create_directory(folder_ / "inner");
  const std::vector<BadSafetensors> cases = {
      {"{", "valid JSON"},
      {"[]", "weight_map"},
      {R"({"weight_map":[]})", "weight_map"},
      {R"({"weight_map":{"a":1}})", "name of a shard for a"},
      {R"({"weight_map":{"a":"s.safetensors","a":"s.safetensors"}})", "got \"a\" twice"},
      {R"({"weight_map":{"a":"s.safetensors","b":"s.safetensors"}})", "expected b in the shard s.safetensors"},
      {R"({"weight_map":{"a":"missing.safetensors"}})", "No such file"},
      {R"({"weight_map":{"a":""}})", "within the folder"},
      {R"({"weight_map":{"a":"../inner/s.safetensors"}})", "within the folder"},
      {R"({"weight_map":{"a":"inner/../s.safetensors"}})", "within the folder"},
      {R"({"weight_map":{"a":")" + (folder_ / "s.safetensors").string() + "\"}}", "within the folder"},
  };
  for (const BadSafetensors& bad : cases) {
    SCOPED_TRACE(bad.file);
    write("model.safetensors.index.json", bad.file);
    GRPO_EXPECT_ERROR(Safetensors::open(folder_), bad.message);
  }
  GRPO_EXPECT_ERROR(Safetensors::open(folder_ / "inner"), "got neither");
  GRPO_EXPECT_ERROR(Safetensors::open(folder_ / "absent"), "No such file");
}

std::vector<std::filesystem::path> fixtures(const std::filesystem::path& root) {
  std::vector<std::filesystem::path> found;
  for (const auto& item : std::filesystem::recursive_directory_iterator(root)) {
    if (item.path().extension() == ".safetensors") found.push_back(item.path());
  }
  return found;
}

// Oracle: the reference implementation's own files. Read and written again they are the same bytes (where they carry the same metadata).
TEST_F(SafetensorsTest, RewritesReferenceFilesByteForByte) {
  GRPO_REQUIRE_DATA(testing::parity_dir());
  const auto copy = folder_ / "copy.safetensors";
  int64_t compared = 0;
  for (const auto& path : fixtures(testing::parity_dir())) {
    SCOPED_TRACE(path);
    const Safetensors file = Safetensors::open(path);
    write_safetensors(copy, file.tensors(), file.metadata());
    const Safetensors written = Safetensors::open(copy);
    ASSERT_EQ(written.tensors().size(), file.tensors().size());
    for (const TensorEntry& tensor : file.tensors()) EXPECT_EQ(text_of(*written.find(tensor.name)), text_of(tensor));
    if (file.metadata() != written.metadata()) continue;
    EXPECT_EQ(read_text(copy), read_text(path));
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

// Oracle: the index and total_size as transformers wrote them.
TEST_F(SafetensorsTest, ReadsShardsOfTheReference) {
  GRPO_REQUIRE_DATA(testing::parity_dir());
  int64_t indexes = 0;
  for (const auto& item : std::filesystem::recursive_directory_iterator(testing::parity_dir())) {
    if (item.path().filename() != "model.safetensors.index.json") continue;
    SCOPED_TRACE(item.path());
    const auto index = read_json(item.path());
    const Safetensors file = Safetensors::open(item.path().parent_path());
    EXPECT_EQ(file.tensors().size(), index["weight_map"].size());
    for (const auto& [name, shard] : index["weight_map"].items()) EXPECT_NE(file.find(name), nullptr) << name;
    const auto add = [](size_t sum, const TensorEntry& tensor) { return sum + tensor.bytes.size(); };
    EXPECT_EQ(std::accumulate(file.tensors().begin(), file.tensors().end(), size_t{0}, add), index["metadata"]["total_size"]);
    ++indexes;
  }
  EXPECT_GT(indexes, 0);
}

#ifdef GRPO_HAVE_RAPIDCHECK
// Property: any names, types, shapes, metadata and shard sizes come back as they were.
RC_GTEST_FIXTURE_PROP(SafetensorsTest, RoundTrips, ()) {
  const auto letters =
      rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>("a", "b", ".", "/", "\"", "\\", "\n", "\x01", "é"));
  const auto text = rc::gen::map(
      letters, [](const std::vector<std::string>& parts) { return std::accumulate(parts.begin(), parts.end(), std::string()); });
  const auto count = *rc::gen::inRange<size_t>(0, 6);
  const auto names = *rc::gen::unique<std::vector<std::string>>(count, text);
  std::vector<std::string> data;
  std::vector<TensorEntry> tensors;
  for (const std::string& name : names) {
    const auto dtype = static_cast<DType>(*rc::gen::inRange(0, 15));
    const auto rank = *rc::gen::inRange<size_t>(0, 5);
    const auto shape = *rc::gen::container<std::vector<int64_t>>(rank, rc::gen::inRange<int64_t>(0, 4));
    tensors.push_back({name, dtype, shape, {}});
    data.push_back(
        *rc::gen::container<std::string>(static_cast<size_t>(tensors.back().numel() * size_of(dtype)), rc::gen::arbitrary<char>()));
  }
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].bytes = bytes_of(data[i]);
  write_safetensors_sharded(folder_, tensors, *rc::gen::inRange<int64_t>(1, 1000), {{"key", names.empty() ? "" : names.front()}});
  const Safetensors file = Safetensors::open(folder_);
  RC_ASSERT(file.tensors().size() == tensors.size());
  for (const TensorEntry& tensor : tensors) {
    const TensorEntry* read = file.find(tensor.name);
    RC_ASSERT(read != nullptr);
    RC_ASSERT(read->dtype == tensor.dtype);
    RC_ASSERT(read->shape == tensor.shape);
    RC_ASSERT(text_of(*read) == text_of(tensor));
  }
}
#endif

}  // namespace
}  // namespace grpo
