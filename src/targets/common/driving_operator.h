// Driving operators inside an engine: what the engines' bindings share.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "ops/registry.h"

namespace tarmac {

/// At least as many as any operator has inputs or outputs, so that views of them need no allocation.
inline constexpr std::size_t kMaxOperands = 16;

/// An operator of the domain `tarmac` with its attributes and a kernel for the CPU, as one node has it.
/// Engines see only the inputs that are there. Thread-safe.
class DrivingOperator {
 public:
  /// Bit i of `present`: the schema's input i is there. Errors: kInvalidModel (attributes), what the kernel
  /// refuses.
  static Result<std::shared_ptr<const DrivingOperator>> create(const ops::Operator& op,
                                                               ops::Attributes attributes,
                                                               std::uint64_t present);

  [[nodiscard]] const ops::Operator& op() const { return op_; }
  [[nodiscard]] const ops::Attributes& attributes() const { return attributes_; }
  [[nodiscard]] std::uint64_t present() const { return present_; }

  /// Types of the outputs; `inputs` are those that are there.
  [[nodiscard]] Result<std::vector<Type>> infer(std::span<const Type> inputs) const;
  /// Fills the outputs, whose shapes are those of infer().
  Status run(std::span<const ops::ConstTensorView> inputs, std::span<const ops::TensorView> outputs,
             ops::Parallel& parallel) const;

 private:
  DrivingOperator(const ops::Operator& op, ops::Attributes attributes, std::uint64_t present,
                  std::unique_ptr<ops::Kernel> kernel)
      : op_(op), attributes_(std::move(attributes)), present_(present), kernel_(std::move(kernel)) {}

  const ops::Operator& op_;
  ops::Attributes attributes_;
  std::uint64_t present_;
  std::unique_ptr<ops::Kernel> kernel_;
};

using DrivingOperatorPtr = std::shared_ptr<const DrivingOperator>;

/// The operator that a node of this model calls with a kernel of ours; null otherwise.
const ops::Operator* driving_operator(const Model& model, const Node& node);

/// Whether it is the body of a driving operator that has a kernel: no engine sees it.
bool is_driving_body(const Function& function);

/// Prepares a copy of a model for an engine that has bindings: each call of a driving operator gets its
/// kernel, a full list of attributes and no left-out inputs; the bodies that such calls carry for other
/// targets are dropped. The nodes, in order, with their kernels. Errors: as DrivingOperator::create(), with
/// the node's name.
struct DrivingNode {
  Node* node;
  DrivingOperatorPtr kernel;
};
Result<std::vector<DrivingNode>> prepare_driving_operators(Model& model);

}  // namespace tarmac
