#include <cmath>
#include <memory>

#include "graph/model_io.h"
#include "ops/deform_conv2d/operator.h"
#include "ops/python_peer.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

constexpr std::int64_t kTaps = 9;

/// ONNX's own operator.
Model onnx_model(const std::vector<Tensor>& inputs) {
  std::string parameters;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    static constexpr const char* kNames[] = {"X", "W", "offset", "B", "mask"};
    parameters += (i == 0 ? "float" : ", float") + to_string(inputs[i].shape()) + " " + kNames[i];
  }
  return value_of(model_from_text("<ir_version: 10, opset_import: [\"\" : 22]>\ng (" + parameters +
                                  ") => (float[N, O, H, W] y) "
                                  "{ y = DeformConv <pads = [1, 1, 1, 1]> (X, W, offset, B, mask) }"));
}

/// Stride 1, padding 1: sampled values of one position after the other, multiplied as they come.
void plain_loop(const std::vector<Tensor>& inputs, float* y) {
  const std::int64_t channels = inputs[0].shape()[1];
  const std::int64_t height = inputs[0].shape()[2];
  const std::int64_t width = inputs[0].shape()[3];
  const std::int64_t outputs = inputs[1].shape()[0];
  const float* x = inputs[0].data<float>().data();
  const float* w = inputs[1].data<float>().data();
  const float* offset = inputs[2].data<float>().data();
  const float* bias = inputs[3].data<float>().data();
  const float* mask = inputs[4].data<float>().data();
  const std::int64_t map = height * width;
  std::vector<float> column(static_cast<std::size_t>(channels * kTaps));
  for (std::int64_t p = 0; p < map; ++p) {
    for (std::int64_t t = 0; t < kTaps; ++t) {
      const auto tap_y = p / width - 1 + t / 3;
      const auto tap_x = p % width - 1 + t % 3;
      const float fy = static_cast<float>(tap_y) + offset[2 * t * map + p];
      const float fx = static_cast<float>(tap_x) + offset[(2 * t + 1) * map + p];
      const auto y0 = static_cast<std::int64_t>(std::floor(fy));
      const auto x0 = static_cast<std::int64_t>(std::floor(fx));
      for (std::int64_t c = 0; c < channels; ++c) {
        float value = 0;
        for (std::int64_t i = y0; i < y0 + 2; ++i) {
          for (std::int64_t j = x0; j < x0 + 2; ++j) {
            if (i < 0 || i >= height || j < 0 || j >= width) continue;
            value += (1 - std::abs(fy - static_cast<float>(i))) * (1 - std::abs(fx - static_cast<float>(j))) *
                     x[c * map + i * width + j];
          }
        }
        column[static_cast<std::size_t>(c * kTaps + t)] = value * mask[t * map + p];
      }
    }
    for (std::int64_t o = 0; o < outputs; ++o) {
      float sum = bias[o];
      for (std::int64_t k = 0; k < channels * kTaps; ++k)
        sum += w[o * channels * kTaps + k] * column[static_cast<std::size_t>(k)];
      y[o * map + p] = sum;
    }
  }
}

Case make(const std::string& name, const std::string& what, std::int64_t channels, std::int64_t height,
          std::int64_t width) {
  const std::vector<Tensor> inputs = {random_floats({1, channels, height, width}, -1, 1, 1),
                                      random_floats({channels, channels, 3, 3}, -0.1F, 0.1F, 2),
                                      random_floats({1, 2 * kTaps, height, width}, -2, 2, 3),
                                      random_floats({channels}, -1, 1, 4),
                                      random_floats({1, kTaps, height, width}, 0, 1, 5)};
  const std::int64_t results = channels * height * width;
  const auto y = std::make_shared<std::vector<float>>(results);
  const ops::Operator& op = ops::deform_conv2d();
  const ops::Attributes attributes = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}}};
  double bytes = 4.0 * static_cast<double>(results);
  for (const Tensor& input : inputs) bytes += 4.0 * static_cast<double>(input.count());
  const double sampled = static_cast<double>(results) * kTaps;  // values; four corners and the mask each
  Case made = {"deform_conv2d/" + name,
               what,
               {.bytes = bytes, .flops = sampled * (2.0 * static_cast<double>(channels) + 9)},
               0,
               {bare_kernel(op, attributes, inputs)}};
  const auto named = named_inputs(op, inputs);
  made.sides.push_back(
      compiled("tarmac in openvino", single_node_model(op, attributes, inputs), "openvino", named));
  made.sides.push_back(compiled("onnxruntime", onnx_model(inputs), "onnxruntime", named));
  if (auto torch = torch_peer(made.name)) made.sides.push_back(*std::move(torch));
  made.sides.push_back(function("plain loop", [=] { plain_loop(inputs, y->data()); }));
  return made;
}

}  // namespace

std::vector<CaseMaker> deform_conv2d_cases() {
  return {{"deform_conv2d/resnet50",
           [] {
             return make("resnet50", "a stage of ResNet-50-DCN: 256×50×84 → 256, 3×3, masked, float32", 256,
                         50, 84);
           }},
          {"deform_conv2d/bev", [] {
             return make("bev", "bird's-eye-view head: 128×128×128 → 128, 3×3, masked, float32", 128, 128,
                         128);
           }}};
}

}  // namespace tarmac::bench
