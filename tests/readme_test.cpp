// README.md quotes examples/ and names files; oracle: the files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

const fs::path root = GRPO_SOURCE_DIR;

std::string read(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Readme, ListingsStandInTheExamples) {
  std::vector<std::string> examples;
  for (const auto& entry : fs::directory_iterator(root / "examples")) {
    if (entry.path().extension() == ".cpp") examples.push_back(read(entry.path()));
  }
  const std::string readme = read(root / "README.md"), fence = "```cpp\n";
  int listings = 0;
  for (size_t at = readme.find(fence); at != std::string::npos; at = readme.find(fence, at + 1), ++listings) {
    const std::string listing = readme.substr(at + fence.size(), readme.find("```", at + fence.size()) - at - fence.size());
    bool found = false;
    for (const auto& example : examples) found = found || example.find(listing) != std::string::npos;
    EXPECT_TRUE(found) << "no example contains\n" << listing;
  }
  EXPECT_GE(listings, 2);
}

TEST(Readme, LinksLeadSomewhere) {
  const std::string readme = read(root / "README.md");
  const std::regex link(R"(\]\(([^):# ]+)\))");
  int links = 0;
  for (auto it = std::sregex_iterator(readme.begin(), readme.end(), link); it != std::sregex_iterator(); ++it, ++links) {
    EXPECT_TRUE(fs::exists(root / (*it)[1].str())) << (*it)[1];
  }
  EXPECT_GT(links, 0);
}

}  // namespace
