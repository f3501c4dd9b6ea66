#include "targets/common/output_shapes.h"

#include <algorithm>
#include <map>

namespace tarmac {

std::int64_t OutputShapes::size_of(const Size& size, const std::vector<Tensor>& inputs) {
  return size.place ? inputs[size.place->input].shape()[size.place->axis] : size.fixed;
}

OutputShapes::OutputShapes(const ModelSignature& signature) {
  std::map<std::string, Place> symbols;
  for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
    const auto& shape = signature.inputs[i].type.shape;
    for (std::size_t axis = 0; shape && axis < shape->size(); ++axis) {
      const Dim& dim = (*shape)[axis];
      if (dim.known() || dim.symbol.empty()) continue;
      const Place here{i, axis};
      const auto [first, is_new] = symbols.emplace(dim.symbol, here);
      if (!is_new) pairs_.push_back({first->second, here});
    }
  }
  for (const TensorInfo& info : signature.outputs) {
    Output& output = outputs_.emplace_back();
    output.known = info.type.shape.has_value();
    for (std::size_t axis = 0; info.type.shape && axis < info.type.shape->size(); ++axis) {
      const Dim& dim = (*info.type.shape)[axis];
      Size& size = output.sizes.emplace_back();
      if (dim.known()) {
        size.fixed = *dim.size;
      } else if (const auto found = symbols.find(dim.symbol); found != symbols.end()) {
        size.place = found->second;
      } else {
        output.known = false;
      }
    }
  }
}

bool OutputShapes::is_shape(std::size_t output, const std::vector<Tensor>& inputs, const Shape& found) const {
  const std::vector<Size>& sizes = outputs_[output].sizes;
  return std::equal(sizes.begin(), sizes.end(), found.begin(), found.end(),
                    [&](const Size& size, std::int64_t n) { return size_of(size, inputs) == n; });
}

Shape OutputShapes::shape(std::size_t output, const std::vector<Tensor>& inputs) const {
  Shape shape;
  for (const Size& size : outputs_[output].sizes) {
    shape.push_back(size_of(size, inputs));
  }
  return shape;
}

Status OutputShapes::check_symbols(const ModelSignature& signature, const std::vector<Tensor>& inputs) const {
  for (const auto& [first, again] : pairs_) {
    const std::int64_t known = inputs[first.input].shape()[first.axis];
    const std::int64_t found = inputs[again.input].shape()[again.axis];
    if (known == found) continue;
    const TensorInfo& info = signature.inputs[again.input];
    return make_error(ErrorCode::kInvalidInput,
                      "dimension '" + (*info.type.shape)[again.axis].symbol + "' is " +
                          std::to_string(known) + " in one input and " + std::to_string(found) + " in '" +
                          info.name + "'",
                      info.name);
  }
  return {};
}

}  // namespace tarmac
