#include "tests/record/policy_twin.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "record/random.h"

namespace lil::tests {
namespace {

using Scores = std::map<std::int64_t, double>;

double dot(const SlowLlama::Vector& a, const SlowLlama::Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

void make_softmax(Scores& values) {
  double sum = 0;
  for (auto& [token, value] : values) sum += value = std::exp(value);
  for (auto& [token, value] : values) value /= sum;
}

}  // namespace

PolicyTwin::PolicyTwin(const Form& form, const SlowLlama& llama, std::int64_t prompt_tokens)
    : form_(form),
      llama_(llama),
      name_(form.row->name),
      prompt_tokens_(prompt_tokens),
      pinned_(form.is("pin_prompt", "on") ? prompt_tokens : 0),
      recent_(std::max<std::int64_t>({form.number("recent"), form.number("window"), 1})),
      sets_(static_cast<std::size_t>(llama.layers() * llama.kv_heads())) {}

PolicyTwin::Set& PolicyTwin::set(std::int64_t layer, std::int64_t kv_head) {
  return sets_[static_cast<std::size_t>(layer * llama_.kv_heads() + kv_head)];
}

const PolicyTwin::Set& PolicyTwin::set(std::int64_t layer, std::int64_t kv_head) const {
  return sets_[static_cast<std::size_t>(layer * llama_.kv_heads() + kv_head)];
}

std::vector<std::int32_t> PolicyTwin::kept(std::int64_t layer, std::int64_t kv_head) const {
  const auto& kept = set(layer, kv_head).kept;
  return {kept.begin(), kept.end()};
}

// --- Scores that follow each token.

/// The weight of the entry at a place, from all heads that count together.
double PolicyTwin::joined(const std::vector<SlowLlama::Vector>& weights, std::int64_t kv_head,
                          std::size_t place) const {
  const bool whole_layer = name_ == "tova";
  const std::int64_t heads = whole_layer ? llama_.heads() : llama_.group();
  const std::int64_t first = whole_layer ? 0 : kv_head * heads;
  double sum = 0;
  double most = 0;
  for (std::int64_t head = first; head < first + heads; ++head) {
    const double weight = weights[static_cast<std::size_t>(head)][place];
    sum += weight;
    most = std::max(most, weight);
  }
  if (whole_layer || form_.is("gqa", "mean")) return sum / static_cast<double>(heads);
  return form_.is("gqa", "max") ? most : sum;
}

void PolicyTwin::add_weights(std::int64_t layer, const std::vector<SlowLlama::Vector>& weights) {
  for (std::int64_t head = 0; head < llama_.kv_heads(); ++head) {
    Set& own = set(layer, head);
    for (std::size_t place = 0; place < own.kept.size(); ++place) {
      double& score = own.scores[own.kept[place]];
      score = (name_ == "tova" ? 0 : score) + joined(weights, head, place);
    }
  }
}

void PolicyTwin::see_prompt(std::int64_t layer, const std::vector<SlowLlama::Vector>& weights) {
  for (std::int64_t head = 0; head < llama_.kv_heads(); ++head)
    set(layer, head).kept.push_back(llama_.tokens() - 1);
  add_weights(layer, weights);
  if (!form_.is("score_init", "zero")) return;
  for (std::int64_t head = 0; head < llama_.kv_heads(); ++head) {
    for (auto& [token, score] : set(layer, head).scores) score = 0;
  }
}

// --- What goes.

/// So many more than `most` are held before a drop. A prompt is cut at once, or after a dense first step.
std::int64_t PolicyTwin::pause(std::int64_t most, bool cuts_prompt) const {
  return cuts_prompt && prompt_tokens_ > most ? 0 : form_.number("every", 1) - 1;
}

void PolicyTwin::make_room(std::int64_t layer) {
  const std::int64_t current = llama_.tokens() - 1;
  const bool first = current == prompt_tokens_;
  const bool dense = form_.is("first_step", "dense");
  const bool after = form_.is("evict", "after");
  const std::int64_t most = std::max(form_.number("budget") - (after ? 0 : 1), pinned_);
  const std::int64_t more = pause(most, current == prompt_tokens_ + (dense ? 1 : 0));
  // What belongs after the attention of the token before has happened in see(), but for the prompt's.
  const bool may_drop = (!dense && first) || (!after && !first);
  for (std::int64_t head = 0; head < llama_.kv_heads(); ++head) {
    const auto held = static_cast<std::int64_t>(set(layer, head).kept.size());
    if (may_drop && held > most + more) drop(layer, head, after ? current - 1 : current, most);
    set(layer, head).kept.push_back(current);
  }
}

void PolicyTwin::see(std::int64_t layer, const std::vector<SlowLlama::Vector>& weights) {
  add_weights(layer, weights);
  if (!form_.is("evict", "after")) return;
  const std::int64_t most = std::max(form_.number("budget"), pinned_);
  const bool dense_first = form_.is("first_step", "dense") && llama_.tokens() - 1 == prompt_tokens_;
  for (std::int64_t head = 0; head < llama_.kv_heads(); ++head) {
    const auto held = static_cast<std::int64_t>(set(layer, head).kept.size());
    if (held > most + pause(most, dense_first)) drop(layer, head, llama_.tokens() - 1, most);
  }
}

/// Drops one after the other until `most` are left; the latest ones are counted from `newest` back.
void PolicyTwin::drop(std::int64_t layer, std::int64_t kv_head, std::int64_t newest, std::int64_t most) {
  Set& own = set(layer, kv_head);
  score_for_drop(layer, kv_head, newest);
  while (static_cast<std::int64_t>(own.kept.size()) > most) {
    auto worst = own.kept.end();
    for (auto it = own.kept.begin(); it != own.kept.end(); ++it) {
      if (!may_go(*it, newest)) continue;
      if (worst == own.kept.end() || own.decided[*it] < own.decided[*worst]) worst = it;
    }
    if (worst ==
        own.kept.end()) {        // all are among the latest, sinks or pinned: the oldest of the latest goes,
      worst = own.kept.begin();  // or else the last of the sinks
      const std::int64_t fixed = std::max(pinned_, form_.number("sinks"));
      while (worst != own.kept.end() && *worst < fixed) ++worst;
      if (worst == own.kept.end()) --worst;
    }
    own.kept.erase(worst);
  }
}

bool PolicyTwin::may_go(std::int64_t token, std::int64_t newest) const {
  return token >= std::max(pinned_, form_.number("sinks")) && token <= newest - recent_;
}

void PolicyTwin::score_for_drop(std::int64_t layer, std::int64_t kv_head, std::int64_t newest) {
  Set& own = set(layer, kv_head);
  own.decided.clear();
  if (name_ == "random") {
    own.decided = draws(layer, kv_head);
  } else if (name_ == "snapkv" || name_ == "rkv") {
    own.decided = window_scores(layer, kv_head, newest);
  } else if (name_ != "sink") {
    own.decided = own.scores;
  }
}

/// One number for each place, that depends on the token which gets the room.
std::map<std::int64_t, double> PolicyTwin::draws(std::int64_t layer, std::int64_t kv_head) const {
  const auto& kept = set(layer, kv_head).kept;
  const bool after = form_.is("evict", "after") && kept.back() == llama_.tokens() - 1;
  const std::int64_t position = llama_.tokens() - 1 + (after ? 1 : 0);
  Scores scores;
  for (std::size_t place = 0; place < kept.size(); ++place) {
    const auto words =
        record::philox4x32({static_cast<std::uint32_t>(place / 4), static_cast<std::uint32_t>(position),
                            static_cast<std::uint32_t>(layer), static_cast<std::uint32_t>(kv_head)},
                           {static_cast<std::uint32_t>(form_.number("seed")), 0});
    scores[kept[place]] = std::floor(words[place % 4] / 256.0) / 16777216.0;
  }
  return scores;
}

// --- What the latest queries say, once in many steps.

std::map<std::int64_t, double> PolicyTwin::window_scores(std::int64_t layer, std::int64_t kv_head,
                                                         std::int64_t newest) const {
  std::vector<std::int64_t> older;
  for (const std::int64_t token : set(layer, kv_head).kept) {
    if (token <= newest - recent_) older.push_back(token);
  }
  Scores scores = pooled(layer, kv_head, older);
  if (name_ == "snapkv") return scores;
  const double share = form_.arguments.real("lambda");
  const Scores repeated = redundancy(layer, kv_head);
  for (auto& [token, score] : scores) score = share * score - (1 - share) * repeated.at(token);
  return scores;
}

/// By the latest queries that there are: while make_room runs, the current one is not yet known.
std::map<std::int64_t, double> PolicyTwin::pooled(std::int64_t layer, std::int64_t kv_head,
                                                  const std::vector<std::int64_t>& older) const {
  const std::int64_t last = set(layer, kv_head).kept.back();
  const std::int64_t window = std::min(form_.number("window"), last + 1);
  Scores mean;
  for (std::int64_t token = last - window + 1; token <= last; ++token) {
    Scores weights;
    for (const std::int64_t key : older) {
      double most = -std::numeric_limits<double>::infinity();
      for (std::int64_t head = kv_head * llama_.group(); head < (kv_head + 1) * llama_.group(); ++head) {
        const auto query = llama_.query(layer, token, head);
        most = std::max(
            most, dot(query, llama_.key(layer, key, kv_head)) / std::sqrt(static_cast<double>(query.size())));
      }
      weights[key] = most;
    }
    make_softmax(weights);
    for (const auto& [key, weight] : weights) mean[key] += weight / static_cast<double>(window);
  }
  Scores greatest;
  const auto half = static_cast<std::ptrdiff_t>(form_.number("pool") / 2);
  const auto count = static_cast<std::ptrdiff_t>(older.size());
  for (std::ptrdiff_t j = 0; j < count; ++j) {
    for (std::ptrdiff_t i = std::max<std::ptrdiff_t>(j - half, 0); i <= std::min(j + half, count - 1); ++i) {
      double& score = greatest[older[static_cast<std::size_t>(j)]];
      score = std::max(score, mean[older[static_cast<std::size_t>(i)]]);
    }
  }
  return greatest;
}

std::map<std::int64_t, double> PolicyTwin::redundancy(std::int64_t layer, std::int64_t kv_head) const {
  const auto& kept = set(layer, kv_head).kept;
  Scores shares;
  for (std::size_t j = 0; j < kept.size(); ++j) {
    const auto key = llama_.key(layer, kept[j], kv_head);
    double sum = 0;
    for (std::size_t i = j + 1; i < kept.size(); ++i) {
      const auto later = llama_.key(layer, kept[i], kv_head);
      const double cosine = dot(key, later) / std::sqrt(dot(key, key) * dot(later, later));
      if (cosine > form_.arguments.real("similar")) sum += cosine;
    }
    shares[kept[j]] = sum / static_cast<double>(kept.size());
  }
  make_softmax(shares);
  return shares;
}

// --- Rounding.

double PolicyTwin::adopt(std::int64_t layer, std::int64_t kv_head, const std::vector<std::int32_t>& other) {
  Set& own = set(layer, kv_head);
  const std::vector<std::int64_t> theirs(other.begin(), other.end());
  std::vector<std::int64_t> only_own;
  std::vector<std::int64_t> only_theirs;
  std::set_difference(own.kept.begin(), own.kept.end(), theirs.begin(), theirs.end(),
                      std::back_inserter(only_own));
  std::set_difference(theirs.begin(), theirs.end(), own.kept.begin(), own.kept.end(),
                      std::back_inserter(only_theirs));
  double apart = 0;
  for (const std::vector<std::int64_t>* side : {&only_own, &only_theirs}) {
    for (const std::int64_t token : *side) {
      for (const std::int64_t against : side == &only_own ? only_theirs : only_own) {
        const bool compared = own.decided.contains(token) && own.decided.contains(against);
        apart = std::max(apart, compared ? std::abs(own.decided[token] - own.decided[against])
                                         : std::numeric_limits<double>::infinity());
      }
    }
  }
  if (only_own.size() != only_theirs.size()) apart = std::numeric_limits<double>::infinity();
  own.kept = theirs;
  return apart;
}

}  // namespace lil::tests
