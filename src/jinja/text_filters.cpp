#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace grpo::jinja {
namespace {

template <std::string (*kMap)(std::string_view)>
Value mapped_filter(Context& context, const Arguments& arguments) {
  const Parameters given(context, "filter", arguments, {"value"});
  return context.text(kMap(to_text(context, given.required(0))));
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char character : text) {
    switch (character) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '"':
        out += "&#34;";
        break;
      default:
        out += character;
    }
  }
  return out;
}

std::string as_is(std::string_view text) { return std::string(text); }

Value trim(Context& context, const Arguments& arguments) {
  const Parameters given(context, "trim", arguments, {"value", "chars"});
  const std::string text = to_text(context, given.required(0));
  const std::string* set = given.text(1);
  if (set) context.charge_bytes(set->size() * text.size());
  return context.text(std::string(strip(text, set, Side::kBoth)));
}

Value replace_filter(Context& context, const Arguments& arguments) {
  const Parameters given(context, "replace", arguments, {"value", "old", "new", "count"});
  const std::string text = to_text(context, given.required(0));
  const std::string from = to_text(context, given.required(1));
  const std::string to = to_text(context, given.required(2));
  const int64_t limit = given.integer(3, -1);
  const int64_t found = count(text, from);
  context.charge_bytes(static_cast<size_t>(limit < 0 ? found : std::min(limit, found)) * to.size());
  return context.text(replace(text, from, to, limit));
}

/// Lines after the first (and the first where `first`) get the indentation; blank lines only where `blank`.
Value indent(Context& context, const Arguments& arguments) {
  const Parameters given(context, "indent", arguments, {"value", "width", "first", "blank"});
  const Value* width = given.get(1);
  if (!width || !width->text()) context.charge(std::clamp<int64_t>(given.integer(1, 4), 0, Context::kBudget));
  const std::string space =
      width && width->text() ? *width->text() : std::string(static_cast<size_t>(std::max<int64_t>(given.integer(1, 4), 0)), ' ');
  const std::string text = to_text(context, given.required(0)) + "\n";
  std::string out = given.flag(2, false) ? space : "";
  const auto lines = split_lines(text, false);
  for (size_t i = 0; i < lines.size(); ++i) {
    context.charge_bytes(space.size());
    if (i > 0) out += '\n';
    if (i > 0 && (given.flag(3, false) || !lines[i].empty())) out += space;
    out += lines[i];
  }
  return context.text(std::move(out));
}

Value format(Context& context, const Arguments& arguments) {
  std::vector<Value> values(arguments.positional.begin() + 1, arguments.positional.end());
  if (!values.empty() && !arguments.named.empty()) context.fail("format() expected arguments by position or by name, not both");
  Dict names;
  for (const auto& [name, value] : arguments.named) names.set(Value(name), value);
  const Value given = arguments.named.empty() ? context.tuple(std::move(values)) : context.dict(std::move(names));
  return context.text(percent_format(context, to_text(context, arguments.positional[0]), given));
}

Value center_filter(Context& context, const Arguments& arguments) {
  const Parameters given(context, "center", arguments, {"value", "width"});
  const std::string text = to_text(context, given.required(0));
  return text_methods().at("center")(context, {{Value(text), Value(given.integer(1, 80))}, {}});
}

Value word_count(Context& context, const Arguments& arguments) {
  const Parameters given(context, "wordcount", arguments, {"value"});
  return Value(static_cast<int64_t>(split_space(to_text(context, given.required(0)), -1).size()));
}

}  // namespace

const FunctionTable& text_filters() {
  static const FunctionTable kTable{
      {"upper", mapped_filter<upper>},
      {"lower", mapped_filter<lower>},
      {"title", mapped_filter<title_filter>},
      {"capitalize", mapped_filter<capitalize>},
      {"string", mapped_filter<as_is>},
      {"safe", mapped_filter<as_is>},
      {"e", mapped_filter<escape>},
      {"escape", mapped_filter<escape>},
      {"forceescape", mapped_filter<escape>},
      {"trim", trim},
      {"replace", replace_filter},
      {"indent", indent},
      {"format", format},
      {"center", center_filter},
      {"wordcount", word_count},
  };
  return kTable;
}

}  // namespace grpo::jinja
