#include <array>

#include "tools/import/log_reader.h"

namespace lil::tools {

std::unique_ptr<LogReader> make_jsonl_reader(const schemas::Arguments& arguments, const FieldMap& fields);
std::unique_ptr<LogReader> make_openai_reader(const schemas::Arguments& arguments, const FieldMap& fields);
std::unique_ptr<LogReader> make_qwen_math_reader(const schemas::Arguments& arguments, const FieldMap& fields);

std::span<const schemas::RegistryRow<LogReaderFactory>> log_readers() {
  static const std::array<schemas::RegistryRow<LogReaderFactory>, 3> table = {{
      {"jsonl",
       make_jsonl_reader,
       "any JSON lines or JSON array with a generation in each record; --field says what stands where",
       {}},
      {"openai",
       make_openai_reader,
       "OpenAI-compatible batch results and completion bodies, with the additions of vLLM",
       {}},
      {"qwen-math",
       make_qwen_math_reader,
       "what the evaluation of Qwen2.5-Math writes (code, gt, pred, score)",
       {}},
  }};
  return table;
}

}  // namespace lil::tools
