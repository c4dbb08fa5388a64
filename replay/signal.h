#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace lil::replay {

/// What the bytes that a signal is fed with are.
enum class SignalInput {
  kBytes,    ///< a stream of the trace (StreamKind)
  kLogprob,  ///< the log-probabilities recorded of its tokens (build_recorded_stream); no stream matters
  kEntropy,  ///< the entropies recorded of its tokens, likewise
};

/// A number per prefix of a byte stream, such as its compressed size. The one object serves replaying a
/// recording and watching a generation live.
///
/// value() is defined on the prefix alone, as if it were measured from scratch: neither the pieces in
/// which it was fed nor earlier calls of value() change it. A Signal is used by one thread at a time;
/// different ones are independent.
class Signal {
 public:
  virtual ~Signal() = default;
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  /// Canonical spelling, as `zlib(level=6)`.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Number of this code, which changes whenever values may, with the library's version at run time:
  /// `1 (zlib 1.2.13)`. Stored with every curve.
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] virtual SignalInput input() const { return SignalInput::kBytes; }

  /// Appends to the prefix; empty pieces are allowed. Throws Error(kEnvironment) where the library refuses.
  virtual void feed(std::string_view bytes) = 0;
  /// The value of what was fed since construction or reset().
  [[nodiscard]] virtual std::int64_t value() = 0;
  /// Back to the empty prefix, as a fresh object; memory is kept.
  virtual void reset() = 0;

 protected:
  Signal(std::string name, std::string version) : name_(std::move(name)), version_(std::move(version)) {}

 private:
  std::string name_;
  std::string version_;
};

}  // namespace lil::replay
