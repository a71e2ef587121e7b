// Sources that are compiled in one go share their unnamed namespaces: two functions of one name in different files would become overloads
// of each other, and a call could silently change its meaning. Oracle of the checker itself: planted files.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

/// The rooms that are compiled together, by the name of their target, as CMakeLists.txt says.
std::map<std::string, std::vector<std::string>> batches() {
  std::ifstream in(fs::path(GRPO_SOURCE_DIR) / "CMakeLists.txt");
  std::map<std::string, std::vector<std::string>> result;
  for (std::string line; std::getline(in, line);) {
    std::smatch found;
    if (!std::regex_search(line, found, std::regex("^ *grpo_room\\((\\w+)(.*)\\)"))) continue;
    std::istringstream words(found[2].str());
    bool rooms = false;
    for (std::string word; words >> word;) {
      if (rooms && word != "LIBRARIES") result[found[1]].push_back(word);
      rooms = word == "ROOMS" || (rooms && word != "LIBRARIES");
    }
    if (result[found[1]].empty()) result[found[1]] = {found[1]};
  }
  return result;
}

/// The functions that a file defines in its unnamed namespace. `describe` is left out: it is told apart by the struct that it describes.
std::set<std::string> private_functions(const fs::path& file) {
  static const std::regex function(
      R"(^(?!return|if|for|while|template|static_assert|using|struct|class|enum)[A-Za-z][\w:<>,&* ]*[ &*](\w+)\()");
  std::set<std::string> names;
  std::ifstream in(file);
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line == "namespace {") inside = true;
    if (line == "}  // namespace") inside = false;
    std::smatch found;
    if (inside && std::regex_search(line, found, function) && found[1] != "describe") names.insert(found[1]);
  }
  return names;
}

/// "name in a.cpp and b.cpp" for each name that two files share.
std::vector<std::string> shared_names(const std::vector<fs::path>& files) {
  std::map<std::string, std::string> first;
  std::vector<std::string> faults;
  for (const fs::path& file : files) {
    for (const std::string& name : private_functions(file)) {
      const auto [place, added] = first.emplace(name, file.filename().string());
      if (!added) faults.push_back(name + " in " + place->second + " and " + file.filename().string());
    }
  }
  return faults;
}

TEST(Batches, TheirFilesShareNoPrivateFunctions) {
  const auto all = batches();
  ASSERT_GE(all.size(), 9U);
  ASSERT_GE(all.at("training").size(), 4U);
  for (const auto& [target, rooms] : all) {
    std::vector<fs::path> files;
    for (const std::string& room : rooms) {
      for (const auto& entry : fs::directory_iterator(fs::path(GRPO_SOURCE_DIR) / "src" / room)) {
        const std::string name = entry.path().filename().string();
        const bool stub = name.starts_with("no_");  // it takes the place of another file
        if (entry.path().extension() == ".cpp" && !stub) files.push_back(entry.path());
      }
    }
    for (const std::string& fault : shared_names(files)) ADD_FAILURE() << target << ": " << fault;
  }
}

TEST(Batches, PlantedNamesAreFound) {
  std::string name = (fs::temp_directory_path() / "grpo-batches-XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  const fs::path root = name;
  const auto write = [&root](const char* file, const char* text) {
    std::ofstream(root / file) << "int shared(int x);\nnamespace {\n" << text << "}  // namespace\nint other(int x) { return x; }\n";
    return root / file;
  };
  const auto a = write("a.cpp", "std::string written(std::string text) { return text; }\nvoid describe(V& v, A& a) {}\n");
  const auto b =
      write("b.cpp", "template <class T>\njson written(T& value) {\n  return written(value);\n}\nvoid describe(V& v, B& b) {}\n");
  const auto c = write("c.cpp", "const std::vector<int>& mine() {\n  if (shared(1)) return written(2);\n}\n");
  EXPECT_EQ(shared_names({a, b, c}), std::vector<std::string>{"written in a.cpp and b.cpp"});
  EXPECT_EQ(shared_names({a, c}), std::vector<std::string>{});
  fs::remove_all(root);
}

}  // namespace
