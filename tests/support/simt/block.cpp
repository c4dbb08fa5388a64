#include "tests/support/simt/block.h"

#include <algorithm>
#include <array>
#include <bit>
#include <boost/context/detail/fcontext.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cassert>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace lil::tests::simt {
namespace {

constexpr unsigned kWarpLanes = 32;
constexpr unsigned kMostThreads = 1024;
constexpr std::size_t kStackBytes = std::size_t{256} * 1024;  // mapped, but only what is touched takes memory
constexpr std::uint64_t kSharedBytes = std::uint64_t{48} * 1024;

/// Unwinds the thread in which a check failed, and the others of its block.
struct Abandoned {};

// ---- contexts

/// A stack with what runs on it, or the caller's own.
struct Context {
  boost::context::detail::fcontext_t context = nullptr;
  const void* stack_bottom = nullptr;
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;  ///< AddressSanitizer's
  void* shadow = nullptr;      ///< ThreadSanitizer's
};

/// The context that was left last: known to the one that goes on.
Context* left = nullptr;
Context* running = nullptr;

void arrive(boost::context::detail::transfer_t transfer) {
  left->context = transfer.fctx;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(running->fake_stack, &left->stack_bottom, &left->stack_bytes);
#endif
}

void switch_to(Context& next) {
  left = running;
  running = &next;
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber(&left->fake_stack, next.stack_bottom, next.stack_bytes);
#endif
#ifdef __SANITIZE_THREAD__
  __tsan_switch_to_fiber(next.shadow, 0);
#endif
  arrive(boost::context::detail::jump_fcontext(next.context, nullptr));
}

/// Serves one thread of block after block.
class Fiber : public Context {
 public:
  Fiber() : stack_(boost::context::protected_fixedsize_stack(kStackBytes).allocate()) {
    stack_bottom = static_cast<std::byte*>(stack_.sp) - stack_.size;
    stack_bytes = stack_.size;
    context = boost::context::detail::make_fcontext(stack_.sp, stack_.size, &enter);
#ifdef __SANITIZE_THREAD__
    shadow = __tsan_create_fiber(0);
#endif
  }
  ~Fiber() {
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(shadow);
#endif
    boost::context::protected_fixedsize_stack(kStackBytes).deallocate(stack_);
  }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

 private:
  static void enter(boost::context::detail::transfer_t transfer);

  boost::context::stack_context stack_;
};

// ---- scheduler

enum class State : std::uint8_t { kUnstarted, kReady, kRunning, kAtBarrier, kInWarp, kEnded };

struct Thread {
  State state = State::kUnstarted;
  WarpRequest request;
  Location where{};
  std::uint64_t result = 0;
};

struct Warp {
  std::uint32_t waiting = 0;  ///< lanes in a meeting
  std::uint64_t synced = 0;   ///< time of the latest __syncwarp
};

struct alignas(16) SharedCell {
  std::array<std::byte, 16> bytes;
};

struct SharedBlock {
  std::vector<SharedCell> cells;
  std::uint64_t counted_bytes = 0;
  std::uint64_t declared = 0;  ///< start of the block that declared it last
};

class Scheduler {
 public:
  bool run_grid(const Work& work, Dim3 grid, unsigned threads, Location launched);
  void set_order(int order) { order_ = order; }
  std::string take_faults() { return std::exchange(faults_, {}); }

  int meet_block(Meeting meeting, int predicate, Location where);
  std::uint64_t meet_warp(const WarpRequest& request, Location where);
  void* shared_memory(const void* declaration, std::uint64_t bytes, std::uint64_t counted_bytes,
                      Location where);

  /// What a fiber does for a block: its thread, from beginning to end.
  void run_thread();

  /// Notes what is wrong, the first time in a launch; from then on its threads unwind.
  void abandon(const std::string& text, unsigned thread, Location where);

 private:
  void run_block(Dim3 block);
  void make_ready(unsigned thread);
  unsigned next_thread();
  unsigned next_to_abandon();
  void leave_to_next();
  void wait(Location where);
  void release_block();
  void release_warp(unsigned warp, std::uint32_t mask);
  std::uint64_t warp_result(unsigned lane, const Thread* lanes) const;
  std::uint64_t reduction(const WarpRequest& request, const Thread* lanes) const;
  void check_request(const WarpRequest& request, Location where) const;
  std::string why_stuck(unsigned waiting) const;
  std::string how_it_stands(unsigned thread) const;
  std::uint64_t draw();

  std::vector<std::unique_ptr<Fiber>> fibers_;
  Context caller_;
  Work work_;
  Location launched_{};
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<std::uint16_t> ready_;  ///< from first_ready_ on
  std::size_t first_ready_ = 0;
  unsigned at_barrier_ = 0;
  unsigned ended_ = 0;
  bool abandoning_ = false;
  std::map<const void*, SharedBlock> shared_;
  int order_ = 0;
  std::uint64_t random_ = 0;
  std::uint64_t time_ = 0;
  std::string faults_;
};

Scheduler& scheduler() {
  static Scheduler the_scheduler;
  return the_scheduler;
}

void Fiber::enter(boost::context::detail::transfer_t transfer) {
  arrive(transfer);
  while (true) scheduler().run_thread();
}

const char* name_of(Meeting meeting) {
  switch (meeting) {
    case Meeting::kSyncThreads:
      return "__syncthreads";
    case Meeting::kSyncThreadsOr:
      return "__syncthreads_or";
    case Meeting::kSyncThreadsAnd:
      return "__syncthreads_and";
    case Meeting::kSyncThreadsCount:
      return "__syncthreads_count";
    case Meeting::kSyncWarp:
      return "__syncwarp";
    case Meeting::kShuffleIndex:
      return "__shfl_sync";
    case Meeting::kShuffleUp:
      return "__shfl_up_sync";
    case Meeting::kShuffleDown:
      return "__shfl_down_sync";
    case Meeting::kShuffleXor:
      return "__shfl_xor_sync";
    case Meeting::kBallot:
      return "__ballot_sync";
    case Meeting::kAny:
      return "__any_sync";
    case Meeting::kAll:
      return "__all_sync";
    case Meeting::kMatchAny:
      return "__match_any_sync";
    case Meeting::kReduceAdd:
      return "__reduce_add_sync";
    case Meeting::kReduceMin:
      return "__reduce_min_sync";
    case Meeting::kReduceMax:
      return "__reduce_max_sync";
    case Meeting::kReduceAnd:
      return "__reduce_and_sync";
    case Meeting::kReduceOr:
      return "__reduce_or_sync";
    case Meeting::kReduceXor:
      return "__reduce_xor_sync";
  }
  return "";
}

std::string in_hex(std::uint32_t mask) {
  std::string digits = "0x00000000";
  for (std::size_t i = 9; i > 1; --i, mask >>= 4) digits[i] = "0123456789abcdef"[mask & 15U];
  return digits;
}

// ---- grids and
// blocks

bool Scheduler::run_grid(const Work& work, Dim3 grid, unsigned threads, Location launched) {
  const bool fits = threads >= 1 && threads <= kMostThreads && grid.x >= 1 && grid.x <= 0x7FFFFFFFU &&
                    grid.y >= 1 && grid.y <= 0xFFFFU && grid.z >= 1 && grid.z <= 0xFFFFU;
  if (!fits) {
    faults_ += to_string(launched) + ": a grid of " + std::to_string(grid.x) + " x " +
               std::to_string(grid.y) + " x " + std::to_string(grid.z) + " blocks of " +
               std::to_string(threads) + " threads is not allowed\n";
    return false;
  }
  while (fibers_.size() < threads) fibers_.push_back(std::make_unique<Fiber>());
#ifdef __SANITIZE_THREAD__
  caller_.shadow = __tsan_get_current_fiber();
#endif
  work_ = work;
  launched_ = launched;
  abandoning_ = false;
  random_ = static_cast<std::uint64_t>(order_);
  threads_.assign(threads, {});
  warps_.assign((threads + kWarpLanes - 1) / kWarpLanes, {});
  shared_.clear();
  current_indices.grid = grid;
  current_indices.block_size = {threads, 1, 1};

  std::vector<std::uint64_t> blocks(std::uint64_t{grid.x} * grid.y * grid.z);
  std::iota(blocks.begin(), blocks.end(), std::uint64_t{0});
  if (order_ == 1) std::reverse(blocks.begin(), blocks.end());
  if (order_ > 1) {
    for (std::size_t i = blocks.size(); i > 1; --i) std::swap(blocks[i - 1], blocks[draw() % i]);
  }
  for (const std::uint64_t block : blocks) {
    run_block({static_cast<unsigned>(block % grid.x), static_cast<unsigned>(block / grid.x % grid.y),
               static_cast<unsigned>(block / grid.x / grid.y)});
    if (abandoning_) break;
  }
  return !abandoning_;
}

void Scheduler::run_block(Dim3 block) {
  current_indices.block = block;
  current_clock.block_start = current_clock.barrier = ++time_;
  at_barrier_ = ended_ = 0;
  ready_.clear();
  first_ready_ = 0;
  for (Warp& warp : warps_) warp = {};
  const unsigned count = static_cast<unsigned>(threads_.size());
  for (unsigned i = 0; i < count; ++i) {
    const unsigned thread = order_ == 1 ? count - 1 - i : i;
    threads_[thread].state = State::kUnstarted;
    ready_.push_back(static_cast<std::uint16_t>(thread));
  }
  running = &caller_;
  leave_to_next();
}

void Scheduler::run_thread() {
  const unsigned me = current_clock.thread;
  try {
    work_.run(work_.bound);
  } catch (const Abandoned&) {
    assert(abandoning_);
  }
  threads_[me].state = State::kEnded;
  ++ended_;
  leave_to_next();
}

void Scheduler::make_ready(unsigned thread) {
  threads_[thread].state = State::kReady;
  ready_.push_back(static_cast<std::uint16_t>(thread));
}

std::uint64_t Scheduler::draw() {
  random_ += 0x9E3779B97F4A7C15U;
  std::uint64_t bits = random_;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9U;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBU;
  return bits ^ (bits >> 31);
}

/// The thread to go on, or the number of threads when all have ended.
unsigned Scheduler::next_thread() {
  const unsigned count = static_cast<unsigned>(threads_.size());
  if (!abandoning_ && first_ready_ == ready_.size() && ended_ < count) {
    const auto waits = [](const Thread& thread) { return thread.state != State::kEnded; };
    const unsigned waiting =
        static_cast<unsigned>(std::find_if(threads_.begin(), threads_.end(), waits) - threads_.begin());
    abandon(why_stuck(waiting), waiting, threads_[waiting].where);
  }
  if (abandoning_) return next_to_abandon();
  if (first_ready_ == ready_.size()) return count;
  if (order_ > 1) {
    std::swap(ready_[first_ready_], ready_[first_ready_ + draw() % (ready_.size() - first_ready_)]);
  }
  const unsigned next = ready_[first_ready_++];
  if (first_ready_ == ready_.size()) {
    ready_.clear();
    first_ready_ = 0;
  }
  return next;
}

/// Threads that have begun must unwind their stacks; wait() throws where they stand.
unsigned Scheduler::next_to_abandon() {
  const auto begun = [](const Thread& thread) {
    return thread.state != State::kUnstarted && thread.state != State::kEnded;
  };
  return static_cast<unsigned>(std::find_if(threads_.begin(), threads_.end(), begun) - threads_.begin());
}

/// Goes on with another thread, or with the caller. Returns when this context's turn comes again.
void Scheduler::leave_to_next() {
  const unsigned next = next_thread();
  if (next == threads_.size()) {
    if (running != &caller_) switch_to(caller_);
    return;
  }
  threads_[next].state = State::kRunning;
  current_indices.thread = {next, 0, 0};
  current_clock.thread = next;
  current_clock.warp_sync = warps_[next / kWarpLanes].synced;
  if (running != fibers_[next].get()) switch_to(*fibers_[next]);
}

// ---- meetings

void Scheduler::wait(Location where) {
  threads_[current_clock.thread].where = where;
  leave_to_next();
  if (abandoning_) throw Abandoned{};
}

int Scheduler::meet_block(Meeting meeting, int predicate, Location where) {
  const unsigned me = current_clock.thread;
  Thread& thread = threads_[me];
  thread.request = {meeting, 0, static_cast<std::uint64_t>(predicate != 0)};
  thread.state = State::kAtBarrier;
  thread.where = where;
  if (++at_barrier_ == threads_.size()) release_block();
  wait(where);
  return static_cast<int>(threads_[me].result);
}

void Scheduler::release_block() {
  const Thread& first = threads_.front();
  std::uint64_t count = 0;
  for (unsigned i = 0; i < threads_.size(); ++i) {
    if (!(threads_[i].where == first.where) || threads_[i].request.meeting != first.request.meeting) {
      fail("the threads of a block meet at different barriers: thread 0 " + how_it_stands(0) + ", thread " +
               std::to_string(i) + " " + how_it_stands(i),
           threads_[i].where);
    }
    count += threads_[i].request.value;
  }
  std::uint64_t result = 0;
  if (first.request.meeting == Meeting::kSyncThreadsOr) result = count > 0 ? 1 : 0;
  if (first.request.meeting == Meeting::kSyncThreadsAnd) result = count == threads_.size() ? 1 : 0;
  if (first.request.meeting == Meeting::kSyncThreadsCount) result = count;
  at_barrier_ = 0;
  current_clock.barrier = ++time_;
  for (unsigned i = 0; i < threads_.size(); ++i) {
    const unsigned thread = order_ == 1 ? static_cast<unsigned>(threads_.size()) - 1 - i : i;
    threads_[thread].result = result;
    make_ready(thread);
  }
}

void Scheduler::check_request(const WarpRequest& request, Location where) const {
  const unsigned lane = current_clock.thread % kWarpLanes;
  const std::string name = name_of(request.meeting);
  if ((request.mask >> lane & 1U) == 0) {
    fail("lane " + std::to_string(lane) + " calls " + name + " with the mask " + in_hex(request.mask) +
             ", which leaves it out",
         where);
  }
  if (!std::has_single_bit(request.width) || request.width > kWarpLanes) {
    fail(name + " with the width " + std::to_string(request.width) + ": a power of two up to 32 is allowed",
         where);
  }
  if (request.meeting != Meeting::kShuffleIndex && request.operand >= kWarpLanes) {
    fail(name + " over " + std::to_string(static_cast<std::int32_t>(request.operand)) + " lanes", where);
  }
}

std::uint64_t Scheduler::meet_warp(const WarpRequest& request, Location where) {
  check_request(request, where);
  const unsigned me = current_clock.thread;
  const unsigned number = me / kWarpLanes;
  Thread& thread = threads_[me];
  thread.request = request;
  thread.where = where;
  thread.state = State::kInWarp;
  warps_[number].waiting |= 1U << (me % kWarpLanes);
  if ((warps_[number].waiting & request.mask) != request.mask) {
    wait(where);
    return threads_[me].result;
  }
  release_warp(number, request.mask);
  return thread.result;
}

/// All lanes of the mask have come; the one that came last goes on at once.
void Scheduler::release_warp(unsigned number, std::uint32_t mask) {
  const unsigned me = current_clock.thread;
  Thread* lanes = threads_.data() + std::size_t{number} * kWarpLanes;
  const Thread& mine = threads_[me];
  for (std::uint32_t left_over = mask; left_over != 0; left_over &= left_over - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(left_over));
    const Thread& other = lanes[lane];
    if (other.request.meeting != mine.request.meeting || other.request.mask != mask ||
        !(other.where == mine.where)) {
      fail("lanes of one mask meet at different places: lane " + std::to_string(me % kWarpLanes) + " " +
               how_it_stands(me) + ", lane " + std::to_string(lane) + " " +
               how_it_stands(number * kWarpLanes + lane),
           mine.where);
    }
  }
  Warp& warp = warps_[number];
  for (std::uint32_t left_over = mask; left_over != 0; left_over &= left_over - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(left_over));
    lanes[lane].result = warp_result(lane, lanes);
  }
  warp.waiting &= ~mask;
  if (mine.request.meeting == Meeting::kSyncWarp) current_clock.warp_sync = warp.synced = ++time_;
  for (unsigned i = 0; i < kWarpLanes; ++i) {
    const unsigned lane = order_ == 1 ? kWarpLanes - 1 - i : i;
    if ((mask >> lane & 1U) != 0 && number * kWarpLanes + lane != me) make_ready(number * kWarpLanes + lane);
  }
  threads_[me].state = State::kRunning;
}

std::uint64_t Scheduler::warp_result(unsigned lane, const Thread* lanes) const {
  const WarpRequest& request = lanes[lane].request;
  const unsigned first = lane & ~(request.width - 1);  // of the lane's segment
  const unsigned last = lane | (request.width - 1);
  unsigned source = lane;
  switch (request.meeting) {
    case Meeting::kShuffleIndex:
      source = first | (request.operand & (request.width - 1));
      break;
    case Meeting::kShuffleUp:
      if (lane >= first + request.operand) source = lane - request.operand;
      break;
    case Meeting::kShuffleDown:
      if (lane + request.operand <= last) source = lane + request.operand;
      break;
    case Meeting::kShuffleXor:
      if ((lane ^ request.operand) <= last) source = lane ^ request.operand;
      break;
    default:
      return reduction(request, lanes);
  }
  if ((request.mask >> source & 1U) == 0) {
    fail(std::string(name_of(request.meeting)) + ": lane " + std::to_string(lane) + " reads lane " +
             std::to_string(source) + ", which the mask " + in_hex(request.mask) + " leaves out",
         lanes[lane].where);
  }
  return lanes[source].request.value;
}

std::uint64_t Scheduler::reduction(const WarpRequest& request, const Thread* lanes) const {
  if (request.meeting == Meeting::kSyncWarp) return 0;
  std::uint64_t ballot = 0;
  std::uint64_t matches = 0;
  std::uint64_t sum = 0;
  std::uint64_t both = ~std::uint64_t{0};
  std::uint64_t either = 0;
  std::uint64_t odd = 0;
  std::int64_t least = INT64_MAX;
  std::int64_t most = INT64_MIN;
  for (std::uint32_t left_over = request.mask; left_over != 0; left_over &= left_over - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(left_over));
    const std::uint64_t value = lanes[lane].request.value;
    ballot |= (value & 1U) << lane;
    if (value == request.value) matches |= std::uint64_t{1} << lane;
    sum += value;
    both &= value;
    either |= value;
    odd ^= value;
    least = std::min(least, static_cast<std::int64_t>(value));
    most = std::max(most, static_cast<std::int64_t>(value));
  }
  switch (request.meeting) {
    case Meeting::kBallot:
      return ballot;
    case Meeting::kAny:
      return ballot != 0 ? 1 : 0;
    case Meeting::kAll:
      return ballot == request.mask ? 1 : 0;
    case Meeting::kMatchAny:
      return matches;
    case Meeting::kReduceAdd:
      return sum;
    case Meeting::kReduceMin:
      return static_cast<std::uint64_t>(least);
    case Meeting::kReduceMax:
      return static_cast<std::uint64_t>(most);
    case Meeting::kReduceAnd:
      return both;
    case Meeting::kReduceOr:
      return either;
    default:
      return odd;
  }
}

// ---- faults

std::string Scheduler::how_it_stands(unsigned thread) const {
  const Thread& it = threads_[thread];
  if (it.state == State::kEnded) return "has ended";
  const std::string at = std::string(name_of(it.request.meeting)) + " at " + to_string(it.where);
  return "waits in " + at + (it.state == State::kInWarp ? " with the mask " + in_hex(it.request.mask) : "");
}

/// Every thread that has not ended waits for one that will not come.
std::string Scheduler::why_stuck(unsigned waiting) const {
  const Thread& it = threads_[waiting];
  const unsigned count = static_cast<unsigned>(threads_.size());
  if (it.state == State::kAtBarrier) {
    unsigned absent = 0;
    while (threads_[absent].state == State::kAtBarrier) ++absent;
    return "barrier divergence: thread " + std::to_string(waiting) + " " + how_it_stands(waiting) +
           ", but thread " + std::to_string(absent) + " " + how_it_stands(absent);
  }
  const unsigned first_lane = waiting / kWarpLanes * kWarpLanes;
  for (unsigned lane = 0; lane < kWarpLanes; ++lane) {
    if ((it.request.mask >> lane & 1U) == 0) continue;
    const unsigned other = first_lane + lane;
    const std::string absent = "lane " + std::to_string(lane) + " does not take part: it ";
    const std::string how =
        "lane " + std::to_string(waiting % kWarpLanes) + " " + how_it_stands(waiting) + ", but " + absent;
    if (other >= count) return how + "does not exist";
    if (threads_[other].state != State::kInWarp) return how + how_it_stands(other);
  }
  return how_it_stands(waiting) + " for lanes that wait for others";
}

void Scheduler::abandon(const std::string& text, unsigned thread, Location where) {
  if (abandoning_) return;
  abandoning_ = true;
  const Dim3& block = current_indices.block;
  faults_ += to_string(where) + ": " + text + " [thread " + std::to_string(thread) + " of block " +
             std::to_string(block.x) + "," + std::to_string(block.y) + "," + std::to_string(block.z) +
             ", launched at " + to_string(launched_) + "]\n";
}

void* Scheduler::shared_memory(const void* declaration, std::uint64_t bytes, std::uint64_t counted_bytes,
                               Location where) {
  SharedBlock& block = shared_[declaration];
  if (block.declared != current_clock.block_start) {
    block.cells.resize((bytes + sizeof(SharedCell) - 1) / sizeof(SharedCell));
    block.counted_bytes = counted_bytes;
    block.declared = current_clock.block_start;
    std::uint64_t sum = 0;
    for (const auto& [ignored, other] : shared_) sum += other.counted_bytes;
    if (sum > kSharedBytes) fail("the block's shared arrays take " + std::to_string(sum) + " bytes", where);
  }
  return block.cells.data();
}

std::mutex& launching() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

bool Location::operator==(const Location& other) const {
  return line == other.line && (file == other.file || std::strcmp(file, other.file) == 0);
}

std::string to_string(Location where) {
  const std::string_view path = where.file;
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1)) + ":" +
         std::to_string(where.line) + " (" + where.function + ")";
}

void fail(const std::string& what, Location where) {
  scheduler().abandon(what, current_clock.thread, where);
  throw Abandoned{};
}

int meet_block(Meeting meeting, int predicate, Location where) {
  return scheduler().meet_block(meeting, predicate, where);
}

std::uint64_t meet_warp(const WarpRequest& request, Location where) {
  return scheduler().meet_warp(request, where);
}

void* shared_memory(const void* declaration, std::uint64_t bytes, std::uint64_t counted_bytes,
                    Location where) {
  return scheduler().shared_memory(declaration, bytes, counted_bytes, where);
}

bool run_grid(const Work& work, Dim3 grid, unsigned threads, Location launched) {
  const std::lock_guard lock(launching());
  return scheduler().run_grid(work, grid, threads, launched);
}

void set_order(int order) {
  const std::lock_guard lock(launching());
  scheduler().set_order(order);
}

std::string take_faults() {
  const std::lock_guard lock(launching());
  return scheduler().take_faults();
}

}  // namespace lil::tests::simt
