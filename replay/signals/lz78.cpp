#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "replay/signal.h"
#include "schemas/named_spec.h"

namespace lil::replay {
namespace {

/// `lz78`: the number of phrases of the incremental parse of the prefix [Ziv, Lempel 1978]: each phrase is
/// the shortest string that is not yet a phrase, so an earlier phrase (or nothing) and one byte more. A last
/// phrase that ends with the prefix while it is still an earlier one counts as one.
///
/// The phrases are the nodes of a trie, kept as a table of (node, byte) → node. O(1) a byte; 40 bytes a
/// phrase.
class Lz78Signal : public Signal {
 public:
  explicit Lz78Signal(const schemas::Arguments& arguments) : Signal(arguments.to_string(), "1") {}

  void feed(std::string_view bytes) override {
    for (const char byte : bytes) {
      const std::uint64_t key = (open_phrase_ << 8U) | static_cast<std::uint8_t>(byte);
      const auto [found, added] = children_.try_emplace(key, children_.size() + 1);
      open_phrase_ = added ? kNoPhrase : found->second;
    }
  }

  std::int64_t value() override {
    return static_cast<std::int64_t>(children_.size()) + (open_phrase_ == kNoPhrase ? 0 : 1);
  }

  void reset() override {
    children_.clear();
    open_phrase_ = kNoPhrase;
  }

 private:
  static constexpr std::uint64_t kNoPhrase = 0;

  std::unordered_map<std::uint64_t, std::uint64_t> children_;  // one entry a finished phrase
  std::uint64_t open_phrase_ = kNoPhrase;                      // the earlier phrase that it is so far
};

}  // namespace

std::unique_ptr<Signal> make_lz78(const schemas::Arguments& arguments) {
  return std::make_unique<Lz78Signal>(arguments);
}

}  // namespace lil::replay
