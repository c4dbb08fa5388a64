// replay_bench [kilobytes]: a curve in one pass against compressing every prefix afresh, on text that loops
// from its middle on. A fast wrong answer fails: the values must agree at every grid point.
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "replay/curve.h"
#include "replay/signals/registry.h"
#include "tests/replay/from_scratch.h"
#include "tests/replay/sample_texts.h"

namespace {

constexpr std::int64_t kGridTokens = 250;
constexpr std::size_t kMostBytesForBruteForce = 20000;

template <class Action>
double milliseconds(Action&& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

bool compare(const std::string& signal, const lil::replay::Stream& stream) {
  std::vector<std::int64_t> one_pass;
  std::vector<std::int64_t> afresh;
  const auto measured = lil::replay::make_signal(signal);
  const double one_pass_ms =
      milliseconds([&] { one_pass = lil::replay::compute_curve(*measured, stream, kGridTokens).values; });
  const double afresh_ms =
      milliseconds([&] { afresh = lil::tests::curve_from_scratch(signal, stream, kGridTokens); });
  const bool agree = one_pass == afresh;
  fmt::print(
      "{:<14} {:>8} bytes {:>5} points  one pass {:>9.1f} ms ({:>7.3f} ms a point)  afresh {:>10.1f} ms  "
      "x{:<7.1f} {}\n",
      signal, stream.bytes.size(), one_pass.size(), one_pass_ms,
      one_pass_ms / static_cast<double>(one_pass.size()), afresh_ms, afresh_ms / one_pass_ms,
      agree ? "equal" : "NOT EQUAL");
  return agree;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t bytes = 1000 * (argc > 1 ? std::stoul(argv[1]) : 200);
  const auto stream = lil::tests::cut_into_tokens(lil::tests::looping_prose(bytes, 1), 0, 1);
  const auto short_stream = lil::tests::cut_into_tokens(
      lil::tests::looping_prose(std::min(bytes, kMostBytesForBruteForce), 1), 0, 1);
  bool agree = true;
  for (const std::string signal :
       {"zlib(level=1)", "zlib(level=6)", "zlib(level=9)", "gzip(level=6)", "lz4"}) {
    agree = compare(signal, stream) && agree;
  }
  agree = compare("lz77", short_stream) && agree;
  const auto lz77 = lil::replay::make_signal("lz77");
  const double ms =
      milliseconds([&] { static_cast<void>(lil::replay::compute_curve(*lz77, stream, kGridTokens)); });
  fmt::print("{:<14} {:>8} bytes, one pass alone {:>9.1f} ms\n", "lz77", stream.bytes.size(), ms);
  return agree ? 0 : 1;
}
