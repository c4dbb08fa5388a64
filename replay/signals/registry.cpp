#include "replay/signals/registry.h"

#include <vector>

namespace lil::replay {

std::unique_ptr<Signal> make_zlib(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_gzip(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_lz4(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_lz77(const schemas::Arguments& arguments);

namespace {

schemas::Parameter deflate_level() {
  return {"level", schemas::Parameter::Type::kInteger,          "6", 1, 9,
          {},      "effort of the search, 1 fast to 9 thorough"};
}

}  // namespace

std::span<const SignalRow> signal_rows() {
  static const std::vector<SignalRow> rows = {
      {"zlib", make_zlib, "bytes after deflate in the zlib format (32 KiB window)", {deflate_level()}},
      {"gzip",
       make_gzip,
       "bytes after deflate in the gzip format, header and trailer counted",
       {deflate_level()}},
      {"lz4", make_lz4, "bytes of an LZ4 frame of linked 64 KiB blocks, without checksums", {}},
      {"lz77", make_lz77, "phrases of the greedy Lempel-Ziv parse with an unbounded window", {}},
  };
  return rows;
}

std::unique_ptr<Signal> make_signal(std::string_view spec) {
  const auto [row, arguments] = schemas::resolve_row("signal", signal_rows(), spec);
  return row->make(arguments);
}

}  // namespace lil::replay
