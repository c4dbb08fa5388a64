#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/tokenizer/merge_table.h"
#include "record/tokenizer/model.h"
#include "record/tokenizer/piece_table.h"

namespace lil::record {

/// Buffers of merge_pairs, kept to be used again.
struct MergeBuffers {
  std::vector<Merge> merges;
  std::vector<std::uint32_t> next;
  std::vector<std::uint32_t> previous;
  std::vector<std::uint64_t> queue;
};

/// Joins neighbours in `symbols` in place, each time the leftmost pair of the lowest rank, until no pair
/// merges [Sennrich 2016]. O(n log n) for n symbols.
void merge_pairs(const MergeTable& merges, std::vector<schemas::TokenId>& symbols, MergeBuffers& buffers);

/// Byte-pair encoding of a piece.
class BytePairModel : public Model {
 public:
  /// What a piece is cut into before merging.
  enum class Symbols {
    kBytes,       ///< each byte is looked up by itself
    kCharacters,  ///< each UTF-8 character; one without a token falls back to bytes, then to unknown
  };

  struct Parts {
    std::string file;  ///< for messages
    Symbols symbols = Symbols::kBytes;
    PieceTable first;  ///< symbol to id; for kCharacters its spelling in the vocabulary
    std::array<schemas::TokenId, 256> byte_ids{};  ///< id of each byte (kBytes) or of its fallback; -1: none
    bool byte_fallback = false;                    ///< kCharacters: byte_ids hold all 256 fallback tokens
    std::optional<schemas::TokenId> unknown;
    bool fuse_unknown = false;  ///< a run of unknown characters is one token
    MergeTable merges;
    /// Whole pieces with an id of their own. Those whose merging does not end in that id must be left out,
    /// unless the format takes whole pieces before merging.
    PieceTable whole;
  };

  explicit BytePairModel(Parts parts);

  [[nodiscard]] std::unique_ptr<ModelScratch> make_scratch() const override;
  void encode(std::string_view piece, ModelScratch& scratch,
              std::vector<schemas::TokenId>& ids) const override;

  /// The ids of `piece` by merging alone; nothing where a part of it has no token.
  [[nodiscard]] std::optional<std::vector<schemas::TokenId>> merge_only(std::string_view piece,
                                                                        MergeBuffers& buffers) const;
  /// Lets `piece` be found whole from now on.
  void add_whole(std::string_view piece, schemas::TokenId id) { parts_.whole.insert(piece, id); }

 private:
  struct Cache;

  /// Appends the first symbols of `piece`; returns the offset of a part that has no token.
  [[nodiscard]] std::optional<std::size_t> cut(std::string_view piece,
                                               std::vector<schemas::TokenId>& symbols) const;
  [[nodiscard]] std::optional<std::size_t> cut_bytes(std::string_view piece,
                                                     std::vector<schemas::TokenId>& symbols) const;
  [[nodiscard]] std::optional<std::size_t> cut_characters(std::string_view piece,
                                                          std::vector<schemas::TokenId>& symbols) const;

  Parts parts_;
};

}  // namespace lil::record
