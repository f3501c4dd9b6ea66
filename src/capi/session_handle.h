// What a tarmac_session stands for.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "capi/edge.h"
#include "capi/handles.h"
#include "capi/tensors.h"
#include "tarmac/session.h"

namespace tarmac::capi {

struct SessionObject {
  explicit SessionObject(Session opened)
      : inputs(opened.inputs()), outputs(opened.outputs()), session(std::move(opened)) {}

  TensorInfos inputs;
  TensorInfos outputs;
  /// By name: views of the caller's memory, or memory of our own for pictures; kept so that binding again
  /// allocates nothing.
  std::map<std::string, Tensor, std::less<>> bound;
  std::map<std::string, Tensor, std::less<>> frames;
  std::map<std::string, Tensor, std::less<>> results;
  Session session;  ///< last: it ends first, and with it a run that still reads the above
};

/// kUsage where it is no live session.
Result<SessionObject*> find_session(const tarmac_session* handle);

/// The entry of this name, made where there is none.
template <typename Map>
typename Map::value_type& entry_of(Map& map, const char* name) {
  const auto found = map.find(name);
  return found == map.end() ? *map.emplace(name, typename Map::mapped_type()).first : *found;
}

/// From now; none below 0.
RunOptions run_options(std::int64_t timeout_ns);

/// Copies a struct that begins with its size, of this or another version of the header, over `options`.
/// kUsage where it is smaller than the first version's, or larger with members that this library does not
/// know set.
template <typename Options>
Status read_options(const Options* given, std::size_t first_version_bytes, Options& options) {
  if (given == nullptr) return {};
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  if (given->size < first_version_bytes) {
    return make_error(ErrorCode::kUsage, "found options of " + std::to_string(given->size) +
                                             " bytes; set their 'size' to that of the struct");
  }
  constexpr std::size_t kMostBytes = 4096;
  if (given->size > kMostBytes) return make_error(ErrorCode::kUsage, "the 'size' of the options is no size");
  for (std::size_t i = sizeof(Options); i < given->size; ++i) {
    if (bytes[i] != 0) {
      return make_error(ErrorCode::kUsage,
                        "the options have members set that this version does not know; use a newer library");
    }
  }
  std::memcpy(&options, given, std::min(given->size, sizeof(Options)));
  return {};
}

/// "" for NULL.
inline std::string text_or_empty(const char* text) { return text == nullptr ? std::string() : text; }

}  // namespace tarmac::capi
