// Logits of a model as the recorder computes them, for comparing with other programs: a developer's program.
//
//   lil_logits MODEL IDS OUT [--prompt N] [--greedy N] [--dtype auto|fp32|bf16|fp16] [--threads N]
//
// IDS and OUT are files of raw little-endian numbers, `-` for standard input and output. The first N ids
// (--prompt, default 1) are prefilled together; the others are forced one by one; --greedy then adds so many
// tokens, each the most likely one. OUT gets the logits after the last prefilled id and after each later one,
// as fp32: (steps, vocabulary). With --greedy, OUT gets the generated ids as int32 instead.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "record/attention_policy.h"
#include "record/engine.h"
#include "record/language_model.h"
#include "schemas/error.h"

namespace lil::tools {
namespace {

using schemas::TokenId;

constexpr const char* kUsage =
    "usage: lil_logits MODEL IDS OUT [--prompt N] [--greedy N] [--dtype auto|fp32|bf16|fp16] [--threads N]";

struct Options {
  std::string model;
  std::string ids;
  std::string out;
  std::size_t prompt = 1;
  std::size_t greedy = 0;
  std::string dtype = "auto";
  int threads = 2;
};

template <class Number>
void parse_number(const std::string& name, const std::string& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ErrorCode::kUsage, fmt::format("{}: '{}' is not a number", name, text));
  }
}

Options parse(std::span<char*> arguments) {
  Options options;
  std::vector<std::string> places;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string name = arguments[i];
    if (name.rfind("--", 0) != 0) {
      places.push_back(name);
      continue;
    }
    if (++i == arguments.size()) throw Error(ErrorCode::kUsage, fmt::format("{} lacks its value", name));
    const std::string value = arguments[i];
    if (name == "--prompt") {
      parse_number(name, value, options.prompt);
    } else if (name == "--greedy") {
      parse_number(name, value, options.greedy);
    } else if (name == "--threads") {
      parse_number(name, value, options.threads);
    } else if (name == "--dtype") {
      options.dtype = value;
    } else {
      throw Error(ErrorCode::kUsage, fmt::format("unknown option {}; {}", name, kUsage));
    }
  }
  if (places.size() != 3) throw Error(ErrorCode::kUsage, kUsage);
  options.model = places[0];
  options.ids = places[1];
  options.out = places[2];
  return options;
}

std::vector<TokenId> read_ids(const std::string& path) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  if (!in) throw Error(ErrorCode::kNotFound, fmt::format("cannot open {}", path));
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  static_assert(sizeof(TokenId) == 4);
  std::vector<TokenId> ids(bytes.size() / sizeof(TokenId));
  std::copy_n(bytes.data(), ids.size() * sizeof(TokenId), reinterpret_cast<char*>(ids.data()));
  return ids;
}

/// Writes numbers as they lie in memory.
class Output {
 public:
  explicit Output(const std::string& path) : path_(path) {
    if (path != "-") file_.open(path, std::ios::binary);
  }
  template <class Number>
  void write(std::span<const Number> numbers) {
    std::ostream& out = path_ == "-" ? std::cout : file_;
    out.write(reinterpret_cast<const char*>(numbers.data()),
              static_cast<std::streamsize>(numbers.size_bytes()));
    out.flush();
    if (!out) throw Error(ErrorCode::kEnvironment, fmt::format("cannot write {}", path_));
  }

 private:
  std::string path_;
  std::ofstream file_;
};

void run(const Options& options) {
  std::vector<TokenId> ids = read_ids(options.ids);
  if (options.prompt < 1 || options.prompt > ids.size()) {
    throw Error(ErrorCode::kUsage,
                fmt::format("--prompt {}: there are {} ids in {}", options.prompt, ids.size(), options.ids));
  }
  const auto device = record::make_cpu_device(options.threads);
  const auto model = record::load_language_model(options.model, *device, {options.dtype});
  const auto policy = record::make_attention_policy("full");
  const auto total = static_cast<std::int64_t>(ids.size() + options.greedy);
  record::Engine engine(*model, *policy.policy, {.lanes = 1, .max_tokens = total, .kv_bytes = 0});
  Output out(options.out);
  const record::SequenceId sequence = engine.admit(std::span(ids).first(options.prompt), total);
  if (options.greedy == 0) out.write(engine.logits(sequence));
  for (std::size_t i = options.prompt; i < ids.size(); ++i) {
    const record::StepInput input{sequence, ids[i]};
    engine.step({&input, 1});
    if (options.greedy == 0) out.write(engine.logits(sequence));
  }
  for (std::size_t i = 0; i < options.greedy; ++i) {
    const auto logits = engine.logits(sequence);
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    const record::StepInput input{sequence, static_cast<TokenId>(best)};
    out.write(std::span<const TokenId>(&input.token, 1));
    if (i + 1 < options.greedy) engine.step({&input, 1});
  }
}

}  // namespace
}  // namespace lil::tools

int main(int argc, char** argv) {
  try {
    lil::tools::run(lil::tools::parse(std::span(argv, static_cast<std::size_t>(argc))));
    return 0;
  } catch (const lil::Error& error) {
    std::cerr << "lil_logits: " << error.what() << '\n';
    return error.code() == lil::ErrorCode::kUsage ? 2 : 1;
  } catch (const std::exception& error) {
    std::cerr << "lil_logits: " << error.what() << '\n';
    return 1;
  }
}
