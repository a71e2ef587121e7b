// A run's page as it is served while the run goes on. Requests are written by hand, as a browser, and somebody worse, would send them.
// Oracle: HTTP's status codes, and what stands in the files at that moment.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "grpo/core/error.h"
#include "report/report.h"

namespace grpo {
namespace {

namespace fs = std::filesystem;

/// What `address`:`port` answers to these bytes; empty if nobody listens.
std::string exchange(const char* address, int port, const std::string& request) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<uint16_t>(port));
  ::inet_pton(AF_INET, address, &place.sin_addr);
  std::string answer;
  if (::connect(socket, reinterpret_cast<sockaddr*>(&place), sizeof place) == 0 &&
      ::send(socket, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char buffer[4096];
    for (ssize_t n = 0; (n = ::recv(socket, buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  }
  ::close(socket);
  return answer;
}

struct Answer {
  int status = 0;
  std::string head, body;
  std::string header(const std::string& name) const {
    std::smatch match;
    return std::regex_search(head, match, std::regex("\r\n" + name + ": ([^\r]*)")) ? match[1].str() : "";
  }
};

Answer parsed(const std::string& text) {
  const size_t end = text.find("\r\n\r\n");
  if (end == std::string::npos) return {};
  return {.status = std::stoi(text.substr(9, 3)), .head = text.substr(0, end + 2), .body = text.substr(end + 4)};
}

/// follow_report on a thread, until the test ends.
class Served {
 public:
  explicit Served(const fs::path& run, int port = 0) {
    std::promise<std::string> address;
    auto listening = address.get_future();
    thread_ = std::jthread([this, run, port, address = std::move(address)]() mutable {
      follow_report(run, port,
                    {.listening =
                         [this, &address](const std::string& text, bool waiting) {
                           waiting_ = waiting;
                           address.set_value(text);
                         },
                     .stopped = [this] { return stop_.load(); }});
    });
    address_ = listening.get();
    port_ = std::stoi(address_.substr(address_.rfind(':') + 1));
  }
  ~Served() { stop_ = true; }

  const std::string& address() const { return address_; }
  int port() const { return port_; }
  bool waiting() const { return waiting_; }
  std::string own_name() const { return "127.0.0.1:" + std::to_string(port_); }
  Answer ask(const std::string& line, const std::string& host, const std::string& more = {}) const {
    return parsed(exchange("127.0.0.1", port_, line + " HTTP/1.1\r\n" + host + more + "Connection: close\r\n\r\n"));
  }
  Answer get(const std::string& known = {}) const {
    return ask("GET /", "Host: " + own_name() + "\r\n", known.empty() ? "" : "If-None-Match: " + known + "\r\n");
  }

 private:
  std::atomic<bool> stop_{false}, waiting_{false};
  std::string address_;
  int port_ = 0;
  std::jthread thread_;
};

class Follow : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "grpo-follow-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    base_ = pattern;
    run_ = base_ / "my run";
  }
  void TearDown() override { fs::remove_all(base_); }
  void add(const std::string& text) const {
    fs::create_directories(run_);
    std::ofstream(run_ / "metrics.jsonl", std::ios::app) << text;
  }
  static std::string steps_shown(const Answer& answer) {
    std::smatch match;
    return std::regex_search(answer.body, match, std::regex("Steps <b>([0-9]+)</b>")) ? match[1].str() : "none";
  }

  fs::path base_, run_;
};

TEST_F(Follow, ShowsNewStepsAndSaysWhereNothingIsNew) {
  add("{\"step\": 1, \"reward\": 0.1}\n{\"step\": 2, \"reward\": 0.2}\n");
  const Served served(run_);
  EXPECT_EQ(served.address(), "http://" + served.own_name() + "/");
  EXPECT_FALSE(served.waiting());
  const Answer first = served.get();
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(steps_shown(first), "2");
  EXPECT_EQ(first.header("Content-Type"), "text/html; charset=utf-8");
  EXPECT_NE(first.body.find("<title>my run</title>"), std::string::npos);
  const std::string version = first.header("ETag");
  EXPECT_NE(first.body.find("data-version=" + version), std::string::npos) << version;
  const Answer same = served.get(version);
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  add("{\"step\": 3, \"reward\": 0.3}\n{\"step\": 4, \"rew");  // the last line is still being written
  const Answer second = served.get(version);
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(steps_shown(second), "3");
  add("ard\": 0.4}\n");
  EXPECT_EQ(steps_shown(served.get(second.header("ETag"))), "4");
}

TEST_F(Follow, WaitsForARunAndOutlivesItsRestart) {
  const Served served(run_);
  EXPECT_TRUE(served.waiting());
  const Answer before = served.get();
  EXPECT_EQ(before.status, 200);
  EXPECT_NE(before.body.find("Waiting for the run"), std::string::npos);
  EXPECT_NE(before.body.find("id=\"live\""), std::string::npos) << "it goes on by itself";
  EXPECT_EQ(served.get(before.header("ETag")).status, 304);
  fs::create_directories(run_);
  add("{\"st");
  EXPECT_NE(served.get().body.find("Waiting for the run"), std::string::npos);
  add("ep\": 7, \"loss\": 1}\n");
  const Answer begun = served.get(before.header("ETag"));
  EXPECT_EQ(steps_shown(begun), "7");
  fs::rename(run_ / "metrics.jsonl", run_ / "metrics.jsonl.1");  // as a run that begins anew does
  EXPECT_NE(served.get(begun.header("ETag")).body.find("Waiting for the run"), std::string::npos);
  add("{\"step\": 1, \"loss\": 1}\n");
  EXPECT_EQ(steps_shown(served.get(begun.header("ETag"))), "1");
  fs::remove_all(run_);
  EXPECT_NE(served.get().body.find("Waiting for the run"), std::string::npos);
}

TEST_F(Follow, AnswersItsOwnNameAndItsOnePageAlone) {
  add("{\"step\": 1, \"loss\": 1}\n");
  std::ofstream(base_ / "secret") << "secret";
  const Served served(run_);
  const std::string own = "Host: " + served.own_name() + "\r\n", port = std::to_string(served.port());
  struct Case {
    std::string line, host;
    int status;
  };
  const std::vector<Case> cases = {
      {"GET /", own, 200},
      {"GET /?x=../../secret", own, 200},
      {"GET /", "Host: localhost:" + port + "\r\n", 200},
      {"GET /", "Host: evil.example\r\n", 421},
      {"GET /", "Host: evil.example:" + port + "\r\n", 421},
      {"GET /", "Host: 127.0.0.1\r\n", 421},
      {"GET /", "Host: 127.0.0.1.evil.example:" + port + "\r\n", 421},
      {"GET /", "", 421},
      {"HEAD /", own, 405},
      {"POST /", own + "Content-Length: 0\r\n", 405},
      {"PUT /metrics.jsonl", own + "Content-Length: 0\r\n", 405},
      {"DELETE /", own, 405},
      {"OPTIONS /", own, 405},
      {"GET /metrics.jsonl", own, 404},
      {"GET /report.html", own, 404},
      {"GET /../secret", own, 404},
      {"GET /%2e%2e/secret", own, 404},
      {"GET //etc/passwd", own, 404},
      {"GET " + (base_ / "secret").string(), own, 404},
  };
  for (const auto& [line, host, status] : cases) {
    const Answer answer = served.ask(line, host);
    EXPECT_EQ(answer.status, status) << line << " " << host;
    EXPECT_EQ(answer.body.find("secret"), std::string::npos) << line;
    EXPECT_EQ(answer.body.find("<html") != std::string::npos, status == 200) << line;
  }
}

TEST_F(Follow, ListensOnLoopbackAlone) {
  add("{\"step\": 1, \"loss\": 1}\n");
  const Served served(run_);
  EXPECT_EQ(exchange("127.0.0.2", served.port(), "GET / HTTP/1.1\r\nHost: " + served.own_name() + "\r\nConnection: close\r\n\r\n"), "");
}

TEST_F(Follow, ScriptsAreItsOwnAndOtherSitesReadNothing) {
  add("{\"step\": 1, \"loss\": 1}\n");
  const Answer answer = Served(run_).get();
  const std::string policy = answer.header("Content-Security-Policy");
  std::smatch nonce;
  ASSERT_TRUE(std::regex_search(policy, nonce, std::regex("script-src 'nonce-([0-9a-f]{32})'"))) << policy;
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(answer.body.find("<script nonce=\"" + nonce[1].str() + "\">"), std::string::npos);
  EXPECT_EQ(answer.body.find("<script>"), std::string::npos);
  EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(answer.header("Cross-Origin-Resource-Policy"), "same-origin");
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
}

TEST_F(Follow, APortThatIsTakenIsAnError) {
  add("{\"step\": 1, \"loss\": 1}\n");
  const Served served(run_);
  try {
    follow_report(run_, served.port(), {.listening = [](const std::string&, bool) {}, .stopped = [] { return true; }});
    FAIL() << "two servers share a port";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("port " + std::to_string(served.port())), std::string::npos) << error.what();
  }
  EXPECT_EQ(served.get().status, 200);
}

}  // namespace
}  // namespace grpo
