#include "support/optimize_check.h"

#include <fmt/format.h>

#include <cmath>

#include "graph/model_io.h"
#include "targets/evaluator.h"
#include "targets/operator_support.h"
#include "tensor/codec.h"

namespace tarmac::test {
namespace {

/// Of the largest element of an output; rounding stays below it by a factor of ten and more.
double tolerance_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return 1e-8;
    case DType::kFloat32:
      return 1e-4;
    case DType::kFloat16:
      return 2e-2;
    default:
      return 0;
  }
}

/// Of the least precise type that values pass through. OpenVINO computes doubles as floats.
double coarsest_tolerance(const Model& model, const std::string& target) {
  double coarsest = tolerance_of(target == "openvino" ? DType::kFloat32 : DType::kFloat64);
  const auto meet = [&](DType dtype) {
    if (is_floating_point(dtype)) coarsest = std::max(coarsest, tolerance_of(dtype));
  };
  for (const Value* input : model.graph->inputs()) meet(input->type.dtype);
  for_each_node(*model.graph, [&](const Node& node) {
    if (node.is("Cast")) meet(static_cast<DType>(node.attribute_or<std::int64_t>("to", 0)));
  });
  return coarsest;
}

/// How far the digits of an input are moved to see how sensitive a model is.
double perturbation_of(DType dtype) {
  return dtype == DType::kFloat16 ? 2e-3 : dtype == DType::kFloat64 ? 1e-12 : 1e-6;
}

constexpr double kOfSensitivity = 30;

double value_or_zero(double value) { return std::isfinite(value) ? std::abs(value) : 0; }

Result<Tensors> perturbed(const Tensors& inputs, double sign) {
  Tensors result;
  for (const auto& [name, tensor] : inputs) {
    if (!is_floating_point(tensor.dtype())) {
      result[name] = tensor;
      continue;
    }
    TARMAC_TRY(auto values, to_doubles(tensor));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] *= 1 + sign * perturbation_of(tensor.dtype()) * (i % 3 == 0 ? -1.0 : 1.0);
    TARMAC_TRY(result[name], from_doubles(tensor.dtype(), tensor.shape(), values));
  }
  return result;
}

/// The first element that is too far off, in words; empty when there is none.
Result<std::string> difference(const std::string& name, const Tensor& expected, const Tensor& found,
                               const std::vector<const Tensor*>& nearby, double coarsest) {
  if (expected.dtype() != found.dtype() || expected.shape() != found.shape()) {
    return fmt::format("output '{}' is {}{}, expected {}{}", name, to_string(found.dtype()),
                       to_string(found.shape()), to_string(expected.dtype()), to_string(expected.shape()));
  }
  TARMAC_TRY(const auto e, to_doubles(expected));
  TARMAC_TRY(const auto f, to_doubles(found));
  double largest = 0;
  double sensitivity = 0;
  for (const double value : e) largest = std::max(largest, value_or_zero(value));
  for (const Tensor* tensor : nearby) {
    if (tensor->shape() != expected.shape()) return std::string();  // its very shape hangs on rounding
    TARMAC_TRY(const auto n, to_doubles(*tensor));
    for (std::size_t i = 0; i < e.size(); ++i) {
      // Infinite or not depending on the last digit.
      if (std::isfinite(n[i]) != std::isfinite(e[i])) return std::string();
      sensitivity = std::max(sensitivity, value_or_zero(n[i] - e[i]));
    }
  }
  // Whatever the type of an output, it may come from values that were rounded to a coarser one.
  const double tolerance =
      is_floating_point(expected.dtype()) ? std::max(tolerance_of(expected.dtype()), coarsest) : 0;
  const double allowed = tolerance * (largest + 0.1) + kOfSensitivity * sensitivity;
  for (std::size_t i = 0; i < e.size(); ++i) {
    if (e[i] == f[i] || (std::isnan(e[i]) && std::isnan(f[i]))) continue;
    if (std::isfinite(e[i]) && std::isfinite(f[i]) && std::abs(e[i] - f[i]) <= allowed) continue;
    return fmt::format("output '{}' element {} is {}, expected {} (allowed {:g})", name, i, f[i], e[i],
                       allowed);
  }
  return std::string();
}

Result<std::string> difference(const Tensors& expected, const Tensors& found,
                               const std::vector<Tensors>& nearby, double coarsest) {
  for (const auto& [name, tensor] : expected) {
    const auto other = found.find(name);
    if (other == found.end()) return "output '" + name + "' is gone";
    std::vector<const Tensor*> near;
    for (const Tensors& tensors : nearby) near.push_back(&tensors.at(name));
    TARMAC_TRY(auto text, difference(name, tensor, other->second, near, coarsest));
    if (!text.empty()) return text;
  }
  return std::string();
}

}  // namespace

Result<Tensors> run_model(const Model& model, const Tensors& inputs, const std::string& target_name) {
  TARMAC_TRY(Target* const target, find_target(target_name));
  CompileOptions options;
  options.cores = 1;
  options.engine_optimizations = false;
  TARMAC_TRY(const auto executable, target->compile(model, options, no_progress()));
  TARMAC_TRY(const auto context, executable->create_context());
  for (const TensorInfo& info : executable->inputs()) {
    const auto input = inputs.find(info.name);
    if (input != inputs.end()) TARMAC_CHECK_OK(context->set_input(info.name, input->second));
  }
  TARMAC_CHECK_OK(context->run());
  Tensors outputs;
  for (const TensorInfo& info : executable->outputs()) {
    TARMAC_TRY(const Tensor output, context->output(info.name));
    TARMAC_TRY(outputs[info.name], output.clone());
  }
  return outputs;
}

CheckResult check_optimized(const Model& model, const Tensors& inputs, const CheckOptions& options) {
  const auto skipped = [](const Error& error) { return CheckResult{"skipped", error.str(), {}}; };
  if (const auto status = verify_model(model); !status) return skipped(status.error());
  const auto expected = run_model(model, inputs, options.target);
  if (!expected) return skipped(expected.error());
  const double coarsest = coarsest_tolerance(model, options.target);
  if (options.target != "onnxruntime") {
    const auto reference = run_model(model, inputs, "onnxruntime");
    if (!reference) return skipped(reference.error());
    const auto fault = difference(*reference, *expected, {}, coarsest);
    if (!fault) return skipped(fault.error());
    if (!fault->empty()) return {"skipped", options.target + " computes the original wrongly: " + *fault, {}};
  }
  const auto engine = find_target("onnxruntime");
  TargetEvaluator evaluator(**engine);
  const TargetSupport support(options.for_all_targets ? available_targets()
                                                      : std::vector<Target*>{*find_target(options.target)});
  OptimizeOptions optimizing = options.optimize;
  optimizing.evaluator = &evaluator;
  optimizing.support = &support;
  Model optimized = clone_model(model);
  const auto done = optimize(optimized, optimizing);
  const bool cannot_convert = !done && options.optimize.opset && done.error().code == ErrorCode::kUnsupported;
  if (cannot_convert) return skipped(done.error());
  if (!done) return {"optimize", done.error().str(), {}};
  CheckResult result;
  for (const PassRun& run : done->passes) {
    if (run.changes > 0) result.changes[run.pass] = run.changes;
  }
  const auto fail = [&](const std::string& kind, const std::string& what) {
    result.kind = kind;
    result.what = what + "\noptimised:\n" + model_to_text(optimized);
    return result;
  };
  const auto found = run_model(optimized, inputs, options.target);
  if (!found) return fail("run", found.error().str());
  const auto plain = difference(*expected, *found, {}, coarsest);
  if (!plain) return skipped(plain.error());
  if (plain->empty()) return result;
  std::vector<Tensors> nearby;
  for (const double sign : {1.0, -1.0}) {
    const auto moved = perturbed(inputs, sign);
    if (!moved) return skipped(moved.error());
    auto outputs = run_model(model, *moved, options.target);
    if (outputs) nearby.push_back(*std::move(outputs));
  }
  const auto text = difference(*expected, *found, nearby, coarsest);
  if (!text) return skipped(text.error());
  return text->empty() ? result : fail("differs", *text);
}

}  // namespace tarmac::test
