#include "support/measure.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/sum.h>
#include <c10/core/InferenceMode.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>
#include <string>

#include "grpo/core/error.h"

namespace grpo::bench {
namespace {

double wall_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double status_mib(const std::string& key) {
  std::ifstream in("/proc/self/status");
  for (std::string name; in >> name; in.ignore(std::numeric_limits<std::streamsize>::max(), '\n')) {
    double kib = 0;
    if (name == key && in >> kib) return kib / 1024.0;
  }
  fail("/proc/self/status", "expected a line " + key);
}

}  // namespace

Stopwatch::Stopwatch() : wall_(wall_seconds()), cpu_(cpu_seconds()) {}
double Stopwatch::wall() const { return wall_seconds() - wall_; }
double Stopwatch::cpu() const { return cpu_seconds() - cpu_; }

double process_age() {
  std::ifstream stat("/proc/self/stat"), uptime("/proc/uptime");
  std::string text;
  std::getline(stat, text);
  std::istringstream fields(text.substr(text.rfind(')') + 2));  // from field 3 on; the start time, in clock ticks, is field 22
  for (int i = 3; i < 22; ++i) fields >> text;
  double ticks = 0, now = 0;
  GRPO_CHECK(fields >> ticks && uptime >> now, "/proc", "expected the process's start time and the system's uptime");
  return now - ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double resident_mib() { return status_mib("VmRSS:"); }
double peak_resident_mib() { return status_mib("VmHWM:"); }
void reset_peak_resident() { std::ofstream("/proc/self/clear_refs") << "5"; }

int set_threads(int threads) {
  if (threads > 0) {
    omp_set_num_threads(threads);
    at::set_num_threads(threads);
  }
  return omp_get_max_threads();
}

double best_seconds(const std::function<void()>& run, int repetitions, double least_seconds) {
  const Stopwatch once;
  run();
  const auto times = std::max(1, static_cast<int>(std::ceil(least_seconds / std::max(once.wall(), 1e-9))));
  double best = std::numeric_limits<double>::infinity();
  for (int r = 0; r < repetitions; ++r) {
    const Stopwatch watch;
    for (int i = 0; i < times; ++i) run();
    best = std::min(best, watch.wall() / times);
  }
  return best;
}

Limits measure_limits() {
  const c10::InferenceMode inference;
  constexpr int64_t kFloats = int64_t{1} << 27, kSide = 2048;
  Limits limits;
  {
    const at::Tensor from = at::ones({kFloats});
    at::Tensor to = at::empty({kFloats});
    const double bytes = 4.0 * kFloats;
    limits.read_gb_s = bytes / best_seconds([&] { at::sum(from); }) * 1e-9;
    limits.copy_gb_s = 2.0 * bytes / best_seconds([&] { to.copy_(from); }) * 1e-9;
  }
  const at::Tensor a = at::rand({kSide, kSide}), b = at::rand({kSide, kSide});
  limits.matmul_gflop_s = 2.0 * kSide * kSide * kSide / best_seconds([&] { at::mm(a, b); }, 15) * 1e-9;
  return limits;
}

Json to_json(const Limits& limits) {
  return {{"read_gb_s", limits.read_gb_s}, {"copy_gb_s", limits.copy_gb_s}, {"matmul_gflop_s", limits.matmul_gflop_s}};
}

void print(const Json& line) { std::cout << line.dump() << std::endl; }

int run_program(const std::function<void()>& body) try {
  body();
  return 0;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}

}  // namespace grpo::bench
