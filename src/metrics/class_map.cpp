#include "metrics/class_map.h"

#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "tensor/codec.h"

namespace tarmac {
namespace {

Result<ClassMap> from_classes(const Tensor& tensor) {
  ClassMap map;
  map.shape = tensor.shape();
  if (map.shape.size() == 4 && map.shape[1] == 1) map.shape.erase(map.shape.begin() + 1);
  TARMAC_TRY(const std::vector<std::int64_t> classes, to_int64s(tensor));
  map.classes.reserve(classes.size());
  for (const std::int64_t one : classes) {
    const bool possible = one >= 0 && one <= std::numeric_limits<std::int32_t>::max();
    map.classes.push_back(possible ? static_cast<std::int32_t>(one) : -1);
  }
  return map;
}

/// Plane by plane, so that each loop runs over consecutive numbers.
void take_largest(const float* scores, std::int64_t classes, std::size_t places, std::int32_t* out) {
  std::vector<float> best(scores, scores + places);
  std::vector<std::uint8_t> is_nan(places, 0);
  for (std::int64_t c = 0; c < classes; ++c) {
    const float* const plane = scores + static_cast<std::size_t>(c) * places;
    for (std::size_t i = 0; i < places; ++i) {
      is_nan[i] = static_cast<std::uint8_t>(is_nan[i] | (std::isnan(plane[i]) ? 1 : 0));
      const bool larger = plane[i] > best[i];
      best[i] = larger ? plane[i] : best[i];
      out[i] = larger ? static_cast<std::int32_t>(c) : out[i];
    }
  }
  for (std::size_t i = 0; i < places; ++i) out[i] = is_nan[i] != 0 ? -1 : out[i];
}

void take_above(const float* scores, std::size_t places, double threshold, std::int32_t* out) {
  for (std::size_t i = 0; i < places; ++i)
    out[i] = std::isnan(scores[i]) ? -1 : (scores[i] > threshold ? 1 : 0);
}

}  // namespace

Result<ClassMap> class_map(const Tensor& scores, double threshold) {
  const Shape& shape = scores.shape();
  const bool classes_already = !is_floating_point(scores.dtype());
  if (shape.size() < (classes_already ? 1U : 2U) || (!classes_already && shape[1] < 1)) {
    return make_error(ErrorCode::kInvalidInput,
                      "expected scores [samples, classes, …] or integer classes [samples, …], found " +
                          std::string(to_string(scores.dtype())) + " " + to_string(shape));
  }
  if (classes_already) return from_classes(scores);
  std::vector<float> converted;
  TARMAC_TRY(const Tensor aligned, scores.aligned());
  if (scores.dtype() != DType::kFloat32) {
    TARMAC_TRY(converted, to_floats(scores));
  }
  const auto values =
      scores.dtype() == DType::kFloat32 ? aligned.data<float>() : std::span<const float>(converted);
  ClassMap map;
  map.shape = shape;
  map.shape.erase(map.shape.begin() + 1);
  map.scored = shape[1] == 1 ? 2 : shape[1];
  TARMAC_TRY(const std::int64_t count, element_count(map.shape));
  map.classes.resize(static_cast<std::size_t>(count), 0);
  if (count == 0) return map;
  const std::size_t places = map.classes.size() / static_cast<std::size_t>(shape[0]);
  for (std::size_t n = 0; n < static_cast<std::size_t>(shape[0]); ++n) {
    const float* const sample = values.data() + n * static_cast<std::size_t>(shape[1]) * places;
    std::int32_t* const out = map.classes.data() + n * places;
    if (shape[1] == 1) {
      take_above(sample, places, threshold, out);
    } else {
      take_largest(sample, shape[1], places, out);
    }
  }
  return map;
}

}  // namespace tarmac
