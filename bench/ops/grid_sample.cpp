#include <array>
#include <cmath>
#include <memory>

#include "graph/model_io.h"
#include "ops/grid_sample/operator.h"
#include "ops/python_peer.h"
#include "ops/sides.h"

namespace tarmac::bench {
namespace {

/// A map turned and shifted a little, as from one frame to the next: positions over the whole output.
Tensor warp(const Shape& sizes, std::int64_t batch) {
  Shape shape = {batch};
  shape.insert(shape.end(), sizes.begin(), sizes.end());
  const auto axes = static_cast<std::int64_t>(sizes.size());
  shape.push_back(axes);
  Tensor grid = value_of(Tensor::allocate(DType::kFloat32, shape));
  const auto out = grid.mutable_data<float>();
  const std::int64_t width = sizes[sizes.size() - 1];
  const std::int64_t height = sizes[sizes.size() - 2];
  const std::int64_t depth = axes == 3 ? sizes[0] : 1;
  const auto middle = [](std::int64_t i, std::int64_t size) {
    return static_cast<float>(2 * i + 1) / static_cast<float>(size) - 1;
  };
  const float cosine = std::cos(0.1F);
  const float sine = std::sin(0.1F);
  std::size_t at = 0;
  for (std::int64_t p = 0; p < batch * depth * height * width; ++p) {
    const float x = middle(p % width, width);
    const float y = middle(p / width % height, height);
    out[at++] = cosine * x - sine * y + 0.02F;
    out[at++] = sine * x + cosine * y + 0.01F;
    if (axes == 3) out[at++] = middle(p / width / height % depth, depth) + 0.03F;
  }
  return grid;
}

/// ONNX's own operator in the form that both engines read ("bilinear" before opset 20; 5-D came with it).
Model onnx_model(const Shape& x, const Shape& grid) {
  const bool flat = x.size() == 4;
  return value_of(
      model_from_text(std::string("<ir_version: 10, opset_import: [\"\" : ") + (flat ? "16" : "20") +
                      "]>\ng (float" + to_string(x) + " X, float" + to_string(grid) + " grid) => (float" +
                      (flat ? "[N, C, H, W]" : "[N, C, D, H, W]") + " y) { y = GridSample <mode = \"" +
                      (flat ? "bilinear" : "linear") + "\"> (X, grid) }"));
}

/// Linear, zeros outside: as one would write it first, an element at a time.
void plain_loop(const Tensor& x, const Tensor& grid, float* y) {
  const Shape& s = x.shape();
  const bool flat = s.size() == 4;
  const std::int64_t planes = s[0] * s[1];
  const std::array<std::int64_t, 3> size = {flat ? 1 : s[2], s[s.size() - 2], s[s.size() - 1]};
  const std::int64_t positions = grid.count() / s[0] / (flat ? 2 : 3);
  const float* from = x.data<float>().data();
  const float* g = grid.data<float>().data();
  const auto position = [](float v, std::int64_t elements) {
    return ((v + 1) * static_cast<float>(elements) - 1) / 2;
  };
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    const float* map = from + plane * size[0] * size[1] * size[2];
    const float* at = g + plane / s[1] * positions * (flat ? 2 : 3);
    for (std::int64_t p = 0; p < positions; ++p) {
      const float fx = position(*at++, size[2]);
      const float fy = position(*at++, size[1]);
      const float fz = flat ? 0 : position(*at++, size[0]);
      const auto x0 = static_cast<std::int64_t>(std::floor(fx));
      const auto y0 = static_cast<std::int64_t>(std::floor(fy));
      const auto z0 = static_cast<std::int64_t>(std::floor(fz));
      float sum = 0;
      for (std::int64_t z = z0; z < z0 + (flat ? 1 : 2); ++z) {
        for (std::int64_t j = y0; j < y0 + 2; ++j) {
          for (std::int64_t i = x0; i < x0 + 2; ++i) {
            if (z < 0 || z >= size[0] || j < 0 || j >= size[1] || i < 0 || i >= size[2]) continue;
            sum += (1 - std::abs(fx - static_cast<float>(i))) * (1 - std::abs(fy - static_cast<float>(j))) *
                   (1 - std::abs(fz - static_cast<float>(z))) * map[(z * size[1] + j) * size[2] + i];
          }
        }
      }
      *y++ = sum;
    }
  }
}

Case make(const std::string& name, const std::string& what, double required_ratio, const Shape& x_shape,
          const Shape& out) {
  const Tensor x = random_floats(x_shape, -1, 1, 1);
  const Tensor grid = warp(out, x_shape[0]);
  const std::int64_t results = x_shape[1] * grid.count() / static_cast<std::int64_t>(out.size());
  const double corners = out.size() == 2 ? 4 : 8;
  const auto y = std::make_shared<std::vector<float>>(results);
  const ops::Operator& op = ops::grid_sample();
  Case made = {"grid_sample/" + name,
               what,
               {.bytes = 4.0 * static_cast<double>(x.count() + grid.count() + results),
                .flops = 2 * corners * static_cast<double>(results)},
               required_ratio,
               {bare_kernel(op, {}, {x, grid})}};
  const std::map<std::string, Tensor> inputs = {{"X", x}, {"grid", grid}};
  const Model model = onnx_model(x.shape(), grid.shape());
  made.sides.push_back(
      compiled("tarmac in openvino", single_node_model(op, {}, {x, grid}), "openvino", inputs));
  made.sides.push_back(compiled("onnxruntime", model, "onnxruntime", inputs));
  if (out.size() == 2) made.sides.push_back(compiled("openvino", model, "openvino", inputs));  // has no 5-D
  if (auto torch = torch_peer(made.name)) made.sides.push_back(*std::move(torch));
  made.sides.push_back(function("plain loop", [=] { plain_loop(x, grid, y->data()); }));
  return made;
}

}  // namespace

std::vector<CaseMaker> grid_sample_cases() {
  return {{"grid_sample/bev_warp",
           [] {
             return make("bev_warp",
                         "bird's-eye-view map 1×256×100×100 at 200×200 positions, linear, float32", 1.5,
                         {1, 256, 100, 100}, {200, 200});
           }},
          {"grid_sample/cameras",
           [] {
             return make("cameras", "6 cameras' maps of 64×58×100 at 900×8 positions each, linear, float32",
                         1.5, {6, 64, 58, 100}, {900, 8});
           }},
          {"grid_sample/voxels", [] {
             return make("voxels", "volume 1×64×16×100×100 at 16×100×100 positions, linear, float32", 1.5,
                         {1, 64, 16, 100, 100}, {16, 100, 100});
           }}};
}

}  // namespace tarmac::bench
