// Checks JSON against the part of JSON Schema that this repository's schemas use.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tarmac::test {

/// What in `value` breaks `schema`, with JSON pointers; empty when nothing does. Knows type, const, enum,
/// required, properties, additionalProperties (false), items, and $ref into the same file; an unknown keyword
/// is reported too.
std::vector<std::string> schema_violations(const nlohmann::json& schema, const nlohmann::json& value);

}  // namespace tarmac::test
