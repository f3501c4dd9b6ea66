// Models that are well-formed protobuf and must be refused, with a message that says why.
#include <functional>

#include "support/graph_checks.h"
#include "support/wire_model.h"

namespace tarmac::test {
namespace {

Result<Model> parse(const std::string& bytes) {
  return parse_model(std::as_bytes(std::span(bytes)), nullptr);
}

void expect_refused(const onnx::ModelProto& proto, ErrorCode code, const std::string& why,
                    Location where = Location::current()) {
  expect_error(parse(proto.SerializeAsString()), code, why, where);
}

onnx::TensorProto& add_weight(onnx::ModelProto& proto, int data_type, const std::vector<std::int64_t>& dims) {
  auto* tensor = proto.mutable_graph()->add_initializer();
  tensor->set_name("w");
  tensor->set_data_type(data_type);
  for (const std::int64_t dim : dims) tensor->add_dims(dim);
  return *tensor;
}

/// If nodes nested `depth` deep, each with an Identity in its other branch.
void nest(onnx::GraphProto& graph, int depth) {
  auto* constant = graph.add_node();
  const std::string prefix = "d" + std::to_string(depth) + "_";
  constant->set_op_type("Constant");
  constant->add_output(prefix + "c");
  auto* value = constant->add_attribute();
  value->set_name("value");
  value->set_type(onnx::AttributeProto::TENSOR);
  value->mutable_t()->set_data_type(onnx::TensorProto::BOOL);
  value->mutable_t()->add_int32_data(1);
  auto* node = graph.add_node();
  node->set_op_type("If");
  node->add_input(prefix + "c");
  node->add_output(prefix + "out");
  for (const char* branch : {"then_branch", "else_branch"}) {
    auto* attribute = node->add_attribute();
    attribute->set_name(branch);
    attribute->set_type(onnx::AttributeProto::GRAPH);
    auto* body = attribute->mutable_g();
    body->set_name(branch);
    const bool deeper = depth > 1 && branch[0] == 't';
    if (deeper) {
      nest(*body, depth - 1);
    } else {
      auto* identity = body->add_node();
      identity->set_op_type("Identity");
      identity->add_input("x");
      identity->add_output(prefix + branch);
    }
    body->add_output()->set_name(deeper ? "d" + std::to_string(depth - 1) + "_out" : prefix + branch);
  }
}

TEST(HostileModel, SmallModelItselfIsFine) {
  expect_consistent(expect_ok(parse(small_proto().SerializeAsString())));
}

TEST(HostileModel, GraphsNestedSixteenDeepAreReadAndDeeperOnesRefused) {
  onnx::ModelProto proto = small_proto();
  nest(*proto.mutable_graph(), 16);
  expect_consistent(expect_ok(parse(proto.SerializeAsString())));
  for (const int depth : {17, 25, 28}) {
    proto = small_proto();
    nest(*proto.mutable_graph(), depth);
    expect_refused(proto, ErrorCode::kUnsupported, "at most 16");
  }
  proto = small_proto();
  nest(*proto.mutable_graph(), 200);
  expect_refused(proto, ErrorCode::kInvalidModel, "nested too deep");
}

TEST(HostileModel, MessagesNestedThousandsDeepDoNotExhaustTheStack) {
  // A TypeProto of sequences of sequences: protobuf's own limit, and nothing of ours, must stop it.
  std::string type;
  for (int i = 0; i < 5000; ++i) {
    const std::string inner = field_header(1, type.size()) + type;
    type = field_header(4, inner.size()) + inner;
  }
  const std::string info = field_header(1, 1) + "x" + field_header(2, type.size()) + type;
  const std::string graph = field_header(11, info.size()) + info;
  expect_error(parse(field_header(7, graph.size()) + graph), ErrorCode::kInvalidModel);
}

TEST(HostileModel, FunctionsThatExpandWithoutEndAreRefused) {
  onnx::ModelProto proto = small_proto();
  auto* opset = proto.add_opset_import();
  opset->set_domain("f");
  opset->set_version(1);
  const auto add_function = [&](int index, int calls) {
    auto* function = proto.add_functions();
    function->set_name("f" + std::to_string(index));
    function->set_domain("f");
    function->add_input("a");
    function->add_output("b0");
    *function->add_opset_import() = proto.opset_import(0);
    *function->add_opset_import() = proto.opset_import(1);
    for (int i = 0; i < calls; ++i) {
      auto* node = function->add_node();
      node->set_op_type("f" + std::to_string(index + 1));
      node->set_domain("f");
      node->add_input("a");
      node->add_output("b" + std::to_string(i));
    }
  };
  for (int i = 0; i < 30; ++i) add_function(i, 2);
  auto* last = proto.add_functions();
  last->CopyFrom(proto.functions(0));
  last->set_name("f30");
  for (auto& node : *last->mutable_node()) {
    node.set_domain("");
    node.set_op_type("Identity");
  }
  proto.mutable_graph()->mutable_node(0)->set_op_type("f0");
  proto.mutable_graph()->mutable_node(0)->set_domain("f");
  expect_refused(proto, ErrorCode::kUnsupported, "expand to more than");
  last->mutable_node(0)->set_op_type("f0");
  last->mutable_node(0)->set_domain("f");
  expect_refused(proto, ErrorCode::kInvalidModel, "ecursive");
  proto.set_ir_version(7);
  expect_refused(proto, ErrorCode::kInvalidModel, "local functions in a model of IR version 7");
}

TEST(HostileModel, SizesThatDisagreeWithTheBytesAreRefused) {
  for (const std::size_t bytes : {8U, 2048U}) {  // inside protobuf, and mapped
    for (const std::int64_t dim :
         {std::int64_t{1}, std::int64_t{3}, std::int64_t{511}, std::int64_t{513}, std::int64_t{1} << 62U}) {
      onnx::ModelProto proto = small_proto();
      add_weight(proto, onnx::TensorProto::FLOAT, {dim}).set_raw_data(std::string(bytes, '\0'));
      SCOPED_TRACE(std::to_string(bytes) + " bytes for " + std::to_string(dim));
      expect_refused(proto, ErrorCode::kInvalidModel, "");
    }
    onnx::ModelProto negative = small_proto();
    add_weight(negative, onnx::TensorProto::FLOAT, {-2, -static_cast<std::int64_t>(bytes) / 8})
        .set_raw_data(std::string(bytes, '\0'));
    expect_refused(negative, ErrorCode::kInvalidModel, "");
    onnx::ModelProto overflow = small_proto();
    add_weight(overflow, onnx::TensorProto::FLOAT, {std::int64_t{1} << 40U, std::int64_t{1} << 40U})
        .set_raw_data(std::string(bytes, '\0'));
    expect_refused(overflow, ErrorCode::kInvalidModel, "");
  }
}

TEST(HostileModel, DataTypesThatOnnxDoesNotDefineAreRefused) {
  for (const int data_type : {0, -1, 29, 255, 256 + onnx::TensorProto::FLOAT, 1 << 30}) {
    SCOPED_TRACE(data_type);
    for (const int count : {2, 512}) {
      onnx::ModelProto proto = small_proto();
      add_weight(proto, data_type, {count})
          .set_raw_data(std::string(static_cast<std::size_t>(count) * 4, '\0'));
      expect_refused(proto, ErrorCode::kInvalidModel, "");
    }
    if (data_type == 0) continue;
    onnx::ModelProto proto = small_proto();
    proto.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(data_type);
    expect_refused(proto, ErrorCode::kInvalidModel, "");
  }
}

TEST(HostileModel, ValuesInTwoPlacesAreRefused) {
  for (const bool large_first : {true, false}) {
    onnx::ModelProto proto = small_proto();
    auto& tensor = add_weight(proto, onnx::TensorProto::FLOAT, {512});
    tensor.set_raw_data(std::string(large_first ? 2048 : 8, '\0'));
    for (int i = 0; i < (large_first ? 2 : 512); ++i) tensor.add_float_data(0);
    expect_refused(proto, ErrorCode::kInvalidModel, "");
  }
  onnx::ModelProto proto = small_proto();
  auto& tensor = add_weight(proto, onnx::TensorProto::FLOAT, {512});
  tensor.set_raw_data(std::string(2048, '\0'));
  tensor.mutable_segment()->set_begin(0);
  expect_refused(proto, ErrorCode::kInvalidModel, "two places");
  tensor.clear_segment();
  tensor.add_external_data()->set_key("location");
  expect_refused(proto, ErrorCode::kInvalidModel, "two places");
}

TEST(HostileModel, ASingularFieldGivenTwiceIsRefusedForWeights) {
  onnx::ModelProto proto = small_proto();
  add_weight(proto, onnx::TensorProto::FLOAT, {512});
  const std::string tensor = proto.graph().initializer(0).SerializeAsString();
  const std::string values = field_header(9, 2048) + std::string(2048, '\0');
  for (const std::string& second : {values, field_header(9, 4) + std::string(4, '\0')}) {
    proto.mutable_graph()->clear_initializer();
    const std::string weight = tensor + values + second;
    const std::string graph = proto.graph().SerializeAsString() + field_header(5, weight.size()) + weight;
    onnx::ModelProto header = proto;
    header.clear_graph();
    expect_error(parse(header.SerializeAsString() + field_header(7, graph.size()) + graph),
                 ErrorCode::kInvalidModel, "w");
  }
}

TEST(HostileModel, IntegersThatDoNotFitTheirTypeAreRefused) {
  for (const int count : {4, 2048}) {
    onnx::ModelProto proto = small_proto();
    auto& tensor = add_weight(proto, onnx::TensorProto::UINT8, {count});
    for (int i = 0; i < count; ++i) tensor.add_int32_data(i == 3 ? 256 : 255);
    expect_refused(proto, ErrorCode::kInvalidModel, "");
    tensor.set_int32_data(3, 255);
    expect_ok(parse(proto.SerializeAsString()));
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    expect_refused(proto, ErrorCode::kInvalidModel, "");
  }
}

TEST(HostileModel, NamesDefinedTwiceAreRefused) {
  onnx::ModelProto input_twice = small_proto();
  *input_twice.mutable_graph()->add_input() = input_twice.graph().input(0);
  expect_refused(input_twice, ErrorCode::kInvalidModel, "");
  onnx::ModelProto computed_twice = small_proto();
  *computed_twice.mutable_graph()->add_node() = computed_twice.graph().node(0);
  expect_refused(computed_twice, ErrorCode::kInvalidModel, "");
  onnx::ModelProto input_computed = small_proto();
  input_computed.mutable_graph()->mutable_node(0)->set_output(0, "x");
  expect_refused(input_computed, ErrorCode::kInvalidModel, "");
  onnx::ModelProto weight_computed = small_proto();
  add_weight(weight_computed, onnx::TensorProto::FLOAT, {1}).add_float_data(1);
  weight_computed.mutable_graph()->mutable_initializer(0)->set_name("y");
  expect_refused(weight_computed, ErrorCode::kInvalidModel, "");
  onnx::ModelProto output_twice = small_proto();
  *output_twice.mutable_graph()->add_output() = output_twice.graph().output(0);
  expect_refused(output_twice, ErrorCode::kInvalidModel, "listed twice");
}

TEST(HostileModel, ANodeThatReadsItselfOrALaterOneIsRefused) {
  onnx::ModelProto proto = small_proto();
  proto.mutable_graph()->mutable_node(0)->set_input(0, "y");
  expect_refused(proto, ErrorCode::kInvalidModel, "topologically");
}

TEST(HostileModel, ExperimentalOperatorsThatTheCheckerPassesOverAreRefused) {
  onnx::ModelProto proto = small_proto();
  proto.mutable_graph()->mutable_node(0)->set_op_type("ATen");
  testing::internal::CaptureStdout();
  expect_refused(proto, ErrorCode::kUnsupported, "ATen");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST(HostileModel, WhatIsNewerThanTheLibraryIsUnsupportedRatherThanInvalid) {
  onnx::ModelProto proto = small_proto();
  proto.set_ir_version(99);
  expect_refused(proto, ErrorCode::kUnsupported, "IR version 99");
  proto = small_proto();
  proto.mutable_opset_import(0)->set_version(99);
  expect_refused(proto, ErrorCode::kUnsupported, "99");
  proto = small_proto();
  proto.add_opset_import()->set_domain("ai.onnx");
  proto.mutable_opset_import(1)->set_version(16);
  expect_refused(proto, ErrorCode::kInvalidModel, "two versions");
}

TEST(HostileModel, NamesThatAreNotUtf8AreRefusedWithoutPrinting) {
  for (const char* text : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xe2\x82"}) {
    onnx::ModelProto proto = small_proto();
    proto.mutable_graph()->mutable_node(0)->set_name(text);
    const google::protobuf::LogSilencer silent;
    const std::string bytes = proto.SerializeAsString();
    testing::internal::CaptureStderr();
    expect_error(parse(bytes), ErrorCode::kInvalidModel, "onnx.NodeProto.name is not UTF-8");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  }
  for (const char* text : {"\u00e4", "\u20ac", "\U0001F697", "\U0010FFFF"}) {
    onnx::ModelProto proto = small_proto();
    proto.mutable_graph()->mutable_node(0)->set_name(text);
    EXPECT_EQ(expect_ok(parse(proto.SerializeAsString())).graph->nodes().front()->name, text);
  }
}

TEST(HostileModel, AnAttributeOfACallerIsRefusedOutsideFunctions) {
  onnx::ModelProto proto = small_proto();
  auto* node = proto.mutable_graph()->mutable_node(0);
  node->set_op_type("LeakyRelu");
  auto* attribute = node->add_attribute();
  attribute->set_name("alpha");
  attribute->set_type(onnx::AttributeProto::FLOAT);
  attribute->set_ref_attr_name("slope");
  expect_refused(proto, ErrorCode::kInvalidModel, "outside a function");
}

TEST(HostileModel, AnInitializerOfAnotherTypeThanItsInputIsRefused) {
  onnx::ModelProto proto = small_proto();
  auto& tensor = add_weight(proto, onnx::TensorProto::INT64, {1});
  tensor.set_name("x");
  tensor.add_int64_data(1);
  expect_refused(proto, ErrorCode::kInvalidModel, "declared as float32");
}

TEST(HostileModel, AnOutputOfUnknownRankIsFine) {
  onnx::ModelProto proto = small_proto();
  proto.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  const Model model = expect_ok(parse(proto.SerializeAsString()));
  EXPECT_EQ(to_string(model.graph->outputs().front()->type), "float32");
}

TEST(HostileModel, OtherKindsOfFilesAreNamedAsSuch) {
  expect_error(parse(""), ErrorCode::kInvalidModel, "empty");
  expect_error(parse("PK\x03\x04 an archive"), ErrorCode::kInvalidModel, "");
  expect_error(parse("<html>"), ErrorCode::kInvalidModel, "");
  const TemporaryFolder folder;
  expect_error(load_model(folder / "missing.onnx"), ErrorCode::kNotFound, "missing.onnx");
  expect_error(load_model(folder.path()), ErrorCode::kInvalidInput, "folder");
}

TEST(ModelFile, OfAnotherFrameworkSaysWhatToRun) {
  const TemporaryFolder folder;
  const auto lite = folder.write("m.tflite", std::string("\x1c\0\0\0TFL3", 8));
  expect_error(load_model(lite), ErrorCode::kInvalidModel,
               "run python -m tarmac.export tflite " + lite.string() + " -o model.onnx");
  expect_error(load_model(folder.write("w.pth", "PK\3\4")), ErrorCode::kInvalidModel,
               "tarmac.export torch FILE.py:FACTORY --weights " + (folder / "w.pth").string());
  expect_error(load_model(folder.write("p.pdmodel", "x")), ErrorCode::kInvalidModel,
               "tarmac.export paddle " + (folder / "p").string() + " -o");
  expect_error(load_model(folder.write("g.pb", "x")), ErrorCode::kInvalidModel, "frozen_graph");
  expect_error(load_model(folder.write("k.h5", "x")), ErrorCode::kInvalidModel, "tarmac.export keras");
  (void)folder.write("saved_model.pb", "x");
  expect_error(load_model(folder.path()), ErrorCode::kInvalidInput,
               "tarmac.export saved_model " + folder.path().string() + " -o");
  const auto plain = load_model(folder.write("m.onnx", "x"));
  EXPECT_EQ(plain.error().message.find("tarmac.export"), std::string::npos);
}

TEST(HostileModel, NestedNamesThatShadowOuterOnesAreMadeUnique) {
  // ONNX lets a nested graph use a name that the outer graph computes later.
  onnx::ModelProto proto = small_proto();
  onnx::GraphProto& graph = *proto.mutable_graph();
  const onnx::NodeProto last = graph.node(0);
  graph.clear_node();
  nest(graph, 1);
  auto* branch = graph.mutable_node(1)->mutable_attribute(0)->mutable_g();
  branch->mutable_node(0)->set_output(0, "y");
  branch->mutable_output(0)->set_name("y");
  *graph.add_node() = last;
  const Model model = expect_ok(parse(proto.SerializeAsString()));
  expect_consistent(model);
  const Model again = expect_ok(parse(expect_ok(serialize_model(model))));
  EXPECT_EQ(structural_difference(model, again, {.names = true}), "");
}

}  // namespace
}  // namespace tarmac::test
