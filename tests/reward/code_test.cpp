// Programs of completions against their problems' tests: what passes, and loopholes that a policy would find.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "grpo/core/error.h"
#include "reward/judge.h"
#include "support/errors.h"

namespace grpo {
namespace {

/// Long enough for what ends by itself; what does not is tried with less.
const RewardOptions kOptions{{"allow_code_execution", "true"}, {"timeout", "60"}, {"children", "2"}};

RewardOptions with(RewardOptions more) {
  RewardOptions all;
  for (const auto& option : kOptions) {
    if (std::none_of(more.begin(), more.end(), [&](const auto& other) { return other.first == option.first; })) all.push_back(option);
  }
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

class Code : public ::testing::Test {
 protected:
  void make(const RewardOptions& more = {}) {
    try {
      reward = builtin_rewards().make("code", with(more));
    } catch (const Error& error) {
      if (std::string(error.what()).find("user namespaces") == std::string::npos) throw;
      GTEST_SKIP() << error.what();
    }
  }
  void SetUp() override { make(); }

  /// The verdicts on programs for one problem.
  std::vector<Score> judge(const std::string& tests, const std::vector<std::string>& programs,
                           std::map<std::string, std::string> fields = {}) {
    Problem problem;
    problem.fields = std::move(fields);
    problem.fields["tests"] = tests;
    std::vector<Completion> batch;
    for (const std::string& program : programs) batch.push_back(testing::completion(problem, "```python\n" + program + "\n```"));
    std::vector<Score> scores(batch.size());
    RewardContext context;
    reward->score(batch, scores, context);
    return scores;
  }

  void expect_all(double value, const std::string& tests, const std::vector<std::string>& programs,
                  const std::map<std::string, std::string>& fields = {}) {
    const auto scores = judge(tests, programs, fields);
    for (size_t i = 0; i < programs.size(); ++i)
      EXPECT_EQ(scores[i].value, value) << programs[i] << "\n-- " << tests << "\n-- " << scores[i].reason;
  }

  std::unique_ptr<Reward> reward;
};

constexpr auto kAdd = "assert add(1, 2) == 3\nassert add(10, 20) == 30\nassert add(-1, 2) == 1";

TEST_F(Code, RightProgramsPass) {
  expect_all(
      1.0, kAdd,
      {"def add(a, b): return a + b", "add = lambda a, b: a + b", "import operator\nadd = operator.add",
       "class Add:\n  def __call__(self, a, b): return a + b\nadd = Add()", "print('noise')\ndef add(a, b):\n  print(a)\n  return a + b",
       "def add(a, b): return a + b\nif __name__ == '__main__': print(add(*map(int, input().split())))"});
  const std::string pairs = R"x({"inputs": ["1 2\n", "5 6"], "outputs": ["3\n", "11"]})x";
  expect_all(1.0, pairs,
             {"print(sum(map(int, input().split())))", "import sys\nprint(sum(map(int, sys.stdin.read().split())), end='')",
              "def main():\n  a, b = map(int, open('/dev/stdin').read().split())\n  print(a + b, '')\nif __name__ == '__main__': main()"});
}

TEST_F(Code, TestsOfEveryForm) {
  const std::vector<std::tuple<std::string, std::map<std::string, std::string>, std::string>> table{
      {"def check(candidate):\n  assert candidate(2) == 4\n  assert candidate(3) == 9",
       {{"entry_point", "square"}},
       "def square(x): return x * x"},
      {"def check(candidate):\n  assert candidate(2) == 4\ncheck(square)", {{"entry_point", "square"}}, "def square(x): return x * x"},
      {"from solution import square\ndef test_one():\n  assert square(2) == 4\ndef test_two():\n  assert square(1.5) == 2.25",
       {},
       "def square(x): return x * x"},
      {"def check(candidate):\n  assert candidate([1, 2]) == 3", {{"entry_point", "sum"}}, "def sum(xs): return xs[0] + xs[1]"},
      {"import solution\nassert solution.square(2) == 4", {}, "def square(x): return x * x"},
      {R"x(["assert square(2) == 4", "assert square(0) == 0"])x", {}, "def square(x): return x * x"},
      {R"x({"fn_name": "square", "inputs": [[2], [3]], "outputs": [4, [9]]})x", {}, "def square(x): return x * x"},
      {R"x({"fn_name": "pair", "inputs": [[2]], "outputs": [[2, 4]]})x", {}, "class Solution:\n  def pair(self, x): return (x, x * x)"},
      {"xs = [3, 1, 2]\norder(xs)\nassert xs == [1, 2, 3]", {}, "def order(xs): xs.sort()"},
      {"d = {'a': [1]}\ngrow(d)\nassert d == {'a': [1, 2], 'b': 3}", {}, "def grow(d):\n  d['a'].append(2)\n  d['b'] = 3"},
      {"assert list(count(3)) == [0, 1, 2]\nassert next(count(1)) == 0", {}, "def count(n):\n  for i in range(n): yield i"},
      {"try:\n  root(-1)\n  assert False\nexcept ValueError:\n  pass\nassert root(4) == 2.0",
       {},
       "import math\ndef root(x): return math.sqrt(x)"},
      {"s = Stack()\ns.push(3)\ns.push('x')\nassert s.pop() == 'x'\nassert len(s) == 1 and s.items == [3]",
       {},
       "class Stack:\n  def __init__(self): self.items = []\n  def push(self, x): self.items.append(x)\n  def pop(self): return "
       "self.items.pop()\n"
       "  def __len__(self): return len(self.items)"},
      {"a, b = Node(1), Node(2)\na.next = b\nassert total(a) == 3\nassert a.next is b and b.next is None and a.next.value == 2",
       {},
       "class Node:\n  def __init__(self, value): self.value, self.next = value, None\ndef total(n):\n  return n.value + total(n.next) if "
       "n else 0"},
      {"assert apply(lambda x: x + 1, [1, 2]) == [2, 3]\nassert apply(abs, (-1,)) == [1]",
       {},
       "def apply(f, xs): return [f(x) for x in xs]"},
      {"assert make(3)(4) == 7", {}, "def make(a): return lambda b: a + b"},
      {"assert values() == [None, True, 2**80, 1.5, 'ä', b'x', (1,), {2}, {3: (4,)}, 1j, frozenset([5]), range(3)]\nassert "
       "type(values()[6]) is tuple",
       {},
       "def values(): return [None, True, 2**80, 1.5, 'ä', b'x', (1,), {2}, {3: (4,)}, 1j, frozenset([5]), range(3)]"},
      {"from fractions import Fraction\nassert half() == Fraction(1, 2)\nassert third() == Decimal('0.3')",
       {{"test_setup_code", "from decimal import Decimal"}},
       "import decimal, fractions\ndef half(): return fractions.Fraction(1, 2)\ndef third(): return decimal.Decimal('0.3')"},
      {"assert math.isclose(third(), 1 / 3)", {}, "def third(): return 1 / 3"},
      {"assert LIMIT == 5", {}, "LIMIT = 5"},
      {"expected = 8\nfor x in (1, 2, 3):\n  assert cube(x) == x ** 3\nassert cube(2) == expected", {}, "def cube(x): return x ** 3"},
  };
  for (const auto& [tests, fields, program] : table) expect_all(1.0, tests, {program}, fields);
}

TEST_F(Code, WrongProgramsFailAndSayWhy) {
  const std::vector<std::pair<std::string, std::string>> table{
      {"def add(a, b): return a - b", "passed 0 of 3 tests; the first other: AssertionError"},
      {"def add(a, b): return abs(a) + b", "passed 2 of 3 tests; the first other: AssertionError"},
      {"def add(a, b): return a / 0", "passed 0 of 3 tests; the first other: ZeroDivisionError: division by zero"},
      {"def other(a, b): return a + b", "the program has nothing that the tests name"},
      {"def add(a, b) return", "SyntaxError"},
      {"1 / 0\ndef add(a, b): return a + b", "ZeroDivisionError"},
      {"", "the program has nothing that the tests name"},
  };
  for (const auto& [program, why] : table) {
    const Score score = judge(kAdd, {program})[0];
    EXPECT_EQ(score.value, 0.0) << program;
    EXPECT_NE(score.reason.find(why), std::string::npos) << program << ": " << score.reason;
  }
  const std::string pairs = R"x({"inputs": ["1 2", "5 6"], "outputs": ["3", "11"]})x";
  EXPECT_EQ(judge(pairs, {"print(3)"})[0].reason, "passed 1 of 2 tests; the first other: expected '11'; got '3'");
  EXPECT_EQ(judge(pairs, {"1 / 0"})[0].reason, "passed 0 of 2 tests; the first other: exit status 1 ZeroDivisionError: division by zero");
}

TEST_F(Code, PartialScoresTheShareOfPassedTests) {
  make({{"partial", "true"}});
  const auto scores = judge(kAdd, {"def add(a, b): return abs(a) + b", "def add(a, b): return a + b", "def add(a, b): return 7",
                                   "n = 0\ndef add(a, b):\n  global n\n  n += 1\n  if n == 2: import os; os._exit(0)\n  return a + b"});
  EXPECT_DOUBLE_EQ(scores[0].value, 2.0 / 3.0);
  EXPECT_EQ(scores[1].value, 1.0);
  EXPECT_EQ(scores[2].value, 0.0);
  EXPECT_DOUBLE_EQ(scores[3].value, 1.0 / 3.0) << "what was right before it ended";
  EXPECT_DOUBLE_EQ(judge(R"x({"inputs": ["1", "2", "3", "4"], "outputs": ["1", "2", "0", "4"]})x", {"print(input())"})[0].value, 0.75);
  make({{"partial", "true"}, {"timeout", "5"}});
  EXPECT_DOUBLE_EQ(judge(kAdd, {"def add(a, b):\n  while a == 10: pass\n  return a + b"})[0].value, 1.0 / 3.0) << "what was right in time";
}

TEST_F(Code, ProblemsWithoutTestsGetNoVerdictAndBadOnesAFault) {
  Problem problem;
  const Completion completion = testing::completion(problem, "```python\n```");
  Score score;
  RewardContext context;
  reward->score({&completion, 1}, {&score, 1}, context);
  EXPECT_FALSE(score.defined());
  EXPECT_THROW(judge("nothing", {""}), Error);
  EXPECT_THROW(judge("assert f(1) ==", {"f = abs"}), Error) << "tests that do not parse";
  EXPECT_FALSE(judge("x = f(1)  # assert", {"f = abs"})[0].defined()) << "tests that assert nothing";
  EXPECT_EQ(judge(kAdd, {"def add(a, b): return a + b\n```\n```python\n"})[0].value, 0.0);
  context.deadline = std::chrono::steady_clock::now();
  problem.fields["tests"] = kAdd;
  reward->score({&completion, 1}, {&score, 1}, context);
  EXPECT_FALSE(score.defined()) << "no time";
}

TEST_F(Code, LoopholesAroundAsserts) {
  make({{"partial", "true"}});
  expect_all(
      0.0, kAdd,
      {// ending before the tests, or in them
       "import os\nos._exit(0)", "import sys\nsys.exit(0)", "raise SystemExit(0)", "quit()", "import os\ndef add(a, b): os._exit(0)",
       "def add(a, b): raise SystemExit(0)", "import os\ndef add(a, b): os.kill(os.getpid(), 9)", "import os\nos.kill(-1, 9)",
       "import os, signal\nfor p in range(1, 50):\n  try: os.kill(p, 9)\n  except OSError: pass\ndef add(a, b): return 0",
       "import atexit, os\natexit.register(lambda: print('{\"ok\": true}'))\ndef add(a, b): os._exit(0)",
       // saying that they have passed
       "print('{\"total\": 1}\\n{\"ok\": true}')\ndef add(a, b): return 0",
       "print('{\"total\": 3}\\n' + '{\"ok\": true}\\n' * 3, flush=True)\nimport os\nos._exit(0)",
       "import os\nfor fd in range(1, 64):\n  try: os.write(fd, b'{\"total\": 1}\\n{\"ok\": true}\\n')\n  except OSError: pass\ndef add(a, "
       "b): return 0",
       "import os\nfor fd in range(1, 64):\n  try: os.write(fd, b'[\"reply\", null, []]\\n' * 9)\n  except OSError: pass",
       "def add(a, b): return 'passed'", "def add(a, b): return {'ok': True}",
       // values that are equal to everything
       "class All:\n  def __eq__(self, other): return True\n  def __ne__(self, other): return False\ndef add(a, b): return All()",
       "class All(int):\n  def __eq__(self, other): return True\n  def __hash__(self): return 0\ndef add(a, b): return All(7)",
       "class All(float):\n  __eq__ = lambda *a: True\ndef add(a, b): return All(7)",
       "class Meta(type):\n  __eq__ = lambda *a: True\nclass All(metaclass=Meta): pass\ndef add(a, b): return All",
       "import unittest.mock\ndef add(a, b): return unittest.mock.ANY", "import unittest.mock\nadd = unittest.mock.MagicMock()",
       "def add(a, b): return float('nan')", "def add(a, b): return add",
       // changing what tests stand on
       "import builtins\nbuiltins.AssertionError = ValueError\nclass E(Exception): pass\nbuiltins.Exception = E\ndef add(a, b): return 0",
       "import ast, json\njson.dumps = lambda *a: '[\"reply\", 3, []]'\nast.parse = None\ndef add(a, b): return 0",
       "import sys\nsys.modules['__main__'].Channel.encode = lambda *a: True\ndef add(a, b): return 0",
       "__debug__ = False\ndef add(a, b): return 0", "import sys\nsys.flags = None\nsys.settrace(lambda *a: None)\ndef add(a, b): return 0",
       "open('tester.py', 'w').write('print(1)')\nopen('/tmp/tester.py', 'w').write('')\ndef add(a, b): return 0",
       "def add(a, b): raise AssertionError", "def add(a, b): raise StopIteration", "def add(a, b): raise GeneratorExit",
       "def add(a, b): raise KeyboardInterrupt",
       // what the tests are looked for
       "import os\ndef add(a, b):\n  os.fork()\n  return 0", "def test_add(): pass\ndef check(f): pass\ndef add(a, b): return 0",
       "import ctypes\nctypes.string_at(0)\ndef add(a, b): return a + b"});
}

TEST_F(Code, LoopholesInWhatTestsName) {
  make({{"partial", "true"}});
  const std::vector<std::tuple<std::string, std::map<std::string, std::string>, std::string>> table{
      {"assert abs(f(2) - 4) < 1e-6", {}, "abs = lambda x: 0\ndef f(x): return 1"},
      {"assert abs(f(2) - 4) < 1e-6",
       {},
       "import sys\nm = sys.modules['__main__']\nold = m.Channel.encode\ndef encode(self, v):\n  if isinstance(v, dict) and 'f' in v:\n"
       "    v = dict(v, abs=lambda x: 0, AssertionError=0, __builtins__={'abs': lambda x: 0})\n  return old(self, v)\n"
       "m.Channel.encode = encode\ndef f(x): return 1"},
      {"assert sorted(f()) == [1, 2]", {}, "sorted = lambda x: [1, 2]\ndef f(): return []"},
      {"assert math.isclose(f(), 2)", {}, "class math:\n  isclose = staticmethod(lambda *a: True)\ndef f(): return 1"},
      {"import math\nassert math.isclose(f(), 2)",
       {},
       "import sys, types\nsys.modules['math'] = types.SimpleNamespace(isclose=lambda *a: True)\ndef f(): return 1"},
      {"def check(c):\n  assert c(1) == 2", {{"entry_point", "f"}}, "def check(c): pass\ndef f(x): return 0"},
      {"def check(c):\n  assert c(1) == 2", {{"entry_point", "f"}}, "def f(x): return 0\ndef g(): pass\nf.__call__ = g"},
      {"assert f(1)", {}, "def f(x): return object()"},
      {"assert f(1) != 0", {}, "def f(x): return object()"},
      {"assert f(1) in (1, 2)", {}, "class A:\n  __eq__ = lambda *a: True\n  __hash__ = None\ndef f(x): return A()"},
      {"assert 2 in f(1)", {}, "class A:\n  __contains__ = lambda *a: True\ndef f(x): return A()"},
      {"assert f(1) > 5", {}, "class A(int):\n  __gt__ = lambda *a: True\ndef f(x): return A(1)"},
      {"assert f(1) > 5", {}, "class A:\n  __gt__ = __lt__ = lambda *a: True\ndef f(x): return A()"},
      {"assert isinstance(f(1), int) and f(1) == 2", {}, "class A:\n  __class__ = int\n  __eq__ = lambda *a: True\ndef f(x): return A()"},
      {"assert f([1, 2]) == [2, 1]", {}, "class L(list):\n  __eq__ = lambda *a: True\ndef f(x): return L()"},
      {"assert f(1) == {'a': 1}",
       {},
       "class D(dict):\n  __eq__ = lambda *a: True\n  def items(self): return [('a', 2)]\ndef f(x): return D()"},
      {"assert f(1) == 'abc'", {}, "class S(str):\n  __eq__ = lambda *a: True\ndef f(x): return S('x')"},
      {"goal = 5\nassert f(1) == goal", {}, "goal = 1\ndef f(x): return 1"},
      {"assert f(call) == 1\ndef call(): return 7", {}, "def f(c): return c.__globals__"},
      {"def call(): return 7\nassert f(call) == 987", {}, "def f(c): return c.__code__.co_consts"},
      {"assert True", {}, "pass"},
      {"assert 1 + 1 == 2\nassert g() == 3", {}, "def f(): pass"},
      {"try:\n  assert f(1) == 2\nexcept TypeError:\n  raise", {}, "def f(x): raise TypeError"},
      {R"x({"fn_name": "f", "inputs": [[1]], "outputs": [[3, 4]]})x", {}, "def f(x): return 3"},
      {R"x({"fn_name": "f", "inputs": [[1]], "outputs": [true]})x", {}, "class A:\n  __eq__ = lambda *a: True\ndef f(x): return A()"},
      {R"x({"fn_name": "f", "inputs": [[1]], "outputs": [5]})x", {}, "class Solution:\n  def __getattr__(self, n): return lambda *a: self"},
  };
  for (const auto& [tests, fields, program] : table) expect_all(0.0, tests, {program}, fields);
}

/// Looks for a number wherever a program may look, and answers with it if it is there.
constexpr auto kSearch = R"py(
import gc, glob, os, sys
number = lambda: int('41') * 10**8 + 123456789  # which stands nowhere as it is
def found():
    texts = [repr(sys.argv), repr(os.environ)]
    frame = sys._getframe()
    while frame:
        texts.append(repr(frame.f_locals) + repr(frame.f_globals))
        frame = frame.f_back
    texts += [repr(o) for o in gc.get_objects() if isinstance(o, (list, dict, tuple, str))]
    for path in glob.glob('/tmp/**', recursive=True) + glob.glob('/proc/[0-9]*/cmdline') + glob.glob('/proc/[0-9]*/environ'):
        try: texts.append(open(path, 'rb').read().decode('latin-1'))
        except OSError: pass
    for process in glob.glob('/proc/[0-9]*'):
        for fd in glob.glob(process + '/fd/*'):
            try:
                if '/memfd' in os.readlink(fd): texts.append(open(fd, 'rb').read().decode('latin-1'))
            except OSError: pass
        if process == '/proc/%d' % os.getpid(): continue
        try:
            memory = open(process + '/mem', 'rb')
            for line in open(process + '/maps'):
                begin, end = (int(x, 16) for x in line.split()[0].split('-'))
                if 'rw' in line.split()[1] and end - begin < 1 << 27:
                    memory.seek(begin)
                    texts.append(memory.read(end - begin).decode('latin-1'))
        except OSError: pass
    return any(str(number()) in text for text in texts)
)py";

TEST_F(Code, ExpectedValuesAreNowhereToBeFound) {
  const std::string search = kSearch;
  expect_all(0.0, "assert secret() == 4223456789", {search + "def secret(): return number() if found() else 0"});
  expect_all(0.0, R"x({"fn_name": "secret", "inputs": [[]], "outputs": [4223456789]})x",
             {search + "def secret(): return number() if found() else 0"});
  expect_all(0.0, R"x({"inputs": [""], "outputs": ["4223456789"]})x", {search + "print(number() if found() else 0)"});
  expect_all(1.0, "assert secret(4223456789) == 4223456789",
             {search + "def secret(x): return x if found() else 0"});  // it does find arguments
}

TEST_F(Code, WhatFailsBetweenTheTestsCountsAsAFailedOne) {
  make({{"partial", "true"}});
  EXPECT_EQ(judge("f(0)\nassert f(1) == 1", {"def f(x): return x // x"})[0].value, 0.5);
}

TEST_F(Code, TheTestersMemoryIsClosedWithoutNamespacesToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root's programs, which run as nobody, are kept from this process";
  make({{"sandbox", "\"rlimits\""}});
  const std::string search = kSearch;
  expect_all(0.0, "assert secret() == 4223456789", {search + "def secret(): return number() if found() else 0"});
}

TEST_F(Code, LoopholesAroundOutputs) {
  const std::string pairs = R"x({"inputs": ["1 2", "5 6"], "outputs": ["3", "11"]})x";
  expect_all(0.0, pairs,
             {"print(3)", "print('3\\n11')", "print(sum(map(int, input().split())))\nraise SystemExit(1)", "import os\nos._exit(0)",
              "print('passed')", "print(sum(map(int, input().split())), flush=True)\nimport os\nos.kill(os.getpid(), 9)",
              "import sys\nprint(sum(map(int, input().split())), file=sys.stderr)",
              "print(sum(map(int, input().split())))\nprint('x' * (1 << 21))", "print(*range(20))",
              "import glob\nfor p in glob.glob('/tmp/*'): print(open(p).read())"});
}

TEST_F(Code, WhatDoesNotEndIsEnded) {
  make({{"timeout", "1"}, {"output_kib", "16"}});
  const auto scores = judge(kAdd, {"while True: pass", "def add(a, b):\n  while True: print(a)", "import time\ntime.sleep(1000)",
                                   "x = bytearray(4 << 30)", "def add(a, b): return [0] * 10**9", "def add(a, b): return 10 ** (10 ** 9)",
                                   "def add(a, b):\n  x = []\n  x.append(x)\n  return x", "def add(a, b): return iter(int, 1)"});
  for (const Score& score : scores) EXPECT_EQ(score.value, 0.0) << score.reason;
  EXPECT_NE(scores[0].reason.find("its time was over"), std::string::npos) << scores[0].reason;
  expect_all(0.0, "assert sum(f()) == 3", {"def f():\n  while True: yield 1"});
}

TEST(CodeConsent, NothingRunsWithoutIt) {
  const std::string message = testing::message_of([] { builtin_rewards().make("code"); });
  EXPECT_NE(message.find("allow_code_execution: true"), std::string::npos) << message;
  EXPECT_THROW(builtin_rewards().make("code", {{"allow_code_execution", "false"}, {"sandbox", "\"rlimits\""}}), Error);
}

TEST(CodeConsent, WithoutBubblewrapLimitsHaveToBeAskedFor) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const std::string message = testing::message_of([] { builtin_rewards().make("code", kOptions); });
  ::testing::internal::CaptureStderr();
  const auto reward = builtin_rewards().make("code", with({{"sandbox", "\"rlimits\""}}));
  const std::string log = ::testing::internal::GetCapturedStderr();
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_NE(message.find("bubblewrap"), std::string::npos) << message;
  EXPECT_NE(message.find("rlimits"), std::string::npos) << message;
  EXPECT_NE(log.find("can read files"), std::string::npos) << log;
  Problem problem;
  problem.fields["tests"] = kAdd;
  const Completion completion = testing::completion(problem, "```python\ndef add(a, b): return a + b\n```");
  Score score;
  RewardContext context;
  reward->score({&completion, 1}, {&score, 1}, context);
  EXPECT_EQ(score.value, 1.0) << score.reason;
}

TEST(CodeConsent, AnInterpreterThatDoesNotWorkIsNamed) {
  const std::string message = testing::message_of([] { builtin_rewards().make("code", with({{"python", "\"python9\""}})); });
  EXPECT_NE(message.find("python9"), std::string::npos) << message;
}

}  // namespace
}  // namespace grpo
