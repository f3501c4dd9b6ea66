#include "cli/compare.h"

#include <algorithm>

#include "graph/model_io.h"
#include "runtime/compile.h"

namespace tarmac::cli {

bool Comparison::within(double limit) const {
  return std::all_of(outputs.begin(), outputs.end(), [&](const auto& output) { return output.second.within(limit); });
}

Result<Comparison> compare_on(Executable& reference, Executable& other, const BatchSource& next_batch, Progress& progress) {
  for (const TensorInfo& output : reference.outputs()) {
    const auto& names = other.outputs();
    if (std::none_of(names.begin(), names.end(), [&](const auto& info) { return info.name == output.name; })) {
      return make_error(ErrorCode::kInvalidInput, "the reference's output '" + output.name +
                                                      "' is missing in the other model; compare models with the same outputs",
                        output.name);
    }
  }
  TARMAC_TRY(const auto reference_context, reference.create_context());
  TARMAC_TRY(const auto other_context, other.create_context());
  Comparison comparison;
  while (true) {
    if (progress.cancelled()) return make_error(ErrorCode::kCancelled, "interrupted during the comparison");
    TARMAC_TRY(const auto batch, next_batch());
    if (!batch) break;
    TARMAC_CHECK_OK(bind_inputs(*reference_context, *batch));
    TARMAC_CHECK_OK(bind_inputs(*other_context, *batch));
    TARMAC_CHECK_OK(reference_context->run());
    TARMAC_CHECK_OK(other_context->run());
    for (const TensorInfo& output : reference.outputs()) {
      TARMAC_TRY(const Tensor expected, reference_context->output(output.name));
      TARMAC_TRY(const Tensor found, other_context->output(output.name));
      auto metrics = compare_tensors(expected, found);
      if (!metrics) {
        metrics.error().node = output.name;
        return std::move(metrics).error();
      }
      const auto [known, is_new] = comparison.outputs.emplace(output.name, *metrics);
      if (!is_new) known->second = combine(known->second, *metrics);
    }
    ++comparison.batches;
    progress.advance();
  }
  if (comparison.batches == 0) return make_error(ErrorCode::kInvalidInput, "no data to compare on; expected at least one sample");
  return comparison;
}

BatchSource made_up_batches(const std::vector<TensorInfo>& inputs, const ShapeChoice& shapes, std::int64_t count) {
  return [inputs, shapes, count, made = std::int64_t{0}]() mutable -> Result<std::optional<std::map<std::string, Tensor>>> {
    if (made == count) return std::optional<std::map<std::string, Tensor>>();
    TARMAC_TRY(auto tensors, random_inputs(inputs, shapes, static_cast<std::uint64_t>(++made)));
    return std::optional(std::move(tensors));
  };
}

Result<Target*> reference_target() {
  TARMAC_TRY(Target* const preferred, find_target("onnxruntime"));
  if (preferred->available()) return preferred;
  for (Target* target : all_targets()) {
    if (target->available()) return target;
  }
  return make_error(ErrorCode::kUnavailable, "no engine is on this machine; run ./dev doctor to see what is missing");
}

Result<std::unique_ptr<Executable>> compile_reference(const Model& model, Progress& progress) {
  TARMAC_TRY(Target* const target, reference_target());
  Model copy = clone_model(model);
  CompileOptions options;
  options.engine_optimizations = false;
  return compile_model(*target, copy, options, progress);
}

void print(Output& output, const Comparison& comparison) {
  Table table({{"output"},
               {"max error / range", Table::Align::kRight},
               {"max error", Table::Align::kRight},
               {"SNR", Table::Align::kRight},
               {"cosine", Table::Align::kRight},
               {"NaN or infinity", Table::Align::kRight}});
  for (const auto& [name, metrics] : comparison.outputs) {
    table.add({name, fmt::format("{:.3g} %", 100 * metrics.max_rel), fmt::format("{:.3g}", metrics.max_abs),
               fmt::format("{:.1f} dB", metrics.snr_db), fmt::format("{:.6f}", metrics.cosine),
               format_count(metrics.nan_mismatches + metrics.infinity_mismatches)});
  }
  table.print(output);
}

Json to_json(const Comparison& comparison) {
  Json json = {{"batches", comparison.batches}, {"outputs", Json::object()}};
  for (const auto& [name, metrics] : comparison.outputs) {
    json["outputs"][name] = {{"max_rel", metrics.max_rel},
                             {"max_abs", metrics.max_abs},
                             {"mean_abs", metrics.mean_abs},
                             {"rms", metrics.rms},
                             {"snr_db", metrics.snr_db},
                             {"cosine", metrics.cosine},
                             {"nan_mismatches", metrics.nan_mismatches},
                             {"infinity_mismatches", metrics.infinity_mismatches},
                             {"count", metrics.count}};
  }
  return json;
}

}  // namespace tarmac::cli
