// Editing keeps every link: each test ends with the invariants checked.
#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

using testing::ElementsAre;

/// y = Relu(Neg(x)), z = Abs(y); both outputs.
Model chain() {
  return model(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[2] x) => (float[2] y, float[M] z) { a = Neg(x) y = Relu(a) z = Abs(y) })");
}

Model with_branches() {
  return model(R"(<ir_version: 8, opset_import: ["": 17]>
      g (bool c, float[2] x) => (float[2] y) {
        a = Neg(x)
        y = If (c) <then_branch = t () => (float[2] t_out) { t_out = Add(a, x) },
                    else_branch = e () => (float[2] e_out) { e_out = Identity(a) }>
      })");
}

std::vector<std::string> order(const Graph& graph) {
  std::vector<std::string> ops;
  for (const auto& node : graph.nodes()) ops.push_back(node->op_type);
  return ops;
}

TEST(ReplaceUses, RedirectsEveryReader) {
  const Model model = chain();
  Graph& graph = *model.graph;
  Value& a = *graph.find("a");
  EXPECT_TRUE(graph.replace_uses(a, *graph.find("x")));
  EXPECT_TRUE(a.unused());
  EXPECT_EQ(graph.find("x")->uses().size(), 2U);
  graph.erase(*a.producer());
  EXPECT_EQ(graph.find("a"), nullptr);
  EXPECT_THAT(order(graph), ElementsAre("Relu", "Abs"));
  expect_consistent(model);
}

TEST(ReplaceUses, AModelOutputKeepsItsNameTypeAndDescription) {
  const Model model = chain();
  Graph& graph = *model.graph;
  Value& z = *graph.find("z");
  z.doc_string = "the answer";
  Node& old = *z.producer();
  Value& better = graph.add_op("Exp", {graph.find("y")}, "better");
  EXPECT_TRUE(graph.replace_uses(z, better));
  EXPECT_EQ(graph.outputs()[1], &better);
  EXPECT_EQ(better.name(), "z");
  EXPECT_EQ(to_string(better.type), "float32[M]");
  EXPECT_EQ(better.doc_string, "the answer");
  graph.erase(old);
  EXPECT_EQ(graph.find("better"), nullptr);
  expect_consistent(model);
  expect_ok(verify_model(model));
}

TEST(ReplaceUses, InputsInitializersAndOtherOutputsDoNotTakeOverAnOutput) {
  const Model model = chain();
  Graph& graph = *model.graph;
  Value& weight = graph.add_initializer("w", Tensor::from<float>({2}, {1, 2}));
  for (const char* name : {"x", "w", "z"}) {
    SCOPED_TRACE(name);
    const auto same = chain();
    Graph& fresh = *same.graph;
    Value& to = name[0] == 'w' ? fresh.add_initializer("w", *weight.initializer()) : *fresh.find(name);
    Value& y = *fresh.find("y");
    if (name[0] == 'z') fresh.find("z")->producer()->set_input(0, fresh.find("x"));
    EXPECT_FALSE(fresh.replace_uses(y, to));
    EXPECT_EQ(fresh.outputs()[0], &y);
    EXPECT_EQ(y.name(), "y");
    EXPECT_TRUE(y.uses().empty());
    expect_consistent(same);
  }
}

TEST(ReplaceUses, AnInputThatIsAlsoAnOutputKeepsItsName) {
  const Model model = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[2] x) => (float[2] x, float[2] y) { y = Neg(x) })");
  Graph& graph = *model.graph;
  Value& x = *graph.find("x");
  Value& copy = graph.add_op("Identity", {nullptr}, "copy", graph.nodes().front().get());
  EXPECT_FALSE(graph.replace_uses(x, copy));
  copy.producer()->set_input(0, &x);
  EXPECT_EQ(x.name(), "x");
  EXPECT_TRUE(x.is_input());
  EXPECT_EQ(graph.outputs()[0], &x);
  expect_consistent(model);
}

TEST(ReplaceUses, ReachesIntoNestedGraphs) {
  const Model model = with_branches();
  Graph& graph = *model.graph;
  EXPECT_EQ(graph.find("a")->uses().size(), 2U);
  EXPECT_TRUE(graph.replace_uses(*graph.find("a"), *graph.find("x")));
  EXPECT_EQ(graph.find("x")->uses().size(), 4U);
  expect_consistent(model);
  graph.erase(*graph.find("a")->producer());
  expect_ok(verify_model(model));
}

TEST(Erase, ANodeWithBranchesLetsGoOfWhatTheyRead) {
  const Model model = with_branches();
  Graph& graph = *model.graph;
  Value& copy = graph.add_op("Identity", {graph.find("x")}, "copy");
  Node& branch = *graph.find("y")->producer();
  EXPECT_TRUE(graph.replace_uses(*graph.find("y"), copy));
  graph.erase(branch);
  EXPECT_TRUE(graph.find("a")->unused());
  EXPECT_TRUE(graph.find("c")->unused());
  expect_consistent(model);
}

TEST(Erase, DroppingAnAttributeThatHoldsAGraphDropsItsUses) {
  const Model model = with_branches();
  Graph& graph = *model.graph;
  graph.find("y")->producer()->attributes.erase("then_branch");
  EXPECT_EQ(graph.find("a")->uses().size(), 1U);
  EXPECT_EQ(graph.find("x")->uses().size(), 1U);
  expect_consistent(model);
}

TEST(Erase, AValueLeavesAllListsOfItsGraph) {
  const Model model = chain();
  Graph& graph = *model.graph;
  Value& weight = graph.add_initializer("w", Tensor::from<float>({2}, {1, 2}));
  graph.erase(weight);
  EXPECT_TRUE(graph.initializers().empty());
  EXPECT_EQ(graph.find("w"), nullptr);
  Value& input = graph.add_input("extra", {});
  graph.set_initializer(input, Tensor::from<float>({1}, {1}));
  EXPECT_EQ(constant_of(&input), nullptr) << "an input may be given another value";
  graph.drop_input(input);
  EXPECT_NE(constant_of(&input), nullptr);
  graph.erase(input);
  EXPECT_EQ(graph.inputs().size(), 1U);
  expect_consistent(model);
}

TEST(Inputs, SetAddAndTruncateKeepTheUses) {
  const Model model = test::model(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[2] x) => (float[2] y) { y = Sum(x, x) })");
  Graph& graph = *model.graph;
  Node& node = *graph.nodes().front();
  Value& x = *graph.find("x");
  node.add_input(&x);
  node.add_input(nullptr);
  node.set_input(3, &x);
  EXPECT_EQ(x.uses().size(), 4U);
  node.set_input(1, nullptr);
  EXPECT_EQ(x.uses().size(), 3U);
  expect_consistent(model);
  node.truncate_inputs(1);
  EXPECT_THAT(x.uses(), ElementsAre(Use{&node, 0}));
  EXPECT_EQ(node.input(7), nullptr);
  expect_consistent(model);
}

TEST(Sort, KeepsASortedOrderAndRepairsABrokenOne) {
  const Model model = chain();
  Graph& graph = *model.graph;
  EXPECT_TRUE(graph.sort());
  EXPECT_THAT(order(graph), ElementsAre("Neg", "Relu", "Abs"));
  // A new producer at the end of the list, for the first reader.
  Value& late = graph.add_op("Exp", {graph.find("x")}, "late");
  graph.find("a")->producer()->set_input(0, &late);
  expect_error(verify_links(graph), ErrorCode::kInternal, "before it is computed");
  EXPECT_TRUE(graph.sort());
  EXPECT_THAT(order(graph), ElementsAre("Exp", "Neg", "Relu", "Abs"));
  expect_consistent(model);
}

TEST(Sort, ReportsACycleAndLeavesTheOrder) {
  const Model model = chain();
  Graph& graph = *model.graph;
  graph.find("a")->producer()->set_input(0, graph.find("z"));
  EXPECT_FALSE(graph.sort());
  EXPECT_THAT(order(graph), ElementsAre("Neg", "Relu", "Abs"));
  graph.find("a")->producer()->set_input(0, graph.find("a"));
  EXPECT_FALSE(graph.sort());
  graph.find("a")->producer()->set_input(0, graph.find("x"));
  EXPECT_TRUE(graph.sort());
  expect_consistent(model);
}

TEST(Sort, CountsWhatNestedGraphsRead) {
  const Model model = with_branches();
  Graph& graph = *model.graph;
  Value& late = graph.add_op("Exp", {graph.find("x")}, "late");
  graph.replace_uses(*graph.find("a"), late);
  EXPECT_TRUE(graph.sort());
  EXPECT_THAT(order(graph), ElementsAre("Neg", "Exp", "If"));
  expect_consistent(model);
  // A cycle through the inside of a branch.
  late.producer()->set_input(0, graph.find("y"));
  EXPECT_FALSE(graph.sort());
}

TEST(Sort, HandlesTensOfThousandsOfNodesInAChain) {
  Graph graph;
  Value* value = &graph.add_input("x", Type::tensor(DType::kFloat32));
  std::vector<Node*> nodes;
  for (int i = 0; i < 30000; ++i) {
    value = &graph.add_op("Neg", {value}, "v", graph.nodes().empty() ? nullptr : graph.nodes().front().get());
  }
  graph.add_output(*value);
  EXPECT_TRUE(graph.sort());
  expect_consistent(graph);
}

TEST(FreshName, AvoidsEveryNameOfTheModelNestedOnesIncluded) {
  const Model model = with_branches();
  Graph& graph = *model.graph;
  EXPECT_EQ(graph.fresh_name("new"), "new");
  EXPECT_EQ(graph.fresh_name("a"), "a_1");
  EXPECT_EQ(graph.fresh_name("t_out"), "t_out_1");
  EXPECT_NE(graph.fresh_name(""), "");
  graph.add_value("a_1");
  graph.add_value("a_2");
  EXPECT_EQ(graph.fresh_name("a"), "a_3");
  EXPECT_EQ(graph.fresh_name("a"), "a_3") << "asking takes no name";
  graph.find("y")->producer()->for_each_subgraph(
      [](Graph& nested) { EXPECT_EQ(nested.fresh_name("a"), "a_3"); });
}

TEST(Rename, MovesTheValueAndNothingElse) {
  const Model model = with_branches();
  Graph& graph = *model.graph;
  Value& a = *graph.find("a");
  graph.rename(a, "renamed");
  EXPECT_EQ(graph.find("a"), nullptr);
  EXPECT_EQ(graph.find("renamed"), &a);
  graph.find("y")->producer()->for_each_subgraph(
      [&](Graph& nested) { EXPECT_EQ(nested.find_in_scope("renamed"), &a); });
  expect_consistent(model);
}

TEST(Clone, IsIndependentAndSharesTheWeights) {
  const Model original = chain();
  original.graph->add_initializer("w", Tensor::from<float>({1000}, std::vector<float>(1000, 1)));
  const Model copy = clone_model(original);
  expect_same_model(copy, original, true);
  EXPECT_EQ(copy.graph->find("w")->initializer()->bytes().data(),
            original.graph->find("w")->initializer()->bytes().data());
  copy.graph->replace_uses(*copy.graph->find("a"), *copy.graph->find("x"));
  EXPECT_FALSE(structural_difference(copy, original).empty());
  expect_consistent(copy);
  expect_consistent(original);
}

TEST(VerifyLinks, FindsANameThatIsHiddenByANestedGraph) {
  const Model model = with_branches();
  Graph& graph = *model.graph;
  graph.find("y")->producer()->for_each_subgraph([](Graph& nested) {
    if (nested.find("t_out") != nullptr) nested.rename(*nested.find("t_out"), "x");
  });
  expect_error(verify_model(model), ErrorCode::kInternal, "defined twice");
}

}  // namespace
}  // namespace tarmac::test
