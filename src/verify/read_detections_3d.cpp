#include "verify/read_detections_3d.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "ops/registry.h"
#include "verify/read_detections.h"

namespace tarmac {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Runs a driving operator; an empty tensor is an input that is left out.
Result<std::vector<Tensor>> run_operator(const char* name, const ops::Attributes& given,
                                         const std::vector<Tensor>& inputs) {
  const ops::Operator& op = *ops::find_operator(ops::kDomain, name);
  TARMAC_TRY(const ops::Attributes attributes, ops::complete_attributes(op, given));
  std::vector<Type> types;
  std::vector<ops::ConstTensorView> from;
  for (const Tensor& input : inputs) {
    types.push_back(input.empty() ? Type() : Type::tensor(input.dtype(), input.shape()));
    from.push_back(input.empty() ? ops::ConstTensorView() : ops::view(input));
  }
  TARMAC_TRY(const auto made, ops::infer_types(op, attributes, types));
  std::vector<Tensor> outputs;
  for (const Type& type : made) {
    TARMAC_TRY(outputs.emplace_back(), Tensor::allocate(type.dtype, *type.static_shape()));
  }
  std::vector<ops::TensorView> to;
  for (Tensor& output : outputs) to.push_back(ops::view(output));
  TARMAC_TRY(const auto kernel, op.cpu(attributes));
  ops::Serial here;
  TARMAC_CHECK_OK(kernel->run(from, to, here));
  return outputs;
}

/// A range and cells that say another size than the map has would place every box wrongly.
Status check_size(const Tensor& heatmap, const CenterPointOutputs& maps) {
  if (heatmap.shape().size() != 4) return {};  // the operator says what is wrong
  const double columns = (maps.range[3] - maps.range[0]) / maps.cell[0];
  const double rows = (maps.range[4] - maps.range[1]) / maps.cell[1];
  const auto found_rows = static_cast<double>(heatmap.shape()[2]);
  const auto found_columns = static_cast<double>(heatmap.shape()[3]);
  if (std::abs(rows - found_rows) < 0.5 && std::abs(columns - found_columns) < 0.5) return {};
  return make_error(
      ErrorCode::kInvalidInput,
      fmt::format("the map has {} rows and {} columns; the contract's range and cell make {:.1f} and {:.1f}",
                  found_rows, found_columns, rows, columns),
      maps.heatmap);
}

Result<std::vector<Tensor>> decode(const NamedTensors& outputs, const CenterPointOutputs& maps,
                                   double min_score) {
  std::vector<Tensor> heads;
  for (const std::string& name :
       {maps.heatmap, maps.offset, maps.height, maps.size, maps.rotation, maps.velocity}) {
    if (name.empty()) continue;  // the last one
    TARMAC_TRY(const Tensor* head, find_output(outputs, name));
    heads.push_back(*head);
  }
  TARMAC_CHECK_OK(check_size(heads.front(), maps));
  const std::vector<float> range(maps.range.begin(), maps.range.end());
  const std::vector<float> cell(maps.cell.begin(), maps.cell.end());
  auto decoded = run_operator("BoxDecode3d",
                              {{"style", std::string("centerpoint")},
                               {"max_boxes", maps.max_boxes},
                               {"score_threshold", static_cast<float>(min_score)},
                               {"voxel_size", cell},
                               {"point_cloud_range", range},
                               {"peaks_only", std::int64_t{1}}},
                              heads);
  if (!decoded) decoded.error().node = maps.heatmap;
  return decoded;
}

}  // namespace

Result<std::vector<std::vector<Detection3d>>> read_detections_3d(const NamedTensors& outputs,
                                                                 const DetectionOutputs& how,
                                                                 std::int64_t samples) {
  if (!how.center_point)
    return make_error(ErrorCode::kUnsupported, "3-D boxes come from decoder: centerpoint only");
  const CenterPointOutputs& maps = *how.center_point;
  TARMAC_TRY(const auto decoded, decode(outputs, maps, how.min_score));
  const Tensor& boxes = decoded.front();
  if (boxes.shape()[0] < samples) {
    return make_error(
        ErrorCode::kInvalidInput,
        fmt::format("expected the detections of {} samples, found those of {}", samples, boxes.shape()[0]),
        maps.heatmap);
  }
  const auto squared = static_cast<float>(maps.min_distance * maps.min_distance);
  TARMAC_TRY(const auto kept,
             run_operator("CircleNms",
                          {{"max_boxes", maps.max_boxes}, {"squared_radius", std::vector<float>{squared}}},
                          decoded));
  const auto values = boxes.data<float>();
  const auto indices = kept[0].data<std::int32_t>();
  const auto scores = kept[1].data<float>();
  const auto labels = kept[2].data<std::int32_t>();
  const auto counts = kept[3].data<std::int32_t>();
  const auto most = static_cast<std::size_t>(maps.max_boxes);
  const auto columns = static_cast<std::size_t>(boxes.shape()[2]);
  std::vector<std::vector<Detection3d>> detections(static_cast<std::size_t>(samples));
  for (std::size_t n = 0; n < detections.size(); ++n) {
    for (std::size_t k = n * most; k < n * most + static_cast<std::size_t>(counts[n]); ++k) {
      const auto row = values.subspan((n * most + static_cast<std::size_t>(indices[k])) * columns, columns);
      const bool moves = !maps.velocity.empty();
      Detection3d one{{row[0], row[1], row[2], row[3], row[4], row[5], row[6], moves ? row[7] : kNan,
                       moves ? row[8] : kNan},
                      labels[k],
                      scores[k]};
      if (moves && !std::isfinite(one.box.vx + one.box.vy)) one.score = kNan;
      detections[n].push_back(one);
    }
  }
  return detections;
}

}  // namespace tarmac
