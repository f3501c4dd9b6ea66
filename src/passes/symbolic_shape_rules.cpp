// How each operator's shape follows from those of its inputs.
#include <algorithm>
#include <array>
#include <string_view>

#include "passes/einsum_terms.h"
#include "passes/rewrite.h"
#include "passes/symbolic_shape.h"

namespace tarmac {
namespace {

constexpr std::array<std::string_view, 27> kSameShape = {"Identity",
                                                         "Cast",
                                                         "Dropout",
                                                         "Relu",
                                                         "LeakyRelu",
                                                         "Gelu",
                                                         "Erf",
                                                         "Tanh",
                                                         "Sigmoid",
                                                         "Sqrt",
                                                         "Neg",
                                                         "Abs",
                                                         "Exp",
                                                         "Log",
                                                         "Clip",
                                                         "Softmax",
                                                         "LayerNormalization",
                                                         "RMSNormalization",
                                                         "Not",
                                                         "IsNaN",
                                                         "HardSigmoid",
                                                         "HardSwish",
                                                         "BatchNormalization",
                                                         "QuantizeLinear",
                                                         "DequantizeLinear",
                                                         "Reciprocal",
                                                         "Trilu"};
constexpr std::array<std::string_view, 14> kBroadcast = {"Add",     "Sub", "Mul",  "Div",  "Pow",
                                                         "Where",   "Min", "Max",  "And",  "Equal",
                                                         "Greater", "Or",  "Less", "PRelu"};
constexpr std::array<std::string_view, 5> kPerImage = {"Conv", "MaxPool", "AveragePool", "Resize",
                                                       "GlobalAveragePool"};

constexpr std::array<std::string_view, 6> kVendorSameShape = {"SkipLayerNormalization",
                                                              "SkipSimplifiedLayerNormalization",
                                                              "BiasGelu",
                                                              "FastGelu",
                                                              "Gelu",
                                                              "QuickGelu"};

template <std::size_t N>
bool among(const std::array<std::string_view, N>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::broadcast(const Node& node) const {
  MaybeShape result;
  for (const Value* input : node.inputs()) {
    const SymbolicShape* dims = shape(input);
    if (dims == nullptr) return std::nullopt;
    if (dims->size() > result.size())
      result.insert(result.begin(), dims->size() - result.size(), SymbolicDim::of(1));
    for (std::size_t i = 0; i < dims->size(); ++i) {
      MaybeDim& dim = result[result.size() - dims->size() + i];
      const SymbolicDim& other = (*dims)[i];
      if (dim && (*dim == other || other.is(1))) continue;
      const bool fixed = dim && dim->known() && !dim->is(1);
      if (dim && dim->is(1)) {
        dim = other;
      } else if (other.known() && !other.is(1)) {
        dim = other;
      } else if (!fixed) {
        dim = std::nullopt;
      }
    }
  }
  return result;
}

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::multiplied(const Node& node) const {
  const SymbolicShape* a = shape(node.input(0));
  const SymbolicShape* b = shape(node.input(1));
  if (a == nullptr || b == nullptr || a->size() < 2 || b->size() < 2) return std::nullopt;
  if (node.op_type == "Gemm") {
    const bool trans_a = node.attribute_or<std::int64_t>("transA", 0) != 0;
    const bool trans_b = node.attribute_or<std::int64_t>("transB", 0) != 0;
    return MaybeShape{(*a)[trans_a ? 1 : 0], (*b)[trans_b ? 0 : 1]};
  }
  const std::size_t rank = std::max(a->size(), b->size());
  MaybeShape result;
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    const SymbolicDim one = SymbolicDim::of(1);
    const SymbolicDim& x = i + a->size() < rank ? one : (*a)[i + a->size() - rank];
    const SymbolicDim& y = i + b->size() < rank ? one : (*b)[i + b->size() - rank];
    if (x == y || y.is(1)) {
      result.emplace_back(x);
    } else if (x.is(1)) {
      result.emplace_back(y);
    } else {
      result.emplace_back(x.known() ? MaybeDim(x) : y.known() ? MaybeDim(y) : std::nullopt);
    }
  }
  result.emplace_back((*a)[a->size() - 2]);
  result.emplace_back(b->back());
  return result;
}

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::reshaped(const Node& node) const {
  const SymbolicShape* in = shape(node.input(0));
  const auto wanted = elements(node.input(1));
  const Type& type = node.output(0)->type;
  const bool ranked = type.is_tensor() && type.shape;
  if (in == nullptr || (!wanted && !ranked)) return std::nullopt;
  MaybeShape result = wanted ? *wanted : MaybeShape(type.shape->size());
  SymbolicDim rest = SymbolicDim::of(1);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < result.size(); ++i) {
    MaybeDim& dim = result[i];
    if (dim && dim->is(0) && node.attribute_or<std::int64_t>("allowzero", 0) == 0)
      dim = i < in->size() ? MaybeDim((*in)[i]) : std::nullopt;
    if (dim && dim->is(-1)) dim = std::nullopt;
    if (!dim && ranked && type.shape->size() == result.size() && (*type.shape)[i].known())
      dim = SymbolicDim::of(*(*type.shape)[i].size);
    if (dim) {
      rest = rest.times(*dim);
    } else {
      open.push_back(i);
    }
  }
  if (open.size() == 1) result[open.front()] = product(*in).divided_by(rest);
  const bool settled =
      std::all_of(result.begin(), result.end(), [](const MaybeDim& dim) { return dim.has_value(); });
  if (settled || !heads_.heads) return result;

  // The sizes are computed at run time: the caller vouches that the last axis holds the heads.
  const std::int64_t heads = *heads_.heads;
  const auto& readers = node.output(0)->uses();
  const bool splits = in->size() == 3 && result.size() == 4 &&
                      std::all_of(readers.begin(), readers.end(), [](const Use& use) {
                        if (!use.node->is("Transpose")) return false;
                        const auto perm = permutation_of(*use.node, 4);
                        return perm && (*perm)[0] == 0 && (*perm)[1] == 2;
                      });
  if (splits) {
    const std::int64_t hidden = in->back().known() ? in->back().factor() : heads_.hidden_size.value_or(0);
    if (hidden <= 0 || hidden % heads != 0 || (result[2] && !result[2]->is(heads)) ||
        (result[3] && !result[3]->is(hidden / heads)))
      return result;
    return MaybeShape{(*in)[0], (*in)[1], SymbolicDim::of(heads), SymbolicDim::of(hidden / heads)};
  }
  const Node* before = node.input(0)->producer();
  const bool joins = in->size() == 4 && result.size() == 3 && (*in)[2].is(heads) && before != nullptr &&
                     before->is("Transpose") &&
                     permutation_of(*before, 4) == std::vector<std::int64_t>{0, 2, 1, 3};
  if (joins) return MaybeShape{(*in)[0], (*in)[1], (*in)[2].times((*in)[3])};
  return result;
}

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::vendor_shape(const Node& node,
                                                                       std::size_t output) const {
  const SymbolicShape* in = shape(node.input(0));
  if (output > 0 || in == nullptr) return std::nullopt;
  if (node.is("MultiScaleDeformableAttention", "tarmac")) {
    const SymbolicShape* sampling = shape(node.input(3));
    if (sampling == nullptr || sampling->size() != 6 || in->size() != 4) return std::nullopt;
    return MaybeShape{(*in)[0], (*sampling)[1], (*in)[2].times((*in)[3])};
  }
  if (node.domain != "com.microsoft") return std::nullopt;
  if (among(kVendorSameShape, node.op_type)) return MaybeShape(in->begin(), in->end());
  const SymbolicShape* value = shape(node.input(2));
  if (node.op_type != "MultiHeadAttention" || value == nullptr || in->size() != 3 || value->size() != 3)
    return std::nullopt;
  return MaybeShape{(*in)[0], (*in)[1], (*value)[2]};
}

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::reduced(const Node& node, const SymbolicShape& in) {
  const auto axes = axes_of(node, 1);
  if (!axes) return std::nullopt;
  const bool keeps = node.attribute_or<std::int64_t>("keepdims", 1) != 0;
  MaybeShape result(in.begin(), in.end());
  std::vector<bool> named(in.size(), false);
  for (const std::int64_t axis : *axes) {
    const auto at = axis_index(axis, in.size());
    if (!at) return std::nullopt;
    named[*at] = true;
    result[*at] = SymbolicDim::of(1);
  }
  if (keeps) return result;
  MaybeShape left;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!named[i]) left.push_back(result[i]);
  }
  return left;
}

SymbolicShapes::MaybeDim SymbolicShapes::joined(const Node& node, std::size_t axis) const {
  MaybeDim sum = SymbolicDim::of(0);
  for (std::size_t i = 0; i < node.inputs().size() && sum; ++i) {
    const SymbolicShape* part = shape(node.input(i));
    if (part == nullptr || part->size() <= axis) return std::nullopt;
    sum = i == 0 ? (*part)[axis] : sum->plus((*part)[axis]);
  }
  return sum;
}

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::summed(const Node& node) const {
  const auto terms = einsum_terms(node);
  if (!terms) return std::nullopt;
  MaybeShape result(terms->result.size());
  for (std::size_t i = 0; i < terms->operands.size(); ++i) {
    const SymbolicShape* dims = shape(node.input(i));
    if (dims == nullptr || dims->size() != terms->operands[i].size()) return std::nullopt;
    for (std::size_t k = 0; k < result.size(); ++k) {
      const auto at = terms->operands[i].find(terms->result[k]);
      // Operands may be broadcast.
      if (at != std::string::npos && (!result[k] || result[k]->is(1))) result[k] = (*dims)[at];
    }
  }
  return result;
}

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::sliced(const Node& node,
                                                                 const SymbolicShape& in) const {
  const auto starts = integers(node.input(1));
  const auto ends = integers(node.input(2));
  const auto axes = integers(node.input(3));
  if (!axes) return std::nullopt;
  MaybeShape result(in.begin(), in.end());
  for (std::size_t i = 0; i < axes->size(); ++i) {
    const auto axis = axis_index((*axes)[i], in.size());
    if (!axis) return std::nullopt;
    MaybeDim& dim = result[*axis];
    const bool countable = in[*axis].known() && starts && ends && node.input(4) == nullptr &&
                           starts->size() == axes->size() && ends->size() == axes->size();
    if (!countable) {
      dim = std::nullopt;
      continue;
    }
    const std::int64_t size = in[*axis].factor();
    const auto clamp = [size](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + size : at, 0, size);
    };
    dim = SymbolicDim::of(std::max<std::int64_t>(0, clamp((*ends)[i]) - clamp((*starts)[i])));
  }
  return result;
}

std::optional<SymbolicShapes::MaybeShape> SymbolicShapes::shape_from(const Node& node,
                                                                     std::size_t output) const {
  const std::string& op = node.op_type;
  if (among(kBroadcast, op)) return broadcast(node);
  if (op == "MatMul" || op == "Gemm") return multiplied(node);
  if (op == "Reshape") return reshaped(node);
  if (op == "Einsum") return summed(node);
  if (op == "SequenceAt") {
    // One of the parts of constant sizes that SplitToSequence makes; types tell only what all parts share.
    const Node* split = node.input(0) == nullptr ? nullptr : node.input(0)->producer();
    const SymbolicShape* whole =
        split == nullptr || !split->is("SplitToSequence") ? nullptr : shape(split->input(0));
    const auto sizes = whole == nullptr ? std::nullopt : small_integers(split->input(1));
    const auto index = small_integers(node.input(1));
    if (!sizes || !index || index->size() != 1 || constant_of(split->input(1))->shape().size() != 1)
      return std::nullopt;
    const auto axis = axis_index(split->attribute_or<std::int64_t>("axis", 0), whole->size());
    const auto part = axis_index(index->front(), sizes->size());
    if (!axis || !part) return std::nullopt;
    MaybeShape result(whole->begin(), whole->end());
    result[*axis] = SymbolicDim::of((*sizes)[*part]);
    return result;
  }
  const SymbolicShape* in = shape(node.input(0));
  if (in == nullptr) return std::nullopt;
  MaybeShape result(in->begin(), in->end());
  if (among(kSameShape, op)) return output == 0 ? std::optional(result) : std::nullopt;
  if (op.starts_with("Reduce")) return reduced(node, *in);
  if (op == "Transpose") {
    const auto perm = permutation_of(node, in->size());
    if (!perm) return std::nullopt;
    for (std::size_t i = 0; i < perm->size(); ++i) result[i] = (*in)[static_cast<std::size_t>((*perm)[i])];
    return result;
  }
  if (op == "GridSample") {
    const SymbolicShape* grid = shape(node.input(1));
    if (grid == nullptr || grid->size() != in->size() || in->size() < 3) return std::nullopt;
    for (std::size_t i = 2; i < in->size(); ++i) result[i] = (*grid)[i - 1];
    return result;
  }
  if (op == "Flatten") {
    const std::int64_t axis = node.attribute_or<std::int64_t>("axis", 1);
    const std::int64_t at = axis < 0 ? axis + static_cast<std::int64_t>(in->size()) : axis;
    if (at < 0 || at > static_cast<std::int64_t>(in->size())) return std::nullopt;
    return MaybeShape{product({in->begin(), in->begin() + at}), product({in->begin() + at, in->end()})};
  }
  if (op == "Unsqueeze" || op == "Squeeze") {
    const auto axes = axes_of(node, 1);
    if (!axes) return std::nullopt;
    const bool adds = op == "Unsqueeze";
    const std::size_t rank = in->size() + (adds ? axes->size() : 0);
    std::vector<bool> named(rank, false);
    for (const std::int64_t axis : *axes) {
      const auto at = axis_index(axis, rank);
      if (!at || named[*at]) return std::nullopt;
      named[*at] = true;
    }
    MaybeShape changed;
    for (std::size_t i = 0, next = 0; i < rank; ++i) {
      if (!adds && named[i]) continue;
      changed.push_back(adds ? (named[i] ? MaybeDim(SymbolicDim::of(1)) : result[next++]) : result[i]);
    }
    return changed;
  }
  if (op == "Gather" || op == "Concat" || op == "Split" || op == "Slice") {
    const auto axis = axis_index(node.attribute_or<std::int64_t>("axis", 0), in->size());
    if (op == "Slice") return sliced(node, *in);
    if (!axis) return std::nullopt;
    if (op == "Split") {
      const auto* attribute = node.attribute<std::vector<std::int64_t>>("split");
      const auto sizes = attribute != nullptr ? std::optional(*attribute) : integers(node.input(1));
      const auto parts = static_cast<std::int64_t>(node.outputs().size());
      if (sizes && output < sizes->size()) {
        result[*axis] = SymbolicDim::of((*sizes)[output]);
      } else {
        result[*axis] =
            node.input(1) == nullptr ? (*in)[*axis].divided_by(SymbolicDim::of(parts)) : std::nullopt;
      }
      return result;
    }
    if (op == "Concat") {
      result[*axis] = joined(node, *axis);
      return result;
    }
    const SymbolicShape* indices = shape(node.input(1));
    if (indices == nullptr) return std::nullopt;
    const auto at = result.erase(result.begin() + static_cast<std::ptrdiff_t>(*axis));
    result.insert(at, indices->begin(), indices->end());
    return result;
  }
  if (op == "Expand") {
    const auto wanted = elements(node.input(1));
    if (!wanted || wanted->size() < in->size()) return std::nullopt;
    result = *wanted;
    for (std::size_t i = 0; i < in->size(); ++i) {
      MaybeDim& dim = result[result.size() - in->size() + i];
      const SymbolicDim& size = (*in)[i];
      const bool kept = (dim && dim->is(1)) || (size.known() && !size.is(1));
      if (kept) dim = size;
      // Where an unknown size meets another one, either may be 1.
      if (!kept && !size.is(1) && dim && !(*dim == size) && !dim->known()) dim = std::nullopt;
    }
    return result;
  }
  if (among(kPerImage, op)) {
    MaybeShape image(in->size());
    if (!image.empty() && op != "Resize") image[0] = (*in)[0];
    return image;
  }
  return std::nullopt;
}

}  // namespace tarmac
