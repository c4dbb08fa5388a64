#include "analyze/report/page/run_names.h"

#include "schemas/error.h"
#include "schemas/named_spec.h"

namespace lil::analyze::page {

std::string brief_policy(const std::string& policy) {
  constexpr std::size_t kMostBytes = 40;
  try {
    const schemas::NamedSpec spec = schemas::parse_named_spec(policy);
    for (const auto& [key, value] : spec.values) {
      if (key == "budget") return spec.name + "(budget=" + value + ")";
    }
    return policy.size() > kMostBytes ? spec.name : policy;
  } catch (const Error&) {
    return policy;  // of a log
  }
}

}  // namespace lil::analyze::page
