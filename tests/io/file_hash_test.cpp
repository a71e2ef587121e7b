// Oracles: the vectors of xxHash's own sanity check (cli/xsum_sanity_check.c), and the hash of the same bytes in one piece.
#include "io/file_hash.h"

#include <cstdint>
#include <string>
#include <utility>

#include "io/temp_folder.h"

namespace grpo {
namespace {

using FileHashTest = testing::TempFolder;

/// The buffer of xxHash's sanity check.
std::string sanity_buffer(size_t length) {
  uint64_t generator = 2654435761U;
  std::string bytes(length, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(generator >> 56);
    generator *= 11400714785074694797ULL;
  }
  return bytes;
}

TEST(FileHash, IsXxh3Of128Bits) {
  const std::pair<size_t, const char*> vectors[] = {{0, "99aa06d3014798d86001c324468d497f"},
                                                    {1, "a6cd5e9392000f6ac44bdff4074eecdb"},
                                                    {24, "0ce966e4678d37611e7044d28b1b901d"},
                                                    {222, "337e09641b948717f1aebd597cec6b3a"},
                                                    {2367, "e89c0f6ff369b427cb37aeb9e5d361ed"}};
  for (const auto& [length, expected] : vectors) EXPECT_EQ(hash_of(sanity_buffer(length)), expected) << length;
}

TEST_F(FileHashTest, PiecesGiveTheHashOfTheWhole) {
  for (const size_t length : {size_t{0}, size_t{1}, size_t{1} << 18, (size_t{1} << 18) + 1, size_t{1} << 20}) {
    const std::string bytes = sanity_buffer(length);
    const FileHash content = hash_of_file(write("file", bytes));
    EXPECT_EQ(content.size, length);
    EXPECT_EQ(content.hash, hash_of(bytes)) << length;
  }
}

TEST_F(FileHashTest, WhatCannotBeReadIsNamed) {
  GRPO_EXPECT_ERROR(hash_of_file(folder_ / "absent"), "absent");
  GRPO_EXPECT_ERROR(hash_of_file(folder_), folder_.string());
}

}  // namespace
}  // namespace grpo
