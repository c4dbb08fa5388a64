// deflate_bench [FILE…]: what a check of deflate's size costs beside one plain pass of zlib over the text.
//
// Each FILE holds traces, one a line or separated by NUL bytes; without any, the text is made up. For every
// level and grid: one compress2() over each trace, the copying way (deflateCopy at each check), the sizer. A
// fast wrong answer fails: both ways must agree at every check, and with zlib at the end of every trace.
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "replay/signals/deflate.h"
#include "replay/signals/registry.h"
#include "tests/replay/from_scratch.h"
#include "tests/replay/sample_texts.h"

namespace {

using lil::replay::Signal;

constexpr std::size_t kBytesPerToken = 3;  // of real traces: 2.8 to 3.4
constexpr int kRepeats = 5;
constexpr int kRepeatsOfTheSlow = 1;

/// Time of this thread, so that others on the machine disturb less; the least of some repeats.
template <class Action>
double microseconds(int repeats, Action&& action) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
  };
  double least = std::numeric_limits<double>::max();
  for (; repeats > 0; --repeats) {
    const double start = now();
    action();
    least = std::min(least, now() - start);
  }
  return least;
}

std::vector<std::int64_t> values_on_grid(Signal& signal, const std::vector<std::string>& traces,
                                         std::size_t bytes_a_check) {
  std::vector<std::int64_t> values;
  for (const std::string& trace : traces) {
    signal.reset();
    for (std::size_t at = 0; at < trace.size(); at += bytes_a_check) {
      signal.feed(std::string_view(trace).substr(at, bytes_a_check));
      values.push_back(signal.value());
    }
  }
  return values;
}

bool compare(const std::string& title, const std::vector<std::string>& traces, int level) {
  const auto arguments = lil::schemas::resolve_row("signal", lil::replay::signal_rows(),
                                                   "zlib(level=" + std::to_string(level) + ")")
                             .second;
  const auto sized = make_deflate(arguments, lil::replay::DeflateWrapper::kZlib);
  const auto copying = make_copying_deflate(arguments, lil::replay::DeflateWrapper::kZlib);
  std::size_t bytes = 0;
  for (const std::string& trace : traces) bytes += trace.size();
  std::int64_t plain_bytes = 0;
  const double plain = microseconds(kRepeats, [&] {
    plain_bytes = 0;
    for (const std::string& trace : traces) plain_bytes += lil::tests::zlib_from_scratch(trace, level);
  });
  fmt::print("{} level {}: {} traces, {} bytes to {}, a plain pass {:.1f} ms, {:.1f} ns a byte{}\n", title,
             level, traces.size(), bytes, plain_bytes, plain / 1e3, 1e3 * plain / static_cast<double>(bytes),
             lil::replay::deflate_is_sized(level) ? "" : ", NOT SIZED with this zlib");
  bool agree = true;
  for (const std::size_t grid_tokens : {250U, 50U, 10U}) {
    std::vector<std::int64_t> ours;
    std::vector<std::int64_t> theirs;
    const std::size_t step = grid_tokens * kBytesPerToken;
    const double sizing = microseconds(kRepeats, [&] { ours = values_on_grid(*sized, traces, step); });
    const double copies =
        microseconds(kRepeatsOfTheSlow, [&] { theirs = values_on_grid(*copying, traces, step); });
    const auto checks = static_cast<double>(ours.size());
    agree = agree && ours == theirs;
    fmt::print(
        "  g={:<4} {:>7} checks | sizer {:>8.1f} ms = {:>5.2f} passes, {:>6.2f} us a check | copying "
        "{:>9.1f} "
        "ms, {:>6.2f} us a check, x{:<5.1f}| {}\n",
        grid_tokens, ours.size(), sizing / 1e3, sizing / plain, sizing / checks, copies / 1e3,
        copies / checks, copies / sizing, ours == theirs ? "equal" : "NOT EQUAL");
  }
  const std::vector<std::int64_t> last = values_on_grid(*sized, traces, bytes);
  std::int64_t sum = 0;
  for (const std::int64_t value : last) sum += value;
  return agree && sum == plain_bytes;
}

std::vector<std::string> traces_of(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string all(std::istreambuf_iterator<char>(file), {});
  const char separator = all.find('\0') == std::string::npos ? '\n' : '\0';
  std::vector<std::string> traces;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find(separator, at), all.size());
    if (end > at) traces.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return traces;
}

}  // namespace

int main(int argc, char** argv) {
  bool agree = true;
  const auto compare_levels = [&agree](const std::string& title, const std::vector<std::string>& traces) {
    for (const int level : {1, 6, 9}) agree = compare(title, traces, level) && agree;
  };
  for (int i = 1; i < argc; ++i) compare_levels(argv[i], traces_of(argv[i]));
  if (argc == 1) {
    std::vector<std::string> prose;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) prose.push_back(lil::tests::prose(15000, seed));
    compare_levels("made-up prose", prose);
    compare_levels("prose that loops", {lil::tests::looping_prose(400000, 1)});
  }
  return agree ? 0 : 1;
}
