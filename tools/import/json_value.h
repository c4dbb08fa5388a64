#pragma once

#include <rapidjson/document.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schemas/ids.h"

namespace lil::tools {

/// `an object`, `a number`, …: for messages.
[[nodiscard]] std::string type_name(const rapidjson::Value& value);

/// null, NaN, Infinity: no value was there to be written.
[[nodiscard]] bool is_null_like(const rapidjson::Value& value);

/// The member called `key`, or null where `object` is none, has no such member, or one that is null-like.
[[nodiscard]] const rapidjson::Value* member(const rapidjson::Value& object, std::string_view key);
/// The member as it is if it is an object; null otherwise.
[[nodiscard]] const rapidjson::Value* object_member(const rapidjson::Value& object, std::string_view key);
/// The member's text where it is a string.
[[nodiscard]] std::optional<std::string> string_member(const rapidjson::Value& object, std::string_view key);

/// A string as it is, a number in its shortest spelling (27.0 is `27`), `true`, `false`; an array of one
/// such value is that value. Nothing for anything else.
[[nodiscard]] std::optional<std::string> text_of(const rapidjson::Value& value);
/// Nothing where `value` is no whole number.
[[nodiscard]] std::optional<std::int64_t> integer_of(const rapidjson::Value& value);
/// Token ids out of an array of whole numbers. Throws Error(kInput) that begins with `what`.
[[nodiscard]] std::vector<schemas::TokenId> ids_of(const rapidjson::Value& value, std::string_view what);

/// The keys of an object for messages: `a, b, c`; of many, the first ones and how many more.
[[nodiscard]] std::string keys_of(const rapidjson::Value& object);

}  // namespace lil::tools
