#include "math/names.h"

#include <algorithm>
#include <array>

#include "math/number.h"

namespace grpo {
namespace {

using Meaning = NameMeaning::Kind;

struct Synonym {
  std::string_view written, name;
};

constexpr auto kSymbols = std::to_array<Synonym>({
    {"cdot", "*"},
    {"times", "*"},
    {"ast", "*"},
    {"star", "*"},
    {"bullet", "*"},
    {"div", "/"},
    {"le", "<="},
    {"leq", "<="},
    {"leqslant", "<="},
    {"leqq", "<="},
    {"ge", ">="},
    {"geq", ">="},
    {"geqslant", ">="},
    {"geqq", ">="},
    {"lt", "<"},
    {"gt", ">"},
    {"ne", "!="},
    {"neq", "!="},
    {"cup", "union"},
    {"bigcup", "union"},
    {"cap", "intersection"},
    {"setminus", "without"},
    {"backslash", "without"},
    {"in", "in"},
    {"pm", "pm"},
    {"mp", "mp"},
    {"langle", "langle"},
    {"rangle", "rangle"},
    {"lvert", "|"},
    {"rvert", "|"},
    {"vert", "|"},
    {"mid", "|"},
    {"lfloor", "lfloor"},
    {"rfloor", "rfloor"},
    {"lceil", "lceil"},
    {"rceil", "rceil"},
    {"lbrace", "\\{"},
    {"rbrace", "\\}"},
    {"colon", ":"},
    {"dots", "dots"},
    {"ldots", "dots"},
    {"cdots", "dots"},
    {"dotsc", "dots"},
    {"land", "and"},
    {"wedge", "and"},
    {"lor", "or"},
    {"vee", "or"},
    {"circ", "circ"},
    {"degree", "circ"},
    {"textdegree", "circ"},
    {"prime", "'"},
    {"lbrack", "["},
    {"rbrack", "]"},
    {"cr", "row"},
    {"euro", "€"},
    {"pounds", "£"},
    {"pound", "£"},
    {"textdollar", "$"},
    {"colonequals", "="},
    {"percent", "%"},
    {"approx", "approx"},
    {"simeq", "approx"},
    {"thickapprox", "approx"},
});

constexpr auto kFunctionNames = std::to_array<Synonym>({
    {"dfrac", "frac"},
    {"tfrac", "frac"},
    {"cfrac", "frac"},
    {"frac", "frac"},
    {"sfrac", "frac"},
    {"nicefrac", "frac"},
    {"dbinom", "binom"},
    {"tbinom", "binom"},
    {"binom", "binom"},
    {"choose", "choose"},
    {"sqrt", "sqrt"},
    {"cbrt", "cbrt"},
    {"log", "log"},
    {"lg", "lg"},
    {"asin", "arcsin"},
    {"acos", "arccos"},
    {"atan", "arctan"},
    {"acot", "arccot"},
    {"cosec", "csc"},
    {"tg", "tan"},
    {"ctg", "cot"},
    {"arctg", "arctan"},
    {"asinh", "arsinh"},
    {"acosh", "arcosh"},
    {"atanh", "artanh"},
    {"arcsinh", "arsinh"},
    {"arccosh", "arcosh"},
    {"arctanh", "artanh"},
    {"Re", "re"},
    {"Im", "im"},
    {"pi", "pi"},
    {"infty", "infinity"},
    {"emptyset", "empty"},
    {"varnothing", "empty"},
    {"reals", "reals"},
    {"sum", "sum"},
    {"prod", "product"},
    {"integers", "integers"},
    {"rationals", "rationals"},
    {"naturals", "naturals"},
    {"complexes", "complexes"},
    {"overline", "overline"},
    {"bar", "overline"},
    {"gcd", "gcd"},
    {"lcm", "lcm"},
    {"max", "max"},
    {"min", "min"},
});

constexpr auto kPlainNames = std::to_array<Synonym>({
    {"sqrt", "sqrt"},         {"cbrt", "cbrt"},         {"log", "log"},        {"pi", "pi"},       {"Pi", "pi"},
    {"infinity", "infinity"}, {"Infinity", "infinity"}, {"inf", "infinity"},   {"oo", "infinity"}, {"infty", "infinity"},
    {"asin", "arcsin"},       {"acos", "arccos"},       {"atan", "arctan"},    {"binom", "binom"}, {"binomial", "binom"},
    {"gcd", "gcd"},           {"lcm", "lcm"},           {"emptyset", "empty"}, {"frac", "frac"},
});

constexpr auto kGreek = std::to_array<Synonym>({
    {"alpha", "alpha"},    {"beta", "beta"},       {"gamma", "gamma"},
    {"delta", "delta"},    {"epsilon", "epsilon"}, {"varepsilon", "epsilon"},
    {"zeta", "zeta"},      {"eta", "eta"},         {"theta", "theta"},
    {"vartheta", "theta"}, {"iota", "iota"},       {"kappa", "kappa"},
    {"lambda", "lambda"},  {"mu", "mu"},           {"nu", "nu"},
    {"xi", "xi"},          {"rho", "rho"},         {"varrho", "rho"},
    {"sigma", "sigma"},    {"tau", "tau"},         {"upsilon", "upsilon"},
    {"phi", "phi"},        {"varphi", "phi"},      {"chi", "chi"},
    {"psi", "psi"},        {"omega", "omega"},     {"Gamma", "Gamma"},
    {"Delta", "Delta"},    {"Theta", "Theta"},     {"Lambda", "Lambda"},
    {"Xi", "Xi"},          {"Sigma", "Sigma"},     {"Phi", "Phi"},
    {"Psi", "Psi"},        {"Omega", "Omega"},     {"ell", "ell"},
});

constexpr auto kDropped = std::to_array<std::string_view>({
    "left",
    "right",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "biggl",
    "biggr",
    "Biggl",
    "Biggr",
    "middle",
    "displaystyle",
    "textstyle",
    "scriptstyle",
    "scriptscriptstyle",
    "limits",
    "nolimits",
    "quad",
    "qquad",
    "thinspace",
    "enspace",
    "medspace",
    "thickspace",
    "negthinspace",
    "mathstrut",
    "strut",
    "hfill",
    "hline",
    "noindent",
    "centering",
    "bf",
    "rm",
    "it",
    "sf",
    "large",
    "Large",
    "small",
    "normalsize",
    "tiny",
    "allowbreak",
    "newline",
    "ensuremath",
});
constexpr auto kDroppedWithArgument =
    std::to_array<std::string_view>({"hspace", "vspace", "phantom", "hphantom", "vphantom", "color", "textcolor", "label", "tag", "mskip"});
constexpr auto kTexts = std::to_array<std::string_view>(
    {"text", "textbf", "textit", "textrm", "textsf", "texttt", "textnormal", "textup", "textsc", "mbox", "hbox", "emph"});
constexpr auto kStyles =
    std::to_array<std::string_view>({"mathrm", "mathbf", "mathit", "mathsf", "mathtt", "mathcal", "mathscr", "mathfrak", "mathnormal",
                                     "boldsymbol", "bm", "pmb", "operatorname", "boxed", "fbox", "underline"});

template <size_t N>
const Synonym* synonym_of(const std::array<Synonym, N>& table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Synonym::written);
  return found == table.end() ? nullptr : &*found;
}

template <size_t N>
bool lists_name(const std::array<std::string_view, N>& table, std::string_view name) {
  return std::ranges::find(table, name) != table.end();
}

}  // namespace

NameMeaning meaning_of_command(std::string_view name) {
  if (const Synonym* symbol = synonym_of(kSymbols, name)) return {Meaning::kSymbol, symbol->name};
  if (const Synonym* function = synonym_of(kFunctionNames, name)) return {Meaning::kFunction, function->name};
  if (is_function(name)) return {Meaning::kFunction, name};
  if (const Synonym* letter = synonym_of(kGreek, name)) return {Meaning::kLetter, letter->name};
  if (lists_name(kDropped, name)) return {Meaning::kDropped, name};
  if (lists_name(kDroppedWithArgument, name)) return {Meaning::kDroppedWithArgument, name};
  if (lists_name(kTexts, name)) return {Meaning::kText, name};
  if (lists_name(kStyles, name)) return {Meaning::kStyle, name};
  if (name == "mathbb" || name == "Bbb") return {Meaning::kSetLetter, name};
  if (name == "begin" || name == "end") return {Meaning::kEnvironment, name};
  return {};
}

NameMeaning meaning_of_word(std::string_view word) {
  if (word == "and" || word == "or" || word == "union") return {Meaning::kSymbol, word};
  if (const Synonym* function = synonym_of(kPlainNames, word)) return {Meaning::kFunction, function->name};
  if (word.size() > 2 && is_function(word)) return {Meaning::kFunction, word};
  if (word == "ln") return {Meaning::kFunction, word};
  if (word.size() > 2) {
    if (const Synonym* letter = synonym_of(kGreek, word)) return {Meaning::kLetter, letter->name};
  }
  return {};
}

}  // namespace grpo
