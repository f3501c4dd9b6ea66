#include "ops/deform_conv2d/plan.h"

#include <algorithm>

namespace tarmac::ops::deform {
namespace {

std::size_t up_to_multiple(std::size_t value, std::size_t of) { return (value + of - 1) / of * of; }

}  // namespace

Plan::Plan(const Geometry& geometry, const Settings& settings, std::size_t lanes, std::size_t row_step,
           int workers) {
  const auto groups = static_cast<std::size_t>(settings.groups);
  const auto positions = static_cast<std::size_t>(geometry.positions());
  depth = static_cast<std::size_t>(geometry.taps() * geometry.group_channels);
  const std::size_t parts = std::max<std::size_t>(1, (depth + kDepth - 1) / kDepth);
  part_rows = (depth + parts - 1) / parts;
  const std::size_t outputs = up_to_multiple(static_cast<std::size_t>(geometry.group_out_channels), lanes);
  vectors = outputs / lanes;
  // Small maps are cut finer, so that every worker gets some of them.
  const std::size_t share = positions / (4 * static_cast<std::size_t>(workers)) + 1;
  tile = std::clamp(up_to_multiple(share, row_step), 4 * row_step, up_to_multiple(kTile, row_step));
  tiles = (positions + tile - 1) / tile;
  map_stride = static_cast<std::size_t>(geometry.channels);
  a_stride = up_to_multiple(part_rows, lanes) + lanes;
  c_stride = outputs;
  weights_size = groups * depth * outputs;
  bias_size = groups * outputs;
  map_size = (static_cast<std::size_t>(geometry.map_size()) + 1) * map_stride + lanes;
}

}  // namespace tarmac::ops::deform
