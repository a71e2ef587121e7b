#include "grpo/io/event_file.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <vector>

#include "io/crc32c.h"
#include "io/temp_folder.h"
#include "support/parity.h"

namespace grpo {
namespace {

/// Fields of a protocol buffer message by number; varints and fixed numbers as their bits, in a decimal string. The oracle: written from
/// the wire format's definition, apart from the writer.
using Fields = std::multimap<int, std::string>;

uint64_t take_varint(std::string_view& bytes) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.at(0));
    bytes.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
}

template <typename T>
T take_fixed(std::string_view& bytes) {
  T value;
  std::memcpy(&value, bytes.substr(0, sizeof(T)).data(), sizeof(T));
  bytes.remove_prefix(sizeof(T));
  return value;
}

Fields decode(std::string_view bytes) {
  Fields fields;
  while (!bytes.empty()) {
    const uint64_t tag = take_varint(bytes);
    std::string value;
    if (tag % 8 == 0) value = std::to_string(take_varint(bytes));
    if (tag % 8 == 1) value = std::to_string(take_fixed<uint64_t>(bytes));
    if (tag % 8 == 5) value = std::to_string(take_fixed<uint32_t>(bytes));
    if (tag % 8 == 2) {
      const uint64_t length = take_varint(bytes);
      value = bytes.substr(0, length);
      bytes.remove_prefix(length);
    }
    fields.emplace(static_cast<int>(tag / 8), value);
  }
  return fields;
}

std::string get(const Fields& fields, int number) {
  EXPECT_EQ(fields.count(number), 1u) << "field " << number;
  return fields.find(number)->second;
}

uint32_t mask(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u; }

/// The events of a file, its frames checked.
std::vector<Fields> read_events(const std::filesystem::path& path) {
  const std::string content = testing::read_text(path);
  std::string_view bytes = content;
  std::vector<Fields> events;
  while (!bytes.empty()) {
    const std::string_view length_bytes = bytes.substr(0, 8);
    const auto length = take_fixed<uint64_t>(bytes);
    EXPECT_EQ(take_fixed<uint32_t>(bytes), mask(crc32c(length_bytes)));
    const std::string_view message = bytes.substr(0, length);
    bytes.remove_prefix(length);
    EXPECT_EQ(take_fixed<uint32_t>(bytes), mask(crc32c(message)));
    events.push_back(decode(message));
  }
  return events;
}

Fields summary_value(const Fields& event) { return decode(get(decode(get(event, 5)), 1)); }

using EventFileTest = testing::TempFolder;

// Known vectors: the check value of CRC-32C and the examples of RFC 3720, appendix B.4.
TEST(Crc32c, KnownVectors) {
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  std::string ascending;
  for (char i = 0; i < 32; ++i) ascending.push_back(i);
  EXPECT_EQ(crc32c(ascending), 0x46DD794Eu);
  EXPECT_EQ(crc32c(std::string(ascending.rbegin(), ascending.rend())), 0x113FDB5Cu);
}

TEST_F(EventFileTest, WritesScalarsAndText) {
  const std::string long_text(300, 'y');  // a length of two varint bytes
  EventFile file(folder_ / "runs" / "a");
  file.scalar("train/reward", 0.5, 7);
  file.scalar("kl", std::nan(""), int64_t{1} << 40);
  file.text("sample", long_text, 8);
  file.flush();
  EXPECT_NE(file.path().filename().string().find("tfevents"), std::string::npos);

  const auto events = read_events(file.path());
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(get(events[0], 3), "brain.Event:2");
  const auto wall_time = std::bit_cast<double>(static_cast<uint64_t>(std::stoull(get(events[0], 1))));
  EXPECT_GT(wall_time, 1.7e9);
  EXPECT_LT(wall_time, 1e11);

  EXPECT_EQ(get(events[1], 2), "7");
  EXPECT_EQ(get(summary_value(events[1]), 1), "train/reward");
  EXPECT_EQ(get(summary_value(events[1]), 2), std::to_string(std::bit_cast<uint32_t>(0.5f)));
  EXPECT_EQ(get(events[2], 2), "1099511627776");
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(static_cast<uint32_t>(std::stoul(get(summary_value(events[2]), 2))))));

  const Fields text = summary_value(events[3]);
  EXPECT_EQ(get(text, 1), "sample");
  EXPECT_EQ(get(decode(get(decode(get(text, 9)), 1)), 1), "text");  // metadata.plugin_data.plugin_name
  const Fields tensor = decode(get(text, 8));
  EXPECT_EQ(get(tensor, 1), "7");                                  // DT_STRING
  EXPECT_EQ(get(decode(get(decode(get(tensor, 2)), 2)), 1), "1");  // shape [1]
  EXPECT_EQ(get(tensor, 8), long_text);
}

TEST_F(EventFileTest, WritesTheRestWhenDestroyedAndOneFileEach) {
  { EventFile(folder_).scalar("a", 1, 1); }
  EventFile second(folder_);
  EventFile moved = std::move(second);
  moved.scalar("a", 2, 2);
  moved.flush();
  EXPECT_EQ(count_files(), 2u);
  for (const auto& item : std::filesystem::directory_iterator(folder_)) EXPECT_EQ(read_events(item.path()).size(), 2u);
}

TEST_F(EventFileTest, RefusesAFolderItCannotMake) {
  const auto file = write("file", "x");
  GRPO_EXPECT_ERROR(EventFile(file / "runs"), "expected to make the folder");
}

}  // namespace
}  // namespace grpo
