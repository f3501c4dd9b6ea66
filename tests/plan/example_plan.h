// A small plan for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "graph/model_io.h"
#include "plan/layout.h"
#include "plan/plan_file.h"
#include "support/temporary_folder.h"

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

/// With weights that are large enough to lie in weights.bin.
inline Model weighty_model(std::int64_t columns = 512) {
  Model model = example_model();
  std::vector<float> values(static_cast<std::size_t>(4 * columns));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 1000) / 7;
  Graph& graph = *model.graph;
  graph.set_initializer(*graph.find("w"), Tensor::from<float>({4, columns}, values));
  graph.set_initializer(
      *graph.find("b"),
      Tensor::from<float>({columns}, std::vector<float>(static_cast<std::size_t>(columns), 0.25F)));
  graph.find("y")->type.shape->back() = Dim::of(columns);
  graph.find("h")->type = {};
  return model;
}

inline PlanContent example_content(const Model& model) {
  PlanContent content;
  content.model = &model;
  content.contract_text = kExampleContract;
  content.info.target = "null";
  content.info.engine_version = "null 1";
  content.info.source_digest = std::string(64, 'a');
  content.info.cores = 2;
  content.info.profiles = {
      {.shapes = {{"x", {.min = {1, 4}, .opt = {4, 4}, .max = {8, 4}}}}, .buckets = {{{"x", {2, 4}}}}}};
  content.info.precision = "int8";
  content.info.precision_json = R"({"quantized_nodes": 1})";
  content.info.acceptance_json = R"([{"name": "fp32_drop", "passed": true}])";
  return content;
}

/// A machine of its own: the secret that seals plans lies in a folder that ends with it.
class OwnMachine {
 public:
  OwnMachine() { ::setenv("XDG_STATE_HOME", folder.path().c_str(), 1); }
  ~OwnMachine() { ::unsetenv("XDG_STATE_HOME"); }
  OwnMachine(const OwnMachine&) = delete;
  OwnMachine& operator=(const OwnMachine&) = delete;

  [[nodiscard]] std::filesystem::path secret() const { return folder / "tarmac/plan-secret"; }

  TemporaryFolder folder;
};

/// Name and bytes of each section of a good plan.
inline std::vector<std::pair<std::string, std::string>> sections_of(const std::filesystem::path& path) {
  const auto plan = PlanFile::open(path);
  std::vector<std::pair<std::string, std::string>> sections;
  for (const PlanSection& section : plan->info().sections) {
    const auto bytes = *plan->section(section.name);
    sections.emplace_back(section.name,
                          std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  return sections;
}

/// The bytes of a plan of these sections with right digests, whatever is in them.
inline std::string forge_plan(const std::vector<std::pair<std::string, std::string>>& sections,
                              const PlanOrigin& origin = {}) {
  PlanLayout layout;
  for (const auto& [name, bytes] : sections)
    layout.entries.push_back({name, 0, bytes.size(), sha256(std::as_bytes(std::span(bytes)))});
  place_plan_sections(layout);
  layout.origin = origin;
  std::string file = encode_plan_header(layout);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    file.resize(layout.entries[i].offset_bytes, '\0');
    file += sections[i].second;
  }
  return file;
}

}  // namespace tarmac::test
