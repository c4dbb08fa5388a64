#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "schemas/ids.h"
#include "schemas/store.h"

namespace lil::schemas {

/// Why a probe ended.
enum class ProbeFinish {
  kClosed,  ///< the brace that its closing opened was closed
  kStop,    ///< the model ended it (end-of-sequence token)
  kLength,  ///< cut by the cap on its tokens
};

/// An answer asked for in the middle of a generation: a copy of the sequence, as it was after `token`
/// generated tokens, read `closing` and was decoded greedily. The trace itself went on without it.
struct Probe {
  std::int64_t token = 0;
  std::string closing;       ///< as `</think>\n\n\boxed{`
  std::vector<TokenId> ids;  ///< generated after the closing, an end-of-sequence token included
  std::string text;          ///< UTF-8 of the answer: of all ids, or up to the brace that closes
  ProbeFinish finish = ProbeFinish::kLength;

  bool operator==(const Probe&) const = default;
};

[[nodiscard]] const char* to_string(ProbeFinish finish);

/// A trace has one probe for each token and closing: what is there already is not written twice, and of two
/// that were cut by other caps the longer stays. Throws Error(kConflict) where it is there with other tokens,
/// naming trace, token and the first that differs.
void put_probe(Store& store, TraceKey trace, const Probe& probe);
[[nodiscard]] bool has_probes(const Store& store, const std::string& trace_uid);
/// By token, then closing. Throws Error(kCorrupt) naming the trace where an encoding fails.
[[nodiscard]] std::vector<Probe> read_probes(const Store& store, TraceKey trace);

}  // namespace lil::schemas
