#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

/// The string a method is called on, charged for one pass over it.
const std::string& self(Context& context, const Parameters& given) {
  context.charge(given.required(0).weight());
  return given.required_text(0);
}

template <std::string (*kMap)(std::string_view)>
Value mapped_method(Context& context, const Arguments& arguments) {
  const Parameters given(context, "method", arguments, {"self"});
  return context.text(kMap(self(context, given)));
}

template <Side kSide>
Value stripped(Context& context, const Arguments& arguments) {
  const Parameters given(context, "strip", arguments, {"self", "chars"});
  const std::string* set = given.text(1);
  if (set) context.charge_bytes(set->size() * self(context, given).size());  // each end is compared with the set
  return context.text(std::string(strip(self(context, given), set, kSide)));
}

/// Searching backwards compares the separator anew at every place.
void charge_backwards(Context& context, const std::string& text, const std::string& part) {
  context.charge_bytes(text.size() * (part.size() / 64 + 1));
}

template <bool kFromRight>
Value split_text(Context& context, const Arguments& arguments) {
  const Parameters given(context, "split", arguments, {"self", "sep", "maxsplit"});
  const std::string& text = self(context, given);
  const int64_t limit = given.integer(2, -1);
  const std::string* separator = given.text(1);
  if (!separator) return context.texts(kFromRight ? split_space_right(text, limit) : split_space(text, limit));
  if (separator->empty()) context.fail("split() expected a separator that is not empty");
  if (kFromRight) charge_backwards(context, text, *separator);
  return context.texts(kFromRight ? split_right(text, *separator, limit) : split(text, *separator, limit));
}

Value split_into_lines(Context& context, const Arguments& arguments) {
  const Parameters given(context, "splitlines", arguments, {"self", "keepends"});
  return context.texts(split_lines(self(context, given), given.flag(1, false)));
}

template <bool kFromRight>
Value partition(Context& context, const Arguments& arguments) {
  const Parameters given(context, "partition", arguments, {"self", "sep"});
  const std::string& text = self(context, given);
  const std::string& separator = given.required_text(1);
  if (separator.empty()) context.fail("partition() expected a separator that is not empty");
  if (kFromRight) charge_backwards(context, text, separator);
  const size_t at = kFromRight ? text.rfind(separator) : find(text, separator);
  if (at == std::string::npos) {
    return kFromRight ? context.tuple({Value(std::string()), Value(std::string()), context.text(text)})
                      : context.tuple({context.text(text), Value(std::string()), Value(std::string())});
  }
  return context.tuple({context.text(text.substr(0, at)), Value(separator), context.text(text.substr(at + separator.size()))});
}

template <bool kAtEnd>
bool has_affix(const std::string& text, const std::string& affix) {
  return kAtEnd ? text.ends_with(affix) : text.starts_with(affix);
}

template <bool kAtEnd>
Value affixed(Context& context, const Arguments& arguments) {
  const char* name = kAtEnd ? "endswith" : "startswith";
  const Parameters given(context, name, arguments, {"self", "affix"});
  const std::string& text = given.required_text(0);
  const Sequence* choices = given.required(1).sequence();
  if (!choices || !choices->tuple) return Value(has_affix<kAtEnd>(text, given.required_text(1)));
  return Value(std::any_of(choices->items.begin(), choices->items.end(), [&](const Value& choice) {
    if (!choice.text()) context.fail(std::string(name) + "() expected strings in the tuple; got " + choice.type_name());
    return has_affix<kAtEnd>(text, *choice.text());
  }));
}

template <bool kAtEnd>
Value without_affix(Context& context, const Arguments& arguments) {
  const Parameters given(context, kAtEnd ? "removesuffix" : "removeprefix", arguments, {"self", "affix"});
  const std::string& text = self(context, given);
  const std::string& affix = given.required_text(1);
  if (!has_affix<kAtEnd>(text, affix)) return given.required(0);
  return context.text(kAtEnd ? text.substr(0, text.size() - affix.size()) : text.substr(affix.size()));
}

/// The character index of the first or last occurrence, or -1.
template <bool kFromRight>
int64_t position(Context& context, const Parameters& given) {
  const std::string& text = self(context, given);
  const std::string& part = given.required_text(1);
  if (kFromRight) charge_backwards(context, text, part);
  const size_t at = kFromRight ? text.rfind(part) : find(text, part);
  return at == std::string::npos ? -1 : character_count(std::string_view(text).substr(0, at));
}

template <bool kFromRight>
Value find_text(Context& context, const Arguments& arguments) {
  return Value(position<kFromRight>(context, Parameters(context, kFromRight ? "rfind" : "find", arguments, {"self", "sub"})));
}

Value index_text(Context& context, const Arguments& arguments) {
  const int64_t at = position<false>(context, Parameters(context, "index", arguments, {"self", "sub"}));
  if (at < 0) context.fail("index() did not find the substring");
  return Value(at);
}

Value count_text(Context& context, const Arguments& arguments) {
  const Parameters given(context, "count", arguments, {"self", "sub"});
  return Value(count(self(context, given), given.required_text(1)));
}

Value replace_text(Context& context, const Arguments& arguments) {
  const Parameters given(context, "replace", arguments, {"self", "old", "new", "count"});
  return apply_filter(context, "replace",
                      {{given.required(0), Value(given.required_text(1)), Value(given.required_text(2)), Value(given.integer(3, -1))}, {}});
}

Value join_texts(Context& context, const Arguments& arguments) {
  const Parameters given(context, "join", arguments, {"self", "iterable"});
  const std::string& separator = given.required_text(0);
  std::string out;
  const std::vector<Value> items = iterate(context, given.required(1));
  for (size_t i = 0; i < items.size(); ++i) {
    if (!items[i].text()) context.fail(std::string("join() expected strings; got ") + items[i].type_name());
    context.charge(items[i].weight() + given.required(0).weight());
    if (i > 0) out += separator;
    out += *items[i].text();
  }
  return Value(std::move(out));
}

/// center(), ljust() and rjust(): where the text stands within `width` characters.
template <Side kKept>
Value justified(Context& context, const Arguments& arguments) {
  const Parameters given(context, "justify", arguments, {"self", "width", "fillchar"});
  const std::string& text = self(context, given);
  given.required(1);
  const std::string fill = given.get(2) ? given.required_text(2) : " ";
  if (character_count(fill) != 1) context.fail("expected one character to fill with; got " + std::to_string(character_count(fill)));
  const int64_t width = given.integer(1, 0);
  const int64_t missing = std::max<int64_t>(width - character_count(text), 0);
  const int64_t before = kKept == Side::kLeft ? 0 : kKept == Side::kRight ? missing : missing / 2 + (missing & width & 1);
  context.charge(missing);
  std::string out;
  for (int64_t i = 0; i < before; ++i) out += fill;
  out += text;
  for (int64_t i = before; i < missing; ++i) out += fill;
  return context.text(std::move(out));
}

Value zero_filled(Context& context, const Arguments& arguments) {
  const Parameters given(context, "zfill", arguments, {"self", "width"});
  std::string text = self(context, given);
  given.required(1);
  const int64_t missing = std::max<int64_t>(given.integer(1, 0) - character_count(text), 0);
  context.charge(missing);
  const bool has_sign = text.starts_with('-') || text.starts_with('+');
  return context.text(text.insert(has_sign ? 1 : 0, static_cast<size_t>(missing), '0'));
}

std::string swap_case(std::string_view text) {
  std::string out;
  for (const std::string_view character : characters(text)) {
    const std::string small = lower(character);
    out += small == character ? upper(character) : small;
  }
  return out;
}

Value expanded_tabs(Context& context, const Arguments& arguments) {
  const Parameters given(context, "expandtabs", arguments, {"self", "tabsize"});
  const int64_t size = std::max<int64_t>(given.integer(1, 8), 0);
  int64_t column = 0;
  std::string out;
  for (const std::string_view character : characters(self(context, given))) {
    if (character != "\t") {
      out += character;
      column = character == "\n" || character == "\r" ? 0 : column + 1;
      continue;
    }
    const int64_t spaces = size == 0 ? 0 : size - column % size;
    context.charge(spaces);
    out.append(static_cast<size_t>(spaces), ' ');
    column += spaces;
  }
  return context.text(std::move(out));
}

Value format_text(Context& context, const Arguments& arguments) {
  const std::string* pattern = arguments.positional.at(0).text();
  Arguments given = arguments;
  given.positional.erase(given.positional.begin());
  return context.text(brace_format(context, *pattern, given));
}

Value format_map(Context& context, const Arguments& arguments) {
  const Parameters given(context, "format_map", arguments, {"self", "mapping"});
  const Dict* dict = given.required(1).dict();
  if (!dict) context.fail(std::string("format_map() expected a mapping; got ") + given.required(1).type_name());
  Arguments named;
  for (const auto& [key, value] : dict->items()) {
    if (key.text()) named.named.emplace_back(*key.text(), value);
  }
  return context.text(brace_format(context, given.required_text(0), named));
}

template <bool (*kHas)(std::string_view)>
Value all_are(Context& context, const Arguments& arguments) {
  const Parameters given(context, "method", arguments, {"self"});
  const auto all = characters(self(context, given));
  return Value(!all.empty() && std::all_of(all.begin(), all.end(), kHas));
}

bool is_letter_or_digit(std::string_view character) { return is_letter(character) || is_digit(character); }

template <std::string (*kMap)(std::string_view), std::string (*kOther)(std::string_view)>
Value is_cased_as(Context& context, const Arguments& arguments) {
  const Parameters given(context, "method", arguments, {"self"});
  const std::string& text = self(context, given);
  return Value(kMap(text) == text && kOther(text) != text);
}

}  // namespace

const FunctionTable& text_methods() {
  static const FunctionTable kTable{
      {"split", split_text<false>},
      {"rsplit", split_text<true>},
      {"splitlines", split_into_lines},
      {"partition", partition<false>},
      {"rpartition", partition<true>},
      {"strip", stripped<Side::kBoth>},
      {"lstrip", stripped<Side::kLeft>},
      {"rstrip", stripped<Side::kRight>},
      {"startswith", affixed<false>},
      {"endswith", affixed<true>},
      {"removeprefix", without_affix<false>},
      {"removesuffix", without_affix<true>},
      {"replace", replace_text},
      {"find", find_text<false>},
      {"rfind", find_text<true>},
      {"index", index_text},
      {"count", count_text},
      {"join", join_texts},
      {"upper", mapped_method<upper>},
      {"lower", mapped_method<lower>},
      {"title", mapped_method<title>},
      {"capitalize", mapped_method<capitalize>},
      {"swapcase", mapped_method<swap_case>},
      {"center", justified<Side::kBoth>},
      {"ljust", justified<Side::kLeft>},
      {"rjust", justified<Side::kRight>},
      {"zfill", zero_filled},
      {"expandtabs", expanded_tabs},
      {"format", format_text},
      {"format_map", format_map},
      {"isspace", all_are<is_space>},
      {"isalpha", all_are<is_letter>},
      {"isdigit", all_are<is_digit>},
      {"isalnum", all_are<is_letter_or_digit>},
      {"isupper", is_cased_as<upper, lower>},
      {"islower", is_cased_as<lower, upper>},
  };
  return kTable;
}

}  // namespace grpo::jinja
