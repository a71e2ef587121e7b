// The header is newer than Debian's gloo: only the constructor, Options and device creation are used, all else through c10d::Backend.
#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "dist/backend.h"

namespace grpo::dist {
namespace {

bool is_loopback(const std::string& address) { return address == "localhost" || address == "::1" || address.rfind("127.", 0) == 0; }

}  // namespace

const bool kHasGloo = true;

BackendPointer make_gloo(const StorePointer& store, const LaunchEnvironment& launch, const ConnectOptions& options) {
  using Gloo = c10d::ProcessGroupGloo;
  auto gloo = Gloo::Options::create(options.timeout);
  if (const char* interface = std::getenv("GLOO_SOCKET_IFNAME"); interface != nullptr && *interface != '\0') {
    gloo->devices.push_back(Gloo::createDeviceForInterface(interface));
  } else if (is_loopback(launch.master_address)) {
    gloo->devices.push_back(Gloo::createDeviceForHostname("127.0.0.1"));
  } else {
    gloo->devices.push_back(Gloo::createDefaultDevice());
  }
  return c10::make_intrusive<Gloo>(store, static_cast<int>(launch.rank), static_cast<int>(launch.world_size), std::move(gloo));
}

}  // namespace grpo::dist
