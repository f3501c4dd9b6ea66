#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/box_decode_3d/operator.h"
#include "ops/floats.h"

namespace tarmac::ops::box_decode_kernels {

Decoder::Decoder(const Settings& settings, std::span<const ConstTensorView> inputs)
    : settings_(settings), scores_(inputs[0]) {
  for (std::size_t i = 1; i < inputs.size(); ++i) heads_[i - 1] = inputs[i];
}

std::int64_t Decoder::places() const {
  std::int64_t product = 1;
  for (const std::int64_t size : scores_.shape.subspan(1)) product *= size;
  return product;
}

float Decoder::score(float value) const {
  return settings_.sigmoid ? 1.0F / (1.0F + std::exp(-value)) : value;
}

bool Decoder::passes(float value) const {
  return value > -std::numeric_limits<float>::infinity() && score(value) > settings_.score_threshold;
}

bool Decoder::is_peak(const float* values, std::int64_t place) const {
  const std::int64_t height = scores_.dim(2);
  const std::int64_t width = scores_.dim(3);
  const std::int64_t i = place / width % height;
  const std::int64_t j = place % width;
  for (std::int64_t di = i > 0 ? -1 : 0; di <= (i + 1 < height ? 1 : 0); ++di) {
    for (std::int64_t dj = j > 0 ? -1 : 0; dj <= (j + 1 < width ? 1 : 0); ++dj) {
      if (values[place + di * width + dj] > values[place]) return false;
    }
  }
  return true;
}

std::int32_t Decoder::label(std::int64_t place) const {
  if (settings_.style == Style::kBevFormer) return static_cast<std::int32_t>(place % scores_.dim(2));
  return static_cast<std::int32_t>(place / (scores_.dim(2) * scores_.dim(3)));
}

std::array<float, 9> Decoder::box(std::int64_t b, std::int64_t place) const {
  std::array<float, 9> box{};
  auto& [x, y, z, dx, dy, dz, yaw, vx, vy] = box;
  float sine = 0;
  float cosine = 0;
  if (settings_.style == Style::kCenterPoint) {
    const std::int64_t width = scores_.dim(3);
    const std::int64_t area = scores_.dim(2) * width;
    const std::int64_t cell = place % area;
    const std::int64_t row = cell / width;
    const auto head = [&](std::size_t i, std::int64_t channel) {
      return float_at(heads_[i], (b * heads_[i].dim(1) + channel) * area + cell);
    };
    x = (static_cast<float>(cell % width) + head(0, 0)) * settings_.cell_x + settings_.range[0];
    y = (static_cast<float>(row) + head(0, 1)) * settings_.cell_y + settings_.range[1];
    z = head(1, 0);
    dx = head(2, 0);
    dy = head(2, 1);
    dz = head(2, 2);
    sine = head(3, settings_.cos_first ? 1 : 0);
    cosine = head(3, settings_.cos_first ? 0 : 1);
    if (heads_[4].present()) {
      vx = head(4, 0);
      vy = head(4, 1);
    }
  } else {
    const std::int64_t columns = heads_[0].dim(2);
    const std::int64_t row = b * scores_.dim(1) + place / scores_.dim(2);
    const auto column = [&](std::int64_t i) { return float_at(heads_[0], row * columns + i); };
    const auto& range = settings_.range;
    const auto centre = [&](std::int64_t i, std::size_t axis) {
      return settings_.normalized ? column(i) * (range[axis + 3] - range[axis]) + range[axis] : column(i);
    };
    x = centre(0, 0);
    y = centre(1, 1);
    z = centre(4, 2);
    dx = column(2);
    dy = column(3);
    dz = column(5);
    sine = column(6);
    cosine = column(7);
    if (columns == 10) {
      vx = column(8);
      vy = column(9);
    }
  }
  if (settings_.exp_size) {
    for (float* size : {&dx, &dy, &dz}) *size = std::exp(*size);
  }
  if (settings_.legacy_axes) {
    std::swap(dx, dy);
    // −yaw − π/2
    yaw = std::atan2(-cosine, -sine);
  } else {
    yaw = std::atan2(sine, cosine);
  }
  return box;
}

void Decoder::emit(std::int64_t b, const float* values, std::span<const std::uint64_t> places,
                   std::span<const TensorView> outputs) const {
  const std::int64_t most = outputs[0].dim(1);
  const std::int64_t columns = outputs[0].dim(2);
  float* const boxes = outputs[0].as<float>() + b * most * columns;
  float* const scores = outputs[1].as<float>() + b * most;
  std::int32_t* const labels = outputs[2].as<std::int32_t>() + b * most;
  std::int64_t taken = 0;
  for (const std::uint64_t found : places) {
    const auto place = static_cast<std::int64_t>(found);
    const std::array<float, 9> numbers = box(b, place);
    if (const auto& range = settings_.post_center_range) {
      bool inside = true;
      for (std::size_t axis = 0; axis < 3; ++axis)
        inside = inside && numbers[axis] >= (*range)[axis] && numbers[axis] <= (*range)[axis + 3];
      if (!inside) continue;
    }
    std::copy_n(numbers.begin(), columns, boxes + taken * columns);
    scores[taken] = score(values[place]);
    labels[taken] = label(place);
    ++taken;
  }
  std::fill(boxes + taken * columns, boxes + most * columns, 0.0F);
  std::fill(scores + taken, scores + most, 0.0F);
  std::fill(labels + taken, labels + most, -1);
  outputs[3].as<std::int32_t>()[b] = static_cast<std::int32_t>(taken);
}

}  // namespace tarmac::ops::box_decode_kernels
