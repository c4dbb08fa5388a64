#include "record/tokenizer/piece_table.h"

#include <limits>
#include <utility>

#include "schemas/error.h"

namespace lil::record {

bool PieceTable::insert(std::string_view piece, schemas::TokenId id) {
  const std::uint64_t hash = hash_piece(piece);
  if (find(piece, hash)) return false;
  if (bytes_.size() + piece.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ErrorCode::kInput, "the tokens of a vocabulary have more than 4 GiB in all");
  }
  if (2 * (count_ + 1) > slots_.size()) grow();
  place(
      {tag_of(hash), static_cast<std::uint32_t>(piece.size()), static_cast<std::uint32_t>(bytes_.size()), id},
      hash);
  bytes_ += piece;
  ++count_;
  return true;
}

void PieceTable::place(const Slot& slot, std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].id >= 0) at = (at + 1) & mask;
  slots_[at] = slot;
}

void PieceTable::grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
  for (const Slot& slot : old) {
    if (slot.id >= 0) place(slot, hash_piece(std::string_view(bytes_).substr(slot.offset, slot.length)));
  }
}

}  // namespace lil::record
