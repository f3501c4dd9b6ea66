#include "precision/node_runner.h"

#include <algorithm>
#include <set>

#include "graph/clone.h"
#include "graph/model_io.h"
#include "precision/rounding.h"
#include "precision/to_float32.h"

namespace tarmac {
namespace {

/// Engines keep a session's memory for its next run; beyond this all sessions are dropped and made again.
constexpr std::uint64_t kMaxKeptBytes = std::uint64_t{256} << 20U;
/// Small constants other than floats go into the part: axes and shapes that some kernels want to know early.
constexpr std::int64_t kMaxInlineElements = 64;
/// Nodes that read fewer elements run on one core: a pool of threads for each kind of node would be hundreds.
constexpr std::int64_t kLargeElements = std::int64_t{1} << 18U;

bool is_non_tensor(const Value* value) {
  return value != nullptr && value->type.kind != Type::Kind::kTensor && value->type.kind != Type::Kind::kNone;
}

struct CopyAttribute {
  Attribute operator()(const GraphPtr& /*graph*/) const { return std::int64_t{0}; }
  Attribute operator()(const std::vector<GraphPtr>& /*graphs*/) const { return std::int64_t{0}; }
  template <typename T>
  Attribute operator()(const T& value) const {
    return value;
  }
};

DType without_16_bits(DType dtype) { return is_16_bit_float(dtype) ? DType::kFloat32 : dtype; }

/// The node as a model whose inputs and outputs are named by their slots.
Result<Model> part_of(const Model& model, const Node& node, std::span<const Tensor> inputs) {
  Model part;
  part.ir_version = model.ir_version;
  part.opsets = model.opsets;
  part.graph = std::make_unique<Graph>();
  Graph& graph = *part.graph;
  graph.name = "node";
  std::vector<Value*> in;
  for (std::size_t i = 0; i < node.inputs().size(); ++i) {
    if (node.input(i) == nullptr) {
      in.push_back(nullptr);
      continue;
    }
    const std::string name = "i" + std::to_string(i);
    const bool inlined = constant_of(node.input(i)) != nullptr && !is_floating_point(inputs[i].dtype()) &&
                         inputs[i].count() <= kMaxInlineElements;
    in.push_back(inlined ? &graph.add_initializer(name, inputs[i])
                         : &graph.add_input(name, Type::tensor(inputs[i].dtype())));
  }
  std::vector<Value*> out;
  for (std::size_t i = 0; i < node.outputs().size(); ++i) {
    if (node.output(i) == nullptr) {
      out.push_back(nullptr);
      continue;
    }
    Type type;
    if (node.output(i)->type.is_tensor()) type = Type::tensor(without_16_bits(node.output(i)->type.dtype));
    out.push_back(&graph.add_value("o" + std::to_string(i), type));
  }
  Node& copy = graph.add_node(node.op_type, in, out);
  copy.domain = node.domain;
  copy.overload = node.overload;
  for (const auto& [key, value] : node.attributes)
    copy.attributes.emplace(key, std::visit(CopyAttribute{}, value));
  TARMAC_CHECK_OK(widen_attributes(copy));
  for (Value* value : out) {
    if (value != nullptr) graph.add_output(*value);
  }
  return part;
}

Error about(Error error, const Node& node) {
  error.node = node.label();
  error.message = "cannot run " + node.op_type + " alone: " + error.message;
  return error;
}

/// The node, and before it those of its graph that make what is no tensor for it.
std::vector<const Node*> with_makers(const Node& node) {
  std::set<const Node*> wanted = {&node};
  std::vector<const Node*> open = {&node};
  while (!open.empty()) {
    const Node* reader = open.back();
    open.pop_back();
    for (const Value* input : reader->inputs()) {
      if (!is_non_tensor(input) || input->producer() == nullptr) continue;
      if (wanted.insert(input->producer()).second) open.push_back(input->producer());
    }
  }
  std::vector<const Node*> ordered;
  for (const auto& candidate : node.graph().nodes()) {
    if (wanted.contains(candidate.get())) ordered.push_back(candidate.get());
  }
  return ordered;
}

}  // namespace

bool handles_non_tensors(const Node& node) {
  return std::any_of(node.inputs().begin(), node.inputs().end(), is_non_tensor) ||
         std::any_of(node.outputs().begin(), node.outputs().end(), is_non_tensor);
}

Result<NodeRunner::Program*> NodeRunner::compile(const Model& part, bool large) {
  TARMAC_TRY(std::string key, serialize_model(part));
  key += large ? 'L' : 'S';
  const auto known = programs_.find(key);
  if (known != programs_.end()) return known->second.get();
  CompileOptions options;
  options.cores = large ? 0 : 1;
  options.engine_optimizations = false;
  auto program = std::make_unique<Program>();
  TARMAC_TRY(program->executable, engine_.compile(part, options, no_progress()));
  return programs_.emplace(std::move(key), std::move(program)).first->second.get();
}

Result<NodeRunner::Program*> NodeRunner::program_for(const Node& node, std::span<const Tensor> inputs) {
  std::string types;
  bool large = false;
  for (const Tensor& input : inputs) {
    types += static_cast<char>(input.dtype());
    large = large || input.count() >= kLargeElements;
  }
  types += large ? 'L' : 'S';
  auto& known = by_node_[&node];
  if (known.second != nullptr && known.first == types) return known.second;
  TARMAC_TRY(const Model part, part_of(model_, node, inputs));
  auto program = compile(part, large);
  if (!program) return about(std::move(program).error(), node);
  known = {std::move(types), *program};
  return *program;
}

void NodeRunner::forget_if_large(std::uint64_t bytes) {
  kept_bytes_ += bytes;
  if (kept_bytes_ < kMaxKeptBytes) return;
  programs_.clear();
  by_node_.clear();
  kept_bytes_ = 0;
}

Result<std::vector<Tensor>> NodeRunner::execute(Program& program, const std::map<std::string, Tensor>& inputs,
                                                const Node& node, const std::vector<std::string>& names) {
  auto context = program.executable->create_context();
  if (!context) return std::move(context).error();
  for (const TensorInfo& info : program.executable->inputs()) {
    auto status = (*context)->set_input(info.name, inputs.at(info.name));
    if (!status) return about(std::move(status).error(), node);
  }
  if (auto status = (*context)->run(); !status) return about(std::move(status).error(), node);
  std::vector<Tensor> outputs;
  std::uint64_t bytes = 0;
  for (const std::string& name : names) {
    outputs.emplace_back();
    if (name.empty()) continue;
    TARMAC_TRY(const Tensor result, (*context)->output(name));
    TARMAC_TRY(outputs.back(), result.clone());
    bytes += outputs.back().bytes().size();
  }
  if (bytes > program.kept_bytes) {
    const std::uint64_t more = bytes - program.kept_bytes;
    program.kept_bytes = bytes;
    context->reset();
    forget_if_large(more);
  }
  return outputs;
}

Result<std::vector<Tensor>> NodeRunner::run(const Node& node, std::span<const Tensor> inputs) {
  TARMAC_TRY(Program* const program, program_for(node, inputs));
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < inputs.size(); ++i) named["i" + std::to_string(i)] = inputs[i];
  std::vector<std::string> names;
  for (std::size_t i = 0; i < node.outputs().size(); ++i)
    names.push_back(node.output(i) == nullptr ? "" : "o" + std::to_string(i));
  return execute(*program, named, node, names);
}

Result<std::vector<Tensor>> NodeRunner::run_whole(const Node& node, const Lookup& lookup) {
  std::vector<const Value*> outputs;
  std::vector<std::string> names;
  for (const Value* output : node.outputs()) {
    const bool wanted = output != nullptr && !is_non_tensor(output);
    names.push_back(wanted ? output->name() : "");
    if (wanted) outputs.push_back(output);
  }
  Model part = extract_nodes(model_, with_makers(node), outputs);
  TARMAC_CHECK_OK(widen_graph(*part.graph));
  std::map<std::string, Tensor> inputs;
  for (Value* input : part.graph->inputs()) {
    const Value* original = node.graph().find_in_scope(input->name());
    if (original == nullptr) {
      return make_error(ErrorCode::kInternal, "a part reads '" + input->name() + "', which is not in scope",
                        node.label());
    }
    TARMAC_TRY(Tensor tensor, lookup(*original));
    // Scan wants to know shapes; what is declared of them stays.
    input->type.kind = Type::Kind::kTensor;
    input->type.dtype = tensor.dtype();
    inputs.emplace(input->name(), std::move(tensor));
  }
  auto program = compile(part, false);
  if (!program) return about(std::move(program).error(), node);
  return execute(**program, inputs, node, names);
}

}  // namespace tarmac
