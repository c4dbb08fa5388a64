#include "tests/support/simt/shared_array.h"

#include <string>

namespace lil::tests::simt {

void fail_shared(const char* name, std::int64_t count, std::int64_t i, Access access, const History* history,
                 Location where) {
  const std::string element = std::string(name) + "[" + std::to_string(i) + "]";
  const std::string verb = access == Access::kRead    ? "reads "
                           : access == Access::kWrite ? "writes "
                                                      : "updates ";
  if (history == nullptr) {
    fail(verb + "shared " + element + " of " + std::to_string(count) + " elements: beyond the array", where);
  }
  if (access != Access::kWrite && history->write_barrier < current_clock.block_start) {
    fail(verb + "shared " + element + ", which nothing wrote in this block", where);
  }
  const bool with_write = races_with_write(*history, access);
  fail(
      verb + "shared " + element + " without a barrier after " +
          (with_write ? "thread " + std::to_string(history->writer) + " wrote it" : "another thread read it"),
      where);
}

}  // namespace lil::tests::simt
