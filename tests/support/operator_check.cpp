#include "support/operator_check.h"

#include <hwy/targets.h>

#include <atomic>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

#include "ops/registry.h"
#include "support/expect.h"
#include "targets/target.h"
#include "tensor/codec.h"

namespace tarmac::test {
namespace {

Type type_of(const Tensor& tensor) {
  return tensor.empty() ? Type() : Type::tensor(tensor.dtype(), tensor.shape());
}

/// Room for a result, filled with what no kernel may leave behind.
Tensor poisoned(const Type& type) {
  Tensor tensor = expect_ok(Tensor::allocate(type.dtype, *type.static_shape()));
  for (std::byte& byte : tensor.mutable_bytes()) byte = std::byte{0xA5};
  return tensor;
}

/// Spacing of a 16-bit float relative to its value, where engines compute in float32 but kernels round.
double precision_of(DType dtype) {
  if (dtype == DType::kFloat16) return 1.0 / 1024;
  if (dtype == DType::kBFloat16) return 1.0 / 128;
  return 0;
}

void expect_near(const OperatorCase& test, const std::string& what, const std::vector<Tensor>& expected,
                 const std::vector<Tensor>& found) {
  ASSERT_EQ(found.size(), expected.size()) << test.name << ", " << what;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string where = test.name + ", " + what + ", output '" + test.op.outputs[i].name + "'";
    ASSERT_EQ(found[i].shape(), expected[i].shape()) << where;
    const auto reference = expect_ok(to_doubles(expected[i]));
    const auto values = expect_ok(to_doubles(found[i]));
    const bool floats = is_floating_point(expected[i].dtype());
    const double relative = test.relative + precision_of(expected[i].dtype());
    for (std::size_t k = 0; k < values.size(); ++k) {
      if (std::isnan(reference[k]) && std::isnan(values[k])) continue;
      if (reference[k] == values[k]) continue;
      const double limit = floats ? test.absolute + relative * std::abs(reference[k]) : 0;
      ASSERT_LE(std::abs(values[k] - reference[k]), limit)
          << where << ", element " << k << ": found " << values[k] << ", the reference has " << reference[k];
      ASSERT_FALSE(std::isnan(values[k]) != std::isnan(reference[k])) << where << ", element " << k;
    }
  }
}

/// A model of this one node.
Model model_of(const OperatorCase& test, bool open_sizes) {
  Model model;
  model.ir_version = 10;
  model.opsets = {{"", 20}, {ops::kDomain, ops::kDomainVersion}};
  model.graph = std::make_unique<Graph>();
  std::vector<Value*> inputs;
  std::vector<Type> types;
  for (std::size_t i = 0; i < test.inputs.size(); ++i) {
    types.push_back(type_of(test.inputs[i]));
    if (test.inputs[i].empty()) {
      inputs.push_back(nullptr);
      continue;
    }
    Type type = types.back();
    if (open_sizes) {
      for (std::size_t d = 0; d < type.shape->size(); ++d)
        (*type.shape)[d] = Dim::named(std::string(test.op.inputs[i].name) + "_" + std::to_string(d));
    }
    inputs.push_back(&model.graph->add_input(test.op.inputs[i].name, type));
  }
  const auto attributes = expect_ok(ops::complete_attributes(test.op, test.attributes));
  const auto results = expect_ok(ops::infer_types(test.op, attributes, types));
  std::vector<Value*> outputs;
  for (std::size_t i = 0; i < results.size(); ++i) {
    Type type = results[i];
    if (open_sizes) {
      for (Dim& dim : *type.shape) dim = Dim();
    }
    outputs.push_back(&model.graph->add_value(std::string("out_") + test.op.outputs[i].name, type));
  }
  Node& node = model.graph->add_node(test.op.name, inputs, outputs);
  node.domain = ops::kDomain;
  for (const auto& [name, value] : test.attributes)
    std::visit([&, key = name](const auto& held) { node.attributes[key] = held; }, value);
  for (Value* output : outputs) model.graph->add_output(*output);
  return model;
}

std::vector<Tensor> run_on(Target& target, const OperatorCase& test, bool open_sizes) {
  const Model model = model_of(test, open_sizes);
  CompileOptions options;
  options.cores = 2;
  const auto executable = expect_ok(target.compile(model, options, no_progress()));
  const auto context = expect_ok(executable->create_context());
  for (std::size_t i = 0; i < test.inputs.size(); ++i) {
    if (!test.inputs[i].empty()) expect_ok(context->set_input(test.op.inputs[i].name, test.inputs[i]));
  }
  expect_ok(context->run());
  std::vector<Tensor> outputs;
  for (const ops::Operand& output : test.op.outputs)
    outputs.push_back(expect_ok(expect_ok(context->output(std::string("out_") + output.name)).clone()));
  return outputs;
}

/// The CPU kernel uses one SIMD target while this lives.
class SimdTarget {
 public:
  explicit SimdTarget(std::int64_t target) { hwy::GetChosenTarget().Update(target); }
  ~SimdTarget() { hwy::GetChosenTarget().DeInit(); }
  SimdTarget(const SimdTarget&) = delete;
  SimdTarget& operator=(const SimdTarget&) = delete;
};

/// Three threads, more than some loops have ranges. Of our own: ThreadSanitizer sees what they do, but not
/// what oneTBB's do, on which OpenVINO runs the same kernels.
class PlainThreads final : public ops::Parallel {
 public:
  [[nodiscard]] int workers() const override { return 3; }

 protected:
  void run(std::int64_t tasks, Task task, void* state) override {
    std::atomic<std::int64_t> next{0};
    const auto work = [&] {
      for (std::int64_t i = next++; i < tasks; i = next++) task(state, i);
    };
    std::vector<std::thread> helpers;
    for (int i = 1; i < workers(); ++i) helpers.emplace_back(work);
    work();
    for (std::thread& helper : helpers) helper.join();
  }
};

void expect_kernels_agree(const OperatorCase& test, const std::vector<Tensor>& expected) {
  ops::Serial serial;
  PlainThreads threads;
  constexpr std::int64_t kPlain = 0;  // what runs where there is neither
  for (const std::int64_t target : {std::int64_t{HWY_AVX3}, std::int64_t{HWY_AVX2}, kPlain}) {
    if (target != kPlain && (hwy::SupportedTargets() & target) == 0) continue;
    const SimdTarget chosen(target);
    const std::string name = target == kPlain ? "without SIMD" : hwy::TargetName(target);
    expect_near(test, name + " on one thread", expected, expect_ok(run_kernel(test, false, serial)));
    expect_near(test, name + " on three threads", expected, expect_ok(run_kernel(test, false, threads)));
  }
}

}  // namespace

Result<std::vector<Tensor>> run_kernel(const OperatorCase& test, bool reference, ops::Parallel& parallel) {
  TARMAC_TRY(const auto attributes, ops::complete_attributes(test.op, test.attributes));
  std::vector<Type> types;
  for (const Tensor& input : test.inputs) types.push_back(type_of(input));
  TARMAC_TRY(const auto results, ops::infer_types(test.op, attributes, types));
  TARMAC_TRY(const auto kernel, reference ? test.op.reference(attributes) : test.op.cpu(attributes));
  std::vector<ops::ConstTensorView> inputs;
  for (const Tensor& input : test.inputs)
    inputs.push_back(input.empty() ? ops::ConstTensorView() : ops::view(input));
  inputs.resize(test.op.inputs.size());
  std::vector<Tensor> tensors;
  for (const Type& type : results) tensors.push_back(poisoned(type));
  std::vector<ops::TensorView> outputs;
  for (Tensor& tensor : tensors) outputs.push_back(ops::view(tensor));
  TARMAC_CHECK_OK(kernel->run(inputs, outputs, parallel));
  return tensors;
}

std::vector<Tensor> run_reference(const OperatorCase& test) {
  ops::Serial serial;
  return expect_ok(run_kernel(test, true, serial));
}

void expect_agreement(const OperatorCase& test) {
  const auto expected = run_reference(test);
  expect_kernels_agree(test, expected);
  if (!test.in_engines) return;
  for (Target* target : all_targets()) {
    if (!target->runs(test.op) || !target->available()) continue;
    expect_near(test, target->name(), expected, run_on(*target, test, false));
    expect_near(test, target->name() + " with open sizes", expected, run_on(*target, test, true));
  }
}

Tensor random_tensor(DType dtype, const Shape& shape, double low, double high, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> draw(low, high);
  std::vector<double> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
  for (double& value : values) value = draw(generator);
  return expect_ok(from_doubles(dtype, shape, values));
}

Tensor random_integers(DType dtype, const Shape& shape, std::int64_t low, std::int64_t high, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_int_distribution<std::int64_t> draw(low, high);
  std::vector<double> values(static_cast<std::size_t>(expect_ok(element_count(shape))));
  for (double& value : values) value = static_cast<double>(draw(generator));
  return expect_ok(from_doubles(dtype, shape, values));
}

Tensor as_dtype(const Tensor& tensor, DType dtype) {
  return expect_ok(from_doubles(dtype, tensor.shape(), expect_ok(to_doubles(tensor))));
}

}  // namespace tarmac::test
