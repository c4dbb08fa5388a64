#include "analyze/calibration/certificate.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "analyze/calibration/problem_split.h"
#include "analyze/calibration/risks.h"
#include "schemas/error.h"
#include "schemas/sha256.h"

namespace lil::analyze {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kUidDigits = 16;

Json json_of(const PartReport& part) {
  const Cell& cell = part.cell;
  return {{"problems", cell.problems},
          {"traces", cell.traces},
          {"capped", cell.capped},
          {"finish_known", cell.finish_known},
          {"tokens", cell.tokens},
          {"kept", cell.kept},
          {"stopped", cell.stopped},
          {"right_full", cell.right_full},
          {"right_stop", cell.right_stop},
          {"harm", cell.harm},
          {"gain", cell.gain},
          {"risk", part.risk}};
}

Json json_of(const Interval& interval) {
  return Json::array({interval.low, interval.high});
}

Json json_of(const TestReport& test) {
  Json json = json_of(test.part);
  json["saved_95"] = json_of(test.saved);
  json["harm_95"] = json_of(test.harm);
  json["accuracy_difference_95"] = json_of(test.difference);
  json["intervals"] = test.has_repeats ? "bootstrap over problems"
                                       : "saved: bootstrap; harm: Clopper-Pearson; difference: Tango";
  json["mcnemar_p"] = test.mcnemar ? Json(*test.mcnemar) : Json(nullptr);
  return json;
}

std::string share_cut(const Cell& cell) {
  if (cell.finish_known == 0) return "how its traces ended is not on record";
  return fmt::format("{} of {} traces were cut by it", cell.capped, cell.finish_known);
}

Json premises_of(const Certificate& certificate) {
  const Cell& cell = certificate.calibrate.cell;
  const std::string cap = cell.cap_tokens ? fmt::format("generation capped at {} tokens", *cell.cap_tokens)
                                          : "a cap that is not on record";
  return Json::array({
      "problems are independent draws from the population that the setting is used on",
      fmt::format("the generations come from model {}, policy {}, sampler {}", cell.model, cell.policy,
                  cell.sampler),
      fmt::format("{}; {}", cap, share_cut(cell)),
      fmt::format("right and wrong are as graded by {}", cell.grading),
      fmt::format("{} of {} calibrate traces are right in full, and only these can be harmed",
                  cell.right_full, cell.traces),
      fmt::format(
          "signal, stream, f and the thresholds with their order were chosen on the {} tune problems, before "
          "the calibrate problems were looked at",
          certificate.tune.cell.problems),
      fmt::format("{} of {} hypotheses in {} chains: with probability at least {:g} no certified setting has "
                  "a greater risk",
                  to_string(certificate.procedure), certificate.hypotheses, certificate.chains,
                  1 - certificate.delta),
      "the data was not calibrated on before with other choices or another seed",
  });
}

/// What has to hold for the claim to hold, and what it does not claim.
Json grounds_of(const Certificate& certificate) {
  const Cell& cell = certificate.calibrate.cell;
  Json grounds = premises_of(certificate);
  if (certificate.without_gold > 0) {
    grounds.push_back(fmt::format(
        "{} traces whose problem has no gold answer are left out: nothing is claimed of such problems",
        certificate.without_gold));
  }
  if (certificate.incomplete > 0) {
    grounds.push_back(fmt::format(
        "{} traces that were not complete are left out, though the longest generations end last: nothing is "
        "claimed of problems whose generation does not end",
        certificate.incomplete));
  }
  if (certificate.run_status == "open" || certificate.run_status == "failed") {
    grounds.push_back(fmt::format("the run was {} when it was calibrated on: not all of its problems are in",
                                  certificate.run_status));
  }
  if (costs_answers(certificate)) {
    grounds.push_back(fmt::format(
        "{} does not count right answers: of the calibrate traces {} are right in full and {} at the stop",
        certificate.risk, cell.right_full, cell.right_stop));
  }
  return grounds;
}

std::uint64_t seed_in(const Json& json, const char* key, const std::string& where) {
  if (!json.contains(key) || !json[key].is_number_unsigned()) {
    throw Error(ErrorCode::kInput, fmt::format("{}: a certificate has a whole number '{}'", where, key));
  }
  return json[key].get<std::uint64_t>();
}

std::string text_in(const Json& json, const char* key, const std::string& where) {
  if (!json.contains(key) || !json[key].is_string()) {
    throw Error(ErrorCode::kInput, fmt::format("{}: a certificate has a text '{}'", where, key));
  }
  return json[key].get<std::string>();
}

double number_in(const Json& json, const char* key, const std::string& where) {
  if (!json.contains(key) || !json[key].is_number()) {
    throw Error(ErrorCode::kInput, fmt::format("{}: a certificate has a number '{}'", where, key));
  }
  return json[key].get<double>();
}

/// A level of risk or error: above 0, below 1.
double level_in(const Json& json, const char* key, const std::string& where) {
  const double level = number_in(json, key, where);
  if (level > 0 && level < 1) return level;
  throw Error(ErrorCode::kInput, fmt::format("{}: '{}' is {}, not between 0 and 1", where, key, level));
}

}  // namespace

std::string claim_of(const Certificate& certificate) {
  const Cell& cell = certificate.calibrate.cell;
  return fmt::format("{} at most {:g} with confidence {:g}: {} on {} of {}", certificate.risk,
                     certificate.alpha, 1 - certificate.delta, cell.rule, cell.signal, cell.stream);
}

bool costs_answers(const Certificate& certificate) {
  const Risk& risk = find_risk(certificate.risk);
  if (risk.is_binary) return false;  // harm and drop count them
  const auto falls = [&](const Cell& cell) {
    return static_cast<double>(cell.right_full - cell.right_stop) >
           certificate.alpha * static_cast<double>(cell.traces);
  };
  return falls(certificate.calibrate.cell) || falls(certificate.test.part.cell);
}

std::vector<schemas::CertificateRecord> made_before(std::span<const schemas::CertificateRecord> stored,
                                                    const std::string& run, const std::string& problem_set,
                                                    const std::string& uid) {
  std::vector<schemas::CertificateRecord> others;
  for (const schemas::CertificateRecord& one : stored) {
    if (one.run == run && one.problem_set == problem_set && one.uid != uid) others.push_back(one);
  }
  return others;
}

std::string to_json(const Certificate& certificate) {
  const Cell& cell = certificate.calibrate.cell;
  Json json = {{"lil_certificate", 1},
               {"claim", claim_of(certificate)},
               {"risk", certificate.risk},
               {"alpha", certificate.alpha},
               {"delta", certificate.delta},
               {"problems", cell.problems},
               {"harms", cell.harm},
               {"gains", cell.gain},
               {"p_value", certificate.p_value},
               {"p_value_kind", to_string(certificate.p_value_kind)},
               {"method", to_string(certificate.procedure)},
               {"level", certificate.level},
               {"hypotheses", certificate.hypotheses},
               {"chains", certificate.chains},
               {"rule", cell.rule},
               {"shape", certificate.shape},
               {"t", certificate.t},
               {"signal", cell.signal},
               {"signal_version", cell.signal_version},
               {"stream", cell.stream},
               {"grid_tokens", *cell.grid_tokens},
               {"grading", cell.grading},
               {"run", cell.run},
               {"problem_set", cell.problem_set},
               {"model", cell.model},
               {"policy", cell.policy},
               {"sampler", cell.sampler},
               {"live_stop_rule", cell.stop_rule},
               {"cap_tokens", cell.cap_tokens ? Json(*cell.cap_tokens) : Json(nullptr)},
               {"capped", cell.capped},
               {"finish_known", cell.finish_known},
               {"incomplete", certificate.incomplete},
               {"without_gold", certificate.without_gold}};
  if (!certificate.closing.empty()) json["closing"] = certificate.closing;
  json["split"] = {{"seed", certificate.split_seed}, {"shares", certificate.split_shares}};
  json["tune"] = json_of(certificate.tune);
  json["calibrate"] = json_of(certificate.calibrate);
  json["test"] = json_of(certificate.test);
  json["data_sha256"] = certificate.data_sha256;
  json["rests_on"] = grounds_of(certificate);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

CertifiedSetting parse_certificate(std::string_view text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object() || !json.contains("lil_certificate")) {
    throw Error(ErrorCode::kInput, fmt::format("{} is no certificate of lil calibrate", where));
  }
  CertifiedSetting setting;
  setting.risk = text_in(json, "risk", where);
  setting.alpha = level_in(json, "alpha", where);
  setting.delta = level_in(json, "delta", where);
  setting.shape = text_in(json, "shape", where);
  setting.t = static_cast<std::int64_t>(number_in(json, "t", where));
  setting.signal = text_in(json, "signal", where);
  setting.signal_version = text_in(json, "signal_version", where);
  setting.stream = text_in(json, "stream", where);
  setting.grading = text_in(json, "grading", where);
  if (setting.grading.starts_with(kProbeAnswers)) {
    setting.grading.erase(0, kProbeAnswers.size());
    setting.answers = AnswerSource::kProbe;
  }
  if (json.contains("closing")) setting.closing = text_in(json, "closing", where);
  setting.run = text_in(json, "run", where);
  setting.problem_set = text_in(json, "problem_set", where);
  const Json split = json.contains("split") ? json["split"] : Json();
  setting.split_seed = seed_in(split, "seed", where);
  if (!split.contains("shares") || !split["shares"].is_array() || split["shares"].size() != 3) {
    throw Error(ErrorCode::kInput, fmt::format("{}: a certificate has three 'shares' of its split", where));
  }
  for (std::size_t i = 0; i < setting.split_shares.size(); ++i) {
    if (!split["shares"][i].is_number()) {
      throw Error(ErrorCode::kInput, fmt::format("{}: the 'shares' of the split are numbers", where));
    }
    setting.split_shares[i] = split["shares"][i].get<double>();
  }
  return setting;
}

schemas::CertificateRecord certificate_record(const Certificate& certificate) {
  const Cell& cell = certificate.calibrate.cell;
  schemas::CertificateRecord record;
  record.document = to_json(certificate);
  record.uid = schemas::sha256_hex(record.document).substr(0, kUidDigits);
  record.run = cell.run;
  record.problem_set = cell.problem_set;
  record.model = cell.model;
  record.policy = cell.policy;
  record.sampler = cell.sampler;
  record.signal = cell.signal;
  record.signal_version = cell.signal_version;
  record.stream = cell.stream;
  record.rule = cell.rule;
  record.risk = certificate.risk;
  record.alpha = certificate.alpha;
  record.delta = certificate.delta;
  record.p_value = certificate.p_value;
  record.problems = cell.problems;
  record.harms = cell.harm;
  record.gains = cell.gain;
  record.hypotheses = certificate.hypotheses;
  record.chains = certificate.chains;
  record.cap_tokens = cell.cap_tokens;
  record.capped = cell.capped;
  record.finish_known = cell.finish_known;
  record.split_seed = static_cast<std::int64_t>(certificate.split_seed);
  record.data_sha256 = certificate.data_sha256;
  return record;
}

}  // namespace lil::analyze
