// JSON text on its way to Python's json.loads.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tarmac::python {

/// Names in a model need not be UTF-8; JSON must be. What is not finite becomes null.
inline std::string dump(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace tarmac::python
