// Models behind tarmac.Graph: shared, and never changed once Python has them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "errors.h"
#include "graph/graph.h"

namespace tarmac::python {

class PyModel {
 public:
  explicit PyModel(Model model) : model_(std::make_shared<const Model>(std::move(model))) {}
  [[nodiscard]] const Model& get() const { return *model_; }
  [[nodiscard]] const std::shared_ptr<const Model>& shared() const { return model_; }

 private:
  std::shared_ptr<const Model> model_;
};

void bind_model(nb::module_& module);

}  // namespace tarmac::python
