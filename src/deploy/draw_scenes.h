// Frames of a 3-D detector's evaluation for the report.
#pragma once

#include <optional>
#include <vector>

#include "deploy/cells.h"

namespace tarmac {

/// A few frames spread over the evaluation as the original model and the deployed one see them, and the map
/// of the first frames as the deployed one sees them, animated. Nothing where the cells have no
/// detections_3d. Errors: draw_scene_3d()'s, Dataset::load()'s, kUnavailable (OpenCV's codecs).
Result<std::optional<report::SceneSheet>> draw_scenes(const Contract& contract, const Dataset& data,
                                                      const std::vector<Cell>& cells, const Cell& deployed);

}  // namespace tarmac
