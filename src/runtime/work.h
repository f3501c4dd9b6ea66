// What is timed: one inference, or a frame from its file to the model's outputs.
#pragma once

#include <cstdint>

#include "targets/target.h"

namespace tarmac {

/// One thread at a time.
class Work {
 public:
  virtual ~Work() = default;
  /// Does it once more. Errors end a measurement.
  virtual Status run() = 0;
  /// How long the latest run() took to make its inputs; 0 where they were bound before.
  [[nodiscard]] virtual std::int64_t preprocess_ns() const { return 0; }
};

/// Context::run() alone, with what is bound.
class ContextWork final : public Work {
 public:
  explicit ContextWork(Context& context) : context_(context) {}
  Status run() override { return context_.run(); }

 private:
  Context& context_;
};

}  // namespace tarmac
