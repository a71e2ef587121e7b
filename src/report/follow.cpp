// The one file that knows the HTTP library.
#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "grpo/core/error.h"
#include "report/live_page.h"
#include "report/report.h"

namespace grpo {
namespace report {
namespace {

constexpr const char* kLoopback = "127.0.0.1";

/// A page of another site whose name was made to lead here (DNS rebinding) asks under that name.
bool is_own_name(const std::string& host, int port) {
  const std::string suffix = ":" + std::to_string(port);
  const std::vector<std::string> own = {kLoopback + suffix, "localhost" + suffix};
  return std::ranges::find(own, host) != own.end();
}

void refuse_request(httplib::Response& response, int status, const char* why) {
  response.status = status;
  response.set_content(why, "text/plain");
}

void set_headers(httplib::Response& response, const LivePage& page) {
  response.set_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-" + page.nonce() +
                                                     "'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.set_header("Cache-Control", "no-store");
  response.set_header("Cross-Origin-Resource-Policy", "same-origin");
  response.set_header("Referrer-Policy", "no-referrer");
  response.set_header("X-Content-Type-Options", "nosniff");
}

void answer(const httplib::Request& request, httplib::Response& response, LivePage& page) {
  const auto content = page.current();
  const std::string tag = "\"" + content->version + "\"";
  response.set_header("ETag", tag);
  if (request.get_header_value("If-None-Match") == tag) {
    response.status = 304;
  } else {
    response.set_content(content->html, "text/html; charset=utf-8");
  }
}

/// One page and nothing else: no path of a request is looked up anywhere.
void set_up(httplib::Server& server, LivePage& page, const int& port) {
  server.set_keep_alive_timeout(1);  // a stop waits for idle connections
  server.set_read_timeout(2);
  server.set_payload_max_length(1024);
  server.set_socket_options([](auto socket) {  // not SO_REUSEPORT, which lets two servers share a port
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.set_pre_routing_handler([&page, &port](const httplib::Request& request, httplib::Response& response) {
    set_headers(response, page);
    if (!is_own_name(request.get_header_value("Host"), port)) {
      refuse_request(response, 421, "this address is served under its own name alone\n");
    } else if (request.method != "GET") {
      response.set_header("Allow", "GET");
      refuse_request(response, 405, "GET only\n");
    } else if (request.path != "/") {
      refuse_request(response, 404, "there is one page, /\n");
    } else {
      answer(request, response, page);
    }
    return httplib::Server::HandlerResponse::Handled;
  });
  server.set_exception_handler([](const httplib::Request&, httplib::Response& response, const std::exception_ptr&) {
    refuse_request(response, 500, "the page could not be made\n");
  });
}

void serve_until(httplib::Server& server, const std::function<bool()>& stopped) {
  using namespace std::chrono_literals;
  std::atomic<bool> ended{false};
  std::jthread thread([&server, &ended] {
    server.listen_after_bind();
    ended = true;
  });
  while (!stopped() && !ended) std::this_thread::sleep_for(50ms);
  GRPO_CHECK(!ended, "report", "expected to go on serving; the socket failed");
  while (!server.is_running() && !ended) std::this_thread::sleep_for(1ms);
  server.stop();
}

}  // namespace
}  // namespace report

void follow_report(const std::filesystem::path& run_folder, int port, const FollowCallbacks& callbacks) {
  report::LivePage page(run_folder);
  httplib::Server server;
  int own_port = port;
  report::set_up(server, page, own_port);
  if (port == 0) {
    own_port = server.bind_to_any_port(report::kLoopback);
    GRPO_CHECK(own_port > 0, "report", "expected a free port of 127.0.0.1; got none");
  } else if (!server.bind_to_port(report::kLoopback, port)) {
    fail("report", "port " + std::to_string(port) + " of 127.0.0.1 cannot be had; another program may be using it");
  }
  callbacks.listening("http://" + std::string(report::kLoopback) + ":" + std::to_string(own_port) + "/", page.current()->waiting);
  report::serve_until(server, callbacks.stopped);
}

}  // namespace grpo
