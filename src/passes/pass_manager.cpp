#include "passes/pass_manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/file.h"
#include "graph/model_io.h"
#include "passes/infer_shapes.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

Status infer_shapes_pass(Model& model, PassContext& /*context*/) { return infer_shapes(model); }

constexpr std::array<const char*, 7> kRandomOps = {
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    "Multinomial",  "Bernoulli",        "Dropout"};

constexpr int kMaxRounds = 4;

Status check_names(const std::set<std::string>& names) {
  for (const std::string& name : names) {
    std::string known;
    bool found = false;
    for (const Pass& pass : all_passes()) {
      known += (known.empty() ? "" : ", ") + std::string(pass.name);
      found = found || name == pass.name;
    }
    if (!found)
      return make_error(ErrorCode::kUsage, "there is no pass '" + name + "'; the passes are " + known);
  }
  return {};
}

}  // namespace

bool draws_random_numbers(const Node& node) {
  return std::find(kRandomOps.begin(), kRandomOps.end(), node.op_type) != kRandomOps.end();
}

bool may_emit(const Model& model, PassContext& context, std::string_view op_type, std::int64_t since) {
  if (context.support == nullptr) return model.opset() >= since;
  if (!context.support->accepts("", op_type, std::max(since, model.opset()))) return false;
  if (model.opset() >= since) return true;
  context.wanted_opset = std::max(context.wanted_opset, since);
  return false;
}

bool may_emit_vendor(Model& model, PassContext& context, std::string_view domain, std::string_view op_type) {
  const auto imported = model.opsets.find(std::string(domain));
  const std::int64_t version = imported == model.opsets.end() ? 1 : imported->second;
  if (context.support == nullptr || !context.support->accepts(domain, op_type, version)) return false;
  model.opsets.emplace(domain, version);
  return true;
}

const std::vector<Pass>& all_passes() {
  static const std::vector<Pass> passes = {
      {"inline_functions", "replace calls of local functions by their bodies", inline_functions},
      {"infer_shapes", "find the type and shape of every value", infer_shapes_pass},
      {"fold_constants", "compute what depends on constants only", fold_constants},
      {"eliminate_no_ops", "remove nodes that change nothing", eliminate_no_ops},
      {"fuse_conv_bn", "fold BatchNormalization into convolution weights", fuse_conv_bn},
      {"fuse_multi_head_attention", "use MultiHeadAttention of ONNX Runtime where the targets have it",
       fuse_multi_head_attention},
      {"fuse_attention", "turn the pieces of scaled dot-product attention into Attention", fuse_attention},
      {"eliminate_common_subexpressions", "merge nodes and weights that are the same",
       eliminate_common_subexpressions},
      {"eliminate_dead_code", "remove what nothing reads", eliminate_dead_code},
  };
  return passes;
}

Result<OptimizeReport> optimize(Model& model, const OptimizeOptions& options) {
  TARMAC_CHECK_OK(check_names(options.skip));
  TARMAC_CHECK_OK(check_names(options.only));
  Progress& progress = options.progress != nullptr ? *options.progress : no_progress();
  OptimizeReport report;
  report.nodes_before = node_count(model);
  PassContext context;
  context.evaluator = options.evaluator;
  context.support = options.support;
  context.heads = options.heads;
  context.hidden_size = options.hidden_size;
  const bool trace = !options.trace.empty();
  int traced = 0;
  progress.start("optimize", all_passes().size());
  for (int round = 0; round < kMaxRounds; ++round) {
    const std::size_t changes_before_round = context.changes.size();
    context.wanted_opset = 0;
    for (const Pass& pass : all_passes()) {
      if (options.skip.contains(pass.name) || (!options.only.empty() && !options.only.contains(pass.name)))
        continue;
      if (progress.cancelled())
        return make_error(ErrorCode::kCancelled, "interrupted during " + std::string(pass.name));
      context.pass = pass.name;
      std::erase_if(context.declined, [&](const Change& change) { return change.pass == pass.name; });
      const std::size_t changes_before = context.changes.size();
      const std::string before = trace ? model_to_text(model) : std::string();
      const auto start = std::chrono::steady_clock::now();
      if (auto status = pass.apply(model, context); !status) {
        status.error().context = "pass " + std::string(pass.name);
        return std::move(status).error();
      }
      const auto time = std::chrono::steady_clock::now() - start;
      if (round == 0) {
        report.passes.push_back({pass.name, 0, 0});
        progress.advance();
      }
      for (PassRun& run : report.passes) {
        if (run.pass != pass.name) continue;
        run.changes += context.changes.size() - changes_before;
        run.time_ns += std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
      }
      if (trace && context.changes.size() > changes_before) {
        const auto stem = options.trace / fmt::format("{:02}_{}", ++traced, pass.name);
        TARMAC_CHECK_OK(write_file(stem.string() + ".before.txt", before));
        TARMAC_CHECK_OK(write_file(stem.string() + ".after.txt", model_to_text(model)));
      }
    }
    if (context.changes.size() == changes_before_round) break;
  }
  progress.finish();
  TARMAC_CHECK_OK(verify_model(model));
  report.changes = std::move(context.changes);
  report.declined = std::move(context.declined);
  report.nodes_after = node_count(model);
  return report;
}

}  // namespace tarmac
