// JSON from files and processes that are not trusted.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace tarmac {

/// Parses without exceptions and without deep recursion; nullopt when the text is no JSON or nested more than
/// 64 levels deep.
std::optional<nlohmann::json> parse_json(std::string_view text);

}  // namespace tarmac
