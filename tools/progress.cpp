#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "schemas/error.h"

namespace lil::tools {
namespace {

Progress::Mode mode_from(const std::string& name) {
  if (name == "auto") return isatty(STDERR_FILENO) != 0 ? Progress::Mode::kBar : Progress::Mode::kPlain;
  if (name == "bar") return Progress::Mode::kBar;
  if (name == "plain") return Progress::Mode::kPlain;
  if (name == "json") return Progress::Mode::kJson;
  if (name == "none") return Progress::Mode::kNone;
  throw Error(ErrorCode::kUsage,
              fmt::format("--progress: unknown mode '{}'; known are: auto, bar, plain, json, none", name));
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h", whole / 3600, whole / 60 % 60);
}

std::string bar(double share) {
  constexpr int kWidth = 24;
  const int full = static_cast<int>(share * kWidth);
  return fmt::format("[{}{}]", std::string(full, '#'), std::string(kWidth - full, '.'));
}

}  // namespace

Progress::Progress(const std::string& mode, std::string label)
    : mode_(mode_from(mode)), label_(std::move(label)) {}

Progress::~Progress() {
  finish();
}

double Progress::elapsed_s() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Progress::update(std::int64_t done, std::int64_t total, const std::string& note) {
  std::optional<double> left_s;
  if (done > 0) left_s = elapsed_s() * static_cast<double>(total - done) / static_cast<double>(done);
  update(done, total, note, left_s);
}

void Progress::update(std::int64_t done, std::int64_t total, const std::string& note,
                      std::optional<double> left_s) {
  if (mode_ == Mode::kNone) return;
  const std::scoped_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  const auto pause = mode_ == Mode::kBar ? std::chrono::milliseconds(100) : std::chrono::milliseconds(5000);
  const bool first = last_ == std::chrono::steady_clock::time_point{};
  // Short work off a terminal says nothing on the way: the first line waits for the first pause.
  if (first && mode_ != Mode::kBar) last_ = start_;
  if (now - last_ < pause && done != total) return;
  if (mode_ != Mode::kBar && done == total && now - start_ < pause) return;
  last_ = now;
  print(done, total, note, left_s);
}

void Progress::print(std::int64_t done, std::int64_t total, const std::string& note,
                     std::optional<double> left_s) {
  if (mode_ == Mode::kJson) {
    const double elapsed = elapsed_s();
    nlohmann::ordered_json line{
        {"what", label_}, {"done", done}, {"total", total}, {"elapsed_s", elapsed}, {"note", note}};
    if (left_s) line["left_s"] = *left_s;
    fmt::print(stderr, "{}\n", line.dump());
    return;
  }
  std::string text =
      total > 0 ? fmt::format("{} {}/{}", label_, done, total) : fmt::format("{} {}", label_, done);
  if (mode_ == Mode::kBar && total > 0)
    text += " " + bar(static_cast<double>(done) / static_cast<double>(total));
  if (!note.empty()) text += ", " + note;
  if (total > 0 && done < total && left_s) text += ", " + duration(*left_s) + " left";
  if (mode_ == Mode::kPlain) {
    fmt::print(stderr, "{}\n", text);
    return;
  }
  fmt::print(stderr, "\r\033[K{}", text);
  std::fflush(stderr);
  line_open_ = true;
}

void Progress::finish() {
  const std::scoped_lock lock(mutex_);
  if (line_open_) fmt::print(stderr, "\n");
  line_open_ = false;
}

}  // namespace lil::tools
