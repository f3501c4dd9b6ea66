// Shapes of results that follow from the inputs' shapes by the model's types alone.
#pragma once

#include <optional>
#include <vector>

#include "targets/common/signature.h"

namespace tarmac {

class OutputShapes {
 public:
  explicit OutputShapes(const ModelSignature& signature);

  /// Whether numbers and symbols of the inputs give every size of this output.
  [[nodiscard]] bool known(std::size_t output) const { return outputs_[output].known; }
  /// The output's shape for these inputs; 1 for a size that no input tells. Empty for an unknown rank.
  [[nodiscard]] Shape shape(std::size_t output, const std::vector<Tensor>& inputs) const;
  /// Whether that is `found`.
  [[nodiscard]] bool is_shape(std::size_t output, const std::vector<Tensor>& inputs,
                              const Shape& found) const;
  /// kInvalidInput when one symbol has two sizes in the inputs; names both.
  [[nodiscard]] Status check_symbols(const ModelSignature& signature,
                                     const std::vector<Tensor>& inputs) const;

 private:
  /// Where an input shows a size.
  struct Place {
    std::size_t input = 0;
    std::size_t axis = 0;
  };
  struct Size {
    std::int64_t fixed = 1;
    std::optional<Place> place;
  };
  struct Output {
    std::vector<Size> sizes;
    bool known = false;
  };
  /// Two places of one symbol.
  struct Pair {
    Place first;
    Place again;
  };

  static std::int64_t size_of(const Size& size, const std::vector<Tensor>& inputs);

  std::vector<Output> outputs_;
  std::vector<Pair> pairs_;
};

}  // namespace tarmac
