#include "grpo/sandbox/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

#include "grpo/core/error.h"
#include "sandbox/fork_server.h"
#include "sandbox/program.h"

namespace grpo {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kInside = "/tmp";     // the working folder under bwrap
constexpr size_t kMaxStatus = 4096;  // bytes of what is said of a program's start and end

/// Removes a folder whatever a program made of it; links are not followed.
void remove_tree(const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.symlink_status(ignored).type() == std::filesystem::file_type::directory) remove_tree(entry.path());
    std::filesystem::remove(entry.path(), ignored);
  }
  std::filesystem::remove(folder, ignored);
}

/// A folder in the system's temporary one, which goes with the object.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::vector<std::pair<std::string, std::string>>& files) {
    path_ = (std::filesystem::temp_directory_path() / "grpo-sandbox-XXXXXX").string();
    GRPO_CHECK(::mkdtemp(path_.data()) != nullptr, "sandbox", "expected a temporary folder; got " + std::string(std::strerror(errno)));
    for (const auto& [name, content] : files) {
      const std::string path = path_ + "/" + name;
      std::ofstream out(path, std::ios::binary);
      out << content << std::flush;
      GRPO_CHECK(out, "sandbox", "expected room for a file in " + path_);
    }
    GRPO_CHECK(::geteuid() != 0 || ::chown(path_.c_str(), kNobody, kNobody) == 0, "sandbox", "expected " + path_ + " to be nobody's");
  }
  ~WorkingFolder() { remove_tree(path_); }
  WorkingFolder(const WorkingFolder&) = delete;
  WorkingFolder& operator=(const WorkingFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The program bwrap of this program's PATH, as root finds it; what runs in it has another.
std::string find_bwrap() {
  std::istringstream folders(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "/usr/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string path = folder + "/bwrap";
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  fail("sandbox", "expected the program bwrap (of the package bubblewrap) on PATH; got none");
}

std::vector<std::string> bwrap_arguments(const std::string& bwrap, const std::vector<std::string>& readable, const SandboxLimits& limits) {
  const auto exists = [](const std::string& path) { return std::filesystem::exists(path); };
  std::vector<std::string> all{bwrap, "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"};
  const auto add = [&all](std::initializer_list<std::string> words) { all.insert(all.end(), words); };
  add({"--ro-bind", "/usr", "/usr", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives", "--ro-bind-try", "/etc/ld.so.cache",
       "/etc/ld.so.cache"});
  for (const char* name : {"bin", "lib", "lib64", "sbin"}) {
    if (exists("/usr/" + std::string(name))) add({"--symlink", "usr/" + std::string(name), "/" + std::string(name)});
  }
  add({"--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--size", std::to_string(limits.files), "--tmpfs", kInside, "--chdir",
       kInside});
  for (const std::string& folder : readable) add({"--ro-bind", folder, folder});
  return all;
}

/// Reads what is there now, and keeps a byte more than `most` at the most; at the end the descriptor is closed. Whether something was
/// there.
bool read_some(Descriptor& from, std::string& text, size_t most) {
  std::array<char, 65536> piece{};
  const ssize_t size = from.get() < 0 ? 0 : ::read(from.get(), piece.data(), piece.size());
  if (size < 0) return errno == EINTR;
  if (size == 0) from.reset();
  text.append(piece.data(), std::min(static_cast<size_t>(size), most + 1 - text.size()));
  return size > 0;
}

void read_rest(Descriptor& from, std::string& text, size_t most) {
  while (read_some(from, text, most)) continue;
}

/// One program under way.
struct Run {
  ForkedChild child;
  Descriptor out, err, status;  // to read
  std::optional<WorkingFolder> folder;
  bool over = false;
  std::optional<SandboxEnd> killed;
  SandboxResult result;

  void kill(SandboxEnd why) {
    if (!killed) killed = why;
    child.kill();
  }
};

}  // namespace

class Sandbox::Impl {
 public:
  Impl(SandboxKind kind, std::vector<std::string> readable)
      : kind_(kind),
        bwrap_(kind == SandboxKind::kBubblewrap ? find_bwrap() : ""),
        readable_(std::move(readable)),
        server_(become_program) {}

  void start(Run& run, const SandboxCommand& command, const SandboxLimits& limits);
  SandboxResult finish(Run& run, const SandboxLimits& limits) const;

 private:
  SandboxKind kind_;
  std::string bwrap_;
  std::vector<std::string> readable_;
  ForkServer server_;
};

void Sandbox::Impl::start(Run& run, const SandboxCommand& command, const SandboxLimits& limits) {
  Program program{.kind = kind_, .arguments = {}, .environment = {}, .folder = {}, .limits = limits};
  const Descriptor in = make_memory_file(command.input);
  auto [out, out_end] = make_pipe();
  auto [err, err_end] = make_pipe();
  auto [status, status_end] = make_pipe();
  std::vector<int> descriptors{in.get(), out_end.get(), err_end.get()};
  descriptors.insert(descriptors.end(), command.descriptors.begin(), command.descriptors.end());
  std::vector<Descriptor> files;
  std::string home = kInside;
  if (kind_ == SandboxKind::kBubblewrap) {
    program.arguments = bwrap_arguments(bwrap_, readable_, limits);
    for (const auto& [name, content] : command.files) {
      files.push_back(make_memory_file(content));
      program.arguments.insert(program.arguments.end(), {"--file", std::to_string(descriptors.size()), home + "/" + name});
      descriptors.push_back(files.back().get());
    }
    program.arguments.insert(program.arguments.end(), {"--remount-ro", "/", "--json-status-fd", std::to_string(descriptors.size()), "--",
                                                       "prlimit", "--nproc=" + std::to_string(limits.processes), "--"});
  } else {
    program.folder = home = run.folder.emplace(command.files).path();
  }
  descriptors.push_back(status_end.get());
  program.arguments.insert(program.arguments.end(), command.arguments.begin(), command.arguments.end());
  program.environment = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8",           "HOME=" + home,     "TMPDIR=" + home,
                         "OMP_NUM_THREADS=1",  "OPENBLAS_NUM_THREADS=1", "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1"};
  run.child = server_.start(to_request(program), descriptors);
  run.out = std::move(out);
  run.err = std::move(err);
  run.status = std::move(status);
  for (const int descriptor : {run.out.get(), run.err.get(), run.status.get()}) ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
}

/// Once its control is readable: all its processes are gone, and their pipes have an end.
SandboxResult Sandbox::Impl::finish(Run& run, const SandboxLimits& limits) const {
  const ChildEnd end = run.child.wait();
  const auto most = static_cast<size_t>(limits.output);
  std::string status;
  read_rest(run.status, status, kMaxStatus);
  read_rest(run.out, run.result.out, most);
  read_rest(run.err, run.result.err, most);
  SandboxResult result = std::move(run.result);
  if (!run.killed && std::max(result.out.size(), result.err.size()) > most) run.killed = SandboxEnd::kOutput;
  result.out.resize(std::min(result.out.size(), most));
  result.err.resize(std::min(result.err.size(), most));
  if (run.killed) {
    result.end = *run.killed;
    return result;
  }
  const bool started = kind_ == SandboxKind::kRlimits ? status.empty() : status.find("\"exit-code\"") != std::string::npos;
  const bool by_signal = end.how == ChildEnd::How::kSignal;
  if (end.how == ChildEnd::How::kLost || (!started && !by_signal))
    fail("sandbox", "expected a program to run; got " + (end.how == ChildEnd::How::kLost ? to_text(end) : result.err + status));
  result.end = by_signal ? SandboxEnd::kSignal : SandboxEnd::kExited;
  result.status = end.value;
  if (kind_ == SandboxKind::kBubblewrap && !by_signal && end.value > 128 && end.value <= 128 + 64) {  // how bwrap tells of a signal
    result.end = SandboxEnd::kSignal;
    result.status = end.value - 128;
  }
  return result;
}

namespace {

void check(std::span<const SandboxCommand> commands, const SandboxLimits& limits) {
  GRPO_CHECK(limits.timeout > 0 && limits.timeout <= 1e9 && limits.memory > 0 && limits.output > 0 && limits.files > 0 &&
                 limits.processes > 0 && limits.open_files > 0,
             "sandbox", "expected positive limits");
  GRPO_CHECK(!commands.empty(), "sandbox", "expected a program; got none");
  for (const SandboxCommand& command : commands) {
    GRPO_CHECK(!command.arguments.empty(), "sandbox", "expected a program; got no arguments");
    for (const auto& [name, content] : command.files)
      GRPO_CHECK(!name.empty() && name[0] != '.' && name.find('/') == std::string::npos, "sandbox",
                 "expected a file's name without a folder; got '" + name + "'");
  }
}

/// Awaits what happens next to one of them, and reads what they write; a number of milliseconds ends the wait.
void await(std::vector<Run>& runs, size_t most, int milliseconds) {
  std::vector<pollfd> events;
  for (const Run& run : runs) {
    for (const int descriptor : {run.child.control(), run.out.get(), run.err.get()}) events.push_back({descriptor, POLLIN, 0});
  }
  ::poll(events.data(), events.size(), milliseconds);
  for (size_t i = 0; i < runs.size(); ++i) {
    Run& run = runs[i];
    run.over = run.over || events[3 * i].revents != 0;
    if (events[3 * i + 1].revents != 0) read_some(run.out, run.result.out, most);
    if (events[3 * i + 2].revents != 0) read_some(run.err, run.result.err, most);
    if (run.over || std::max(run.result.out.size(), run.result.err.size()) <= most) continue;
    run.kill(SandboxEnd::kOutput);
  }
}

}  // namespace

std::vector<SandboxResult> Sandbox::run(std::span<const SandboxCommand> commands, const SandboxLimits& limits) const {
  check(commands, limits);
  std::vector<Run> runs(commands.size());
  std::vector<Descriptor> theirs;  // no longer this program's: who talks to a program sees its end
  for (const SandboxCommand& command : commands) {
    for (const int descriptor : command.descriptors) theirs.emplace_back(descriptor);
  }
  for (size_t i = 0; i < runs.size(); ++i) impl_->start(runs[i], commands[i], limits);
  theirs.clear();
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limits.timeout));
  while (!runs[0].over) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) runs[0].kill(SandboxEnd::kTimeout);
    await(runs, static_cast<size_t>(limits.output), runs[0].killed ? -1 : static_cast<int>(std::min<int64_t>(left, 60000)));
  }
  for (Run& run : runs) {
    if (!run.over) run.kill(SandboxEnd::kStopped);
  }
  std::vector<SandboxResult> results;
  for (Run& run : runs) results.push_back(impl_->finish(run, limits));
  return results;
}

SandboxResult Sandbox::run(const SandboxCommand& command, const SandboxLimits& limits) const {
  return std::move(run(std::span(&command, 1), limits)[0]);
}

Sandbox::Sandbox(SandboxKind kind, std::vector<std::string> readable) : impl_(std::make_unique<Impl>(kind, std::move(readable))) {
  try {
    const SandboxResult result = run({.arguments = {"true"}});
    GRPO_CHECK(result.end == SandboxEnd::kExited && result.status == 0, "sandbox", result.err);
  } catch (const Error& error) {
    if (kind == SandboxKind::kRlimits) throw;
    fail("sandbox", std::string("expected bubblewrap and user namespaces to work; got: ") + error.what());
  }
}

Sandbox::~Sandbox() = default;

std::string to_text(const SandboxResult& result) {
  switch (result.end) {
    case SandboxEnd::kExited:
      return "exit status " + std::to_string(result.status);
    case SandboxEnd::kSignal:
      return "signal " + std::to_string(result.status) + " (" + ::strsignal(result.status) + ")";
    case SandboxEnd::kTimeout:
      return "its time was over";
    case SandboxEnd::kOutput:
      return "it wrote too much";
    case SandboxEnd::kStopped:
      break;
  }
  return "it was stopped";
}

}  // namespace grpo
