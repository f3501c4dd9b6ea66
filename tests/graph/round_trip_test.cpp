// Every case that the onnx package generates survives load → save → load, with nothing lost but what
// model_io.h names.
#include <google/protobuf/util/message_differencer.h>
#include <onnx/onnx_pb.h>
#include <stdlib.h>

#include "base/file.h"
#include "support/cases.h"
#include "support/graph_checks.h"
#include "support/temporary_folder.h"
#include "tensor/proto.h"

namespace tarmac::test {
namespace {

using google::protobuf::Message;

void normalize(Message& message);

/// One form for values: raw_data; names and doc strings of tensors are not carried.
void normalize_tensor(onnx::TensorProto& tensor, bool keep_name) {
  const std::string name = keep_name ? tensor.name() : "";
  tensor.clear_name();
  tensor.clear_doc_string();
  tensor_to_proto(expect_ok(tensor_from_proto(tensor)), tensor);
  if (!name.empty()) tensor.set_name(name);
}

void normalize_graph(onnx::GraphProto& graph) {
  // Descriptions of values that are described as outputs, or that no node computes, say nothing new.
  std::set<std::string> computed;
  for (const auto& node : graph.node()) computed.insert(node.output().begin(), node.output().end());
  for (const auto& output : graph.output()) computed.erase(output.name());
  auto* infos = graph.mutable_value_info();
  infos->erase(std::remove_if(infos->begin(), infos->end(),
                              [&](const auto& info) { return !computed.contains(info.name()); }),
               infos->end());
  std::sort(infos->begin(), infos->end(), [](const auto& a, const auto& b) { return a.name() < b.name(); });
}

void normalize_attributes(google::protobuf::RepeatedPtrField<onnx::AttributeProto>& attributes) {
  std::sort(attributes.begin(), attributes.end(),
            [](const auto& a, const auto& b) { return a.name() < b.name(); });
  for (auto& attribute : attributes) attribute.clear_doc_string();
}

void normalize_opsets(google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& opsets) {
  for (auto& opset : opsets) opset.set_domain(opset.domain() == "ai.onnx" ? "" : opset.domain());
  std::sort(opsets.begin(), opsets.end(),
            [](const auto& a, const auto& b) { return a.domain() < b.domain(); });
}

/// Text fields that are set to "" mean the same as those that are not set.
void clear_empty_texts(Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->is_repeated() || field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_STRING)
      continue;
    if (reflection->GetString(message, field).empty()) reflection->ClearField(&message, field);
  }
}

void normalize(Message& message) {
  if (auto* graph = dynamic_cast<onnx::GraphProto*>(&message)) {
    normalize_graph(*graph);
    for (auto& tensor : *graph->mutable_initializer()) normalize_tensor(tensor, true);
  } else if (auto* attribute = dynamic_cast<onnx::AttributeProto*>(&message)) {
    if (attribute->has_t()) normalize_tensor(*attribute->mutable_t(), false);
    for (auto& tensor : *attribute->mutable_tensors()) normalize_tensor(tensor, false);
    if (attribute->type() == onnx::AttributeProto::STRING) attribute->set_s(attribute->s());
  } else if (auto* node = dynamic_cast<onnx::NodeProto*>(&message)) {
    normalize_attributes(*node->mutable_attribute());
    if (node->domain() == "ai.onnx") node->clear_domain();
  } else if (auto* function = dynamic_cast<onnx::FunctionProto*>(&message)) {
    normalize_attributes(*function->mutable_attribute_proto());
    normalize_opsets(*function->mutable_opset_import());
  } else if (auto* model = dynamic_cast<onnx::ModelProto*>(&message)) {
    normalize_opsets(*model->mutable_opset_import());
    if (model->model_version() == 0) model->clear_model_version();
  }
  const bool is_attribute = message.GetDescriptor() == onnx::AttributeProto::descriptor();
  const bool is_opset = message.GetDescriptor() == onnx::OperatorSetIdProto::descriptor();
  const bool is_pair = message.GetDescriptor() == onnx::StringStringEntryProto::descriptor();
  if (!is_attribute && !is_opset && !is_pair) clear_empty_texts(message);

  const auto* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      normalize(*reflection->MutableMessage(&message, field));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      normalize(*reflection->MutableRepeatedMessage(&message, field, i));
    }
  }
}

onnx::ModelProto normalized_file(const std::filesystem::path& path) {
  onnx::ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(expect_ok(read_file(path, std::uint64_t{1} << 30U)))) << path;
  normalize(proto);
  return proto;
}

std::string difference_of(const Message& a, const Message& b) {
  google::protobuf::util::MessageDifferencer differencer;
  std::string report;
  differencer.ReportDifferencesToString(&report);
  return differencer.Compare(a, b) ? "" : report.substr(0, 2000);
}

void expect_round_trip(const std::filesystem::path& file, const TemporaryFolder& folder) {
  SCOPED_TRACE(file);
  const auto saved = folder / "saved.onnx";
  const Model first = expect_ok(load_model(file));
  expect_consistent(first);
  expect_ok(save_model(first, saved));
  const Model second = expect_ok(load_model(saved));
  EXPECT_EQ(structural_difference(first, second, {.names = true}), "");
  EXPECT_EQ(structural_difference(second, clone_model(second), {.names = true}), "");
  EXPECT_EQ(expect_ok(model_digest(first)), expect_ok(model_digest(second)));
  EXPECT_EQ(difference_of(normalized_file(file), normalized_file(saved)), "");
}

class RoundTrip : public testing::TestWithParam<const char*> {
 protected:
  /// Two thousand files, each synced: not on a disk if memory will do.
  static void SetUpTestSuite() {
    if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  }
};

TEST_P(RoundTrip, LosesNothingOfAnyCase) {
  const auto files = case_models(GetParam());
  if (files.empty()) GTEST_SKIP() << kNoCases;
  const TemporaryFolder folder;
  std::size_t passed = 0;
  for (const auto& file : files) {
    try {
      expect_round_trip(file, folder);
      ++passed;
    } catch (const testing::AssertionException&) {
      ADD_FAILURE() << file;  // the reason is reported already; go on with the next file
    }
  }
  RecordProperty("models", static_cast<int>(passed));
  std::cout << passed << " of " << files.size() << " models of '" << GetParam() << "' made the round trip\n";
}

TEST(RoundTripCheck, NoticesASingleChangedField) {
  const std::string text = R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[2] x) => (float[2] y) { [n] y = LeakyRelu <alpha = 0.5> (x) })";
  const TemporaryFolder folder;
  expect_ok(save_model(model(text), folder / "a.onnx"));
  Model changed = model(text);
  changed.graph->nodes().front()->doc_string = "changed";
  expect_ok(save_model(changed, folder / "b.onnx"));
  EXPECT_NE(difference_of(normalized_file(folder / "a.onnx"), normalized_file(folder / "b.onnx")), "");
  EXPECT_EQ(difference_of(normalized_file(folder / "a.onnx"), normalized_file(folder / "a.onnx")), "");
}

INSTANTIATE_TEST_SUITE_P(OnnxCases, RoundTrip,
                         testing::Values("node", "simple", "pytorch-operator", "pytorch-converted", "light"),
                         [](const auto& kind) {
                           std::string name = kind.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tarmac::test
