// The rooms include only what cmake/rooms.txt allows. Oracle of the checker itself: planted violations in a temporary tree.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

using Graph = std::map<std::string, std::set<std::string>>;

struct Rooms {
  Graph allowed;
  std::set<std::string> with_torch;
};

Rooms read_rooms(const fs::path& path) {
  Rooms rooms;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(':');
    if (line.empty() || line[0] == '#' || colon == std::string::npos) continue;
    std::istringstream head(line.substr(0, colon)), tail(line.substr(colon + 1));
    std::string name, word;
    head >> name;
    if (head >> word) rooms.with_torch.insert(name);
    std::set<std::string>& allowed = rooms.allowed[name];
    while (tail >> word) allowed.insert(word);
  }
  return rooms;
}

/// Some cycle of the graph as "a -> b -> a", or an empty string.
std::string find_cycle(const Graph& graph) {
  std::map<std::string, int> state;  // 1: on the path, 2: done
  std::vector<std::string> path;
  std::string cycle;
  const auto visit = [&](const auto& self, const std::string& node) -> void {
    state[node] = 1;
    path.push_back(node);
    if (const auto found = graph.find(node); found != graph.end()) {
      for (const std::string& next : found->second) {
        if (!cycle.empty() || state[next] == 2) continue;
        if (state[next] == 0) {
          self(self, next);
          continue;
        }
        for (auto it = std::find(path.begin(), path.end(), next); it != path.end(); ++it) cycle += *it + " -> ";
        cycle += next;
      }
    }
    path.pop_back();
    state[node] = 2;
  };
  for (const auto& entry : graph) {
    if (state[entry.first] == 0) visit(visit, entry.first);
  }
  return cycle;
}

/// The include graph of include/grpo, src and kernels below a root. Files are named relative to the root.
class Tree {
 public:
  explicit Tree(fs::path root) : root_(std::move(root)) {
    for (const char* folder : {"include/grpo", "src", "kernels"}) {
      if (!fs::exists(root_ / folder)) continue;
      for (const auto& entry : fs::recursive_directory_iterator(root_ / folder)) {
        static const std::set<std::string> kinds{".h", ".cpp", ".cu", ".cuh", ".inc"};
        if (entry.is_regular_file() && kinds.contains(entry.path().extension())) read(entry.path());
      }
    }
  }

  const Graph& includes() const { return includes_; }
  const std::set<std::string>& torch_users() const { return torch_users_; }

  /// The room of a file; empty for what belongs to none (grpo/grpo.h, the program's main).
  static std::string room_of(const std::string& file) {
    static const std::regex in_room("(?:include/grpo|src)/([^/]+)/.*");
    std::smatch match;
    if (file.starts_with("kernels/")) return "kernels";
    return std::regex_match(file, match, in_room) ? match[1].str() : "";
  }

 private:
  void read(const fs::path& path) {
    static const std::regex include_line("\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"].*");
    static const std::regex torch("(torch|ATen|c10|caffe2)/.*");
    const std::string file = fs::relative(path, root_).generic_string();
    std::set<std::string>& targets = includes_[file];
    std::ifstream in(path);
    std::smatch match;
    for (std::string line; std::getline(in, line);) {
      if (!std::regex_match(line, match, include_line)) continue;
      const std::string name = match[1];
      if (std::regex_match(name, torch)) torch_users_.insert(file);
      for (const fs::path& folder : {path.parent_path(), root_ / "include", root_ / "src", root_ / "kernels"}) {
        if (!fs::is_regular_file(folder / name)) continue;
        targets.insert(fs::relative(folder / name, root_).generic_string());
        break;
      }
    }
  }

  fs::path root_;
  Graph includes_;
  std::set<std::string> torch_users_;
};

std::set<std::string> reachable(const Graph& graph, const std::string& start) {
  std::set<std::string> seen{start};
  std::vector<std::string> open{start};
  while (!open.empty()) {
    const std::string node = open.back();
    open.pop_back();
    if (const auto found = graph.find(node); found != graph.end()) {
      for (const std::string& next : found->second) {
        if (seen.insert(next).second) open.push_back(next);
      }
    }
  }
  return seen;
}

/// Whether a file belongs to no room and reaches none, as grpo/api.h: every room may include it.
bool reaches_no_room(const Graph& graph, const std::string& file) {
  return std::ranges::all_of(reachable(graph, file), [](const std::string& reached) { return Tree::room_of(reached).empty(); });
}

void check_edges(const Tree& tree, const Rooms& rooms, std::vector<std::string>& faults) {
  for (const auto& [file, targets] : tree.includes()) {
    const std::string room = Tree::room_of(file);
    if (room.empty()) continue;
    const auto row = rooms.allowed.find(room);
    if (row == rooms.allowed.end()) {
      faults.push_back(file + " is in no room of the table");
      continue;
    }
    for (const std::string& target : targets) {
      const std::string other = Tree::room_of(target);
      if (other == room || row->second.contains(other) || reaches_no_room(tree.includes(), target)) continue;
      faults.push_back(file + " must not include " + target);
    }
  }
}

void check_torch(const Tree& tree, const Rooms& rooms, std::vector<std::string>& faults) {
  for (const std::string& file : tree.torch_users()) {
    const std::string room = Tree::room_of(file);
    if (!room.empty() && !rooms.with_torch.contains(room)) faults.push_back(file + " must not include torch");
  }
  const std::string umbrella = "include/grpo/grpo.h";
  for (const std::string& file : reachable(tree.includes(), umbrella)) {
    if (tree.torch_users().contains(file)) faults.push_back(umbrella + " must not reach torch, as it does through " + file);
  }
}

std::vector<std::string> violations(const fs::path& root, const Rooms& rooms) {
  const Tree tree(root);
  std::vector<std::string> faults;
  check_edges(tree, rooms, faults);
  check_torch(tree, rooms, faults);
  for (const Graph& graph : {rooms.allowed, tree.includes()}) {
    if (const std::string cycle = find_cycle(graph); !cycle.empty()) faults.push_back("cycle: " + cycle);
  }
  return faults;
}

Rooms table() { return read_rooms(fs::path(GRPO_SOURCE_DIR) / "cmake/rooms.txt"); }

TEST(Layering, SourceTreeKeepsToTheTable) {
  ASSERT_GE(table().allowed.size(), 14U);
  for (const std::string& fault : violations(GRPO_SOURCE_DIR, table())) ADD_FAILURE() << fault;
}

TEST(Layering, TorchFreeRoomsMayOnlyIncludeTorchFreeRooms) {
  const Rooms rooms = table();
  for (const auto& [room, others] : rooms.allowed) {
    if (rooms.with_torch.contains(room)) continue;
    for (const std::string& other : others) EXPECT_FALSE(rooms.with_torch.contains(other)) << room << " may include " << other;
  }
}

/// A temporary tree that keeps to the table until a test plants something.
class PlantedTree : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "grpo-layering-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    write("include/grpo/core/error.h", "");
    write("include/grpo/data/types.h", "#include \"grpo/core/error.h\"\n");
    write("include/grpo/ops/ops.h", "#include <ATen/core/Tensor.h>\n");
    write("include/grpo/grpo.h", "#include <grpo/data/types.h>\n");
    write("kernels/cpu/gemm.h", "");
    write("src/ops/linear.cpp", "#include \"cpu/gemm.h\"\n#include \"grpo/ops/ops.h\"\n");
    ASSERT_EQ(faults(), std::vector<std::string>{});
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  std::vector<std::string> faults() const { return violations(root_, table()); }

  fs::path root_;
};

using Faults = std::vector<std::string>;

TEST_F(PlantedTree, EdgeOutsideTheTable) {
  write("src/core/error.cpp", "  #  include <grpo/data/types.h>  // why\n");
  EXPECT_EQ(faults(), Faults{"src/core/error.cpp must not include include/grpo/data/types.h"});
}

TEST_F(PlantedTree, PrivateHeaderAndKernelOutsideTheTable) {
  write("src/text/bpe.h", "");
  write("src/reward/a.cpp", "#include \"text/bpe.h\"\n");
  write("src/reward/b.cpp", "#include \"cpu/gemm.h\"\n");
  EXPECT_EQ(faults(), (Faults{"src/reward/a.cpp must not include src/text/bpe.h", "src/reward/b.cpp must not include kernels/cpu/gemm.h"}));
}

TEST_F(PlantedTree, TorchInATorchFreeRoom) {
  write("src/io/file.cpp", "#include <c10/util/Half.h>\n");
  EXPECT_EQ(faults(), Faults{"src/io/file.cpp must not include torch"});
}

TEST_F(PlantedTree, TorchReachedFromTheUmbrella) {
  write("include/grpo/trainer/trainer.h", "#include \"grpo/ops/ops.h\"\n");
  write("include/grpo/grpo.h", "#include \"grpo/trainer/trainer.h\"\n");
  EXPECT_EQ(faults(), Faults{"include/grpo/grpo.h must not reach torch, as it does through include/grpo/ops/ops.h"});
}

TEST_F(PlantedTree, HeadersInACircle) {
  write("include/grpo/core/error.h", "#include \"grpo/core/log.h\"\n");
  write("include/grpo/core/log.h", "#include \"grpo/core/error.h\"\n");
  EXPECT_EQ(faults(), Faults{"cycle: include/grpo/core/error.h -> include/grpo/core/log.h -> include/grpo/core/error.h"});
}

TEST_F(PlantedTree, UnknownRoom) {
  write("src/misc/a.cpp", "");
  EXPECT_EQ(faults(), Faults{"src/misc/a.cpp is in no room of the table"});
}

TEST(LayeringTable, CycleIsFound) {
  EXPECT_EQ(find_cycle({{"a", {"b"}}, {"b", {"c"}}, {"c", {"a"}}}), "a -> b -> c -> a");
  EXPECT_EQ(find_cycle({{"a", {"b", "c"}}, {"b", {"c"}}, {"c", {}}}), "");
}

/// "file: literal" of every text in the library that names a flag of the program, which its callers do not have.
std::vector<std::string> flags_in_messages(const fs::path& root) {
  static const std::regex flag(R"re("([^"]*[ ('.;:])?--[a-z][^"]*")re");
  std::vector<std::string> found;
  for (const char* folder : {"include", "src", "kernels"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string file = fs::relative(entry.path(), root).generic_string();
      const bool code = entry.path().extension() == ".h" || entry.path().extension() == ".cpp";
      const auto within = [&file](const char* room) {
        return file.starts_with(room);
      };  // the page's style has names like --ink, bwrap has flags
      if (!code || within("src/cli/") || within("src/report/") || within("src/sandbox/")) continue;
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        const bool comment = line.find("//") < line.find('"');
        std::smatch match;
        const bool documented = file.starts_with("include/") && file != "include/grpo/cli/main.h" && line.find(" --") != std::string::npos;
        if (!comment && std::regex_search(line, match, flag)) found.push_back(file + ": " + match.str());
        if (comment && documented && std::regex_search(line, std::regex(" --[a-z]"))) found.push_back(file + ": " + line);
      }
    }
  }
  return found;
}

TEST(Messages, OfTheLibraryNameNoFlags) {
  for (const std::string& found : flags_in_messages(GRPO_SOURCE_DIR)) ADD_FAILURE() << found;
}

TEST_F(PlantedTree, AFlagInAMessageIsFound) {
  write("src/run/a.cpp", "fail(\"run\", \"continue with --resume\");  // --dry-run\nint i = --j;\n");
  write("src/cli/b.cpp", "fail(\"run\", \"continue with --resume\");\n");
  write("include/grpo/run/c.h", "/// For --dry-run.\n");
  EXPECT_EQ(flags_in_messages(root_), (Faults{"include/grpo/run/c.h: /// For --dry-run.", "src/run/a.cpp: \"continue with --resume\""}));
}

}  // namespace
