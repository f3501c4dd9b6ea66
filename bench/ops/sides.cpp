#include "ops/sides.h"

#include <tbb/task_arena.h>

#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>

#include "ops/registry.h"
#include "targets/target.h"

namespace tarmac::bench {
namespace {

template <typename Body>
std::int64_t timed(Body&& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin)
      .count();
}

std::vector<Type> types_of(const std::vector<Tensor>& inputs) {
  std::vector<Type> types;
  for (const Tensor& input : inputs)
    types.push_back(input.empty() ? Type() : Type::tensor(input.dtype(), input.shape()));
  return types;
}

struct BareKernel {
  std::unique_ptr<ops::Kernel> kernel;
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<ops::ConstTensorView> input_views;
  std::vector<ops::TensorView> output_views;
  tbb::task_arena arena{kThreads};
};

}  // namespace

Side bare_kernel(const ops::Operator& op, const ops::Attributes& attributes, std::vector<Tensor> inputs) {
  auto state = std::make_shared<BareKernel>();
  const auto complete = value_of(ops::complete_attributes(op, attributes));
  const auto types = value_of(ops::infer_types(op, complete, types_of(inputs)));
  state->kernel = value_of(op.cpu(complete));
  state->inputs = std::move(inputs);
  for (const Type& type : types)
    state->outputs.push_back(value_of(Tensor::allocate(type.dtype, *type.static_shape())));
  for (const Tensor& input : state->inputs)
    state->input_views.push_back(input.empty() ? ops::ConstTensorView() : ops::view(input));
  state->input_views.resize(op.inputs.size());
  for (Tensor& output : state->outputs) state->output_views.push_back(ops::view(output));
  return {"tarmac", [state] {
            return timed([&] {
              state->arena.execute([&] {
                ops::ArenaParallel parallel;
                value_of(state->kernel->run(state->input_views, state->output_views, parallel));
              });
            });
          }};
}

Side compiled(std::string name, const Model& model, const std::string& target,
              const std::map<std::string, Tensor>& inputs) {
  CompileOptions options;
  options.cores = kThreads;
  const std::shared_ptr<Executable> executable =
      value_of(value_of(find_target(target))->compile(model, options, no_progress()));
  const std::shared_ptr<Context> context = value_of(executable->create_context());
  for (const auto& [input, tensor] : inputs) value_of(context->set_input(input, tensor));
  return {std::move(name), [executable, context] { return timed([&] { value_of(context->run()); }); }};
}

Model single_node_model(const ops::Operator& op, const ops::Attributes& attributes,
                        const std::vector<Tensor>& inputs) {
  Model model;
  model.ir_version = 10;
  model.opsets = {{"", 20}, {ops::kDomain, ops::kDomainVersion}};
  model.graph = std::make_unique<Graph>();
  const auto types = types_of(inputs);
  std::vector<Value*> arguments;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    arguments.push_back(inputs[i].empty() ? nullptr : &model.graph->add_input(op.inputs[i].name, types[i]));
  const auto complete = value_of(ops::complete_attributes(op, attributes));
  std::vector<Value*> outputs;
  const auto results = value_of(ops::infer_types(op, complete, types));
  for (std::size_t i = 0; i < results.size(); ++i)
    outputs.push_back(&model.graph->add_value(std::string("out_") + op.outputs[i].name, results[i]));
  Node& node = model.graph->add_node(op.name, arguments, outputs);
  node.domain = ops::kDomain;
  for (const auto& [name, value] : complete)
    std::visit([&, key = name](const auto& held) { node.attributes[key] = held; }, value);
  for (Value* output : outputs) model.graph->add_output(*output);
  return model;
}

std::map<std::string, Tensor> named_inputs(const ops::Operator& op, const std::vector<Tensor>& inputs) {
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].empty()) named.emplace(op.inputs[i].name, inputs[i]);
  }
  return named;
}

Side function(std::string name, std::function<void()> body) {
  return {std::move(name), [body = std::move(body)] { return timed(body); }};
}

Tensor random_floats(const Shape& shape, float low, float high, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> draw(low, high);
  Tensor tensor = value_of(Tensor::allocate(DType::kFloat32, shape));
  for (float& value : tensor.mutable_data<float>()) value = draw(generator);
  return tensor;
}

}  // namespace tarmac::bench
