// Stands in for a target whose library is not here: it says so wherever it is asked.
#pragma once

#include "targets/target.h"

namespace tarmac {

class MissingTarget final : public Target {
 public:
  /// `reason`: what is missing and how to get it.
  MissingTarget(std::string name, std::string reason) : name_(std::move(name)), reason_(std::move(reason)) {}

  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] std::string version() const override { return {}; }
  [[nodiscard]] Status available() const override { return error(); }
  Result<std::vector<NodeVerdict>> check(const Model& /*model*/, const CompileOptions& /*options*/,
                                         Progress& /*progress*/) override {
    return error();
  }
  Result<std::unique_ptr<Executable>> compile(const Model& /*model*/, const CompileOptions& /*options*/,
                                              Progress& /*progress*/) override {
    return error();
  }

 private:
  [[nodiscard]] Error error() const {
    return make_error(ErrorCode::kUnavailable, "target " + name_ + " is not available: " + reason_);
  }

  std::string name_;
  std::string reason_;
};

}  // namespace tarmac
