#include "data/csv.h"

#include <algorithm>
#include <utility>

#include "core/utf8.h"
#include "data/row.h"
#include "grpo/data/strings.h"

namespace grpo {

CsvParser::CsvParser(std::string_view text, char delimiter, std::string file) : text_(text), delimiter_(delimiter), file_(std::move(file)) {
  const size_t bad = find_bad_utf8(text);
  if (bad < text.size()) {
    const std::string_view before = text.substr(0, bad);
    refuse(1 + std::count(before.begin(), before.end(), '\n'), "expected UTF-8; got other bytes");
  }
  if (text.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

std::optional<CsvRecord> CsvParser::next() {
  while (skip_line_break()) {
  }
  if (at_end()) return std::nullopt;
  CsvRecord record{line_, {}};
  for (;;) {
    record.fields.push_back(read_field());
    if (at_end() || skip_line_break()) return record;
    ++at_;  // the delimiter
  }
}

/// Whether one was there.
bool CsvParser::skip_line_break() {
  if (at_end()) return false;
  if (text_[at_] == '\r') {
    if (text_.substr(at_, 2) != "\r\n") refuse(line_, "expected a line feed behind a carriage return; got none");
    ++at_;
  }
  if (text_[at_] != '\n') return false;
  ++at_, ++line_;
  return true;
}

/// Ends at a delimiter, a line break or the end of the text.
std::optional<std::string> CsvParser::read_field() {
  if (!at_end() && text_[at_] == '"') return read_quoted();
  const size_t begin = at_;
  while (!at_end() && text_[at_] != delimiter_ && text_[at_] != '\r' && text_[at_] != '\n') {
    if (text_[at_] == '"') refuse(line_, "expected a field with quotes to stand in quotes, each of them doubled; got one that does not");
    ++at_;
  }
  if (at_ == begin) return std::nullopt;
  return std::string(text_.substr(begin, at_ - begin));
}

std::string CsvParser::read_quoted() {
  const int64_t begin = line_;
  std::string field;
  for (++at_;; ++at_) {
    if (at_end()) refuse(begin, "expected a quote that ends the field; got the end of the file");
    if (text_[at_] == '"' && text_.substr(at_, 2) != "\"\"") break;
    if (text_[at_] == '"') ++at_;
    if (text_[at_] == '\n') ++line_;
    field += text_[at_];
  }
  ++at_;
  if (!at_end() && text_[at_] != delimiter_ && text_[at_] != '\r' && text_[at_] != '\n')
    refuse(line_, "expected the next field or the end of the line behind a closing quote; got '" + clip_text(text_.substr(at_), 20) + "'");
  return field;
}

void CsvParser::refuse(int64_t line, const std::string& message) const { fail_at(at_line(file_, line), message); }

}  // namespace grpo
