#include "math/units.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "math/latex.h"

namespace grpo {
namespace {

struct Spelling {
  std::string_view written, name;
};

/// Spelled so and in no other case: "m" is a metre, "M" is none.
constexpr auto kUnitSigns = std::to_array<Spelling>({
    {"mm", "mm"},     {"cm", "cm"},   {"dm", "dm"},     {"m", "m"},       {"km", "km"},        {"nm", "nm"},      {"in", "in"},
    {"ft", "ft"},     {"yd", "yd"},   {"mi", "mi"},     {"mg", "mg"},     {"g", "g"},          {"kg", "kg"},      {"lb", "lb"},
    {"lbs", "lb"},    {"oz", "oz"},   {"s", "s"},       {"sec", "s"},     {"secs", "s"},       {"ms", "ms"},      {"min", "min"},
    {"mins", "min"},  {"h", "h"},     {"hr", "h"},      {"hrs", "h"},     {"L", "L"},          {"l", "L"},        {"ml", "mL"},
    {"mL", "mL"},     {"cl", "cL"},   {"dl", "dL"},     {"gal", "gal"},   {"deg", "degree"},   {"rad", "rad"},    {"N", "N"},
    {"J", "J"},       {"kJ", "kJ"},   {"W", "W"},       {"kW", "kW"},     {"V", "V"},          {"A", "A"},        {"Hz", "Hz"},
    {"kHz", "kHz"},   {"Pa", "Pa"},   {"kPa", "kPa"},   {"K", "K"},       {"mol", "mol"},      {"eV", "eV"},      {"ha", "ha"},
    {"kB", "kB"},     {"MB", "MB"},   {"GB", "GB"},     {"TB", "TB"},     {"cal", "cal"},      {"kcal", "kcal"},  {"$", "dollar"},
    {"€", "euro"},    {"£", "pound"}, {"¥", "yen"},     {"₹", "rupee"},   {"¢", "cent"},       {"USD", "dollar"}, {"EUR", "euro"},
    {"GBP", "pound"}, {"cc", "cm^3"}, {"sq", "square"}, {"C", "celsius"}, {"F", "fahrenheit"}, {"d", "day"},
});
/// In any case, and in the plural too.
constexpr auto kUnitWords = std::to_array<Spelling>({
    {"millimeter", "mm"},
    {"millimetre", "mm"},
    {"centimeter", "cm"},
    {"centimetre", "cm"},
    {"decimeter", "dm"},
    {"decimetre", "dm"},
    {"meter", "m"},
    {"metre", "m"},
    {"kilometer", "km"},
    {"kilometre", "km"},
    {"inch", "in"},
    {"inche", "in"},
    {"foot", "ft"},
    {"feet", "ft"},
    {"yard", "yd"},
    {"mile", "mi"},
    {"milligram", "mg"},
    {"gram", "g"},
    {"kilogram", "kg"},
    {"kilo", "kg"},
    {"ounce", "oz"},
    {"ton", "ton"},
    {"tonne", "tonne"},
    {"second", "s"},
    {"millisecond", "ms"},
    {"minute", "min"},
    {"hour", "h"},
    {"day", "day"},
    {"week", "week"},
    {"month", "month"},
    {"year", "year"},
    {"yr", "year"},
    {"decade", "decade"},
    {"century", "century"},
    {"centurie", "century"},
    {"liter", "L"},
    {"litre", "L"},
    {"milliliter", "mL"},
    {"millilitre", "mL"},
    {"gallon", "gal"},
    {"quart", "quart"},
    {"pint", "pint"},
    {"cup", "cup"},
    {"degree", "degree"},
    {"radian", "rad"},
    {"dollar", "dollar"},
    {"buck", "dollar"},
    {"cent", "cent"},
    {"penny", "cent"},
    {"pennie", "cent"},
    {"euro", "euro"},
    {"pound", "pound"},
    {"yen", "yen"},
    {"rupee", "rupee"},
    {"newton", "N"},
    {"joule", "J"},
    {"watt", "W"},
    {"volt", "V"},
    {"amp", "A"},
    {"ampere", "A"},
    {"hertz", "Hz"},
    {"pascal", "Pa"},
    {"kelvin", "K"},
    {"mole", "mol"},
    {"hectare", "ha"},
    {"acre", "acre"},
    {"calorie", "cal"},
    {"celsius", "celsius"},
    {"fahrenheit", "fahrenheit"},
    {"unit", ""},
    {"mph", "mi/h"},
    {"kph", "km/h"},
    {"kmh", "km/h"},
    {"byte", "byte"},
    {"bit", "bit"},
});

constexpr auto kMultipliers = std::to_array<std::pair<std::string_view, int64_t>>({{"hundred", 100},
                                                                                   {"thousand", 1'000},
                                                                                   {"lakh", 100'000},
                                                                                   {"million", 1'000'000},
                                                                                   {"crore", 10'000'000},
                                                                                   {"billion", 1'000'000'000},
                                                                                   {"trillion", 1'000'000'000'000},
                                                                                   {"dozen", 12}});

/// What makes another number of the one before it, or leaves open what is meant, beside the endings of `changes_value`.
constexpr auto kChanging = std::to_array<std::string_view>({
    "factorial",   "square",
    "cube",        "cubic",
    "root",        "power",
    "double",      "triple",
    "quadruple",   "twice",
    "thrice",      "half",
    "halve",       "third",
    "quarter",     "googol",
    "score",       "gross",
    "myriad",      "couple",
    "pair",        "trio",
    "ten",         "one",
    "two",         "three",
    "four",        "five",
    "six",         "seven",
    "eight",       "nine",
    "eleven",      "twelve",
    "twenty",      "thirty",
    "forty",       "fifty",
    "sixty",       "seventy",
    "eighty",      "ninety",
    "zero",        "nil",
    "pi",          "infinity",
    "infinite",    "infinitie",
    "permille",    "mille",
    "mil",         "million",
    "billion",     "trillion",
    "thousand",    "hundred",
    "dozen",       "lakh",
    "crore",       "lac",
    "arab",        "percent",
    "percentage",  "point",
    "basi",        "basis",
    "bp",          "mod",
    "modulo",      "modulu",
    "minu",        "minus",
    "plus",        "plu",
    "time",        "times",
    "over",        "divided",
    "negative",    "positive",
    "opposite",    "reciprocal",
    "inverse",     "invers",
    "imaginary",   "complex",
    "log",         "exponential",
    "exponent",    "hex",
    "hexadecimal", "sine",
    "cosine",      "tangent",
    "logarithm",   "modulus",
    "notation",    "binary",
    "octal",       "decimal",
    "base",        "mega",
    "giga",        "tera",
    "micro",       "milli",
    "nano",        "centi",
    "deci",        "kilo",
    "prime",       "primorial",
    "choose",      "permute",
    "fold",        "k",
    "mm",          "bn",
    "mn",          "tr",
    "pairs",       "thou",
    "grand",       "nought",
    "multiple",    "multiplie",
    "divisor",     "factor",
    "fraction",    "ratio",
    "proportion",  "remainder",
    "error",       "approximately",
    "approx",      "roughly",
    "about",       "almost",
    "nearly",      "around",
    "least",       "most",
    "maximum",     "minimum",
    "exactly",     "wrong",
    "incorrect",   "false",
});

constexpr auto kSmall = std::to_array<std::string_view>({
    "a",       "an",     "the",     "of",    "to",      "by",     "in",     "is",      "it",      "at",     "as",      "on",        "no",
    "not",     "nor",    "or",      "and",   "but",     "if",     "so",     "we",      "be",      "are",    "was",     "has",       "had",
    "for",     "from",   "with",    "than",  "then",    "that",   "this",   "more",    "less",    "fewer",  "up",      "do",        "all",
    "any",     "each",   "both",    "such",  "when",    "else",   "only",   "also",    "some",    "out",    "off",     "per",       "my",
    "our",     "you",    "he",      "she",   "they",    "its",    "yes",    "none",    "true",    "can",    "will",    "may",       "must",
    "between", "either", "neither", "maybe", "perhaps", "unless", "except", "without", "instead", "rather", "however", "therefore", "thus",
    "hence",   "indeed", "let",     "see",   "wait",    "now",    "well",   "like",    "think",   "guess",  "hope",    "sure",      "here",
    "there",   "what",   "which",   "who",   "why",     "how",    "where",  "since",   "because",
});

template <size_t N>
std::string_view spelling_in(const std::array<Spelling, N>& table, std::string_view word, bool& found) {
  const auto entry = std::ranges::find(table, word, &Spelling::written);
  found = entry != table.end();
  return found ? entry->name : std::string_view();
}

template <size_t N>
bool lists_word(const std::array<std::string_view, N>& table, std::string_view word) {
  return std::ranges::find(table, word) != table.end();
}

std::string singular(std::string_view word) {
  return std::string(word.size() > 2 && word.ends_with('s') && !word.ends_with("ss") ? word.substr(0, word.size() - 1) : word);
}

std::optional<std::string> known_unit(std::string_view word) {
  bool found = false;
  const std::string_view sign = spelling_in(kUnitSigns, word, found);
  if (found) return std::string(sign);
  for (const std::string& name : {lower_case(word), singular(lower_case(word))}) {
    const std::string_view unit = spelling_in(kUnitWords, name, found);
    if (found) return std::string(unit);
  }
  const std::string_view written_out = spelling_in(kUnitSigns, lower_case(word), found);
  return found && word.size() > 1 ? std::optional<std::string>(written_out) : std::nullopt;
}

/// Of a word in lower case.
bool changes_value(const std::string& word) {
  const std::string one = singular(word);
  if (lists_word(kChanging, word) || lists_word(kChanging, one) || lists_word(kSmall, word)) return true;
  for (const std::string_view ending : {"th", "illion", "fold", "uple", "teen", "uplet", "ly", "est"})
    if (one.ends_with(ending)) return true;
  return one.size() > 4 && one.ends_with("ed");  // "doubled", but not "red"
}

/// The power that a word gives to the one behind it, or (negative) to the one before it.
int power_word(const std::string& word) {
  if (word == "square" || word == "sq") return 2;
  if (word == "cubic" || word == "cu") return 3;
  if (word == "squared") return -2;
  return word == "cubed" ? -3 : 0;
}

bool may_be_counted(const std::string& word) {
  return word.size() >= 3 && std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'z'; }) && !changes_value(word);
}

bool is_money(std::string_view unit) { return unit == "dollar" || unit == "euro" || unit == "yen" || unit == "rupee" || unit == "cent"; }

std::string unit_text(const std::map<std::string, int>& powers) {
  std::string above, below;
  for (const auto& [name, power] : powers) {
    if (power == 0) continue;
    std::string& side = power > 0 ? above : below;
    if (!side.empty()) side += '*';
    side += name;
    if (power != 1 && power != -1) side += '^' + std::to_string(power < 0 ? -power : power);
  }
  if (below.empty()) return above;
  return (above.empty() ? "1" : above) + "/" + below;
}

void add_power(std::map<std::string, int>& powers, const std::string& unit, int power) {
  if (const size_t stroke = unit.find('/'); stroke != std::string::npos) {
    powers[unit.substr(0, stroke)] += power;
    powers[unit.substr(stroke + 1)] -= power;
  } else if (const size_t raised = unit.find('^'); raised != std::string::npos) {
    powers[unit.substr(0, raised)] += power * (unit[raised + 1] - '0');
  } else if (!unit.empty()) {
    powers[unit] += power;
  }
}

}  // namespace

bool is_unit(std::string_view word) { return known_unit(word).has_value(); }

bool is_small_word(std::string_view word) { return lists_word(kSmall, lower_case(word)); }

std::optional<Rational> multiplier(std::string_view word) {
  const std::string name = singular(lower_case(word));
  if (name == "percent") return divide(1, 100);
  const auto found = std::ranges::find(kMultipliers, name, &std::pair<std::string_view, int64_t>::first);
  return found == kMultipliers.end() ? std::nullopt : std::optional<Rational>(found->second);
}

std::optional<std::string> unit_name(const std::vector<UnitWord>& words) {
  std::map<std::string, int> powers;
  std::string counted, last;
  int raise = 1, sign = 1, last_power = 1, count = 0;
  for (const UnitWord& given : words) {
    const std::string word = lower_case(given.word);
    if (word == "per" || word == "a" || word == "an") {  // "miles an hour"
      if (last.empty() && counted.empty()) return std::nullopt;
      sign = -1;
      continue;
    }
    const int power = power_word(word);
    if (power > 0) {
      raise = power;
      continue;
    }
    if (power < 0) {  // "meters squared"
      if (last.empty()) return std::nullopt;
      add_power(powers, last, last_power * (-power - 1));
      continue;
    }
    if (const auto unit = known_unit(given.word)) {
      if (is_money(*unit) && given.power * raise != 1 && given.power * raise != -1) return std::nullopt;
      last_power = given.power * raise * sign;
      if (*unit == "celsius" || *unit == "fahrenheit") powers.erase("degree");
      add_power(powers, *unit, last_power);
      last = *unit;
    } else if (may_be_counted(word)) {
      if (++count > 3) return std::nullopt;
      counted += (counted.empty() ? "" : " ") + word;
    } else {
      return std::nullopt;
    }
    raise = 1;
  }
  if (raise != 1) return std::nullopt;
  std::string unit = unit_text(powers);
  if (!counted.empty()) unit += (unit.empty() ? "" : " ") + singular(counted);
  return unit;
}

}  // namespace grpo
