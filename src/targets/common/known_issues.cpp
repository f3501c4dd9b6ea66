#include "targets/common/known_issues.h"

#include <algorithm>
#include <cmath>

#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "targets/common/driving_operator.h"
#include "tensor/codec.h"

namespace tarmac {
namespace {

DType dtype_of_value(const Value* value) {
  if (value == nullptr) return DType::kUndefined;
  if (const Tensor* tensor = constant_of(value)) return tensor->dtype();
  return value->type.is_tensor() ? value->type.dtype : DType::kUndefined;
}

/// Calls `visit(node, opset of its domain)` for every node, function bodies with their own operator sets.
void visit_nodes(const Model& model, const std::function<void(const Node&, std::int64_t)>& visit) {
  for_each_node(*model.graph, [&](const Node& node) { visit(node, opset_of(model.opsets, node.domain)); });
  for (const Function& function : model.functions) {
    if (is_driving_body(function)) continue;
    for_each_node(*function.body,
                  [&](const Node& node) { visit(node, opset_of(function.opsets, node.domain)); });
  }
}

}  // namespace

DType IssueQuery::input_dtype(std::size_t i) const { return dtype_of_value(node.input(i)); }
DType IssueQuery::output_dtype(std::size_t i) const { return dtype_of_value(node.output(i)); }

std::optional<Shape> IssueQuery::input_shape(std::size_t i) const {
  const Value* value = node.input(i);
  if (value == nullptr) return std::nullopt;
  if (const Tensor* tensor = constant_of(value)) return tensor->shape();
  return value->type.static_shape();
}

std::optional<std::vector<double>> IssueQuery::constant(std::size_t i) const {
  const Tensor* tensor = constant_of(node.input(i));
  if (tensor == nullptr) return std::nullopt;
  auto values = to_doubles(*tensor);
  return values ? std::optional(*std::move(values)) : std::nullopt;
}

bool resize_aligns_fractional_size(const IssueQuery& query) {
  if (query.text("coordinate_transformation_mode", "half_pixel") != "align_corners") return false;
  const auto shape = query.input_shape(0);
  const auto scales = query.constant(2);
  if (!shape || !scales || scales->size() != shape->size()) return false;
  for (std::size_t i = 0; i < shape->size(); ++i) {
    const double size = (*scales)[i] * static_cast<double>((*shape)[i]);
    if (std::abs(size - std::round(size)) > 1e-4) return true;
  }
  return false;
}

const KnownIssue* find_issue(std::span<const KnownIssue> issues, const IssueQuery& query) {
  const auto found = std::find_if(issues.begin(), issues.end(), [&](const KnownIssue& issue) {
    return query.node.is(issue.op_type, issue.domain) && issue.applies(query);
  });
  return found == issues.end() ? nullptr : &*found;
}

std::int64_t opset_of(const std::map<std::string, std::int64_t>& opsets, const std::string& domain) {
  const auto found = opsets.find(domain);
  return found == opsets.end() ? 0 : found->second;
}

Status refuse_known_issues(std::span<const KnownIssue> issues, const Model& model,
                           const std::string& engine) {
  bool concerned = false;  // most models hold no operator of the table: spare them the inference of types
  visit_nodes(model, [&](const Node& node, std::int64_t /*opset*/) {
    concerned = concerned || std::any_of(issues.begin(), issues.end(), [&](const KnownIssue& issue) {
                  return node.is(issue.op_type, issue.domain);
                });
  });
  if (!concerned) return {};
  Model typed = clone_model(model);
  if (!infer_shapes(typed)) typed = clone_model(model);  // a contradiction in types is the engine's to report
  Status status;
  visit_nodes(typed, [&](const Node& node, std::int64_t opset) {
    if (!status) return;
    if (const KnownIssue* issue = find_issue(issues, {node, opset})) {
      status = make_error(
          ErrorCode::kUnsupported,
          engine + " computes " + node.op_type + " wrongly here: " + issue->reason + ". " + issue->remedy,
          node.label());
    }
  });
  return status;
}

}  // namespace tarmac
