// Small models for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "graph/model_io.h"
#include "targets/target.h"

namespace tarmac::test {

inline Model model_of(const std::string& text) {
  auto model = model_from_text(text);
  EXPECT_TRUE(model.ok()) << model.error().str();
  return *std::move(model);
}

/// y = x · [[1, 0], [0, 1], [2, 0], [0, 2]] + [0.5, -0.5]
inline Model affine_model() {
  return model_of(R"(
    <ir_version: 8, opset_import: ["" : 17]>
    affine (float[batch, 4] x) => (float[batch, 2] y)
    <float[4, 2] w = {1, 0, 0, 1, 2, 0, 0, 2}, float[2] b = {0.5, -0.5}> {
      h = MatMul(x, w)
      y = Add(h, b)
    })");
}

/// `layers` products of 192 × 192 matrices: work that takes time in proportion.
inline Model matmul_chain(int layers) {
  std::string body;
  std::string previous = "x";
  for (int i = 0; i < layers; ++i) {
    const std::string next = i + 1 == layers ? "y" : "h" + std::to_string(i);
    body += next + " = MatMul(" + previous + ", x) ";
    previous = next;
  }
  return model_of(
      R"(<ir_version: 8, opset_import: ["" : 17]> g (float[192, 192] x) => (float[192, 192] y) {)" + body +
      "}");
}

/// Names of the targets that run here and compute.
inline std::vector<std::string> computing_targets() {
  std::vector<std::string> names;
  for (Target* target : all_targets()) {
    if (target->name() != "null" && target->available().ok()) names.push_back(target->name());
  }
  return names;
}

}  // namespace tarmac::test
