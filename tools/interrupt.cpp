#include "tools/interrupt.h"

#include <csignal>

namespace lil::tools {
namespace {

std::atomic<bool> stop_asked{false};
std::atomic<int> signal_number{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void on_signal(int number) {
  signal_number = number;
  stop_asked = true;
  std::signal(number, SIG_DFL);
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

const std::atomic<bool>& interrupted() {
  return stop_asked;
}

int interrupt_exit_code() {
  return 128 + signal_number;
}

}  // namespace lil::tools
