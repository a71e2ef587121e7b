#include "sandbox/fork_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <utility>
#include <vector>

#include "grpo/core/error.h"

namespace grpo {
namespace {

constexpr int kServerSocket = 3;
constexpr size_t kMaxDescriptors = 200;  // of a message; the system allows 253

void set_signals(std::initializer_list<int> signals, void (*handler)(int)) {
  for (const int signal : signals) ::signal(signal, handler);
}

void send_end(int control, const ChildEnd& end) { [[maybe_unused]] const auto sent = ::send(control, &end, sizeof end, MSG_NOSIGNAL); }

/// The children of this process of one thread.
std::vector<pid_t> own_children() {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/children", static_cast<int>(::getpid()));
  std::vector<pid_t> children;
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return children;
  for (int id = 0; std::fscanf(file, "%d", &id) == 1;) children.push_back(id);
  std::fclose(file);
  return children;
}

/// Ends all that is left of `child` and of what it started; the status of `child`. Orphans are this process's children by now, or will be
/// in the next round.
int sweep(pid_t child) {
  int status = 0;
  while (true) {
    int one = 0;
    pid_t reaped = 0;
    while ((reaped = ::waitpid(-1, &one, WNOHANG)) > 0) {
      if (reaped == child) status = one;
    }
    if (reaped < 0 && errno == ECHILD) return status;
    for (const pid_t id : own_children()) ::kill(id, SIGKILL);
    const timespec pause{0, 1000000};
    ::nanosleep(&pause, nullptr);
  }
}

/// Runs in the child and never returns.
[[noreturn]] void be_child(const ForkServer::Main& main, pid_t keeper, std::string_view request, std::span<const int> descriptors) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != keeper) ::_exit(EXIT_FAILURE);
  ::setsid();
  int status = EXIT_FAILURE;
  try {
    status = main(request, descriptors);
  } catch (...) {
    std::fprintf(stderr, "grpo: a child ends: %s\n", caught_text().c_str());
  }
  std::fflush(nullptr);
  ::_exit(status);
}

std::string contents(int file) {
  std::string text;
  std::array<char, 65536> piece{};
  for (ssize_t size = 0; (size = ::read(file, piece.data(), piece.size())) > 0;) text.append(piece.data(), static_cast<size_t>(size));
  return text;
}

/// Runs in the keeper of one child. `descriptors`: its control, the request, and the child's own.
[[noreturn]] void be_keeper(const ForkServer::Main& main, std::span<const int> descriptors) {
  ::close(kServerSocket);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  set_signals({SIGCHLD}, SIG_DFL);
  const int control = descriptors[0];
  const std::string request = contents(descriptors[1]);
  ::close(descriptors[1]);
  const pid_t keeper = ::getpid(), child = ::fork();
  if (child == 0) {
    ::close(control);
    be_child(main, keeper, request, descriptors.subspan(2));
  }
  if (child < 0) {
    send_end(control, {ChildEnd::How::kLost, errno});
    ::_exit(EXIT_FAILURE);
  }
  for (const int own : descriptors.subspan(2)) ::close(own);
  const int watched = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  std::array<pollfd, 2> events{pollfd{control, POLLIN, 0}, pollfd{watched, POLLIN, 0}};
  while (::poll(events.data(), events.size(), -1) < 0 && errno == EINTR) continue;
  const bool killed = events[1].revents == 0;
  if (killed) ::kill(child, SIGKILL);
  const int status = sweep(child);
  if (killed) {
    send_end(control, {ChildEnd::How::kKilled, 0});
  } else if (WIFSIGNALED(status)) {
    send_end(control, {ChildEnd::How::kSignal, WTERMSIG(status)});
  } else {
    send_end(control, {ChildEnd::How::kExited, WEXITSTATUS(status)});
  }
  ::_exit(EXIT_SUCCESS);
}

/// A message of one byte with room for descriptors; it holds pointers to itself.
struct DescriptorMessage {
  DescriptorMessage() {
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = space.data();
    header.msg_controllen = space.size();
  }
  DescriptorMessage(const DescriptorMessage&) = delete;
  DescriptorMessage& operator=(const DescriptorMessage&) = delete;

  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> space{};
  msghdr header{};
};

/// The descriptors of one message. Empty where the other side has gone.
std::vector<int> receive_descriptors(int socket) {
  DescriptorMessage message;
  ssize_t received = 0;
  while ((received = ::recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) continue;
  const cmsghdr* head = received > 0 ? CMSG_FIRSTHDR(&message.header) : nullptr;
  if (head == nullptr) return {};
  std::vector<int> descriptors((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  std::memcpy(descriptors.data(), CMSG_DATA(head), descriptors.size() * sizeof(int));
  return descriptors;
}

bool send_descriptors(int socket, const std::vector<int>& descriptors) {
  DescriptorMessage message;
  message.header.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
  cmsghdr* head = CMSG_FIRSTHDR(&message.header);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
  std::memcpy(CMSG_DATA(head), descriptors.data(), descriptors.size() * sizeof(int));
  ssize_t sent = 0;
  while ((sent = ::sendmsg(socket, &message.header, MSG_NOSIGNAL)) < 0 && errno == EINTR) continue;
  return sent > 0;
}

/// Runs in the server and never returns.
[[noreturn]] void be_server(const ForkServer::Main& main, int socket) {
  ::setsid();
  ::prctl(PR_SET_NAME, "grpo-forks");
  set_signals({SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE, SIGCHLD}, SIG_IGN);  // SIGCHLD: keepers need no wait
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (socket != kServerSocket) ::dup2(socket, kServerSocket);
  ::close_range(kServerSocket + 1, ~0U, 0);
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::close(nothing);
  while (true) {
    const std::vector<int> descriptors = receive_descriptors(kServerSocket);
    if (descriptors.size() < 2) ::_exit(EXIT_SUCCESS);
    const pid_t keeper = ::fork();
    if (keeper == 0) be_keeper(main, descriptors);
    if (keeper < 0) send_end(descriptors[0], {ChildEnd::How::kLost, errno});
    for (const int descriptor : descriptors) ::close(descriptor);
  }
}

}  // namespace

std::string to_text(const ChildEnd& end) {
  switch (end.how) {
    case ChildEnd::How::kExited:
      return "exit status " + std::to_string(end.value);
    case ChildEnd::How::kSignal:
      return "signal " + std::to_string(end.value) + " (" + ::strsignal(end.value) + ")";
    case ChildEnd::How::kKilled:
      return "its end, as asked for";
    case ChildEnd::How::kLost:
      break;
  }
  return end.value == 0 ? "no word of its end" : std::string("no process: ") + std::strerror(end.value);
}

void ForkedChild::kill() const {
  if (control_.get() >= 0) ::shutdown(control_.get(), SHUT_WR);
}

ChildEnd ForkedChild::wait() {
  ChildEnd end;
  if (control_.get() < 0) return end;
  ssize_t received = 0;
  while ((received = ::recv(control_.get(), &end, sizeof end, MSG_WAITALL)) < 0 && errno == EINTR) continue;
  if (received != sizeof end) end = {};
  control_.reset();
  return end;
}

ForkServer::ForkServer(const Main& main) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    fail("sandbox", std::string("expected a pair of sockets; got ") + std::strerror(errno));
  socket_ = Descriptor(ends[0]);
  const Descriptor theirs(ends[1]);
  std::fflush(nullptr);  // or each child that ends by exit() would print it again
  server_ = ::fork();
  if (server_ == 0) be_server(main, theirs.get());
  if (server_ < 0) fail("sandbox", std::string("expected a process for children; got ") + std::strerror(errno));
}

ForkServer::~ForkServer() {
  socket_.reset();
  while (::waitpid(server_, nullptr, 0) < 0 && errno == EINTR) continue;
}

ForkedChild ForkServer::start(std::string_view request, std::span<const int> descriptors) {
  GRPO_CHECK(descriptors.size() + 2 <= kMaxDescriptors, "sandbox",
             "expected at most " + std::to_string(kMaxDescriptors - 2) + " descriptors; got " + std::to_string(descriptors.size()));
  auto [control, theirs] = make_socket_pair();
  const Descriptor text = make_memory_file(request);
  std::vector<int> all{theirs.get(), text.get()};
  all.insert(all.end(), descriptors.begin(), descriptors.end());
  const std::lock_guard lock(mutex_);
  GRPO_CHECK(send_descriptors(socket_.get(), all), "sandbox", "expected the process that starts children; got none: it has ended");
  return ForkedChild(std::move(control));
}

}  // namespace grpo
