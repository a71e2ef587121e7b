// The `grpo` program beside a shared libgrpo, which it opens itself, so that a machine without LibTorch gets a sentence in place of the
// loader's error.
#include <dlfcn.h>
#include <glob.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

const std::string kWanted = GRPO_TORCH_VERSION;  // that libgrpo was built with

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The folders that match, last first: the newest Python's.
std::vector<std::string> matches(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  std::reverse(paths.begin(), paths.end());
  return paths;
}

/// Where python3 has its torch; empty without one.
std::string python_torch() {
  std::FILE* output = ::popen(
      "python3 -c 'import importlib.util as u; s = u.find_spec(\"torch\"); print(s.submodule_search_locations[0] if s else \"\", "
      "end=\"\")' "
      "2>/dev/null",
      "r");
  if (output == nullptr) return "";
  std::string path;
  std::array<char, 4096> part{};
  while (const size_t read = std::fread(part.data(), 1, part.size(), output)) path.append(part.data(), read);
  ::pclose(output);
  return path;
}

/// The version of an installed torch, "2.11.0"; empty if its headers are not there.
std::string version_of(const fs::path& torch) {
  std::ifstream header(torch / "include/torch/headeronly/version.h");
  std::string version;
  for (std::string line; std::getline(header, line);) {
    for (const char* part : {"MAJOR", "MINOR", "PATCH"}) {
      const std::string begin = std::string("#define TORCH_VERSION_") + part + " ";
      if (line.starts_with(begin)) version += (version.empty() ? "" : ".") + line.substr(begin.size());
    }
  }
  return version;
}

std::string minor(const std::string& version) { return version.substr(0, version.rfind('.')); }

/// C++ libraries of another minor version do not fit.
bool fits(const fs::path& torch) {
  const std::string version = version_of(torch);
  return version.empty() || minor(version) == minor(kWanted);
}

/// Loads a torch, so that libgrpo finds it loaded. False if there is none.
bool load_torch(const fs::path& torch) {
  const std::vector<const char*> libraries = GRPO_TORCH_LIBRARIES;
  return std::ranges::all_of(
      libraries, [&](const char* name) { return ::dlopen((torch / "lib" / name).c_str(), RTLD_LAZY | RTLD_GLOBAL) != nullptr; });
}

void* load_grpo() { return ::dlopen(GRPO_LIBRARY, RTLD_LAZY | RTLD_GLOBAL); }

/// libgrpo with the torch that the environment names, the one that its RUNPATH leads to, or the first that is found.
void* load() {
  if (const std::string named = environment("GRPO_TORCH"); !named.empty()) {
    if (!fits(named)) return nullptr;
    return load_torch(named) ? load_grpo() : nullptr;
  }
  if (void* library = load_grpo()) return library;
  std::vector<std::string> places;
  for (const char* prefix : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const std::string folder = environment(prefix); !folder.empty()) {
      for (const auto& place : matches(folder + "/lib/python3*/site-packages/torch")) places.push_back(place);
    }
  }
  places.push_back(python_torch());
  for (const auto& place : places) {
    if (!place.empty() && fs::is_directory(place) && fits(place) && load_torch(place)) return load_grpo();
  }
  return nullptr;
}

/// The torch folder whose libraries are loaded.
fs::path loaded_torch() {
  void* library = ::dlopen("libc10.so", RTLD_LAZY | RTLD_NOLOAD);
  Dl_info info{};
  if (library == nullptr || ::dladdr(::dlsym(library, "_ZNK3c105Error4whatEv"), &info) == 0) return {};
  return fs::path(info.dli_fname).parent_path().parent_path();
}

int refuse(const std::string& reason) {
  std::fprintf(
      stderr,
      "grpo: [torch] expected LibTorch %s.x, which this program was built with; %s. Install it (pip install torch==%s) and activate "
      "its environment, or let GRPO_TORCH name its folder (…/site-packages/torch)\n",
      minor(kWanted).c_str(), reason.c_str(), kWanted.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  void* library = load();
  if (library == nullptr) {
    const std::string named = environment("GRPO_TORCH");
    if (!named.empty() && !fits(named)) return refuse("GRPO_TORCH names version " + version_of(named));
    const char* error = ::dlerror();
    return refuse(std::string("it cannot be loaded") + (error == nullptr ? "" : std::string(" (") + error + ")"));
  }
  if (const fs::path torch = loaded_torch(); !torch.empty() && !fits(torch))
    return refuse("found version " + version_of(torch) + " in " + torch.string());
  const auto run = reinterpret_cast<int (*)(int, char**)>(::dlsym(library, "grpo_main"));
  return run == nullptr ? refuse("the library has no grpo_main") : run(argc, argv);
}
