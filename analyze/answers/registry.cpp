#include "analyze/answers/registry.h"

#include <vector>

namespace lil::analyze {

std::unique_ptr<Extractor> make_boxed_extractor(const schemas::Arguments& arguments);
std::unique_ptr<Extractor> make_hash_extractor(const schemas::Arguments& arguments);
std::unique_ptr<Extractor> make_json_extractor(const schemas::Arguments& arguments);
std::unique_ptr<Extractor> make_number_extractor(const schemas::Arguments& arguments);
std::unique_ptr<Extractor> make_phrase_extractor(const schemas::Arguments& arguments);

std::span<const schemas::RegistryRow<ExtractorFactory>> extractor_registry() {
  static const std::vector<schemas::RegistryRow<ExtractorFactory>> rows = {
      {"json", make_json_extractor, "\"answer\" of a JSON object on a line of its own", {}},
      {"boxed", make_boxed_extractor, "the last complete \\boxed{...} or \\fbox{...}", {}},
      {"hash", make_hash_extractor, "the last line '#### 18'", {}},
      {"phrase", make_phrase_extractor, "the last 'the answer is ...' or 'Final answer: ...'", {}},
      {"number", make_number_extractor, "the last number; of a text cut off it is a stray one", {}},
  };
  return rows;
}

}  // namespace lil::analyze
