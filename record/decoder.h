#pragma once

#include <cstdint>
#include <span>

#include "schemas/ids.h"

namespace lil::record {

/// What attention needs of one layer: in the device's memory, of the model's type, valid until the next call.
struct Projections {
  void* queries = nullptr;       ///< (rows, heads, head_dim), not rotated; may be rotated in place
  const void* keys = nullptr;    ///< (rows, kv_heads, head_dim), not rotated
  const void* values = nullptr;  ///< (rows, kv_heads, head_dim)
};

/// A decoder's layers without their attention: everything that treats each row (one token of one sequence)
/// alone. A row's bits depend on its token and on what attention wrote for it: neither on the other rows nor
/// on their number. Calls come in the order embed, then project and finish_layer for each layer from 0 on,
/// then logits. Holds the activations of the rows in hand; used by one thread at a time.
class Decoder {
 public:
  virtual ~Decoder() = default;

  /// Begins with these tokens as rows, any number from 1 on. Throws Error(kInput) for an id outside the
  /// model's vocabulary.
  virtual void embed(std::span<const schemas::TokenId> ids) = 0;
  /// Normalises the rows and projects them to queries, keys and values.
  virtual Projections project(std::int64_t layer) = 0;
  /// Where attention's result belongs: (rows, heads, head_dim) in the device's memory, of the model's type.
  [[nodiscard]] virtual void* mixed() = 0;
  /// Output projection of mixed() and the MLP, each added to the rows.
  virtual void finish_layer(std::int64_t layer) = 0;
  /// Logits of `rows` rows from `first_row` on: (rows, vocabulary) in the host's memory, valid until the
  /// next call.
  [[nodiscard]] virtual std::span<const float> logits(std::int64_t first_row, std::int64_t rows) = 0;
};

}  // namespace lil::record
