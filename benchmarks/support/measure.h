#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "grpo/core/error.h"

// Clocks, memory and this machine's limits, for the benchmarks.
namespace grpo::bench {

using Json = nlohmann::ordered_json;

/// Wall and CPU seconds since construction. CPU time over wall time well below the thread count means that the machine was busy.
class Stopwatch {
 public:
  Stopwatch();
  double wall() const;
  double cpu() const;  // of all threads of the process

 private:
  double wall_, cpu_;
};

/// Seconds since the process was started, loading of libraries included (to 10 ms).
double process_age();

/// Resident memory in MiB: now, and at its highest since the process began or the last reset.
double resident_mib();
double peak_resident_mib();
void reset_peak_resident();

/// OpenMP's and torch's threads; 0 leaves both at their default. Gives the number in use.
int set_threads(int threads);

/// Shortest of several runs of `run`, in seconds, after one that is not timed. Each run repeats it until `least_seconds` have passed.
double best_seconds(const std::function<void()>& run, int repetitions = 5, double least_seconds = 0.02);

/// What memory and arithmetic can give here, measured in this process with torch's own operations: the best of several passes.
struct Limits {
  double read_gb_s = 0;       // sum over an array beyond the caches
  double copy_gb_s = 0;       // copy of one, bytes read and written
  double matmul_gflop_s = 0;  // fp32 product of two 2048 x 2048 matrices
};
Limits measure_limits();
Json to_json(const Limits& limits);

/// The type that `name` stands for; a usage error where there is none.
template <class Type>
Type type_named(const std::string& name, const std::map<std::string, Type>& types) {
  const auto found = types.find(name);
  if (found == types.end()) fail_usage("benchmark", "expected a type of the options' help; got " + name);
  return found->second;
}

/// One line on stdout.
void print(const Json& line);

/// Runs `body` as a program: errors go to stderr. Gives the exit status.
int run_program(const std::function<void()>& body);

}  // namespace grpo::bench
