// A small plan for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "graph/model_io.h"
#include "plan/plan_file.h"

namespace tarmac::test {

/// A contract whose picture input does not belong to example_model(); plans only carry it.
inline constexpr const char* kExampleContract = R"(version: 1
name: example
model: classifier.onnx
inputs:
  x:
    shape: [batch, 3, 8, 4]
    dtype: float32
    layout: NCHW
    preprocess:
      - decode: {color: RGB}
      - resize: {size: [8, 4], interpolation: linear}
      - normalize: {scale: 1/255, mean: [0, 0, 0], std: [1, 1, 1]}
labels: [red, "grün"]
)";

inline Model example_model() {
  auto model = model_from_text(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    classifier (float[batch, 4] x) => (float[batch, 2] y)
    <float[4, 2] w = {1, 0, 0, 1, 2, 0, 0, 2}, float[2] b = {0.5, -0.5}> {
      h = MatMul(x, w)
      y = Add(h, b)
    })");
  EXPECT_TRUE(model.ok()) << model.error().str();
  return *std::move(model);
}

inline PlanContent example_content(const Model& model) {
  PlanContent content;
  content.model = &model;
  content.contract_text = kExampleContract;
  content.info.target = "null";
  content.info.engine_version = "null 1";
  content.info.source_digest = std::string(64, 'a');
  content.info.cores = 2;
  content.info.profiles = {{{"x", {.min = {1, 4}, .opt = {4, 4}, .max = {8, 4}}}}};
  content.info.precision = "int8";
  content.info.precision_json = R"({"quantized_nodes": 1})";
  content.info.acceptance_json = R"([{"name": "fp32_drop", "passed": true}])";
  return content;
}

}  // namespace tarmac::test
