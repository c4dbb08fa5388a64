#include "record/tokenizer/json_node.h"

#include <fmt/format.h>

#include "schemas/error.h"

namespace lil::record {
namespace {

std::string shown(const nlohmann::json& value) {
  return value.is_structured() ? value.type_name() : value.dump();
}

}  // namespace

void JsonNode::fail(std::string_view what) const {
  throw Error(ErrorCode::kInput, fmt::format("{}: {}", where_, what));
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  if (!value_->is_object()) fail(fmt::format("an object is wanted, and this is {}", value_->type_name()));
  const auto member = value_->find(key);
  if (member == value_->end() || member->is_null()) return std::nullopt;
  return JsonNode(*member, fmt::format("{}{}{}", where_, where_.ends_with(": ") ? "" : ".", key));
}

JsonNode JsonNode::at(std::string_view key) const {
  auto member = find(key);
  if (!member) fail(fmt::format("'{}' is missing", key));
  return *std::move(member);
}

JsonNode JsonNode::item(std::size_t index) const {
  return {value_->at(index), fmt::format("{}[{}]", where_, index)};
}

std::size_t JsonNode::items() const {
  if (!value_->is_array()) fail(fmt::format("an array is wanted, and this is {}", value_->type_name()));
  return value_->size();
}

const std::string& JsonNode::text() const {
  if (!value_->is_string()) fail(fmt::format("a string is wanted, and this is {}", shown(*value_)));
  return value_->get_ref<const std::string&>();
}

bool JsonNode::flag() const {
  if (!value_->is_boolean()) fail(fmt::format("true or false is wanted, and this is {}", shown(*value_)));
  return value_->get<bool>();
}

std::int64_t JsonNode::integer() const {
  const bool fits = value_->is_number_integer() &&
                    (!value_->is_number_unsigned() || value_->get<std::uint64_t>() <= INT64_MAX);
  if (!fits) fail(fmt::format("an integer is wanted, and this is {}", shown(*value_)));
  return value_->get<std::int64_t>();
}

bool JsonNode::flag_or(std::string_view key, bool otherwise) const {
  const auto member = find(key);
  return member ? member->flag() : otherwise;
}

std::string JsonNode::text_or(std::string_view key, std::string_view otherwise) const {
  const auto member = find(key);
  return std::string(member ? member->text() : otherwise);
}

}  // namespace lil::record
