#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schemas/store.h"

namespace lil::schemas {

/// A setting whose risk is bounded with stated confidence. `document` is the whole certificate as JSON; the
/// other fields repeat what one looks for. Counts are of the problems and traces calibrated on.
struct CertificateRecord {
  std::string uid;  ///< first 16 hexadecimal digits of the SHA-256 of `document`
  std::string run;
  std::string problem_set;
  std::string model;
  std::string policy;
  std::string sampler;
  std::string signal;
  std::string signal_version;
  std::string stream;
  std::string rule;
  std::string risk;
  double alpha = 0;
  double delta = 0;
  double p_value = 1;
  std::int64_t problems = 0;
  std::int64_t harms = 0;
  std::int64_t gains = 0;
  std::int64_t hypotheses = 0;
  std::int64_t chains = 0;
  std::optional<std::int64_t> cap_tokens;
  std::int64_t capped = 0;
  std::int64_t finish_known = 0;
  std::int64_t split_seed = 0;
  std::string data_sha256;
  std::string document = "{}";
};

/// Replaces the certificate of the same uid.
void put_certificate(Store& store, const CertificateRecord& certificate);
/// In order of first writing.
[[nodiscard]] std::vector<CertificateRecord> list_certificates(const Store& store);

}  // namespace lil::schemas
