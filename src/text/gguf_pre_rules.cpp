#include "text/gguf_pre_rules.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "grpo/core/error.h"
#include "grpo/core/nearest.h"
#include "text/byte_level.h"

// The table of llama.cpp (src/llama-vocab.cpp, mid 2026). Expressions are those of the models' own tokenizer.json files where llama.cpp has
// rewritten them for an engine of less power.
namespace grpo::text {
namespace {

constexpr std::string_view kContractions = R"((?i:'s|'t|'re|'ve|'m|'ll|'d))", kWord = R"([^\r\n\p{L}\p{N}]?\p{L}+)", kDigit = R"(\p{N})",
                           kThreeDigits = R"(\p{N}{1,3})", kSymbols = R"( ?[^\s\p{L}\p{N}]+[\r\n]*)",
                           kPathSymbols = R"( ?[^\s\p{L}\p{N}]+[\r\n/]*)", kBlanks = R"(\s*[\r\n]+|\s+(?!\S)|\s+)";

std::string any_of(std::initializer_list<std::string_view> alternatives) {
  std::string out;
  for (const std::string_view one : alternatives) out.append(out.empty() ? "" : "|").append(one);
  return out;
}

std::string llama3_pattern() { return any_of({kContractions, kWord, kThreeDigits, kSymbols, kBlanks}); }
std::string qwen2_pattern() { return any_of({kContractions, kWord, kDigit, kSymbols, kBlanks}); }

/// Words that end before the next capital.
std::string cased_words(std::string_view ending) {
  const std::string begin = R"([^\r\n\p{L}\p{N}]?)", upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])", lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
  return any_of({begin + upper + "*" + lower + "+" + std::string(ending), begin + upper + "+" + lower + "*" + std::string(ending)});
}

std::string o200k_pattern(std::string_view digits) {
  return any_of({cased_words(std::string(kContractions) + "?"), digits, kPathSymbols, kBlanks});
}

std::string deepseek3_pattern(std::string_view symbols_end, std::string_view spaces) {
  return any_of({R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)", R"([^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)",
                 R"( ?[\p{P}\p{S}]+)" + std::string(symbols_end), spaces});
}

constexpr std::string_view kCjk = R"([\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+)";
/// Letters with a case, as the files of deepseek-llm list them.
constexpr std::string_view kCasedLetters =
    R"(\s?[A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377)"
    R"(\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5)"
    R"(\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D)"
    R"(\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4)"
    R"(\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D)"
    R"(\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4)"
    R"(\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06)"
    R"(\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2})"
    R"(\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}]+)";

std::vector<PreRule> gpt2_rules() {
  const std::string gpt2(kGpt2Pattern), digit(kDigit), bloom = R"( ?[^(\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+)";
  return {
      {.names = {"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "gigachat", "a.x-4.0", "mellum", "modern-bert",
                 "exaone4", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de"},
       .patterns = {gpt2}},
      {.names = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"}, .patterns = {digit, gpt2}},
      {.names = {"falcon"}, .patterns = {R"([\p{P}$+<=>^~|`]+)", gpt2, "[0-9][0-9][0-9]"}},
      {.names = {"default"}, .patterns = {R"([\p{P}$+<=>^~|]+)", gpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
      {.names = {"poro-chat", "bloom", "gpt3-finnish"}, .patterns = {bloom}},
      {.names = {"viking"}, .patterns = {bloom, digit}},
      {.names = {"chameleon"},
       .patterns = {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", R"(([\t\n]|    |  ))", digit, R"([\p{P}!-/:-@\[-`{-~])",
                    gpt2},
       .add_bos = true},
      {.names = {"superbpe"}, .patterns = {R"(\p{N}+)", R"((?=(\d{3})+(?!\d)))"}},
  };
}

std::vector<PreRule> llama3_rules() {
  const std::string with_marks = R"([^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+)", symbols_and_marks = R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)";
  return {
      {.names = {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"},
       .patterns = {llama3_pattern()},
       .ignore_merges = true,
       .add_bos = true},
      {.names = {"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, .patterns = {llama3_pattern()}},
      {.names = {"qwen2", "deepseek-r1-qwen", "megrez", "kormo", "f2llmv2"}, .patterns = {qwen2_pattern()}, .nfc = true},
      {.names = {"stablelm2", "hunyuan", "solar-open", "grok-2"}, .patterns = {qwen2_pattern()}},
      {.names = {"qwen35"}, .patterns = {any_of({kContractions, with_marks, kDigit, symbols_and_marks, kBlanks})}, .nfc = true},
      {.names = {"laguna"}, .patterns = {R"([^\n]+|[\n]+)", qwen2_pattern()}},
      {.names = {"ufakzeka"}, .patterns = {any_of({kWord, kDigit, kSymbols, kBlanks})}},
      {.names = {"minicpm5"},
       .patterns = {std::string(kThreeDigits), any_of({kContractions, kWord, R"(\p{N}+)", kSymbols, kBlanks})},
       .ignore_merges = true},
      {.names = {"seed-coder"}, .patterns = {any_of({kContractions, kWord, kDigit, R"( ?[^\s\p{L}\p{N}\r\n]+)", kBlanks})}},
      {.names = {"bailingmoe", "bailingmoe2", "llada-moe"},
       .patterns = {R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"}},
      {.names = {"exaone-moe"},
       .patterns = {any_of({kContractions, R"([^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+)", kDigit,
                            R"( ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)"})}},
      {.names = {"jais-2"},
       .patterns = {any_of({kContractions, kWord, kThreeDigits, kSymbols, R"(\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S))",
                            R"(\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})"})}},
  };
}

std::vector<PreRule> cased_rules() {
  return {
      {.names = {"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, .patterns = {o200k_pattern(kThreeDigits)}},
      {.names = {"granite-embed-multi-97m"}, .patterns = {o200k_pattern(kThreeDigits)}, .ignore_merges = true},
      {.names = {"tekken"}, .patterns = {any_of({cased_words(""), kDigit, kPathSymbols, kBlanks})}, .ignore_merges = true, .add_bos = true},
      {.names = {"tiny_aya", "cohere2moe"}, .patterns = {R"(\d{1,3}(?=(?:\d{3})*(?!\w)))", o200k_pattern(kThreeDigits)}},
      {.names = {"youtu"},
       .patterns = {any_of({R"([\uAC00-\uD7A3\u3131-\u318E]+)",
                            R"([\uFF01\u2026\u201C\u201D\u2018\u2019\u2014\uFF1A\uFF1B\uFF0C\u3001-\u303F\uFE30-\uFE4F]+)",
                            R"([\u3105-\u312F]+)", kCjk}),
                    o200k_pattern(kDigit)},
       .ignore_merges = true},
  };
}

std::vector<PreRule> deepseek_rules() {
  const std::string old_cjk = R"([\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+)", cjk(kCjk), digit(kDigit), three(kThreeDigits),
                    latest = deepseek3_pattern(R"([\r\n]*)", kBlanks);
  return {
      {.names = {"deepseek-llm"},
       .patterns = {R"([\r\n])", std::string(kCasedLetters), R"(\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+)",
                    R"(\s+$)", old_cjk, R"(\p{N}+)"}},
      {.names = {"deepseek-coder"}, .patterns = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", old_cjk, digit}},
      {.names = {"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"}, .patterns = {three, cjk, latest}},
      {.names = {"spark2_5"}, .patterns = {three, cjk, deepseek3_pattern("", R"([\r\n]|\s+(?!\S)|\s+)"), digit}},
      {.names = {"afmoe"},
       .patterns = {R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))",
                    R"([\u4E00-\u9FFF\u3400-\u4DBF\uF900-\uFAFF\u3040-\u309F\u30A0-\u30FF\uFF65-\uFF9F\u2F00-\u2FDF\u0E40-\u0E7F)"
                    R"(\u0E80-\u0EFF\u1780-\u17FF\u1000-\u109F\uAA60-\uAA7F\uA9E0-\uA9FF\uAC00-\uD7AF\u1100-\u11FF]+)",
                    latest}},
  };
}

/// Of llama.cpp's table: byte pairs without a byte alphabet, classes within classes, separators at the end of a text.
constexpr std::array<std::string_view, 8> kForeignRules{
    "gemma4", "granite-embed-multi-311m", "sarvam-moe", "whitespace", "kimi-k2", "jina-v1-en", "jina-v2-code", "roberta-bpe"};

}  // namespace

const std::vector<PreRule>& pre_rules() {
  static const std::vector<PreRule> rules = [] {
    std::vector<PreRule> all = gpt2_rules();
    for (const auto& more : {llama3_rules(), cased_rules(), deepseek_rules()}) all.insert(all.end(), more.begin(), more.end());
    return all;
  }();
  return rules;
}

const PreRule& find_pre_rule(const std::string& name) {
  constexpr std::string_view kWhere = "gguf tokenizer";
  std::vector<std::string> known;
  for (const PreRule& rule : pre_rules()) {
    if (std::ranges::find(rule.names, name) != rule.names.end()) return rule;
    known.insert(known.end(), rule.names.begin(), rule.names.end());
  }
  GRPO_CHECK(std::ranges::find(kForeignRules, name) == kForeignRules.end(), kWhere,
             "expected a pre-tokenizer (tokenizer.ggml.pre) that is supported; got " + name + ", which is not");
  fail(kWhere, "expected tokenizer.ggml.pre to name a known pre-tokenizer; got '" + name + "'" + did_you_mean(name, known));
}

}  // namespace grpo::text
