#include "passes/pass_manager.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/file.h"
#include "graph/model_io.h"
#include "passes/convert_opset.h"
#include "passes/infer_shapes.h"
#include "passes/passes.h"

namespace tarmac {
namespace {

Status infer_shapes_pass(Model& model, PassContext& /*context*/) { return infer_shapes(model); }

constexpr std::array<const char*, 7> kRandomOps = {
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    "Multinomial",  "Bernoulli",        "Dropout"};

/// One or two to settle, as many again after an upgrade of the opset.
constexpr int kMaxRounds = 6;

Status check_names(const std::set<std::string>& names, const std::vector<Pass>& passes) {
  for (const std::string& name : names) {
    std::string known;
    bool found = false;
    for (const Pass& pass : passes) {
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
  if (context.max_opset != 0 && since > context.max_opset) return false;
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
      {"fold_shape_computations", "compute from types what depends on sizes only", fold_shape_computations},
      {"fold_constants", "compute what depends on constants only", fold_constants},
      {"eliminate_no_ops", "remove nodes that change nothing", eliminate_no_ops},
      {"eliminate_expands", "remove Expand where its readers broadcast", eliminate_expands},
      {"merge_casts", "cast once instead of twice", merge_casts},
      {"merge_transposes", "transpose once, or not at all, instead of twice", merge_transposes},
      {"merge_squeezes", "make one node or none of Squeeze and Unsqueeze chains", merge_squeezes},
      {"merge_reshapes", "reshape once, to a constant shape", merge_reshapes},
      {"merge_slices", "slice once instead of twice", merge_slices},
      {"merge_concats", "join sources directly, and pieces to what they came from", merge_concats},
      {"merge_clips", "clip once instead of twice", merge_clips},
      {"merge_pads", "pad once, or inside Conv and pooling", merge_pads},
      {"normalize_resize", "give Resize constant sizes or scales", normalize_resize},
      {"adopt_custom_operators", "replace the custom nodes of mmcv, mmdeploy and TensorRT projects",
       adopt_custom_operators},
      {"lift_deformable_attention",
       "put MultiScaleDeformableAttention in place of its GridSamples, weights and sum",
       lift_deformable_attention},
      {"lift_deform_conv", "put DeformConv2d in place of ONNX's DeformConv", lift_deform_conv},
      {"lift_bev_pool", "put BevPool in place of rows that are added up in cells", lift_bev_pool},
      {"lift_pillar_scatter", "put PillarScatter in place of pillars written to a map", lift_pillar_scatter},
      {"fuse_layer_norm", "replace decomposed layer normalisation by LayerNormalization", fuse_layer_norm},
      {"fuse_rms_norm", "replace decomposed RMS normalisation by RMSNormalization", fuse_rms_norm},
      {"fuse_gelu", "replace decomposed GELU by Gelu", fuse_gelu},
      {"fuse_swish", "replace x·sigmoid(αx) by Swish", fuse_swish},
      {"fuse_hard_swish", "replace decomposed HardSwish and HardSigmoid by these", fuse_hard_swish},
      {"fuse_embed_layer_norm", "merge embeddings and their LayerNormalization (ONNX Runtime)",
       fuse_embed_layer_norm},
      {"fuse_skip_layer_norm", "merge additions and the normalisation after them (ONNX Runtime)",
       fuse_skip_layer_norm},
      {"fuse_multi_head_attention", "use MultiHeadAttention of ONNX Runtime where the targets have it",
       fuse_multi_head_attention},
      {"fuse_attention", "turn the pieces of scaled dot-product attention into Attention", fuse_attention},
      {"fuse_matmul_add", "make Gemm of MatMul and Add", fuse_matmul_add},
      {"fuse_scale_bias", "fold per-channel arithmetic into weights and bias", fuse_scale_bias},
      {"fuse_conv_bn", "fold BatchNormalization into weights", fuse_conv_bn},
      {"fuse_constant_arithmetic", "combine constants that are added or multiplied in turn",
       fuse_constant_arithmetic},
      {"eliminate_common_subexpressions", "merge nodes and weights that are the same",
       eliminate_common_subexpressions},
      {"eliminate_dead_code", "remove what nothing reads", eliminate_dead_code},
      {"upgrade_opset", "take the model to the opset that a fusion wants", upgrade_opset},
  };
  return passes;
}

namespace {

class Optimizer {
 public:
  Optimizer(Model& model, const OptimizeOptions& options)
      : model_(model),
        options_(options),
        passes_(options.passes != nullptr ? *options.passes : all_passes()),
        progress_(options.progress != nullptr ? *options.progress : no_progress()) {
    context_.evaluator = options.evaluator;
    context_.support = options.support;
    context_.heads = options.heads;
    context_.hidden_size = options.hidden_size;
    context_.max_opset = options.opset.value_or(0);
  }

  Result<OptimizeReport> run() {
    report_.nodes_before = node_count(model_);
    progress_.start("optimize", passes_.size());
    if (options_.opset && *options_.opset >= model_.opset()) TARMAC_CHECK_OK(convert(*options_.opset));
    TARMAC_CHECK_OK(run_rounds());
    if (options_.opset && *options_.opset != model_.opset()) {
      TARMAC_CHECK_OK(convert(*options_.opset));
      TARMAC_CHECK_OK(run_rounds());
    }
    progress_.finish();
    // Before version 4 every initializer had to be an input as well; the new ones are not.
    model_.ir_version = std::max<std::int64_t>(model_.ir_version, 4);
    TARMAC_CHECK_OK(verify_model(model_));
    report_.changes = std::move(context_.changes);
    report_.declined = std::move(context_.declined);
    report_.nodes_after = node_count(model_);
    return std::move(report_);
  }

 private:
  [[nodiscard]] bool is_wanted(const Pass& pass) const {
    return !options_.skip.contains(pass.name) && (options_.only.empty() || options_.only.contains(pass.name));
  }

  [[nodiscard]] bool stopped() const { return report_.steps.size() == options_.max_steps; }

  Status convert(std::int64_t opset) {
    if (stopped()) return {};
    const std::int64_t before = model_.opset();
    const std::size_t changes_before = context_.changes.size();
    TARMAC_CHECK_OK(convert_opset(model_, opset));
    if (before != opset) {
      context_.changes.push_back(
          {"convert_opset", "model", fmt::format("taken from opset {} to {}", before, opset)});
    }
    report_.steps.push_back(
        {"convert_opset", round_, changes_before, context_.changes.size() - changes_before});
    return {};
  }

  Status run_rounds() {
    for (int round = 0; round < kMaxRounds; ++round) {
      const std::size_t changes_before = context_.changes.size();
      context_.wanted_opset = 0;
      ++round_;
      for (const Pass& pass : passes_) {
        if (is_wanted(pass) && !stopped()) TARMAC_CHECK_OK(run_pass(pass));
      }
      if (context_.changes.size() == changes_before) break;
    }
    return {};
  }

  Status run_pass(const Pass& pass) {
    if (progress_.cancelled())
      return make_error(ErrorCode::kCancelled, "interrupted during " + std::string(pass.name));
    const bool trace = !options_.trace.empty();
    context_.pass = pass.name;
    std::erase_if(context_.declined, [&](const Change& change) { return change.pass == pass.name; });
    const std::size_t changes_before = context_.changes.size();
    const std::string before = trace ? model_to_text(model_) : std::string();
    const auto start = std::chrono::steady_clock::now();
    if (auto status = pass.apply(model_, context_); !status) {
      status.error().context = "pass " + std::string(pass.name);
      return status;
    }
    const auto time = std::chrono::steady_clock::now() - start;
    const std::size_t changes = context_.changes.size() - changes_before;
    report_.steps.push_back({pass.name, round_, changes_before, changes});
    record(pass, changes, std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
    if (!trace || changes == 0) return {};
    const auto stem = options_.trace / fmt::format("{:02}_{}", ++traced_, pass.name);
    TARMAC_CHECK_OK(write_file(stem.string() + ".before.txt", before));
    return write_file(stem.string() + ".after.txt", model_to_text(model_));
  }

  void record(const Pass& pass, std::size_t changes, std::int64_t time_ns) {
    auto run = std::find_if(report_.passes.begin(), report_.passes.end(),
                            [&](const PassRun& known) { return known.pass == pass.name; });
    if (run == report_.passes.end()) {
      run = report_.passes.insert(report_.passes.end(), {pass.name, 0, 0});
      progress_.advance();
    }
    run->changes += changes;
    run->time_ns += time_ns;
  }

  Model& model_;
  const OptimizeOptions& options_;
  const std::vector<Pass>& passes_;
  Progress& progress_;
  PassContext context_;
  OptimizeReport report_;
  int round_ = 0;  ///< from 1 while passes run
  int traced_ = 0;
};

}  // namespace

Result<OptimizeReport> optimize(Model& model, const OptimizeOptions& options) {
  const std::vector<Pass>& passes = options.passes != nullptr ? *options.passes : all_passes();
  TARMAC_CHECK_OK(check_names(options.skip, passes));
  TARMAC_CHECK_OK(check_names(options.only, passes));
  return Optimizer(model, options).run();
}

}  // namespace tarmac
