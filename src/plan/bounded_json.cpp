#include "plan/bounded_json.h"

namespace tarmac {
namespace {

constexpr int kMaxDepth = 64;

}  // namespace

std::optional<nlohmann::json> parse_json(std::string_view text) {
  bool too_deep = false;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > kMaxDepth;
    return !too_deep;
  };
  auto json = nlohmann::json::parse(text, watch, /*allow_exceptions=*/false);
  if (json.is_discarded() || too_deep) return std::nullopt;
  return json;
}

}  // namespace tarmac
