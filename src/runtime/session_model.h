// What the sessions of one model share.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/open_model.h"
#include "sequence/state_carrier.h"
#include "tarmac/session.h"

namespace tarmac {

/// Not changed after it was opened, but for the counts.
struct SessionModel {
  OpenedModel opened;
  std::string target;
  std::string engine_version;
  std::vector<TensorSpec> inputs;  ///< without those of temporal state
  std::vector<TensorSpec> outputs;
  std::vector<PlanProfile> profiles;
  bool has_open_shapes = false;  ///< some input's shape is not all numbers
  bool strict = false;
  std::vector<StateSpec> state;
  FirstValues first_values;
  std::shared_ptr<Metrics> metrics;
  std::shared_ptr<Tracer> tracer;  ///< may be null

  [[nodiscard]] bool is_state_input(const std::string& name) const;
};

/// Errors: as Session::open().
Result<std::shared_ptr<SessionModel>> open_session_model(const std::filesystem::path& path,
                                                         const SessionOptions& options);

}  // namespace tarmac
