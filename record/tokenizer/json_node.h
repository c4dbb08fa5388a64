#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace lil::record {

/// A value of a JSON file with the way to it, for messages such as
/// `FILE: model.merges[3]: …`. Points into a document that must outlive it.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, std::string where) : value_(&value), where_(std::move(where)) {}

  /// `FILE: way.to.the.value`
  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] const nlohmann::json& value() const { return *value_; }

  /// Throws Error(kInput): where(), then `what`.
  [[noreturn]] void fail(std::string_view what) const;

  /// The member `key`; nothing where it is missing or null. Throws where this is not an object.
  [[nodiscard]] std::optional<JsonNode> find(std::string_view key) const;
  /// The same for a member that must be there.
  [[nodiscard]] JsonNode at(std::string_view key) const;
  /// Item `index` of an array that has it.
  [[nodiscard]] JsonNode item(std::size_t index) const;
  /// Number of items. Throws where this is not an array.
  [[nodiscard]] std::size_t items() const;

  /// Throw where this is something else.
  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] bool flag() const;
  [[nodiscard]] std::int64_t integer() const;

  /// The member's value, or `otherwise` where it is missing or null.
  [[nodiscard]] bool flag_or(std::string_view key, bool otherwise) const;
  [[nodiscard]] std::string text_or(std::string_view key, std::string_view otherwise) const;

 private:
  const nlohmann::json* value_;
  std::string where_;
};

}  // namespace lil::record
