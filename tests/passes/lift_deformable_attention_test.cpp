#include "passes/lift_harness.h"
#include "passes/passes.h"
#include "targets/operator_support.h"
#include "targets/target.h"

namespace tarmac::test {
namespace {

constexpr const char* kOperator = "MultiScaleDeformableAttention";
constexpr const char* kRuns = "tarmac:MultiScaleDeformableAttention";

class LiftDeformableAttention : public LiftTest {
 protected:
  struct Expected {
    bool softmax = true;
    std::size_t reference_size = 2;  ///< of the last axis; 0: locations come as they are
    std::string mode = "levels";
    bool mask = false;
  };

  void expect_lifted(const std::string& name, const Expected& expected) {
    SCOPED_TRACE(name);
    const Model original = exported(name);
    Model found = exported(name);
    const OptimizeReport report = optimized(found, {kRuns});
    expect_consistent(found);
    const auto nodes = calls(found, kOperator);
    for (const Change& declined : report.declined) ADD_FAILURE() << declined.node << ": " << declined.what;
    ASSERT_EQ(nodes.size(), 1U) << model_to_text(found);
    const Node& node = *nodes[0];
    EXPECT_EQ(node.attribute_or<std::int64_t>("softmax", 0), expected.softmax ? 1 : 0);
    EXPECT_EQ(node.attribute_or<std::string>("reference_mode", "levels"), expected.mode);
    if (expected.reference_size == 0) {
      EXPECT_EQ(node.input(5), nullptr);
    } else {
      ASSERT_NE(node.input(5), nullptr);
      EXPECT_EQ(node.input(5)->type.shape->back().size, expected.reference_size);
    }
    EXPECT_EQ(node.input(7) != nullptr, expected.mask);
    std::size_t samplers = 0;
    for_each_node(*found.graph, [&](const Node& other) { samplers += other.is("GridSample") ? 1 : 0; });
    EXPECT_EQ(samplers, 0U);
    EXPECT_NE(found.find_function(node), nullptr);
    EXPECT_GE(found.ir_version, 10);
    expect_same_numbers(original, found);
  }
};

TEST_F(LiftDeformableAttention, TakesOneToFiveLevels) {
  for (int levels = 1; levels <= 5; ++levels) expect_lifted("msda_" + std::to_string(levels) + "_levels", {});
}

TEST_F(LiftDeformableAttention, TakesBatchAndQueriesOfUnknownSize) {
  expect_lifted("msda_dynamic", {});
  expect_lifted("msda_dynamic_1_level", {});
  expect_lifted("msda_dynamic_batch", {});
  expect_lifted("msda_dynamic_boxes", {.reference_size = 4});
}

TEST_F(LiftDeformableAttention, TakesReferenceBoxes) { expect_lifted("msda_boxes", {.reference_size = 4}); }

TEST_F(LiftDeformableAttention, TakesTheFormOfRtDetrV2) {
  expect_lifted("msda_v2", {});
  expect_lifted("msda_v2_boxes", {.reference_size = 4});
}

TEST_F(LiftDeformableAttention, TakesWhatTheNewerExporterWrites) {
  // The sizes beside the offsets become constants only after the core was lifted: the operator takes them
  // then.
  expect_lifted("msda_2_levels_dynamo", {});
  expect_lifted("bevformer_spatial_dynamo", {.mode = "points", .mask = true});
}

TEST_F(LiftDeformableAttention, TakesSizesOfOne) {
  expect_lifted("msda_one_batch", {});
  expect_lifted("msda_one_head", {});
  expect_lifted("msda_one_point", {});
  expect_lifted("msda_one_of_all", {});
}

TEST_F(LiftDeformableAttention, TakesOpset20) { expect_lifted("msda_opset20", {}); }

TEST_F(LiftDeformableAttention, TakesTheCoreAlone) {
  expect_lifted("msda_core", {.softmax = false, .reference_size = 0});
}

TEST_F(LiftDeformableAttention, TakesBevFormer) {
  expect_lifted("bevformer_temporal", {});
  expect_lifted("bevformer_spatial", {.mode = "points", .mask = true});
  expect_lifted("bevformer_spatial_1_level", {.mode = "points", .mask = true});
}

TEST_F(LiftDeformableAttention, SaysWhyItLeavesWhatOnlyLooksAlike) {
  const std::map<std::string, std::string> reasons = {{"nearest", "mode nearest"},
                                                      {"border", "pads with border"},
                                                      {"corners", "align_corners = 1"},
                                                      {"channels", "differ from channel to channel"},
                                                      {"locations", "is not 2 · location - 1"}};
  for (const auto& [name, reason] : reasons) {
    SCOPED_TRACE(name);
    Model found = exported("msda_not_" + name);
    const OptimizeReport report = optimized(found, {kRuns});
    EXPECT_TRUE(calls(found, kOperator).empty());
    ASSERT_EQ(report.declined.size(), 1U);
    EXPECT_EQ(report.declined[0].pass, "lift_deformable_attention");
    EXPECT_THAT(report.declined[0].what, testing::HasSubstr(reason));
    expect_same_numbers(exported("msda_not_" + name), found);
  }
}

TEST_F(LiftDeformableAttention, LeavesModelsForTargetsWithoutTheOperator) {
  Model found = exported("msda_2_levels");
  const OptimizeReport report = optimized(found, {});
  EXPECT_TRUE(calls(found, kOperator).empty());
  EXPECT_TRUE(report.declined.empty());
}

TEST_F(LiftDeformableAttention, LiftsItsOwnDefinitionAgain) {
  for (const char* name :
       {"msda_2_levels", "msda_dynamic", "msda_v2_boxes", "bevformer_spatial", "msda_core"}) {
    SCOPED_TRACE(name);
    Model found = exported(name);
    optimized(found, {kRuns});
    const auto attributes = calls(found, kOperator).at(0)->overload;
    PassContext context;
    expect_ok(inline_functions(found, context));
    EXPECT_TRUE(calls(found, kOperator).empty());
    optimized(found, {kRuns});
    const auto nodes = calls(found, kOperator);
    ASSERT_EQ(nodes.size(), 1U) << model_to_text(found);
    EXPECT_EQ(nodes[0]->overload, attributes);
    expect_same_numbers(exported(name), found);
  }
}

TEST_F(LiftDeformableAttention, RunsInsideEachEngine) {
  for (const std::string target_name : {"onnxruntime", "openvino"}) {
    Target* target = expect_ok(find_target(target_name));
    if (!target->available()) continue;
    for (const char* name : {"msda_2_levels", "msda_boxes", "bevformer_temporal", "bevformer_spatial"}) {
      SCOPED_TRACE(target_name + " " + name);
      Model found = exported(name);
      const TargetSupport support({target});
      OptimizeOptions options;
      options.support = &support;
      options.evaluator = &*evaluator_;
      expect_ok(optimize(found, options));
      ASSERT_EQ(calls(found, kOperator).size(), 1U);
      const auto executable = expect_ok(target->compile(found, {}, no_progress()));
      const auto context = expect_ok(executable->create_context());
      const Model original = exported(name);
      const auto expected = outputs_of(original, 3);
      for (const auto& [input, tensor] : made_inputs(original, 3))
        expect_ok(context->set_input(input, tensor));
      expect_ok(context->run());
      const auto output = expect_ok(to_doubles(expect_ok(context->output("output"))));
      const auto wanted = expect_ok(to_doubles(expected[0]));
      ASSERT_EQ(output.size(), wanted.size());
      for (std::size_t i = 0; i < output.size(); ++i) ASSERT_NEAR(output[i], wanted[i], 1e-4);
    }
  }
}

TEST_F(LiftDeformableAttention, SurvivesFilesAndOpsets) {
  for (const std::int64_t opset : {16, 20, 21}) {
    Model found = exported("msda_2_levels");
    const Runs support({kRuns});
    OptimizeOptions options;
    options.support = &support;
    options.evaluator = &*evaluator_;
    options.opset = opset;
    expect_ok(optimize(found, options));
    EXPECT_EQ(found.opset(), opset);
    EXPECT_EQ(calls(found, kOperator).size(), 1U);
    const std::string bytes = expect_ok(serialize_model(found));
    const Model read = expect_ok(parse_model(std::as_bytes(std::span(bytes)), nullptr));
    EXPECT_EQ(structural_difference(read, found), "");
    expect_same_numbers(exported("msda_2_levels"), read);
  }
}

}  // namespace
}  // namespace tarmac::test
