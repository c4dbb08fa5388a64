#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lil::tests {

/// Reads the elements of an SVG as strictly as XML asks for, as far as drawings need it.
class SvgReader {
 public:
  explicit SvgReader(const std::string& text) { read(text); }

  /// What is wrong first; empty where nothing is.
  [[nodiscard]] const std::string& wrong() const { return wrong_; }
  [[nodiscard]] int count(const std::string& element) const {
    const auto found = counts_.find(element);
    return found == counts_.end() ? 0 : found->second;
  }
  /// Of the first such element.
  [[nodiscard]] std::string attribute(const std::string& element, const std::string& name) const {
    const auto found = first_.find(element);
    if (found == first_.end()) return "";
    const auto value = found->second.find(name);
    return value == found->second.end() ? "" : value->second;
  }
  [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }
  [[nodiscard]] const std::vector<std::string>& links() const { return links_; }

 private:
  using Attributes = std::map<std::string, std::string>;

  void read(const std::string& text) {
    std::vector<std::string> open;
    std::size_t at = 0;
    while (at < text.size() && wrong_.empty()) {
      if (text[at] != '<') {
        const std::size_t next = std::min(text.find('<', at), text.size());
        check_text(text.substr(at, next - at));
        at = next;
        continue;
      }
      const std::size_t end = text.find('>', at);
      if (end == std::string::npos) return fail("an element without an end");
      std::string inside = text.substr(at + 1, end - at - 1);
      at = end + 1;
      if (inside.starts_with("/")) {
        if (open.empty() || open.back() != inside.substr(1)) return fail("</" + inside.substr(1) + ">");
        open.pop_back();
        continue;
      }
      const bool closed = inside.ends_with("/");
      if (closed) inside.pop_back();
      const std::string name = inside.substr(0, inside.find(' '));
      take(name, inside.substr(name.size()));
      if (!closed) open.push_back(name);
    }
    if (!open.empty()) fail("<" + open.back() + "> is not closed");
  }

  void take(const std::string& name, const std::string& rest) {
    ++counts_[name];
    Attributes attributes;
    std::size_t at = 0;
    while (at < rest.size()) {
      if (rest[at] == ' ') {
        ++at;
        continue;
      }
      const std::size_t equals = rest.find("=\"", at);
      const std::size_t quote = equals == std::string::npos ? equals : rest.find('"', equals + 2);
      if (quote == std::string::npos) return fail("attributes of <" + name + rest + ">");
      const std::string value = rest.substr(equals + 2, quote - equals - 2);
      check_text(value);
      if (!attributes.emplace(rest.substr(at, equals - at), value).second)
        return fail("an attribute twice in " + rest);
      at = quote + 1;
    }
    if (attributes.count("id") > 0) ids_.push_back(attributes["id"]);
    if (attributes.count("href") > 0) links_.push_back(attributes["href"]);
    for (const auto& [key, value] : attributes) {
      if (key.starts_with("on") || key == "style") fail("attribute " + key);
      if (value.find("nan") != std::string::npos || value.find("inf ") != std::string::npos)
        fail(key + "=" + value);
    }
    first_.emplace(name, std::move(attributes));
  }

  void check_text(const std::string& text) {
    for (std::size_t at = text.find('&'); at != std::string::npos; at = text.find('&', at + 1)) {
      const std::string entity = text.substr(at, text.find(';', at) - at + 1);
      if (entity != "&amp;" && entity != "&lt;" && entity != "&gt;" && entity != "&quot;" &&
          entity != "&#39;")
        fail("entity in " + text);
    }
    if (text.find('<') != std::string::npos) fail("< in " + text);
  }

  void fail(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  std::string wrong_;
  std::map<std::string, int> counts_;
  std::map<std::string, Attributes> first_;
  std::vector<std::string> ids_;
  std::vector<std::string> links_;
};

}  // namespace lil::tests
