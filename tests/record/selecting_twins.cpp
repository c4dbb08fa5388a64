#include "tests/record/selecting_twins.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace lil::tests {
namespace {

using Vector = SlowLlama::Vector;

/// A number to order by, then a place: the latter decides between equals.
using Ranked = std::pair<double, std::int64_t>;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

AttentionView at_their_positions(std::vector<std::int64_t> tokens, std::int64_t now) {
  return {tokens, tokens, now};
}

/// The greatest `count`, by place. What turning a key to and fro leaves of a tie is one.
std::vector<std::int64_t> best(std::vector<Ranked> all, std::int64_t count) {
  for (auto& [score, place] : all) score = std::round(score * 1e10) / 1e10;
  std::sort(all.rbegin(), all.rend());
  all.resize(std::min(all.size(), index(count)));
  std::vector<std::int64_t> places;
  for (const auto& [score, place] : all) places.push_back(place);
  std::sort(places.begin(), places.end());
  return places;
}

class QuestTwin final : public SelectingTwin {
 public:
  QuestTwin(const Form& form, const SlowLlama& llama, std::int64_t prompt_tokens)
      : SelectingTwin(llama, prompt_tokens),
        budget_(form.number("budget")),
        page_(form.number("page")),
        gqa_(form.arguments.text("gqa")) {}

  std::vector<AttentionView> choose(std::int64_t layer) override {
    std::vector<AttentionView> views;
    for (std::int64_t head = 0; head < llama_.heads(); ++head) views.push_back(view(layer, head));
    return views;
  }

 private:
  AttentionView view(std::int64_t layer, std::int64_t head) const {
    if (now() + 1 <= budget_) return dense_view(now());
    const std::int64_t last = now() / page_;
    std::vector<Ranked> others;
    for (std::int64_t page = 0; page < last; ++page) {
      const std::int64_t first = page * page_;
      const double score = gqa_ == "per_query_head"
                               ? bound(layer, head, first, first + page_)
                               : joined_bound(gqa_, layer, head / llama_.group(), first, first + page_);
      others.emplace_back(score, page);
    }
    std::vector<std::int64_t> pages = best(others, budget_ / page_ - 1);
    pages.push_back(last);
    std::vector<std::int64_t> tokens;
    for (const std::int64_t page : pages) {
      for (std::int64_t t = page * page_; t < std::min((page + 1) * page_, now() + 1); ++t)
        tokens.push_back(t);
    }
    return at_their_positions(tokens, now());
  }

  std::int64_t budget_;
  std::int64_t page_;
  std::string gqa_;
};

class RaasTwin final : public SelectingTwin {
 public:
  RaasTwin(const Form& form, const SlowLlama& llama, std::int64_t prompt_tokens)
      : SelectingTwin(llama, prompt_tokens), form_(form), page_(form.number("page")) {
    sets_.resize(index(llama.layers() * llama.kv_heads()));
    for (auto& stamps : sets_) {
      for (std::int64_t page = 0; page * page_ < prompt_tokens; ++page) stamps[page] = 0;
    }
  }

  std::vector<AttentionView> choose(std::int64_t layer) override {
    std::vector<AttentionView> views;
    for (std::int64_t kv_head = 0; kv_head < llama_.kv_heads(); ++kv_head) {
      Stamps& stamps = sets_[index(layer * llama_.kv_heads() + kv_head)];
      while (entries(stamps) + 1 > form_.number("budget") && drop(stamps)) {
      }
      stamps[now() / page_] = now();
      touch(layer, kv_head, stamps);
      std::vector<std::int64_t> tokens;
      for (const auto& [page, stamp] : stamps) {
        for (std::int64_t t = page * page_; t < std::min((page + 1) * page_, now() + 1); ++t) {
          tokens.push_back(t);
        }
      }
      for (std::int64_t i = 0; i < llama_.group(); ++i) views.push_back(at_their_positions(tokens, now()));
    }
    return views;
  }

 private:
  using Stamps = std::map<std::int64_t, std::int64_t>;  ///< by page

  /// Before the current token.
  std::int64_t entries(const Stamps& stamps) const {
    std::int64_t sum = 0;
    for (const auto& [page, stamp] : stamps) sum += std::min(page_, now() - page * page_);
    return sum;
  }

  bool drop(Stamps& stamps) const {
    auto oldest = stamps.end();
    for (auto own = stamps.begin(); own != stamps.end(); ++own) {
      const bool pinned = form_.is("pin_prompt", "on") && own->first * page_ < prompt_tokens_;
      if (pinned || own->first == now() / page_) continue;
      if (oldest == stamps.end() || own->second < oldest->second) oldest = own;
    }
    if (oldest == stamps.end()) return false;
    stamps.erase(oldest);
    return true;
  }

  void touch(std::int64_t layer, std::int64_t kv_head, Stamps& stamps) const {
    std::vector<Ranked> scores;
    for (const auto& [page, stamp] : stamps) {
      scores.emplace_back(joined_bound(form_.arguments.text("gqa"), layer, kv_head, page * page_,
                                       std::min((page + 1) * page_, now() + 1)),
                          page);
    }
    std::vector<std::int64_t> touched;
    if (form_.is("touch", "half")) {
      touched = best(scores, (static_cast<std::int64_t>(scores.size()) + 1) / 2);
    } else {
      const double root = std::sqrt(static_cast<double>(llama_.key(layer, 0, 0).size()));
      double sum = 0;
      for (const auto& [score, page] : scores) sum += std::exp(score / root);
      for (const auto& [score, page] : scores) {
        if (std::exp(score / root) / sum > form_.arguments.real("alpha")) touched.push_back(page);
      }
    }
    for (const std::int64_t page : touched) stamps[page] = now();
  }

  const Form& form_;
  std::int64_t page_;
  std::vector<Stamps> sets_;  ///< (layers, kv_heads)
};

/// As tokens stream by, the prompt's too.
class InfllmTwin final : public SelectingTwin {
 public:
  InfllmTwin(const Form& form, const SlowLlama& llama, std::int64_t prompt_tokens)
      : SelectingTwin(llama, prompt_tokens),
        form_(form),
        local_(form.number("n_local")),
        layers_(index(llama.layers())) {}

  std::vector<AttentionView> choose(std::int64_t layer) override {
    const Context& context = layers_[index(layer)];
    std::vector<std::int64_t> far = context.init;
    for (const std::int64_t block : best_blocks(layer)) {
      const auto& tokens = context.blocks[index(block)].tokens;
      far.insert(far.end(), tokens.begin(), tokens.end());
    }
    AttentionView view;
    view.query_position = local_ - 1;
    // Without blocks, only what is about to become one of the first tokens is still there.
    const bool filling = static_cast<std::int64_t>(context.init.size()) < form_.number("n_init");
    for (const std::int64_t token : context.remainder) {
      if (token <= now() - local_ && (filling || form_.number("block") > 0)) far.push_back(token);
    }
    view.tokens = far;
    view.key_positions.assign(far.size(), 0);
    for (std::int64_t token = std::max<std::int64_t>(0, now() + 1 - local_); token <= now(); ++token) {
      view.tokens.push_back(token);
      view.key_positions.push_back(local_ - 1 - (now() - token));
    }
    return std::vector<AttentionView>(index(llama_.heads()), view);
  }

  void see(std::int64_t layer, const std::vector<AttentionView>& views,
           const std::vector<Vector>& weights) override {
    Context& context = layers_[index(layer)];
    context.remainder.push_back(now());
    context.scores.resize(index(llama_.heads()));
    for (std::size_t head = 0; head < views.size(); ++head) {
      for (std::size_t j = 0; j < weights[head].size(); ++j) {
        const std::int64_t token = views[head].tokens[j];
        if (token > now() - local_) context.scores[head][token] += weights[head][j];
      }
    }
    const auto over = [&] { return static_cast<std::int64_t>(context.remainder.size()) - local_; };
    while (over() > 0 && static_cast<std::int64_t>(context.init.size()) < form_.number("n_init")) {
      context.init.push_back(context.remainder.front());
      context.remainder.pop_front();
    }
    const std::int64_t block = form_.number("block");
    while (block == 0 ? over() > 0 : over() >= block) {
      const auto end = context.remainder.begin() + std::max<std::int64_t>(block, 1);
      if (block > 0) add_block(layer, {context.remainder.begin(), end});
      context.remainder.erase(context.remainder.begin(), end);
    }
  }

 private:
  struct Block {
    std::vector<std::int64_t> tokens;
    std::vector<Vector> means;  ///< by query head
  };
  struct Context {
    std::vector<std::int64_t> init;
    std::vector<Block> blocks;
    std::deque<std::int64_t> remainder;                  ///< and window
    std::vector<std::map<std::int64_t, double>> scores;  ///< by query head and token
  };

  /// Turned for RoPE as by so many more positions.
  static Vector turned(const Vector& x, std::int64_t by) {
    Vector y(x.size());
    const std::size_t half = x.size() / 2;
    for (std::size_t i = 0; i < half; ++i) {
      const double power = static_cast<double>(i) / static_cast<double>(half);
      const double angle = static_cast<double>(by) * std::pow(100.0, -power);  // the small model's rope_theta
      y[i] = x[i] * std::cos(angle) - x[i + half] * std::sin(angle);
      y[i + half] = x[i + half] * std::cos(angle) + x[i] * std::sin(angle);
    }
    return y;
  }

  void add_block(std::int64_t layer, std::vector<std::int64_t> tokens) {
    Context& context = layers_[index(layer)];
    Block block;
    for (std::int64_t head = 0; head < llama_.heads(); ++head) {
      std::vector<Ranked> scores;
      for (const std::int64_t token : tokens)
        scores.emplace_back(context.scores[index(head)].at(token), token);
      const std::vector<std::int64_t> chosen = best(scores, form_.number("repr"));
      Vector mean;
      for (const std::int64_t token : chosen) {
        const Vector raw = turned(llama_.key(layer, token, head / llama_.group()), -token);
        mean.resize(raw.size());
        for (std::size_t i = 0; i < raw.size(); ++i) mean[i] += raw[i] / static_cast<double>(chosen.size());
      }
      block.means.push_back(mean);
    }
    block.tokens = std::move(tokens);
    context.blocks.push_back(block);
  }

  std::vector<std::int64_t> best_blocks(std::int64_t layer) const {
    const Context& context = layers_[index(layer)];
    std::vector<Ranked> scores;
    for (std::size_t block = 0; block < context.blocks.size(); ++block) {
      double score = 0;
      for (std::int64_t head = 0; head < llama_.heads(); ++head) {
        const Vector query = turned(llama_.query(layer, now(), head), local_ - 1 - now());
        const Vector& mean = context.blocks[block].means[index(head)];
        for (std::size_t i = 0; i < mean.size(); ++i) score += query[i] * mean[i];
      }
      scores.emplace_back(score, static_cast<std::int64_t>(block));
    }
    return best(scores, form_.number("topk"));
  }

  const Form& form_;
  std::int64_t local_;
  std::vector<Context> layers_;
};

}  // namespace

double SelectingTwin::bound(std::int64_t layer, std::int64_t head, std::int64_t first,
                            std::int64_t end) const {
  const Vector query = llama_.query(layer, now(), head);
  Vector most = llama_.key(layer, first, head / llama_.group());
  Vector least = most;
  for (std::int64_t token = first; token < end; ++token) {
    const Vector key = llama_.key(layer, token, head / llama_.group());
    for (std::size_t i = 0; i < key.size(); ++i) {
      most[i] = std::max(most[i], key[i]);
      least[i] = std::min(least[i], key[i]);
    }
  }
  double sum = 0;
  for (std::size_t i = 0; i < query.size(); ++i) sum += std::max(query[i] * most[i], query[i] * least[i]);
  return sum;
}

double SelectingTwin::joined_bound(const std::string& gqa, std::int64_t layer, std::int64_t kv_head,
                                   std::int64_t first, std::int64_t end) const {
  Vector bounds;
  for (std::int64_t i = 0; i < llama_.group(); ++i) {
    bounds.push_back(bound(layer, kv_head * llama_.group() + i, first, end));
  }
  if (gqa == "max") return *std::max_element(bounds.begin(), bounds.end());
  double sum = 0;
  for (const double own : bounds) sum += own;
  return gqa == "mean" ? sum / static_cast<double>(bounds.size()) : sum;
}

std::unique_ptr<SelectingTwin> make_selecting_twin(const Form& form, const SlowLlama& llama,
                                                   std::int64_t prompt_tokens) {
  if (form.row->name == "quest") return std::make_unique<QuestTwin>(form, llama, prompt_tokens);
  if (form.row->name == "raas") return std::make_unique<RaasTwin>(form, llama, prompt_tokens);
  if (form.row->name == "infllm") return std::make_unique<InfllmTwin>(form, llama, prompt_tokens);
  throw std::out_of_range("no twin of " + form.row->name);
}

}  // namespace lil::tests
