#include "support/json_schema.h"

#include <algorithm>
#include <set>

namespace tarmac::test {
namespace {

using nlohmann::json;

class Checker {
 public:
  explicit Checker(const json& root) : root_(root) {}

  void check(const json& schema, const json& value, const std::string& at) {
    if (schema.contains("$ref")) {
      check(root_.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1))), value, at);
      return;
    }
    static const std::set<std::string> known = {
        "type",  "const", "enum",  "required", "properties", "additionalProperties",
        "items", "$defs", "title", "$schema"};
    for (const auto& [keyword, unused] : schema.items()) {
      if (!known.contains(keyword)) fail(at, "the schema's keyword '" + keyword + "' is not known here");
    }
    if (schema.contains("type") && !has_type(schema["type"], value)) {
      fail(at, "expected " + schema["type"].dump() + ", found " + value.dump().substr(0, 60));
      return;
    }
    if (schema.contains("const") && schema["const"] != value) fail(at, "expected " + schema["const"].dump());
    if (schema.contains("enum") &&
        std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
      fail(at, "expected one of " + schema["enum"].dump());
    }
    if (value.is_object()) check_object(schema, value, at);
    if (value.is_array() && schema.contains("items")) {
      for (std::size_t i = 0; i < value.size(); ++i)
        check(schema["items"], value[i], at + "/" + std::to_string(i));
    }
  }

  std::vector<std::string> violations;

 private:
  void fail(const std::string& at, const std::string& what) { violations.push_back(at + ": " + what); }

  void check_object(const json& schema, const json& value, const std::string& at) {
    for (const json& name : schema.value("required", json::array())) {
      if (!value.contains(name)) fail(at, "'" + name.get<std::string>() + "' is missing");
    }
    const json properties = schema.value("properties", json::object());
    for (const auto& [name, member] : value.items()) {
      if (properties.contains(name)) {
        check(properties[name], member, at + "/" + name);
      } else if (!schema.value("additionalProperties", true)) {
        fail(at, "'" + name + "' is not in the schema");
      }
    }
  }

  static bool has_type(const json& types, const json& value) {
    if (types.is_array()) {
      return std::any_of(types.begin(), types.end(), [&](const json& type) { return has_type(type, value); });
    }
    const std::string type = types;
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    if (type == "integer") return value.is_number_integer();
    return type == "number" && value.is_number();
  }

  const json& root_;
};

}  // namespace

std::vector<std::string> schema_violations(const json& schema, const json& value) {
  Checker checker(schema);
  checker.check(schema, value, "");
  return std::move(checker.violations);
}

}  // namespace tarmac::test
