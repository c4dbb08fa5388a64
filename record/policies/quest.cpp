#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <optional>

#include "kernels/copy_rows.h"
#include "kernels/topk.h"
#include "record/lane_numbers.h"
#include "record/page_bounds.h"
#include "record/page_tables.h"
#include "record/token_sets.h"
#include "schemas/error.h"

namespace lil::record {
namespace {

struct QuestOptions {
  std::int64_t budget = 0;
  std::int64_t page = 0;
  std::optional<kernels::GroupReduce> reduce;  ///< none: each query head has pages of its own
  std::int64_t skip_layers = 0;

  /// Chosen where not all entries fit.
  [[nodiscard]] std::int64_t pages() const { return budget / page; }
};

class QuestState final : public PolicyState {
 public:
  QuestState(const PolicyContext& context, const QuestOptions& options);

  void open(std::int64_t lane, std::int64_t prompt_tokens) override;
  void take_prompt(std::int64_t lane, const PromptLayer& prompt) override;
  void close(std::int64_t lane) override;
  void swap_lanes(std::int64_t a, std::int64_t b) override;
  void fork(std::int64_t from, std::int64_t to) override;
  void begin_step(std::span<const std::int64_t> positions) override;
  [[nodiscard]] AppendPlan plan_append(std::int64_t layer) override;
  void attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) override;
  [[nodiscard]] std::int64_t attended(std::int64_t lane) const override;
  [[nodiscard]] std::vector<std::int32_t> held(std::int64_t lane, std::int64_t layer,
                                               std::int64_t kv_head) const override;
  [[nodiscard]] std::vector<std::int32_t> seen(std::int64_t lane, std::int64_t layer,
                                               std::int64_t head) const override;

 private:
  /// Of the latest step.
  struct Lane {
    bool chooses = false;     ///< its entries do not all fit
    std::int64_t pages = 0;   ///< attended to
    std::int64_t tokens = 0;  ///< entries of these
  };

  void choose(std::int64_t layer, const void* queries);
  void list_chosen(std::int64_t layer);
  [[nodiscard]] AttentionPart part_of(const kernels::PageLists& lists) const;
  [[nodiscard]] bool by_query_head() const { return !options_.reduce.has_value(); }
  /// Page lists of a lane.
  [[nodiscard]] std::int64_t lane_rows() const {
    return by_query_head() ? context_.heads : context_.kv_heads;
  }
  [[nodiscard]] std::int64_t governed(std::int64_t layer) const { return layer - context_.first_layer; }
  /// Lanes that choose nothing are none of the business of lists by query head.
  [[nodiscard]] bool is_listed(const Lane& lane) const { return lane.chooses || !by_query_head(); }
  [[nodiscard]] static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  PolicyContext context_;
  QuestOptions options_;
  PageTables tables_;
  PageBounds bounds_;
  std::int64_t width_;              ///< pages of the longest list of chosen ones
  LaneTable<std::int32_t> chosen_;  ///< (layers, lanes, lane_rows() * width)
  std::vector<Lane> lanes_;
  std::int64_t step_lanes_ = 0;
  // Of the step, for each list of pages: candidates, how many are chosen, entries of those.
  LaneNumbers candidates_;
  LaneNumbers keep_;
  LaneNumbers last_;
  LaneNumbers entries_;
  LaneNumbers listed_;  ///< pages chosen, by kv head
  LaneNumbers whole_;   ///< entries of the lanes that choose nothing, by kv head
  DeviceArray<std::int32_t> prompt_counts_;
  DeviceArray<float> scores_;         ///< (lists, pages)
  DeviceArray<std::int32_t> places_;  ///< (lists, width)
  DeviceArray<std::int32_t> kept_;
};

QuestState::QuestState(const PolicyContext& context, const QuestOptions& options)
    : context_(context),
      options_(options),
      tables_(context, context.first_layer, context.layers),
      bounds_(context),
      width_(std::min(kernels::pages_of(options.budget, options.page), tables_.stride())),
      chosen_(*context.device, context.layers - context.first_layer, context.lanes, lane_rows() * width_),
      lanes_(index(context.lanes)),
      candidates_(*context.device, context.lanes, lane_rows()),
      keep_(*context.device, context.lanes, lane_rows()),
      last_(*context.device, context.lanes, lane_rows()),
      entries_(*context.device, context.lanes, lane_rows()),
      listed_(*context.device, context.lanes, context.kv_heads),
      whole_(*context.device, context.lanes, context.kv_heads),
      prompt_counts_(*context.device, index(context.kv_heads)),
      scores_(*context.device, index(context.lanes * lane_rows() * tables_.stride())),
      places_(*context.device, index(context.lanes * lane_rows() * width_)),
      kept_(*context.device, index(context.lanes * lane_rows())) {}

void QuestState::open(std::int64_t lane, std::int64_t /*prompt_tokens*/) {
  tables_.open(lane);
  lanes_[index(lane)] = {};
}

void QuestState::take_prompt(std::int64_t lane, const PromptLayer& prompt) {
  tables_.take_prompt(lane, prompt, false);
  prompt_counts_.upload(
      std::vector<std::int32_t>(index(context_.kv_heads), static_cast<std::int32_t>(prompt.tokens)));
  bounds_.find(context_.kv_heads,
               {tables_.pages(prompt.layer) + lane * context_.kv_heads * tables_.stride(), tables_.stride(),
                prompt_counts_.data(), prompt.tokens, context_.pool->page_tokens()});
}

void QuestState::close(std::int64_t lane) {
  tables_.close(lane);
  lanes_[index(lane)] = {};
}

void QuestState::swap_lanes(std::int64_t a, std::int64_t b) {
  tables_.swap_lanes(a, b);
  chosen_.swap_lanes(a, b);
  std::swap(lanes_[index(a)], lanes_[index(b)]);
}

void QuestState::fork(std::int64_t from, std::int64_t to) {
  tables_.fork(from, to);
  lanes_[index(to)] = lanes_[index(from)];
  for (std::int64_t layer = context_.first_layer; layer < context_.layers; ++layer) {
    const auto sources = tables_.groups(from, layer);
    const auto copies = tables_.groups(to, layer);
    for (std::size_t i = 0; i < sources.size(); ++i) bounds_.copy_group(sources[i], copies[i]);
    for (std::int64_t row = 0; row < lane_rows() && lanes_[index(to)].chooses; ++row) {
      const auto pages = chosen_.download(governed(layer), from, row * width_, lanes_[index(to)].pages);
      chosen_.upload(governed(layer), to, row * width_,
                     moved_pages(pages, sources, copies, context_.kv_heads));
    }
  }
}

void QuestState::begin_step(std::span<const std::int64_t> positions) {
  tables_.begin_step(positions);
  step_lanes_ = static_cast<std::int64_t>(positions.size());
  for (std::int64_t lane = 0; lane < step_lanes_; ++lane) {
    Lane& own = lanes_[index(lane)];
    const std::int64_t tokens = tables_.tokens(lane);
    own.chooses = tokens > options_.budget;
    own.pages = own.chooses ? options_.pages() : kernels::pages_of(tokens, options_.page);
    own.tokens = own.chooses ? (own.pages - 1) * options_.page + (tokens - 1) % options_.page + 1 : tokens;
  }
  const auto of_lane = [&](std::int64_t lane) -> const Lane& { return lanes_[index(lane)]; };
  const auto pages_now = [&](std::int64_t lane) {
    return kernels::pages_of(tables_.tokens(lane), options_.page);
  };
  candidates_.set(step_lanes_, [&](auto lane) { return is_listed(of_lane(lane)) ? pages_now(lane) : 0; });
  keep_.set(step_lanes_, [&](auto lane) { return is_listed(of_lane(lane)) ? of_lane(lane).pages : 0; });
  last_.set(step_lanes_, [&](auto /*lane*/) { return 1; });
  entries_.set(step_lanes_, [&](auto lane) { return is_listed(of_lane(lane)) ? of_lane(lane).tokens : 0; });
  listed_.set(step_lanes_, [&](auto lane) { return is_listed(of_lane(lane)) ? of_lane(lane).pages : 0; });
  whole_.set(step_lanes_, [&](auto lane) { return of_lane(lane).chooses ? 0 : of_lane(lane).tokens; });
}

AppendPlan QuestState::plan_append(std::int64_t layer) {
  AppendPlan plan;
  plan.slots = tables_.slots(layer);
  bounds_.complete(plan);
  return plan;
}

AttentionPart QuestState::part_of(const kernels::PageLists& lists) const {
  AttentionPart part;
  part.lists = lists;
  part.keys = context_.pool->keys();
  part.values = context_.pool->values();
  return part;
}

void QuestState::attend(std::int64_t layer, const void* queries, std::vector<AttentionPart>& parts) {
  const auto end = lanes_.begin() + step_lanes_;
  const auto choosing = std::count_if(lanes_.begin(), end, [](const Lane& lane) { return lane.chooses; });
  // A lane whose entries all fit computes what full attention does, bit for bit: with lists by kv head.
  if (choosing == 0 || (by_query_head() && choosing < step_lanes_)) {
    kernels::PageLists lists = tables_.lists(layer);
    lists.tokens = whole_.data();
    lists.max_tokens = whole_.most();
    parts.push_back(part_of(lists));
  }
  if (choosing == 0) return;
  choose(layer, queries);
  list_chosen(layer);
  parts.push_back(part_of({chosen_.layer(governed(layer)), width_, entries_.data(), entries_.most(),
                           context_.pool->page_tokens()}));
  parts.back().per_query_head = by_query_head();
}

void QuestState::choose(std::int64_t layer, const void* queries) {
  PageBounds::Scores out;
  out.per_query_head = by_query_head();
  out.reduce = options_.reduce.value_or(kernels::GroupReduce::kSum);
  out.scores = scores_.data();
  out.stride = tables_.stride();
  bounds_.score(step_lanes_, queries, tables_.lists(layer), out);
  kernels::TopkArgs best;
  best.rows = static_cast<std::int32_t>(step_lanes_ * lane_rows());
  best.scores = scores_.data();
  best.scores_stride = tables_.stride();
  best.counts = candidates_.data();
  best.max_count = candidates_.most();
  best.keep = keep_.data();
  best.back = last_.data();
  best.places = places_.data();
  best.places_stride = width_;
  best.kept = kept_.data();
  require_ok(context_.device->kernels().topk(best, context_.device->stream()), "topk");
}

/// The pages at the chosen places. Where query heads choose, the lists of the first head of every group, then
/// those of the second, and so on.
void QuestState::list_chosen(std::int64_t layer) {
  const std::int64_t lists = by_query_head() ? context_.group() : 1;
  for (std::int64_t list = 0; list < lists; ++list) {
    kernels::CopyRowsArgs args;
    args.requests = static_cast<std::int32_t>(step_lanes_ * context_.kv_heads);
    args.row_bytes = sizeof(std::int32_t);
    args.counts = listed_.data();
    args.max_count = listed_.most();
    args.index = places_.data() + list * width_;
    args.index_stride = lists * width_;
    args.in = tables_.pages(layer);
    args.in_request_rows = tables_.stride();
    args.out = chosen_.layer(governed(layer)) + list * width_;
    args.out_request_rows = lists * width_;
    require_ok(context_.device->kernels().copy_rows(args, context_.device->stream()), "copy_rows");
  }
}

std::int64_t QuestState::attended(std::int64_t lane) const {
  return lanes_[index(lane)].tokens;
}

std::vector<std::int32_t> QuestState::held(std::int64_t lane, std::int64_t /*layer*/,
                                           std::int64_t /*kv_head*/) const {
  std::vector<std::int32_t> positions(index(tables_.tokens(lane)));
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

std::vector<std::int32_t> QuestState::seen(std::int64_t lane, std::int64_t layer, std::int64_t head) const {
  const Lane& own = lanes_[index(lane)];
  if (!own.chooses) return held(lane, layer, head / context_.group());
  const std::int64_t row = by_query_head() ? head : head / context_.group();
  return context_.pool->positions_in(chosen_.download(governed(layer), lane, row * width_, own.pages),
                                     own.tokens);
}

/// Pages by an upper bound of their attention [Tang 2024, Quest]: the last page and the best budget/page - 1
/// others; all where all entries fit. A budget that is not a multiple of the page leaves the rest unused, as
/// in the public code, which however never takes fewer than three pages. There every query head chooses for
/// itself (`per_query_head`), and the first two layers stay dense.
class QuestPolicy final : public AttentionPolicy {
 public:
  explicit QuestPolicy(const QuestOptions& options) : options_(options) {}

  [[nodiscard]] std::int64_t dense_layers(std::int64_t layers) const override {
    return std::min(options_.skip_layers, layers);
  }
  [[nodiscard]] std::int32_t page_tokens() const override { return static_cast<std::int32_t>(options_.page); }
  [[nodiscard]] std::int64_t groups_needed(std::int64_t layers, std::int64_t /*prompt_tokens*/,
                                           std::int64_t total_tokens) const override {
    return PageTables::groups_needed(page_tokens(), layers, total_tokens);
  }
  [[nodiscard]] std::int64_t extra_group_bytes(const KvShape& shape, std::int64_t /*group*/) const override {
    return PageBounds::group_bytes(shape);
  }
  [[nodiscard]] std::unique_ptr<PolicyState> start(const PolicyContext& context) const override {
    return std::make_unique<QuestState>(context, options_);
  }

 private:
  QuestOptions options_;
};

}  // namespace

std::unique_ptr<AttentionPolicy> make_quest_policy(const schemas::Arguments& arguments) {
  QuestOptions options;
  options.budget = arguments.integer("budget");
  options.page = arguments.integer("page");
  options.skip_layers = arguments.integer("skip_layers");
  const std::string& gqa = arguments.text("gqa");
  if (gqa != "per_query_head") options.reduce = group_reduce(gqa);
  if (options.page > options.budget) {
    throw Error(ErrorCode::kUsage,
                fmt::format("attention policy 'quest': a page of {} tokens is over budget={}, and the last "
                            "page is always attended to",
                            options.page, options.budget));
  }
  return std::make_unique<QuestPolicy>(options);
}

}  // namespace lil::record
