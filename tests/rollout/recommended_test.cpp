// What a model's generation_config.json says of sampling. Oracle: transformers' meaning of its settings, by hand.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "grpo/rollout/sampling.h"
#include "support/errors.h"

namespace grpo {
namespace {

class Recommended : public ::testing::Test {
 protected:
  SamplingParams of(const std::string& text) const {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "generation_config.json") << text;
    return recommended_sampling(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ = std::filesystem::path(::testing::TempDir()) / ("recommended-" + std::to_string(::getpid()));
};

TEST_F(Recommended, ReadsTheFileAsTransformersDoes) {
  const SamplingParams none = recommended_sampling(folder_ / "absent.gguf");
  EXPECT_TRUE(none.greedy());
  EXPECT_EQ(none.num_generations, 1);
  EXPECT_TRUE(of("{}").greedy());
  const SamplingParams greedy = of(R"({"temperature": 0.7, "top_p": 0.8, "repetition_penalty": 1.1, "max_new_tokens": 64})");
  EXPECT_TRUE(greedy.greedy());
  EXPECT_FALSE(greedy.truncates());
  EXPECT_EQ(greedy.repetition_penalty, 1.1);
  EXPECT_EQ(greedy.max_completion_length, 64);
  const SamplingParams sampled =
      of(R"({"do_sample": true, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "min_p": 0.1, "eos_token_id": 2})");
  EXPECT_EQ(sampled.temperature, 0.7);
  EXPECT_EQ(sampled.top_p, 0.8);
  EXPECT_EQ(sampled.top_k, 20);
  EXPECT_EQ(sampled.min_p, 0.1);
  const SamplingParams bare = of(R"({"do_sample": true, "temperature": null})");
  EXPECT_EQ(bare.temperature, 1.0);
  EXPECT_EQ(bare.top_k, 50);
}

TEST_F(Recommended, NamesTheFileOfWhatIsWrong) {
  EXPECT_NE(testing::message_of([this] { of("[]"); }).find("generation_config.json] expected a JSON object"), std::string::npos);
  EXPECT_NE(testing::message_of([this] {
              of(R"({"top_k": "many"})");
            }).find("generation_config.json] expected an integer of 64 bits for 'top_k'; got \"many\""),
            std::string::npos);
  for (const auto& [json, fault] : {std::pair(R"({"top_k": 1.7})", "an integer of 64 bits for 'top_k'; got 1.7"),
                                    std::pair(R"({"temperature": true})", "a number for 'temperature'; got true"),
                                    std::pair(R"({"do_sample": 1})", "true or false for 'do_sample'; got 1")}) {
    const std::string message = testing::message_of([this, text = json] { of(text); });
    EXPECT_NE(message.find(fault), std::string::npos) << message;
  }
  EXPECT_NE(testing::message_of([this] {
              of(R"({"do_sample": true, "temperature": -1})");
            }).find("generation_config.json: [SamplingParams] expected temperature >= 0"),
            std::string::npos);
}

TEST_F(Recommended, WarnsOfWhatIsNotUsed) {
  ::testing::internal::CaptureStderr();
  of(R"({"num_beams": 1, "typical_p": 1.0, "no_repeat_ngram_size": 3, "num_beam_groups": 1, "guidance_scale": null})");
  const std::string warned = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(warned.find("not used: no_repeat_ngram_size\n"), std::string::npos) << warned;
}

}  // namespace
}  // namespace grpo
