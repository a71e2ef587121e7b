// Tables and packed files. Oracles: RFC 4180; Python's csv for the table with everything; gzip and zstd themselves for packed bytes.
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/unpack.h"
#include "grpo/core/log.h"
#include "grpo/data/dataset.h"
#include "io/temp_folder.h"

namespace grpo {
namespace {

struct TableFile : testing::TempFolder {
  std::vector<Problem> rows(const std::string& name, std::string_view text, const DatasetFormat& format = {}) const {
    return load_problems(write(name, text), {}, format);
  }
};

// list(csv.DictReader(open(file, newline=""))) says the same, but that it has "" in place of null.
TEST_F(TableFile, FieldsMayHoldDelimitersQuotesAndLineBreaks) {
  const auto problems = rows("a.csv",
                             "\xEF\xBB\xBFquestion,answer,\"my note\",level\r\n"
                             "\"1,000 + \"\"one\"\"\n= ?\",1001,,3\r\n"
                             "\r\n"
                             "\xC3\xA4 b ,\"\",\"\"\"\",\"\r\n\"");
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].question, "1,000 + \"one\"\n= ?");
  EXPECT_EQ(problems[0].answer, "1001");
  EXPECT_EQ(problems[0].fields.at("level"), "3");
  EXPECT_TRUE(problems[0].json_fields.contains("my note"));  // null
  EXPECT_FALSE(problems[0].json_fields.contains("level"));
  EXPECT_EQ(problems[1].question, "\xC3\xA4 b ");
  EXPECT_EQ(problems[1].answer, "");
  EXPECT_EQ(problems[1].fields.at("my note"), "\"");
  EXPECT_EQ(problems[1].fields.at("level"), "\r\n");
  EXPECT_EQ(problems[1].index, 1);
}

TEST_F(TableFile, TheDelimiterIsTheEndingsOrAnOption) {
  EXPECT_EQ(rows("a.tsv", "question\tanswer\na, b\t\"1\t2\"\n").at(0).answer, "1\t2");
  EXPECT_EQ(rows("a.csv", "question;answer\na, b;2\n", {.options = {{"delimiter", "\";\""}}}).at(0).answer, "2");
  for (const char* bad : {R"("")", R"("ab")", R"("\"")", R"("\n")", R"("\r")", R"("ä")"})
    GRPO_EXPECT_ERROR(rows("a.csv", "q", {.options = {{"delimiter", bad}}}), "delimiter: expected");
  GRPO_EXPECT_ERROR(rows("a.csv", "q", {.options = {{"delimeter", "\";\""}}}), "delimiter");
}

TEST_F(TableFile, NestedColumnsAreJsonText) {
  const auto problem = rows("a.csv", "messages,tools\n\"[{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"hi\"\"}]\",\n").at(0);
  EXPECT_EQ(problem.messages, (std::vector<Message>{{"user", "hi"}}));
  GRPO_EXPECT_ERROR(rows("a.csv", "messages\n{}\n"), "a.csv:2: expected a list in 'messages'; got object");
  GRPO_EXPECT_ERROR(rows("a.csv", "messages\n[{'role': 1}]\n"), "a.csv:2 'messages':1: expected JSON");
}

TEST_F(TableFile, BadTablesAreErrorsThatNameTheLine) {
  const struct {
    std::string text, message;
  } cases[] = {
      {"question,answer\n\"a\nb\",1\nq\n", "a.csv:4: expected 2 fields, as in the first line; got 1"},
      {"question,answer\nq,1,2\n", "a.csv:2: expected 2 fields, as in the first line; got 3"},
      {"question\nq\n\"a\nb\n", "a.csv:3: expected a quote that ends the field; got the end of the file"},
      {"question\n\"", "a.csv:2: expected a quote that ends the field"},
      {"question\na\"b\n", "a.csv:2: expected a field with quotes to stand in quotes"},
      {"question\n\"a\"b\n", "a.csv:2: expected the next field or the end of the line behind a closing quote; got 'b"},
      {"question\na\rb\n", "a.csv:2: expected a line feed behind a carriage return"},
      {"question\n\"a\"\r", "a.csv:2: expected a line feed behind a carriage return"},
      {"question\na\n\xFF\n", "a.csv:3: expected UTF-8"},
      {"question,question\na,b\n", "a.csv:1: expected columns of different names; got 'question' twice"},
      {"question,\na,b\n", "a.csv:1: expected the names of columns; got an empty one"},
      {"question,answer\n,1\n", "a.csv:2: expected a question"},
      {"question\n", "empty file"},
      {"", "empty file"},
  };
  for (const auto& one : cases) GRPO_EXPECT_ERROR(rows("a.csv", one.text), one.message);
  std::string wide = "question";
  for (int i = 0; i < 10000; ++i) wide += "," + std::to_string(i);
  GRPO_EXPECT_ERROR(rows("a.csv", wide), "expected at most 10000 columns");
}

TEST_F(TableFile, BadRowsAreLeftOutUpToALimit) {
  const struct {
    const char *name, *text;
    std::vector<int64_t> bad_lines;
  } files[] = {
      {"a.csv", "question,answer\na,1\nb\n,2\nc,3\n", {3, 4}},
      {"a.jsonl", "{\"question\": \"a\"}\n{\n[1]\n{\"question\": \"c\"}", {2, 3}},
      {"a.json", "[{\"question\": \"a\"},\n1,\n{\"x\": 1}, {\"question\": \"c\"}]", {2, 3}},
  };
  for (const auto& file : files) {
    std::vector<std::string> log;
    set_log_sink([&log](LogLevel, const std::string& line) { log.push_back(line); });
    const auto problems = rows(file.name, file.text, {.max_bad_rows = 2});
    set_log_sink({});
    ASSERT_EQ(problems.size(), 2U) << file.name;
    EXPECT_EQ(problems[1].question, "c");
    EXPECT_EQ(problems[1].index, 1);
    ASSERT_EQ(log.size(), 3U);
    for (size_t i = 0; i < 2; ++i)
      EXPECT_NE(log[i].find(std::string(file.name) + ":" + std::to_string(file.bad_lines[i]) + ": "), std::string::npos) << log[i];
    EXPECT_NE(log[2].find("2 bad rows are left out"), std::string::npos) << log[2];
    GRPO_EXPECT_ERROR(rows(file.name, file.text, {.max_bad_rows = 1}), "expected at most 1 bad rows; got more, the last: ");
    GRPO_EXPECT_ERROR(rows(file.name, file.text), std::string(file.name) + ":" + std::to_string(file.bad_lines[0]) + ": expected");
  }
  GRPO_EXPECT_ERROR(rows("b.csv", "question\n\"a", {.max_bad_rows = 9}), "b.csv:2: expected a quote");  // where rows end is not known
  GRPO_EXPECT_ERROR(rows("b.csv", "question,answer\n,1\n", {.max_bad_rows = 9}), "empty file");
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string zstd(std::string_view text) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return packed;
}

struct PackedFile : testing::TempFolder {
  const std::vector<std::pair<std::string, std::string (*)(std::string_view)>> packers = {{"gz", gzip}, {"zst", zstd}};
  const std::string lines = "{\"question\": \"a\", \"answer\": 1}\n{\"question\": \"b\", \"answer\": 2}\n";
};

TEST_F(PackedFile, AreReadByTheEndingBeforeTheirs) {
  for (const auto& packer : packers) {  // no structured binding: lambdas see these
    const std::string& ending = packer.first;
    const auto pack = packer.second;
    EXPECT_EQ(load_problems(write("a.jsonl." + ending, pack(lines))).at(1).answer, "2");
    EXPECT_EQ(load_problems(write("a.csv." + ending, pack("question,answer\nq,3\n"))).at(0).answer, "3");
    EXPECT_EQ(load_problems(write("a." + ending, pack(lines)), {}, {.name = "jsonl"}).size(), 2U);
    EXPECT_EQ(load_problems(write("b.jsonl." + ending, pack(lines) + pack(lines))).size(), 4U);  // members, frames
    GRPO_EXPECT_ERROR(load_problems(write("c.jsonl." + ending, pack(lines + "{"))), "c.jsonl." + ending + ":3: expected JSON");
    GRPO_EXPECT_ERROR(load_problems(write("d." + ending, pack(lines))), "got another ending");
    GRPO_EXPECT_ERROR(load_problems(write("e.jsonl." + ending, pack(""))), "an empty file");
  }
}

TEST_F(PackedFile, EveryCutIsAnError) {
  for (const auto& packer : packers) {  // no structured binding: lambdas see these
    const std::string& ending = packer.first;
    const auto pack = packer.second;
    const std::string packed = pack(lines);
    for (size_t size = 0; size < packed.size(); ++size)
      GRPO_EXPECT_ERROR(load_problems(write("a.jsonl." + ending, packed.substr(0, size))), "got one that is cut off");
    GRPO_EXPECT_ERROR(load_problems(write("a.jsonl." + ending, packed + "more")), "a.jsonl." + ending + ":3: expected a whole ");
    GRPO_EXPECT_ERROR(load_problems(write("a.jsonl." + ending, lines)), "a.jsonl." + ending + ":1: expected a whole ");
    std::string damaged = packed;
    damaged[damaged.size() - (ending == "gz" ? 8 : 4)] ^= 1;  // the checksum
    GRPO_EXPECT_ERROR(load_problems(write("a.jsonl." + ending, damaged)), ending == "gz" ? "incorrect data check" : "checksum");
  }
}

TEST_F(PackedFile, WhatIsUnpackedIsBounded) {
  const std::string text(1'000'000, 'a');
  for (const auto& packer : packers) {  // no structured binding: lambdas see these
    const std::string& ending = packer.first;
    const auto pack = packer.second;
    const Packing packing = packing_of("a." + ending);
    EXPECT_EQ(unpack(pack(text), packing, "a", text.size()), text);
    GRPO_EXPECT_ERROR(unpack(pack(text), packing, "a", text.size() - 1), "got more than 999999 bytes of text");
  }
  const std::string bomb(size_t{80} << 20, 'a');  // a few KB of zstd; 64 MiB and 1,000 times that are less
  GRPO_EXPECT_ERROR(load_problems(write("a.jsonl.zst", zstd(bomb))), "a.jsonl.zst:1: expected a whole zstd file; got more than ");
}

}  // namespace
}  // namespace grpo
