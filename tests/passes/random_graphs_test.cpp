// Random graphs compute the same before and after optimising. TARMAC_GRAPHS=N checks N of them,
// TARMAC_GRAPH_SEED=N begins at another seed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <set>

#include "graph/model_io.h"
#include "support/expect.h"
#include "support/random_graph.h"
#include "support/shrink.h"
#include "tensor/codec.h"

namespace tarmac::test {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

TEST(RandomGraphs, ASeedGivesTheSameModelEveryTime) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const RandomModel first = random_model(seed);
    const RandomModel second = random_model(seed);
    EXPECT_EQ(structural_difference(first.model, second.model, {.names = true}), "");
    for (const auto& [name, tensor] : first.inputs) EXPECT_TRUE(identical(tensor, second.inputs.at(name)));
  }
}

/// Wrong on purpose: takes a − b for b − a.
Status swap_sub(Model& model, PassContext& context) {
  for_each_node(*model.graph, [&](Node& node) {
    if (!node.is("Sub") || node.input(0) == node.input(1) || node.metadata.size() == 1) return;
    Value* const first = node.input(0);
    node.set_input(0, node.input(1));
    node.set_input(1, first);
    node.metadata.emplace_back("swapped", "yes");
    context.changed(node, "swapped the operands");
  });
  return {};
}

TEST(RandomGraphs, FindAWrongPassAndMakeTheExampleSmall) {
  if (!expect_ok(find_target("onnxruntime"))->available()) GTEST_SKIP() << "ONNX Runtime is not here";
  std::vector<Pass> passes = all_passes();
  passes.insert(passes.begin() + 3, {"swap_sub", "wrong on purpose", swap_sub});
  CheckOptions options;
  options.optimize.passes = &passes;
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    RandomModel made = random_model(seed);
    const Example example{std::move(made.model), made.inputs};
    const std::string kind = check_optimized(example.model, example.inputs, options).kind;
    if (kind != "differs") continue;
    ++found;
    const Example small = shrink(example, [&](const Example& candidate) {
      return check_optimized(candidate.model, candidate.inputs, options).kind == kind;
    });
    EXPECT_LE(small.model.graph->nodes().size(), 3U) << describe(small);
    EXPECT_THAT(model_to_text(small.model), testing::HasSubstr("Sub"));
    if (found == 3) break;
  }
  EXPECT_GE(found, 2);
}

/// What of a graph is checked: each way of optimising for a share of the seeds.
CheckOptions options_for(std::uint64_t seed) {
  CheckOptions options;
  options.for_all_targets = seed % 2 == 0;
  if (seed % 8 == 3) options.optimize.opset = 13 + static_cast<std::int64_t>(seed / 8 % 11);
  return options;
}

/// Other numbers, and another batch size where that is open. The model may have constants that fit one size
/// only; then it is skipped.
Tensors other_inputs(const Model& model, const Tensors& inputs, std::uint64_t seed) {
  Tensors others;
  for (const auto& [name, tensor] : inputs) {
    Shape shape = tensor.shape();
    const auto& dims = model.graph->find(name)->type.shape;
    if (dims && !dims->empty() && dims->front().symbol == "batch") shape.front() = 4;
    std::mt19937_64 random(seed++);
    std::vector<double> values(static_cast<std::size_t>(*element_count(shape)));
    for (double& value : values) {
      const double unit = static_cast<double>(random() >> 11U) * 0x1p-53;
      value = is_floating_point(tensor.dtype()) ? 4 * unit - 2
              : tensor.dtype() == DType::kBool  ? std::floor(2 * unit)
                                                : std::floor(6 * unit);
    }
    others[name] = expect_ok(from_doubles(tensor.dtype(), shape, values));
  }
  return others;
}

TEST(RandomGraphs, ComputeTheSameBeforeAndAfterOptimising) {
  if (!expect_ok(find_target("onnxruntime"))->available()) GTEST_SKIP() << "ONNX Runtime is not here";
  std::uint64_t on_openvino = 0;
  std::uint64_t openvino_skips = 0;
  const bool openvino = expect_ok(find_target("openvino"))->available().ok();
  const std::uint64_t first = number_from("TARMAC_GRAPH_SEED", 1);
  const std::uint64_t count = number_from("TARMAC_GRAPHS", 200);
  std::uint64_t skipped = 0;
  std::map<std::string, std::size_t> graphs_changed;  // by pass
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    RandomModel made = random_model(seed);
    Example example{std::move(made.model), made.inputs};
    CheckOptions options = options_for(seed);
    CheckResult result = check_optimized(example.model, example.inputs, options);
    for (const auto& [pass, changes] : result.changes) ++graphs_changed[pass];
    if (result.kind == "skipped" && !options.optimize.opset) {
      if (++skipped <= 5) std::printf("seed %ju is not run: %s\n", std::uintmax_t{seed}, result.what.c_str());
      continue;
    }
    if (!result.failed() && seed % 4 == 1) {
      Tensors others = other_inputs(example.model, example.inputs, seed);
      result = check_optimized(example.model, others, options);
      if (result.failed()) example.inputs = std::move(others);
    }
    if (!result.failed() && openvino && seed % 20 == 0) {
      options.target = "openvino";
      result = check_optimized(example.model, example.inputs, options);
      ++on_openvino;
      openvino_skips += result.kind == "skipped" ? 1 : 0;
    }
    if (!result.failed()) continue;
    const std::string kind = result.kind;
    const Example small = shrink(example, [&](const Example& candidate) {
      return check_optimized(candidate.model, candidate.inputs, options).kind == kind;
    });
    ADD_FAILURE() << "seed " << seed << " (" << made.recipe << ") on " << options.target << ": "
                  << check_optimized(small.model, small.inputs, options).what << "\noriginal:\n"
                  << describe(small);
  }
  for (const Pass& pass : all_passes()) {
    // Types are no changes; there are no local functions, and nothing asks for another opset but fusions.
    // What driving operators are lifted from is exported for the tests of those passes.
    const std::set<std::string> exempt = {
        "infer_shapes",     "inline_functions", "adopt_custom_operators", "lift_deformable_attention",
        "lift_deform_conv", "lift_bev_pool",    "lift_pillar_scatter"};
    std::printf("%8zu of %ju graphs changed by %s\n", graphs_changed[pass.name], std::uintmax_t{count},
                pass.name);
    if (count < 2000 || exempt.contains(pass.name)) continue;
    EXPECT_GT(graphs_changed[pass.name], 0U) << "no graph tests " << pass.name;
  }
  std::printf("%8ju of %ju graphs skipped; on OpenVINO %ju of %ju\n", std::uintmax_t{skipped},
              std::uintmax_t{count}, std::uintmax_t{openvino_skips}, std::uintmax_t{on_openvino});
  // A generator that makes what engines refuse proves nothing.
  EXPECT_LE(skipped * 20, count) << "too many models do not run";
}

}  // namespace
}  // namespace tarmac::test
