#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace lil::tools {

/// How far a command has come, on stderr: a bar on a terminal, elsewhere a line every few seconds.
/// update() may be called from several threads.
class Progress {
 public:
  enum class Mode { kBar, kPlain, kJson, kNone };

  /// `mode` is auto, bar, plain, json or none; `label` names what is done. Throws Error(kUsage).
  Progress(const std::string& mode, std::string label);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of `total` steps (0: not known); `note` is what else is worth saying, as `1,200 tokens/s`. The
  /// time left is said as if all steps were alike and none was done before the start.
  void update(std::int64_t done, std::int64_t total, const std::string& note = "");
  /// The same with a better estimate of the time left, or without any where there is none.
  void update(std::int64_t done, std::int64_t total, const std::string& note, std::optional<double> left_s);
  /// Ends the bar's line, so that other text can follow.
  void finish();
  [[nodiscard]] double elapsed_s() const;

 private:
  void print(std::int64_t done, std::int64_t total, const std::string& note, std::optional<double> left_s);

  Mode mode_;
  std::string label_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_{};
  bool line_open_ = false;
};

}  // namespace lil::tools
