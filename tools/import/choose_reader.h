#pragma once

#include <memory>
#include <string>

#include "tools/import/byte_source.h"
#include "tools/import/log_reader.h"
#include "tools/import/record_fields.h"

namespace lil::tools {

struct ChosenReader {
  std::string name;
  std::unique_ptr<LogReader> reader;
};

/// The reader that `format` names, or, where it is empty, the one whose format the file's first records
/// have. Throws Error(kUsage) for an unknown format or a given field that no record has, Error(kInput)
/// where the file holds no record, or no format or more than one fits; all name the file. `fields`
/// outlives the reader.
[[nodiscard]] ChosenReader choose_reader(const InputFile& file, const std::string& format,
                                         const FieldMap& fields);

}  // namespace lil::tools
