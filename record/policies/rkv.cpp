#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "record/query_window.h"

namespace lil::record {
namespace {

struct RkvOptions {
  std::int64_t window = 0;
  std::int64_t pool = 0;
  double attention_share = 0;  ///< lambda
  float similar = 0;           ///< cosine above which keys say the same
};

/// Keys of unit length, by channel: (head_dim, entries).
std::vector<float> unit_keys_by_channel(const QueryWindowView& view) {
  const auto entries = static_cast<std::size_t>(view.entries);
  const auto head_dim = static_cast<std::size_t>(view.head_dim);
  std::vector<float> turned(view.keys.size());
  for (std::size_t j = 0; j < entries; ++j) {
    const auto key = view.keys.subspan(j * head_dim, head_dim);
    double squares = 0;
    for (const float channel : key) squares += static_cast<double>(channel) * channel;
    const double length = std::max(std::sqrt(squares), 1e-8);
    for (std::size_t c = 0; c < head_dim; ++c) {
      turned[c * entries + j] = static_cast<float>(static_cast<double>(key[c]) / length);
    }
  }
  return turned;
}

/// For each of the older entries: the sum of its cosines with later ones, of those above `similar`, over the
/// number of entries; of these means the softmax over all entries.
std::vector<double> redundancy(const QueryWindowView& view, float similar) {
  const auto entries = static_cast<std::size_t>(view.entries);
  const auto head_dim = static_cast<std::size_t>(view.head_dim);
  const std::vector<float> keys = unit_keys_by_channel(view);
  std::vector<double> shares(entries);
  std::vector<float> cosines(entries);
  double total = 0;
  for (std::size_t j = 0; j < entries; ++j) {
    std::fill(cosines.begin(), cosines.end(), 0.0F);
    for (std::size_t c = 0; c < head_dim; ++c) {
      const float* channel = keys.data() + c * entries;
      for (std::size_t i = j + 1; i < entries; ++i) cosines[i] += channel[j] * channel[i];
    }
    double sum = 0;
    for (std::size_t i = j + 1; i < entries; ++i) sum += cosines[i] > similar ? cosines[i] : 0.0F;
    total += shares[j] = std::exp(sum / static_cast<double>(entries));
  }
  shares.resize(static_cast<std::size_t>(view.older));
  for (double& share : shares) share /= total;
  return shares;
}

class RkvState final : public QueryWindowSets {
 public:
  RkvState(const PolicyContext& context, const TokenSetOptions& sets, const RkvOptions& options)
      : QueryWindowSets(context, sets, options.window, true), rkv_(options) {}

 protected:
  void score(const QueryWindowView& view, std::span<float> scores) const override {
    const std::vector<double> attention = pooled_attention(view, rkv_.pool);
    const std::vector<double> repeated = redundancy(view, rkv_.similar);
    for (std::size_t j = 0; j < scores.size(); ++j) {
      scores[j] =
          static_cast<float>(rkv_.attention_share * attention[j] - (1 - rkv_.attention_share) * repeated[j]);
    }
  }

 private:
  RkvOptions rkv_;
};

/// What the latest queries attend to and later keys do not repeat [Cai 2025, R-KV]: lambda * attention -
/// (1 - lambda) * redundancy, with attention as SnapKV's in decoding; lambda as in its public code (its text
/// has 0.1). The code's redundancy is the mean of a key's cosines with all others, from which each other key
/// takes out the latest one similar to it. Here a key is redundant for what comes after it alone, which
/// spares the latest of similar keys likewise; divided by the number of keys, as there.
class RkvPolicy final : public TokenSetPolicy {
 public:
  RkvPolicy(const TokenSetOptions& sets, std::int64_t skip_layers, const RkvOptions& options)
      : TokenSetPolicy(sets, skip_layers), rkv_(options) {}

  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    return std::make_unique<RkvState>(context, options(), rkv_);
  }

 private:
  RkvOptions rkv_;
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_rkv_policy(const schemas::Arguments& arguments) {
  RkvOptions options;
  options.window = arguments.integer("window");
  options.pool = arguments.integer("pool");
  options.attention_share = arguments.real("lambda");
  options.similar = static_cast<float>(arguments.real("similar"));
  return std::make_unique<RkvPolicy>(query_window_options(arguments), arguments.integer("skip_layers"),
                                     options);
}

}  // namespace lil::record
