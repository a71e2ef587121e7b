// libgrpo beside spdlog with fmt, protobuf and pybind11 as the system has them. Oracle: what each is documented to give.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <google/protobuf/any.pb.h>
#include <pybind11/embed.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>
#include <string>
#ifdef WITH_TENSORS
#include <grpo/torch.h>
#else
#include <grpo/grpo.h>
#endif

int main() {
  std::ostringstream log;
  spdlog::logger logger("test", std::make_shared<spdlog::sinks::ostream_sink_st>(log));
  logger.set_pattern("%v");
  logger.info("{:>4}|{:%H}", 7, std::chrono::hours(3));
  if (log.str() != "   7|03\n" || fmt::format("{:.2f}", 0.125) != "0.12") return 1;

  google::protobuf::Any message, copy;
  message.set_type_url("type/url");
  if (!copy.ParseFromString(message.SerializeAsString()) || copy.type_url() != "type/url") return 2;

  const pybind11::scoped_interpreter python;
  if (pybind11::eval("6 * 7").cast<int>() != 42) return 3;

#ifdef WITH_TENSORS
  if (at::ones({2, 3}).sum().item<double>() != 6.0) return 4;
#endif
  const auto accuracy = grpo::builtin_rewards().make("accuracy");
  grpo::Problem problem;
  problem.answer = "1/2";
  grpo::Completion completion;
  completion.problem = &problem;
  completion.text = "<answer>0.5</answer>";
  grpo::Score score;
  grpo::RewardContext context;
  accuracy->score({&completion, 1}, {&score, 1}, context);
  return score.value == 1.0 ? 0 : 5;
}
