#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "ops/registry.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

constexpr std::int64_t kClasses = 10;
constexpr std::int64_t kSize = 180;
constexpr std::int64_t kArea = kSize * kSize;
constexpr std::int64_t kBoxes = 500;
constexpr float kThreshold = 0.1F;

/// As the coders do it: all scores, the best of them, their boxes.
void plain_loop(const std::vector<const float*>& heads, float* boxes) {
  std::vector<float> scores(kClasses * kArea);
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = 1 / (1 + std::exp(-heads[0][i]));
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > kThreshold) order.push_back(static_cast<std::int64_t>(i));
  }
  const auto taken = std::min<std::size_t>(kBoxes, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(taken), order.end(),
                    [&](std::int64_t i, std::int64_t j) {
                      const float a = scores[static_cast<std::size_t>(i)];
                      const float b = scores[static_cast<std::size_t>(j)];
                      return a != b ? a > b : i < j;
                    });
  for (std::size_t k = 0; k < taken; ++k) {
    const std::int64_t cell = order[k] % kArea;
    const std::int64_t row = cell / kSize;
    const std::int64_t column = cell % kSize;
    float* const box = boxes + 9 * k;
    box[0] = (static_cast<float>(column) + heads[1][cell]) * 0.6F - 54;
    box[1] = (static_cast<float>(row) + heads[1][kArea + cell]) * 0.6F - 54;
    box[2] = heads[2][cell];
    for (std::int64_t axis = 0; axis < 3; ++axis) box[3 + axis] = std::exp(heads[3][axis * kArea + cell]);
    box[6] = std::atan2(heads[4][cell], heads[4][kArea + cell]);
    box[7] = heads[5][cell];
    box[8] = heads[5][kArea + cell];
  }
}

Case centerpoint() {
  const auto map = [](std::int64_t channels, float low, float high) {
    return random_floats({1, channels, kSize, kSize}, low, high, static_cast<unsigned>(channels));
  };
  // As trained heatmaps are: one cell in a hundred is near the threshold, the others are far below.
  Tensor heat = map(kClasses, 0, 1);
  for (float& logit : heat.mutable_data<float>())
    logit = logit < 0.99F ? -9 + 5 * logit : -3 + 500 * (logit - 0.99F);
  const std::vector<Tensor> inputs = {heat,          map(2, 0, 1), map(1, -3, 1), map(3, 0, 1.5F),
                                      map(2, -1, 1), map(2, -9, 9)};
  std::vector<const float*> heads;
  for (const Tensor& input : inputs) heads.push_back(input.data<float>().data());
  const auto boxes = std::make_shared<std::vector<float>>(9 * kBoxes);
  const ops::Operator& op = *ops::find_operator(ops::kDomain, "BoxDecode3d");
  return {"box_decode_3d/centerpoint",
          "10 classes on 180×180 cells, 500 boxes above 0.1, float32",
          {.bytes = 4.0 * kClasses * kArea, .gathers = 10.0 * kBoxes},
          0,
          {bare_kernel(op,
                       {{"style", std::string("centerpoint")},
                        {"max_boxes", kBoxes},
                        {"score_threshold", kThreshold},
                        {"out_size_factor", std::int64_t{8}},
                        {"voxel_size", std::vector<float>{0.075F, 0.075F}},
                        {"point_cloud_range", std::vector<float>{-54, -54, -5, 54, 54, 3}}},
                       inputs),
           function("plain loop", [inputs, heads, boxes] { plain_loop(heads, boxes->data()); })}};
}

}  // namespace

std::vector<CaseMaker> box_decode_3d_cases() { return {{"box_decode_3d/centerpoint", centerpoint}}; }

}  // namespace tarmac::bench
