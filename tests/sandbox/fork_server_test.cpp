// Children of a small process that was forked early: what they get, how they end, that nothing stays.
#include "sandbox/fork_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpo/core/error.h"
#include "sandbox/wire.h"
#include "support/errors.h"

namespace grpo {
namespace {

/// The other side of a socket to a child.
struct Talk {
  ForkedChild child;
  Descriptor socket;

  std::string receive() const {
    std::string text;
    return receive_message(socket.get(), text) ? text : "nothing";
  }
};

Talk start(ForkServer& server, const std::string& request) {
  auto [mine, theirs] = make_socket_pair();
  const std::array<int, 1> descriptors{theirs.get()};
  return {server.start(request, descriptors), std::move(mine)};
}

/// Does what its request says.
int obey(std::string_view request, std::span<const int> descriptors) {
  if (request == "abort") std::abort();
  if (request == "throw") fail("child", "expected nothing");
  if (request == "exit") std::exit(5);
  if (request == "signals") {  // of a run that is to stop
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) ::raise(signal);
  }
  if (request == "family") {
    for (int i = 0; i < 3; ++i) {
      if (::fork() == 0) {
        ::setsid();
        ::pause();
      }
    }
  }
  send_message(descriptors[0], std::string(request) + "!" + std::to_string(::getpid() == ::getsid(0)));
  if (request == "hang" || request == "family") ::pause();
  return static_cast<int>(request.size());
}

TEST(ForkServer, TellsHowChildrenEnd) {
  const std::vector<std::pair<std::string, std::string>> table{{"two", "exit status 3"},        {"", "exit status 0"},
                                                               {"abort", "signal 6 (Aborted)"}, {"throw", "exit status 1"},
                                                               {"exit", "exit status 5"},       {"signals", "exit status 7"}};
  ::testing::internal::CaptureStderr();
  ForkServer server(obey);
  for (const auto& [request, end] : table) EXPECT_EQ(to_text(start(server, request).child.wait()), end) << request;
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("expected nothing"), std::string::npos);
  const Talk talk = start(server, std::string(1 << 20, 'x'));
  EXPECT_EQ(talk.receive(), std::string(1 << 20, 'x') + "!1") << "a long request, in a session of its own";
}

TEST(ForkServer, AChildThatIsKilledTakesItsFamilyAlong) {
  ForkServer server(obey);
  for (const std::string request : {"hang", "family"}) {
    Talk talk = start(server, request);
    EXPECT_EQ(talk.receive(), request + "!1");
    talk.child.kill();
    EXPECT_EQ(to_text(talk.child.wait()), "its end, as asked for");
    pollfd event{talk.socket.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&event, 1, 0), 1) << "nobody has the other end";
  }
}

TEST(ForkServer, SeveralChildrenLiveAtATimeAndGoWithTheirObjects) {
  ForkServer server(obey);
  std::vector<Talk> talks;
  for (int i = 0; i < 5; ++i) talks.push_back(start(server, "hang"));
  for (const Talk& talk : talks) EXPECT_EQ(talk.receive(), "hang!1");
  const Descriptor kept = std::move(talks[2].socket);
  talks.clear();
  std::string text;
  EXPECT_FALSE(receive_message(kept.get(), text));
}

TEST(ForkServer, KeepsWhatWasThereWhenItWasForkedButNoDescriptor) {
  auto value = std::make_shared<int>(1);
  auto [read_end, write_end] = make_pipe();
  const int held = write_end.get();
  ForkServer server([value, held](std::string_view, std::span<const int>) { return 10 * *value + (::fcntl(held, F_GETFD) < 0 ? 1 : 0); });
  *value = 2;
  EXPECT_EQ(to_text(start(server, "").child.wait()), "exit status 11");
}

TEST(ForkServer, LeavesNoProcessAndNoDescriptor) {
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
  };
  const auto before = count();
  {
    ForkServer server(obey);
    for (const std::string request : {"hang", "abort", "family"}) start(server, request);
    EXPECT_EQ(count(), before + 1);
  }
  EXPECT_EQ(count(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(Wire, GivesBackWhatWasPut) {
  WireWriter writer;
  writer.put(-3);
  writer.put(0.1);
  writer.put("te\0xt");
  writer.put(size_t{0});
  WireReader reader(writer.bytes());
  EXPECT_EQ(reader.integer(), -3);
  EXPECT_EQ(reader.real(), 0.1);
  EXPECT_EQ(reader.text(), "te");
  EXPECT_EQ(reader.count(), 0U);
  reader.expect_end();
}

TEST(Wire, RefusesWhatIsTooShortOrPromisesTooMuch) {
  WireWriter writer;
  writer.put(int64_t{1} << 60);
  EXPECT_THROW(WireReader(writer.bytes()).text(), Error);
  EXPECT_THROW(WireReader(writer.bytes()).count(), Error);
  EXPECT_THROW(WireReader("1234567").integer(), Error);
  EXPECT_THROW(WireReader("1").expect_end(), Error);
}

TEST(Wire, AMessageThatIsCutOrTooLongIsRefused) {
  auto [one, other] = make_socket_pair();
  ASSERT_TRUE(send_message(one.get(), "whole"));
  std::string text;
  ASSERT_TRUE(receive_message(other.get(), text));
  EXPECT_EQ(text, "whole");
  const std::string length("\xff\xff\xff\x7f\0\0\0\0", 8), cut("\x09\0\0\0\0\0\0\0cut", 11);
  ASSERT_EQ(::send(one.get(), length.data(), length.size(), 0), 8);
  EXPECT_THROW(receive_message(other.get(), text), Error);
  ASSERT_EQ(::send(one.get(), cut.data(), cut.size(), 0), 11);
  one.reset();
  EXPECT_FALSE(receive_message(other.get(), text));
  EXPECT_FALSE(send_message(other.get(), "to nobody")) << "and no SIGPIPE";
}

}  // namespace
}  // namespace grpo
