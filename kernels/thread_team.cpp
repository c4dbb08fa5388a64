#include "kernels/thread_team.h"

#include <hwy/cache_control.h>

namespace lil::kernels {
namespace {

// Pauses before a thread sleeps: one takes 15 to 60 ns on processors of recent years.
constexpr int kSpins = 1600;

// In members_: the job takes more workers.
constexpr std::uint32_t kOpen = 0x80000000U;

template <class Done>
bool spin_until(const Done& done) {
  for (int i = 0; i < kSpins; ++i) {
    if (done()) return true;
    hwy::Pause();
  }
  return false;
}

}  // namespace

ThreadTeam::ThreadTeam(int threads) {
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work_until_stopped(); });
  } catch (...) {
    stop();
    throw;
  }
}

ThreadTeam::~ThreadTeam() {
  stop();
}

void ThreadTeam::stop() {
  stopping_.store(true);
  calls_.fetch_add(1);
  calls_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadTeam::run_alone(const Job& job) {
  for (std::int64_t part = 0; part < job.parts; ++part) job.call(job.action, part);
}

void ThreadTeam::run_job(const Job& job) {
  if (job.parts <= 1 || workers_.empty()) {
    run_alone(job);
    return;
  }
  job_ = job;
  next_part_.store(0, std::memory_order_relaxed);
  members_.store(kOpen, std::memory_order_release);
  calls_.fetch_add(1);
  calls_.notify_all();
  work_off();
  wait_for_members();
}

void ThreadTeam::work_off() {
  const Job job = job_;
  for (;;) {
    const std::int64_t part = next_part_.fetch_add(1, std::memory_order_relaxed);
    if (part >= job.parts) return;
    job.call(job.action, part);
  }
}

// Closes the job, so that whoever wakes late stays out, and waits for those inside.
void ThreadTeam::wait_for_members() {
  members_.fetch_and(~kOpen);
  const auto empty = [this] { return members_.load(std::memory_order_acquire) == 0; };
  if (spin_until(empty)) return;
  for (std::uint32_t inside = members_.load(); inside != 0; inside = members_.load()) members_.wait(inside);
}

bool ThreadTeam::enter() {
  std::uint32_t members = members_.load(std::memory_order_relaxed);
  while ((members & kOpen) != 0) {
    if (members_.compare_exchange_weak(members, members + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void ThreadTeam::leave() {
  if (members_.fetch_sub(1) == 1) members_.notify_one();
}

void ThreadTeam::work_until_stopped() {
  std::uint32_t seen = 0;
  for (;;) {
    if (!spin_until([&] { return calls_.load(std::memory_order_acquire) != seen; })) calls_.wait(seen);
    seen = calls_.load();
    if (stopping_.load()) return;
    if (enter()) {
      work_off();
      leave();
    }
  }
}

}  // namespace lil::kernels
