// BevPool and PillarScatter out of exported graphs.
#include "passes/lift_harness.h"

namespace tarmac::test {
namespace {

class LiftBevPool : public LiftTest {
 protected:
  /// 2 cameras, 3 depth bins, 2×4 features; 4×5 cells.
  void fill(const Value& input, const Shape& shape, std::mt19937& random,
            std::vector<double>& values) override {
    const std::map<std::string, std::uint32_t> sizes = {
        {"ranks_depth", 48}, {"ranks_feat", 16}, {"ranks_bev", 20}};
    const auto found = sizes.find(input.name());
    if (found == sizes.end()) return LiftTest::fill(input, shape, random, values);
    for (double& value : values) value = static_cast<double>(random() % found->second);
  }

  Node& expect_lifted(Model& found, const std::string& name) {
    const OptimizeReport report = optimized(found, {"tarmac:BevPool"});
    expect_consistent(found);
    for (const Change& declined : report.declined) ADD_FAILURE() << declined.node << ": " << declined.what;
    const auto nodes = calls(found, "BevPool");
    EXPECT_EQ(nodes.size(), 1U) << model_to_text(found);
    expect_same_numbers(exported(name), found);
    return *nodes.at(0);
  }
};

TEST_F(LiftBevPool, TakesDepthTimesFeatures) {
  Model found = exported("bev_pool_scatter_add");
  const Node& node = expect_lifted(found, "bev_pool_scatter_add");
  EXPECT_EQ(node.input(0)->name(), "depth");
  EXPECT_EQ(node.input(1)->name(), "features");
  EXPECT_EQ(node.input(4)->name(), "ranks_bev");
  EXPECT_EQ(node.attribute_or<std::int64_t>("height", 0), 4);
  EXPECT_EQ(node.attribute_or<std::int64_t>("width", 0), 5);
}

constexpr const char* kRows = R"(g (float[9,6] rows, int64[9] ranks_bev) => (float[1,6,4,5] y) {
  column_axis = Constant <value = int64[1] {1}> ()
  index = Unsqueeze (ranks_bev, column_axis)
  sizes = Constant <value = int64[2] {20, 6}> ()
  zeros = ConstantOfShape (sizes)
  sums = ScatterND <reduction = "add"> (zeros, index, rows)
  shape = Constant <value = int64[4] {1, 4, 5, 6}> ()
  map = Reshape (sums, shape)
  y = Transpose <perm = [0, 3, 1, 2]> (map)
})";

TEST_F(LiftBevPool, TakesReadyProducts) {
  Model found = model(opset(16, kRows));
  optimized(found, {"tarmac:BevPool"});
  const auto nodes = calls(found, "BevPool");
  ASSERT_EQ(nodes.size(), 1U) << model_to_text(found);
  EXPECT_EQ(nodes[0]->input(0), nullptr);
  EXPECT_EQ(nodes[0]->input(1)->name(), "rows");
  expect_same_numbers(model(opset(16, kRows)), found);
}

TEST_F(LiftBevPool, LeavesSumsOnTopOfSomethingElse) {
  std::string text = kRows;
  const std::string zeros = "ConstantOfShape (sizes)";
  text.replace(text.find(zeros), zeros.size(), "ConstantOfShape <value = float[1] {1.0}> (sizes)");
  Model found = model(opset(16, text));
  optimized(found, {"tarmac:BevPool"});
  EXPECT_TRUE(calls(found, "BevPool").empty());
}

TEST_F(LiftBevPool, SaysWhenTheExporterLostTheSum) {
  for (const char* name : {"bev_pool_index_add", "bev_pool_index_put"}) {
    SCOPED_TRACE(name);
    Model found = exported(name);
    const OptimizeReport report = optimized(found, {"tarmac:BevPool", "tarmac:PillarScatter"});
    EXPECT_TRUE(calls(found, "BevPool").empty());
    EXPECT_TRUE(calls(found, "PillarScatter").empty());
    ASSERT_EQ(report.declined.size(), 1U);
    EXPECT_THAT(report.declined[0].what, testing::HasSubstr("has no reduction"));
  }
}

class LiftPillarScatter : public LiftTest {
 protected:
  /// Cells of their own for each pillar, of two maps of 5×7.
  void fill(const Value& input, const Shape& shape, std::mt19937& random,
            std::vector<double>& values) override {
    if (input.name() != "coordinates") return LiftTest::fill(input, shape, random, values);
    const std::size_t shift = random() % 35;
    for (std::size_t v = 0; v < static_cast<std::size_t>(shape[0]); ++v) {
      const std::size_t cell = (v * 11 + shift) % 35;
      values[4 * v] = two_maps_ ? static_cast<double>(v % 2) : 3;  // a single map does not look at it
      values[4 * v + 1] = 0;
      const auto row = cell / 7;
      values[4 * v + 2] = static_cast<double>(row);
      values[4 * v + 3] = static_cast<double>(cell % 7);
    }
  }

  void expect_lifted(const std::string& name) {
    SCOPED_TRACE(name);
    Model found = exported(name);
    const OptimizeReport report = optimized(found, {"tarmac:PillarScatter"});
    expect_consistent(found);
    for (const Change& declined : report.declined) ADD_FAILURE() << declined.node << ": " << declined.what;
    const auto nodes = calls(found, "PillarScatter");
    ASSERT_EQ(nodes.size(), 1U) << model_to_text(found);
    EXPECT_EQ(nodes[0]->input(0)->name(), "features");
    EXPECT_EQ(nodes[0]->attribute_or<std::int64_t>("height", 0), 5);
    EXPECT_EQ(nodes[0]->attribute_or<std::int64_t>("width", 0), 7);
    expect_same_numbers(exported(name), found);
  }

  bool two_maps_ = false;
};

TEST_F(LiftPillarScatter, TakesOneMap) {
  expect_lifted("pillar_single");
  expect_lifted("pillar_single_static");
  expect_lifted("pillar_scatter");
}

TEST_F(LiftPillarScatter, TakesSeveralMaps) {
  two_maps_ = true;
  expect_lifted("pillar_flat");
}

constexpr const char* kTransposed = R"(g (float[6,3] features, int64[6,4] coordinates) => (float[1,3,5,7] y) {
  two = Constant <value = int64 {2}> ()
  three = Constant <value = int64 {3}> ()
  row = Gather <axis = 1> (coordinates, two)
  column = Gather <axis = 1> (coordinates, three)
  five = Constant <value = int64 {5}> ()
  columns = Mul (column, five)
  cell = Add (columns, row)
  last = Constant <value = int64[1] {1}> ()
  index = Unsqueeze (cell, last)
  sizes = Constant <value = int64[2] {35, 3}> ()
  zeros = ConstantOfShape (sizes)
  written = ScatterND (zeros, index, features)
  shape = Constant <value = int64[4] {1, 5, 7, 3}> ()
  map = Reshape (written, shape)
  y = Transpose <perm = [0, 3, 1, 2]> (map)
})";

TEST_F(LiftPillarScatter, SaysWhyItLeavesAnotherOrderOfCells) {
  Model found = model(opset(16, kTransposed));
  const OptimizeReport report = optimized(found, {"tarmac:PillarScatter"});
  EXPECT_TRUE(calls(found, "PillarScatter").empty());
  ASSERT_EQ(report.declined.size(), 1U);
  EXPECT_THAT(report.declined[0].what, testing::HasSubstr("not row-major"));
  expect_same_numbers(model(opset(16, kTransposed)), found);
}

}  // namespace
}  // namespace tarmac::test
