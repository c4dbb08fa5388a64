#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replay/signals/registry.h"
#include "replay/stop_rule.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

constexpr std::string_view kWhisperSignal = "zlib(level=6)";

bool exceeds(std::size_t bytes, std::int64_t compressed_bytes, double threshold) {
  return static_cast<double>(bytes) / static_cast<double>(compressed_bytes) > threshold;
}

class WholeWatcher : public StopWatcher {
 public:
  explicit WholeWatcher(double threshold) : threshold_(threshold), signal_(make_signal(kWhisperSignal)) {}

  void feed(std::string_view token_bytes) override {
    signal_->feed(token_bytes);
    bytes_ += token_bytes.size();
  }
  bool observe(std::int64_t /*token*/, std::int64_t /*value*/) override {
    return exceeds(bytes_, signal_->value(), threshold_);
  }

 private:
  double threshold_;
  std::unique_ptr<Signal> signal_;
  std::size_t bytes_ = 0;
};

class WindowWatcher : public StopWatcher {
 public:
  WindowWatcher(double threshold, std::int64_t window_tokens)
      : threshold_(threshold), window_tokens_(window_tokens), signal_(make_signal(kWhisperSignal)) {}

  void feed(std::string_view token_bytes) override {
    text_ += token_bytes;
    ends_.push_back(text_.size());
  }
  bool observe(std::int64_t token, std::int64_t /*value*/) override {
    const std::size_t start =
        token > window_tokens_ ? ends_[static_cast<std::size_t>(token - window_tokens_ - 1)] : 0;
    const std::string_view window = std::string_view(text_).substr(start);
    signal_->reset();
    signal_->feed(window);
    return exceeds(window.size(), signal_->value(), threshold_);
  }

 private:
  double threshold_;
  std::int64_t window_tokens_;
  std::unique_ptr<Signal> signal_;
  std::string text_;
  std::vector<std::size_t> ends_;
};

/// `ratio(f=250,t=2.4,window=0)` [Radford et al. 2022, Robust Speech Recognition via Large-Scale Weak
/// Supervision; `compression_ratio` of their code]. At k = f, 2f, …: stops at the first k where
/// len(text) / len(zlib.compress(text)) > t, with text the bytes of the first k generated tokens or, with a
/// window, of the last `window` of them alone, of all where there are fewer. Equality does not stop. No text
/// has the ratio 0. The compressor is part of the rule, zlib at level 6, so it reads no curve.
///
/// Whisper takes the text of one decoded segment, without spaces at either end and with U+FFFD in the place
/// of a character cut in two. Here nothing is taken away and a character cut in two keeps its bytes.
class RatioRule : public StopRule {
 public:
  explicit RatioRule(const schemas::Arguments& arguments)
      : StopRule(arguments.to_brief_string()),
        every_tokens_(arguments.integer("f")),
        threshold_(arguments.real("t")),
        window_tokens_(arguments.integer("window")) {}

  [[nodiscard]] LookSchedule schedule() const override {
    return {.every_tokens = every_tokens_, .first_token = every_tokens_, .reads_stream = StreamKind::kText};
  }
  [[nodiscard]] std::unique_ptr<StopWatcher> watch() const override {
    if (window_tokens_ == 0) return std::make_unique<WholeWatcher>(threshold_);
    return std::make_unique<WindowWatcher>(threshold_, window_tokens_);
  }

 private:
  std::int64_t every_tokens_;
  double threshold_;
  std::int64_t window_tokens_;
};

}  // namespace

std::unique_ptr<StopRule> make_ratio(const schemas::Arguments& arguments) {
  return std::make_unique<RatioRule>(arguments);
}

}  // namespace lil::replay
