// What many passes share: walking a model, reading constants and shapes, taking nodes out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace tarmac {

/// Calls `visit` for every node in order, the nodes of its nested graphs first. `visit` may add nodes, and
/// erase the node itself and whatever comes before it.
void visit_nodes(Graph& graph, const std::function<void(Graph& graph, Node& node)>& visit);

/// The readers of the node's first output read `source`, which holds the same, and the node goes. Where the
/// output is a graph's and must stay, the node becomes an Identity. Returns whether anything changed.
bool pass_on(Node& node, Value& source);

/// Erases what computes or stores these values where nothing reads them, then likewise what only those read.
void erase_unused(std::vector<Value*> values);

/// Exactly one input of one node reads it, and it is no graph output.
bool has_one_reader(const Value& value);
/// The node of `graph` itself that computes the value for one reader only; null otherwise.
Node* sole_producer(const Graph& graph, const Value* value);

/// Elements of a constant of integers; nullopt for anything else.
std::optional<std::vector<std::int64_t>> constant_integers(const Value* value);
/// The same for what older versions of an operator take as an attribute and newer ones as an input. nullopt
/// also where it is absent.
std::optional<std::vector<std::int64_t>> constant_integers(const Node& node, std::string_view attribute,
                                                           std::size_t input);
/// The number that every element of a constant is; nullopt for other constants and computed values.
std::optional<double> uniform_value(const Value* value);
/// A new one-dimensional int64 initializer.
Value& add_integers(Graph& graph, const std::string& name, const std::vector<std::int64_t>& values);
/// Sets the list where the operator takes it: as attribute, or as input `input`.
void set_integers(Graph& graph, Node& node, const std::string& attribute, std::size_t input, bool as_input,
                  const std::vector<std::int64_t>& values);
/// Inputs that are left out at the end are not written at all.
void trim_inputs(Node& node);
/// Sets input `i`; inputs in between that are missing are left out. What only the old input needed is erased.
void replace_input(Node& node, std::size_t i, Value* value);

std::optional<std::size_t> rank_of(const Value* value);
/// Negative axes count from the end. nullopt when one is out of range or there twice.
std::optional<std::vector<std::int64_t>> positive_axes(std::vector<std::int64_t> axes, std::size_t rank);
/// The axes in the order in which a Transpose puts them; without `perm` it reverses them. nullopt where
/// `perm` is no permutation of `rank` axes.
std::optional<std::vector<std::int64_t>> permutation_of(const Node& transpose, std::size_t rank);
/// Both certainly have the same size: known, or of the same symbol.
bool same_dim(const Dim& a, const Dim& b);
/// Both are tensors of one dtype and certainly of one shape.
bool same_type(const Type& a, const Type& b);
/// The same elements in row-major order under both types have the same shape: at most one size is unknown.
bool same_when_reshaped(const Type& from, const Type& to);

/// An operator of the ONNX domain that maps each element of its first input by itself, whatever its shape;
/// further inputs, if any, are scalars.
bool is_elementwise(const Node& node);
/// Operators whose result has no negative element.
bool is_non_negative(const Node& node);

}  // namespace tarmac
