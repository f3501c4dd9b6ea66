#include "tune/accuracy_gate.h"

#include <fmt/format.h>

#include <array>

#include "graph/model_io.h"
#include "runtime/compile.h"
#include "verify/evaluate.h"

namespace tarmac {
namespace {

// A drop of exactly the limit is inside whatever the last bit of a score.
constexpr double kRounding = 1e-9;

Result<std::unique_ptr<Executable>> compile(const GateJob& job, const Model& model, Progress& progress) {
  Model copy = clone_model(model);
  return compile_model(job.target, copy, job.compile, progress);
}

}  // namespace

bool GateResult::passed() const { return drop() <= max_drop + kRounding; }

std::string GateResult::str() const {
  return fmt::format("{} drops by {:.3g} ({:.4g} to {:.4g}) on {} samples, at most {:.3g} is allowed", metric,
                     drop(), plain, quantized, samples, max_drop);
}

Result<GateResult> accuracy_gate(const GateJob& job, Progress& progress) {
  TARMAC_TRY(const auto plain, compile(job, job.plain, progress));
  TARMAC_TRY(const auto quantized, compile(job, job.quantized, progress));
  const std::array<Executable*, 2> both = {plain.get(), quantized.get()};
  TARMAC_TRY(const auto found, evaluate(both, job.contract, job.data, {}, progress));
  const Score& score = found[0].score;
  return GateResult{display_name(score.metric), score.value, found[1].score.value, job.max_drop,
                    score.samples};
}

}  // namespace tarmac
