#include "cli/scene.h"

#include <filesystem>
#include <random>

#include "tensor/io.h"

namespace tarmac::test {
namespace {

constexpr const char* kModel = R"(<ir_version: 8, opset_import: ["" : 17]>
colour (float[batch, 3, 8, 8] image) => (float[batch, 3] scores)
<float[3, 3, 1, 1] w = {2, 0, 0, 0, 2, 0, 0, 0, 2}> {
  mixed = Conv(image, w)
  positive = Relu(mixed)
  same = Identity(positive)
  pooled = GlobalAveragePool(same)
  scores = Flatten(pooled)
})";

constexpr const char* kContract = R"(version: 1
name: colour
model: model.onnx
inputs:
  image:
    shape: [batch, 3, 8, 8]
    dtype: float32
    layout: NCHW
    preprocess:
      - decode: {color: RGB}
      - resize: {size: [8, 8], interpolation: linear}
      - normalize: {scale: 1/255, mean: [0, 0, 0], std: [1, 1, 1]}
labels: [red, green, blue]
targets: [openvino]
)";

}  // namespace

Scene::Scene() {
  const Model model = test::model(kModel);
  expect_ok(save_model(model, path("model.onnx")));
  (void)folder_.write("deploy.yaml", kContract);
}

std::string Scene::picture(const std::string& name, int red, int green, int blue) const {
  std::filesystem::create_directories((folder_ / name).parent_path());
  std::string bytes = "P6\n16 12\n255\n";
  for (int pixel = 0; pixel < 16 * 12; ++pixel) {
    for (const int channel : {red, green, blue}) bytes += static_cast<char>(channel);
  }
  return folder_.write(name, bytes).string();
}

std::string Scene::samples(const std::string& name, std::int64_t count, bool labels) const {
  std::mt19937 random(7);
  std::vector<float> values;
  std::vector<std::int64_t> colours;
  for (std::int64_t i = 0; i < count; ++i) {
    colours.push_back(i % 3);
    for (int channel = 0; channel < 3; ++channel) {
      for (int pixel = 0; pixel < 64; ++pixel) {
        const float noise = static_cast<float>(random() % 1000) / 5000;
        values.push_back(noise + (channel == i % 3 ? 0.7F : 0.0F));
      }
    }
  }
  std::map<std::string, Tensor> arrays{{"image", Tensor::from<float>({count, 3, 8, 8}, values)}};
  if (labels) arrays["labels"] = Tensor::from<std::int64_t>({count}, colours);
  expect_ok(write_npz(path(name), arrays));
  return path(name);
}

std::string Scene::tensor(const std::string& name, const Shape& shape, float value) const {
  const std::vector<float> values(static_cast<std::size_t>(*element_count(shape)), value);
  expect_ok(write_npy(path(name), Tensor::from<float>(shape, values)));
  return path(name);
}

}  // namespace tarmac::test
