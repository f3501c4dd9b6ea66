// A whole BEVFormer-tiny encoder, lifted and as it was exported.
#include <cstdlib>
#include <stdexcept>

#include "graph/clone.h"
#include "graph/model_io.h"
#include "ops/sides.h"
#include "passes/pass_manager.h"
#include "targets/evaluator.h"
#include "targets/operator_support.h"

namespace tarmac::bench {
namespace {

Model exported() {
  const char* folder = std::getenv("TARMAC_BENCH_MODELS");
  if (folder == nullptr) throw std::runtime_error("TARMAC_BENCH_MODELS is not set; use ./dev bench ops");
  return value_of(load_model(std::string(folder) + "/bevformer_tiny_encoder.onnx"));
}

/// As `tarmac optimize` does it, with or without lifting.
Model optimized(const Model& source, bool lift) {
  Model model = clone_model(source);
  TargetEvaluator evaluator(*value_of(find_target("onnxruntime")));
  const TargetSupport support(available_targets());
  OptimizeOptions options;
  options.evaluator = &evaluator;
  options.support = &support;
  if (!lift) options.skip = {"lift_deformable_attention"};
  value_of(optimize(model, options));
  return model;
}

/// mask[camera, query, anchor]: each camera sees one stretch of the queries, `visible` of all.
Tensor visible_queries(const Shape& shape, double visible) {
  Tensor mask = value_of(Tensor::allocate(DType::kBool, shape));
  const std::int64_t cameras = shape[0];
  const std::int64_t queries = shape[1];
  const std::int64_t anchors = shape[2];
  const auto seen = static_cast<std::int64_t>(visible * static_cast<double>(queries));
  const auto cells = mask.mutable_data<bool>();
  for (std::int64_t camera = 0; camera < cameras; ++camera) {
    for (std::int64_t query = 0; query < queries; ++query) {
      const std::int64_t place = (query + queries - camera * queries / cameras) % queries;
      for (std::int64_t anchor = 0; anchor < anchors; ++anchor)
        cells[static_cast<std::size_t>((camera * queries + query) * anchors + anchor)] = place < seen;
    }
  }
  return mask;
}

std::map<std::string, Tensor> inputs_of(const Model& model, double visible) {
  std::map<std::string, Tensor> inputs;
  unsigned seed = 1;
  for (const Value* input : model.graph->inputs()) {
    const auto shape = input->type.static_shape();
    if (!shape) throw std::runtime_error("the encoder has open sizes");
    inputs.emplace(input->name(), input->type.dtype == DType::kBool ? visible_queries(*shape, visible)
                                                                    : random_floats(*shape, 0, 1, seed++));
  }
  return inputs;
}

Case encoder(const std::string& name, const std::string& what, const std::string& target, double visible,
             double required) {
  const Model source = exported();
  const auto inputs = inputs_of(source, visible);
  return {name,
          what,
          {},
          required,
          {compiled("tarmac, lifted", optimized(source, true), target, inputs),
           compiled("optimised, not lifted", optimized(source, false), target, inputs),
           compiled("as exported", source, target, inputs)}};
}

constexpr double kOpenvinoRatio = 1 / 0.45;

}  // namespace

std::vector<CaseMaker> bevformer_encoder_cases() {
  const std::string model = "BEVFormer-tiny encoder, 3 layers, 6 cameras, float32, inside ";
  return {{"bevformer_encoder/openvino",
           [=] {
             return encoder("bevformer_encoder/openvino", model + "OpenVINO; every camera sees every query",
                            "openvino", 1, kOpenvinoRatio);
           }},
          {"bevformer_encoder/openvino_20_percent",
           [=] {
             return encoder("bevformer_encoder/openvino_20_percent",
                            model + "OpenVINO; a camera sees a fifth of the queries", "openvino", 0.2,
                            kOpenvinoRatio);
           }},
          {"bevformer_encoder/onnxruntime", [=] {
             return encoder("bevformer_encoder/onnxruntime",
                            model + "ONNX Runtime; every camera sees every query", "onnxruntime", 1, 0);
           }}};
}

}  // namespace tarmac::bench
