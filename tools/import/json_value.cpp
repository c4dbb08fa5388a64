#include "tools/import/json_value.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "schemas/error.h"

namespace lil::tools {
namespace {

constexpr int kMostKeysShown = 40;
constexpr double kMostExactInteger = 9007199254740992.0;  // 2^53

}  // namespace

std::string type_name(const rapidjson::Value& value) {
  switch (value.GetType()) {
    case rapidjson::kNullType:
      return "null";
    case rapidjson::kFalseType:
    case rapidjson::kTrueType:
      return "a truth value";
    case rapidjson::kObjectType:
      return "an object";
    case rapidjson::kArrayType:
      return "an array";
    case rapidjson::kStringType:
      return "a string";
    case rapidjson::kNumberType:
      return "a number";
  }
  return "unknown";
}

bool is_null_like(const rapidjson::Value& value) {
  return value.IsNull() || (value.IsDouble() && !std::isfinite(value.GetDouble()));
}

const rapidjson::Value* member(const rapidjson::Value& object, std::string_view key) {
  if (!object.IsObject()) return nullptr;
  const rapidjson::Value name(key.data(), static_cast<rapidjson::SizeType>(key.size()));
  const auto found = object.FindMember(name);
  if (found == object.MemberEnd() || is_null_like(found->value)) return nullptr;
  return &found->value;
}

const rapidjson::Value* object_member(const rapidjson::Value& object, std::string_view key) {
  const rapidjson::Value* value = member(object, key);
  return value != nullptr && value->IsObject() ? value : nullptr;
}

std::optional<std::string> string_member(const rapidjson::Value& object, std::string_view key) {
  const rapidjson::Value* value = member(object, key);
  if (value == nullptr || !value->IsString()) return std::nullopt;
  return std::string(value->GetString(), value->GetStringLength());
}

std::optional<std::string> text_of(const rapidjson::Value& value) {
  if (value.IsString()) return std::string(value.GetString(), value.GetStringLength());
  if (value.IsBool()) return value.GetBool() ? "true" : "false";
  if (value.IsInt64()) return fmt::format("{}", value.GetInt64());
  if (value.IsUint64()) return fmt::format("{}", value.GetUint64());
  if (value.IsDouble()) {
    const double number = value.GetDouble();
    if (!std::isfinite(number)) return std::nullopt;
    const bool whole = std::floor(number) == number && std::abs(number) <= kMostExactInteger;
    return whole ? fmt::format("{:.0f}", number) : fmt::format("{}", number);
  }
  if (value.IsArray() && value.Size() == 1 && !value[0].IsArray()) return text_of(value[0]);
  return std::nullopt;
}

std::optional<std::int64_t> integer_of(const rapidjson::Value& value) {
  if (value.IsInt64()) return value.GetInt64();
  if (value.IsDouble() && std::floor(value.GetDouble()) == value.GetDouble() &&
      std::abs(value.GetDouble()) <= kMostExactInteger) {
    return static_cast<std::int64_t>(value.GetDouble());
  }
  return std::nullopt;
}

std::vector<schemas::TokenId> ids_of(const rapidjson::Value& value, std::string_view what) {
  if (!value.IsArray()) {
    throw Error(ErrorCode::kInput,
                fmt::format("{} is {}, where an array of token ids is expected", what, type_name(value)));
  }
  std::vector<schemas::TokenId> ids;
  ids.reserve(value.Size());
  for (const rapidjson::Value& entry : value.GetArray()) {
    if (!entry.IsInt() || entry.GetInt() < 0) {
      throw Error(ErrorCode::kInput, fmt::format("{}[{}] is no token id", what, ids.size()));
    }
    ids.push_back(entry.GetInt());
  }
  return ids;
}

std::string keys_of(const rapidjson::Value& object) {
  std::string keys;
  int shown = 0;
  for (const auto& entry : object.GetObject()) {
    if (shown == kMostKeysShown) {
      return keys + fmt::format(" and {} more", static_cast<int>(object.MemberCount()) - shown);
    }
    keys += (shown++ == 0 ? "" : ", ");
    keys.append(entry.name.GetString(), entry.name.GetStringLength());
  }
  return keys.empty() ? "none" : keys;
}

}  // namespace lil::tools
