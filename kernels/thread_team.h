#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "kernels/status.h"

namespace lil::kernels {

/// Threads that share the work of one call after another: what a Stream of the CPU backend points to.
///
/// The caller is one of the team. Work is cut into parts, each of which runs once, on whichever thread is
/// free next, in no order: so what a part computes must not depend on the thread or on other parts. Threads
/// that wait spin for some 20 to 100 microseconds, then sleep. A call waits for parts that have begun, never
/// for a thread that has not woken yet: on a busy machine the caller does the work itself. A call allocates
/// nothing.
///
/// One call at a time: neither from two threads at once nor from inside a part. What the caller wrote before
/// a call is seen by all parts, what the parts wrote by the caller after it.
class ThreadTeam {
 public:
  /// Starts `threads` - 1 threads; none for 1 or less. Throws std::system_error where the system refuses.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  /// The caller and those it started: at least 1.
  [[nodiscard]] int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls action(part) once for each part in [0, parts) and returns when all are done. Dispatch costs a few
  /// microseconds and each part an atomic addition; one part alone runs on the caller without either.
  /// An exception from `action` ends the program.
  template <class Action>
  void run(std::int64_t parts, const Action& action) {
    run_job({&call<Action>, &action, parts});
  }

  /// `run` of the team that `stream` points to, or, where it is null, on the calling thread in ascending
  /// order.
  template <class Action>
  static void run_on(Stream stream, std::int64_t parts, const Action& action) {
    if (stream != nullptr) {
      static_cast<ThreadTeam*>(stream)->run(parts, action);
    } else {
      run_alone({&call<Action>, &action, parts});
    }
  }

  /// The stream itself, or null where the work is too small to share. `bytes` is roughly what all parts read
  /// and write; what comes from memory, or takes more than a few instructions, counts several times. Which of
  /// the two it is must not show in a result.
  [[nodiscard]] static Stream worth_sharing(Stream stream, std::int64_t bytes) {
    return bytes < kBytesWorthSharing ? nullptr : stream;
  }

  /// Threads that `run_on` has for this stream.
  [[nodiscard]] static int threads_of(Stream stream) {
    return stream == nullptr ? 1 : static_cast<const ThreadTeam*>(stream)->threads();
  }

 private:
  struct Job {
    void (*call)(const void* action, std::int64_t part) noexcept = nullptr;
    const void* action = nullptr;
    std::int64_t parts = 0;
  };

  template <class Action>
  static void call(const void* action, std::int64_t part) noexcept {  // NOLINT(bugprone-exception-escape)
    (*static_cast<const Action*>(action))(part);
  }

  static void run_alone(const Job& job);
  void run_job(const Job& job);
  void work_off();
  void work_until_stopped();
  bool enter();
  void leave();
  void wait_for_members();
  void stop();

  static constexpr std::size_t kCacheLine = 64;

  // One thread takes some 5 microseconds for so many that are in its cache.
  static constexpr std::int64_t kBytesWorthSharing = 262144;

  // How many calls there were, which workers wait on; how many workers are inside the job, and whether it
  // takes more; the part that is next. What is written often is on a line of its own.
  alignas(kCacheLine) std::atomic<std::uint32_t> calls_{0};
  alignas(kCacheLine) std::atomic<std::uint32_t> members_{0};
  alignas(kCacheLine) std::atomic<std::int64_t> next_part_{0};
  Job job_;  ///< written while no worker is inside, read by those who are
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace lil::kernels
