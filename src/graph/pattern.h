// Patterns over values: "an Add of x and the MatMul of y by a constant".
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

struct PatternNode;
using Pattern = std::shared_ptr<const PatternNode>;

/// Any value; the same name twice must meet the same value.
Pattern any(std::string name);
/// A value that is known when the model is compiled: an initializer or the output of a Constant node.
Pattern constant(std::string name);
/// The first output of an operator of the ONNX domain whose inputs match in order; Add, Mul and other
/// commutative operators also in the other order. Missing trailing patterns match anything.
Pattern op(std::string op_type, std::vector<Pattern> inputs, std::string name = {});
/// As op(), matching only where nothing but nodes of the match reads any output of the node: safe to remove
/// with it. Not for the root, whose readers lie outside.
Pattern sole_op(std::string op_type, std::vector<Pattern> inputs, std::string name = {});
/// `inner`, and the node it matched satisfies `condition` (attributes, versions).
Pattern where(const Pattern& inner, std::function<bool(const Node&)> condition);

struct Match {
  std::map<std::string, Value*> values;
  std::map<std::string, Node*> nodes;  ///< those of op() and sole_op() with a name
};

/// Matches backwards from `root`; tries both orders of every commutative operator until all of the pattern
/// fits.
std::optional<Match> match(const Pattern& pattern, Value* root);

}  // namespace tarmac
