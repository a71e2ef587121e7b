// However an answer is made, the work on it ends.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <thread>
#include <vector>

#include "grpo/math/verify.h"

namespace grpo {
namespace {

/// One operation may begin just below the limit and cost about as much as all before it.
constexpr int64_t kMostSteps = 2 * kMaxSteps;

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

std::vector<std::string> monsters() {
  std::string tower = "9", nested = "x", frac = "1", sums = "0";
  for (int i = 0; i < 50; ++i) {
    tower = "9^{" + tower + "}";
    nested = "\\sin(" + nested + "+1)";
    frac = "\\frac{1}{1+" + frac + "}";
  }
  for (int i = 0; i < 60; ++i) sums += "+\\sum_{k=1}^{10000} \\sin k";
  return {tower,
          nested,
          frac,
          sums,
          "9^9^9^9^9",
          "10^{10^{10}}",
          "\\ln abc\\sin xyz^2 2\\frac{abc}{3}",
          "3\\frac{abcd^2}{4}\\ln xyz",
          "2^{999999999}",
          "4424^{444444444444424^{444}}-44x",
          "(10^{10^6})!",
          "999999999!",
          "2000! \\cdot 2000! \\cdot 2000!",
          "\\binom{10^9}{5\\cdot 10^8}",
          "\\binom{10^9}{1000}",
          "\\sin(10^{10^{6}})",
          "\\sin(\\sin(\\sin(10^{10^{10^{10}}})))",
          "1e999999999",
          "1e-9999",
          "10^{-10^{10}}",
          "e^{e^{e^{e^{e^{e}}}}}",
          "\\tan(\\frac{\\pi}{2})",
          "\\sqrt[10^9]{2}",
          "(1+10^{-100})^{10^{100}}",
          "(x+y+z+1)^{1000}",
          "(x+1)^{10^9}",
          "x^{x^{x^{x}}}",
          "\\sum_{i=1}^{10000}\\sum_{j=1}^{10000} i j",
          "\\sum_{k=1}^{10000} \\frac{1}{k}",
          "\\prod_{k=1}^{10000} k",
          "\\prod_{k=1}^{10000} (x+k)",
          "\\sum_{k=1}^{10000} \\ln(k+\\sqrt{2})",
          "\\lfloor 10^{10^{10}} + \\pi \\rfloor",
          "\\gcd(2^{30000}, 3^{30000})",
          repeated("(", 2000),
          repeated("((1)", 800),
          repeated("{", 3000),
          repeated("|", 3000),
          repeated("-", 3000) + "1",
          repeated("\\sqrt", 500),
          repeated("\\frac", 500),
          repeated("\\frac1", 500),
          repeated("1,", 1000) + "1",
          repeated("\\pm 1,", 60) + "1",
          repeated("x^", 500) + "2",
          repeated("2^", 500) + "2",
          repeated("\\text{", 500),
          repeated("\\boxed{", 500),
          repeated("\\begin{pmatrix}", 200),
          repeated("5!", 600),
          repeated("\\cup(0,1)", 400),
          repeated("(0,1)\\cup", 200) + "(0,1)",
          repeated("x<", 600) + "1",
          repeated("1=", 600) + "2",
          repeated("a b ", 700),
          std::string(3999, '7'),
          "0." + std::string(3900, '3'),
          std::string(100'000, '7'),
          repeated("\\sin x+", 400) + "1",
          repeated("\\sqrt{2}+", 300) + "\\sqrt{3}"};
}

TEST(Bounds, NoAnswerTakesMoreThanTheBudget) {
  const auto texts = monsters();
  for (const std::string& text : texts) {
    const MathAnswer answer(text);
    for (const char* other : {"5", "x", "\\sqrt{2}", "(0,2)", "\\{1,2\\}", "x=1"}) {
      const MathAnswer gold(other);
      EXPECT_LE(compare(gold, answer).steps, kMostSteps) << text.substr(0, 80);
      EXPECT_NE(compare(gold, answer).agreement, Agreement::kEqual) << text.substr(0, 80);
      EXPECT_LE(compare(answer, gold, {.tolerance = 0.01}).steps, kMostSteps) << text.substr(0, 80);
    }
    EXPECT_LE(compare(answer, MathAnswer(text + " ")).steps, kMostSteps) << text.substr(0, 80);
    EXPECT_LE(compare(answer, MathAnswer("1+" + text)).steps, kMostSteps) << text.substr(0, 80);
    EXPECT_NE(compare(answer, MathAnswer("1+" + text)).agreement, Agreement::kEqual) << text.substr(0, 80);
  }
}

/// Pairs of monsters, whose parts meet each other in lists.
TEST(Bounds, MonstersMeet) {
  const auto texts = monsters();
  rc::check("two of them", [&] {
    const auto draw = [&] { return texts[*rc::gen::inRange<size_t>(0, texts.size())]; };
    const std::string a = draw() + *rc::gen::element<std::string>(",", "+", "=", "<", "\\cup") + draw();
    RC_ASSERT(compare(MathAnswer(a), MathAnswer(draw() + "," + draw())).steps <= kMostSteps);
  });
}

/// FLINT keeps caches for each thread, which end with it (the sanitizers see what is left).
TEST(Bounds, AnyThreadMayCompare) {
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (size_t i = 0; i < equal.size(); ++i) {
    threads.emplace_back([&equal, i] {
      for (int k = 0; k < 50; ++k)
        equal[i] += answers_equal("\\sqrt{8}+\\ln " + std::to_string(k + 2), "2\\sqrt2+\\ln(" + std::to_string(k + 2) + ")") ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 50));
}

}  // namespace
}  // namespace grpo
