#include "replay/signals/registry.h"

#include <vector>

namespace lil::replay {

std::unique_ptr<Signal> make_zlib(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_zlib_raw(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_gzip(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_lz4(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_lz4hc(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_zstd(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_brotli(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_lzma(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_bzip2(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_lz77(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_lz78(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_matchlen(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_ngram(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_substrings(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_ppm(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_logprob(const schemas::Arguments& arguments);
std::unique_ptr<Signal> make_entropy(const schemas::Arguments& arguments);

namespace {

using schemas::Parameter;

Parameter whole_number(const char* name, const char* default_value, double min, double max,
                       const char* description) {
  return {name, Parameter::Type::kInteger, default_value, min, max, {}, description};
}

Parameter deflate_level() {
  return whole_number("level", "6", 1, 9, "effort of the search, 1 fast to 9 thorough");
}

std::vector<SignalRow> deflate_rows() {
  return {
      {"zlib", make_zlib, "bytes after deflate in the zlib format (32 KiB window)", {deflate_level()}},
      {"zlib_raw", make_zlib_raw, "bytes of the bare deflate stream", {deflate_level()}},
      {"gzip",
       make_gzip,
       "bytes after deflate in the gzip format, header and trailer counted",
       {deflate_level()}},
  };
}

/// Where exactness costs compressing again what was compressed before, the description says what.
std::vector<SignalRow> library_rows() {
  return {
      {"lz4",
       make_lz4,
       "bytes of an LZ4 frame of linked 64 KiB blocks, without checksums; a check compresses the open one "
       "again",
       {}},
      {"lz4hc",
       make_lz4hc,
       "the same by LZ4's thorough mode; a check compresses the open 64 KiB block again",
       {whole_number("level", "9", 3, 12, "effort of the search, 3 fast to 12 thorough")}},
      {"zstd",
       make_zstd,
       "bytes of a Zstandard frame (1 MiB window); a check compresses the open 128 KiB block again",
       {whole_number("level", "3", 1, 19, "effort of the search, 1 fast to 19 thorough")}},
      {"brotli",
       make_brotli,
       "bytes after Brotli (1 MiB window); a check searches up to 64 KiB again and codes the whole prefix",
       {whole_number("quality", "5", 2, 11, "effort of the search, 2 fast to 11 thorough")}},
      {"lzma",
       make_lzma,
       "bytes of an .lzma file (1 MiB dictionary); a check copies the encoder, 3 to 13 MB",
       {whole_number("preset", "6", 0, 6, "effort of the search, 0 fast to 6 thorough")}},
      {"bzip2",
       make_bzip2,
       "bytes of a .bz2 file; a check sorts the open block, at most 900 kB, again",
       {whole_number("level", "9", 1, 9, "size of a block in 100 kB")}},
  };
}

std::vector<SignalRow> counting_rows() {
  return {
      {"lz77",
       make_lz77,
       "phrases of the greedy Lempel-Ziv parse with an unbounded window, or the bits to write them",
       {{"unit", Parameter::Type::kChoice, "phrases", 0, 0, {"phrases", "bits"}, "what is counted"}}},
      {"lz78", make_lz78, "phrases of the incremental Lempel-Ziv parse", {}},
      {"matchlen",
       make_matchlen,
       "bits of information as match lengths estimate it (Kontoyiannis, Grassberger)",
       {}},
      {"ngram",
       make_ngram,
       "distinct strings of n bytes: growth is the number of new n-grams",
       {whole_number("n", "16", 1, 65536, "bytes")}},
      {"substrings", make_substrings, "distinct substrings", {}},
      {"ppm",
       make_ppm,
       "bits of the arithmetic code under prediction by partial match (PPMC)",
       {whole_number("order", "5", 1, 16, "bytes of context at most")}},
      {"logprob",
       make_logprob,
       "thousandths of a nat: the recorded -ln p of every token, summed; the same for every stream",
       {}},
      {"entropy",
       make_entropy,
       "thousandths of a nat: the recorded entropy at every token, summed; the same for every stream",
       {}},
  };
}

}  // namespace

std::span<const SignalRow> signal_rows() {
  static const std::vector<SignalRow> rows = [] {
    std::vector<SignalRow> all;
    for (const auto& family : {deflate_rows(), library_rows(), counting_rows()})
      all.insert(all.end(), family.begin(), family.end());
    return all;
  }();
  return rows;
}

std::unique_ptr<Signal> make_signal(std::string_view spec) {
  const auto [row, arguments] = schemas::resolve_row("signal", signal_rows(), spec);
  return row->make(arguments);
}

}  // namespace lil::replay
