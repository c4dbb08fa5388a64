#pragma once

#include <cstdint>
#include <string>

#include "tests/support/simt/location.h"

// Runs the blocks of a launch one after the other, and the threads of a block as fibers: each runs until it
// waits at a barrier or for its warp, or ends. Everything happens on the calling thread; a launch from
// another thread waits until it is over.
namespace lil::tests::simt {

/// Three unsigned numbers, for CUDA's dim3 and its indices.
struct Dim3 {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

/// What a thread waits for: the first four for all threads of its block, the others for the lanes that a mask
/// names.
enum class Meeting : std::uint8_t {
  kSyncThreads,
  kSyncThreadsOr,
  kSyncThreadsAnd,
  kSyncThreadsCount,
  kSyncWarp,
  kShuffleIndex,
  kShuffleUp,
  kShuffleDown,
  kShuffleXor,
  kBallot,
  kAny,
  kAll,
  kMatchAny,
  kReduceAdd,
  kReduceMin,
  kReduceMax,
  kReduceAnd,
  kReduceOr,
  kReduceXor,
};

/// One lane's part in a meeting of its warp.
struct WarpRequest {
  Meeting meeting = Meeting::kSyncWarp;
  std::uint32_t mask = 0;
  std::uint64_t value = 0;    ///< bits; of a reduction's number extended with its sign
  std::uint32_t operand = 0;  ///< source lane, distance or lane mask of a shuffle
  std::uint32_t width = 32;
};

/// Waits for all threads of the block. What the variants with a predicate answer, otherwise 0.
int meet_block(Meeting meeting, int predicate, Location where);

/// Waits for the lanes that the mask names. This lane's result.
std::uint64_t meet_warp(const WarpRequest& request, Location where);

/// Who runs, and since when: for the checks of shared memory. Times never run backwards.
struct Clock {
  std::uint64_t block_start = 0;
  std::uint64_t barrier = 0;    ///< of the block's latest __syncthreads, or its start
  std::uint64_t warp_sync = 0;  ///< of the warp's latest __syncwarp
  unsigned thread = 0;
};
inline constinit Clock current_clock{};

/// Where the thread that runs stands, for threadIdx and its like.
struct Indices {
  Dim3 thread;
  Dim3 block;
  Dim3 block_size;
  Dim3 grid;
};
inline constinit Indices current_indices{};

/// Ends the thread that runs, and with it the launch; faults() gets the text, with block and thread.
[[noreturn]] void fail(const std::string& what, Location where);

/// Memory of the block for one declaration of a shared array, named by an address of its own: the same for
/// all threads, zeros at first. A fault beyond the 48 KiB of `counted_bytes` that a block has.
[[nodiscard]] void* shared_memory(const void* declaration, std::uint64_t bytes, std::uint64_t counted_bytes,
                                  Location where);

/// A kernel with its arguments bound, for one thread.
struct Work {
  void (*run)(const void* bound) = nullptr;
  const void* bound = nullptr;
};

/// Runs every thread of every block. False if a check failed: the rest did not run, and take_faults() says
/// why.
[[nodiscard]] bool run_grid(const Work& work, Dim3 grid, unsigned threads, Location launched);

/// The order of blocks and threads in the launches to come: 0 ascending, 1 descending, any other number a
/// shuffle of its own, in which the next thread is drawn anew each time one waits.
void set_order(int order);

/// Which checks failed since the last call: a line for each launch, empty if none.
[[nodiscard]] std::string take_faults();

}  // namespace lil::tests::simt
