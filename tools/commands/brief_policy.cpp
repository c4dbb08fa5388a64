#include "tools/commands/brief_policy.h"

#include "record/attention_policy.h"
#include "schemas/error.h"
#include "schemas/registry.h"

namespace lil::tools {

std::string brief_policy(const std::string& policy) {
  try {
    return schemas::resolve_row("attention policy", record::attention_policy_rows(), policy)
        .second.to_brief_string();
  } catch (const Error&) {
    return policy;  // of a log, or of another version
  }
}

}  // namespace lil::tools
