// External data is believed only where it is a plain file in the model's own folder, with as many bytes as
// the shape says.
#include <sys/stat.h>
#include <unistd.h>

#include "support/graph_checks.h"
#include "support/wire_model.h"

namespace tarmac::test {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

class ExternalDataTest : public testing::Test {
 protected:
  /// A model with a float[4] weight whose external data has these entries.
  Result<Model> load(const Entries& entries) {
    onnx::ModelProto proto = small_proto();
    auto* tensor = proto.mutable_graph()->add_initializer();
    tensor->set_name("w");
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    tensor->add_dims(4);
    tensor->set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    return load_model(folder_.write("model/m.onnx", proto.SerializeAsString()));
  }

  void expect_refused(const Entries& entries, const std::string& why) {
    const auto result = load(entries);
    expect_error(result, ErrorCode::kInvalidModel, why);
    if (!result.ok()) {
      EXPECT_THAT(result.error().str(),
                  testing::AllOf(testing::HasSubstr("m.onnx"), testing::HasSubstr("'w'")));
    }
  }

  ExternalDataTest() { std::filesystem::create_directory(folder_ / "model"); }

  TemporaryFolder folder_;
};

TEST_F(ExternalDataTest, IsReadAtItsOffset) {
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  (void)folder_.write("model/w.data", {reinterpret_cast<const char*>(values.data()), 24});
  const Model model = expect_ok(load({{"location", "w.data"}, {"offset", "8"}, {"length", "16"}}));
  const Tensor weight = expect_ok(model.graph->find("w")->initializer()->aligned());
  EXPECT_THAT(weight.data<float>(), testing::ElementsAre(2, 3, 4, 5));
}

TEST_F(ExternalDataTest, MayLieInAFolderBelowTheModel) {
  std::filesystem::create_directory(folder_ / "model/data");
  (void)folder_.write("model/data/w", std::string(16, 'w'));
  expect_ok(load({{"location", "data/w"}}));
}

TEST_F(ExternalDataTest, RefusesAMarkerForAnAddressInMemory) {
  expect_refused({{"location", "*/_ORT_MEM_ADDR_/*"}, {"offset", "94000000000000"}, {"length", "16"}},
                 "address in memory");
  expect_refused({{"location", "_ORT_MEM_ADDR_"}, {"offset", "0"}, {"length", "16"}}, "address in memory");
}

TEST_F(ExternalDataTest, RefusesAnAbsolutePath) {
  const auto file = folder_.write("model/w.data", std::string(16, 'w'));
  expect_refused({{"location", file.string()}}, "relative path");
}

TEST_F(ExternalDataTest, RefusesAPathThatLeavesTheFolder) {
  (void)folder_.write("w.data", std::string(16, 'w'));
  expect_refused({{"location", "../w.data"}}, "leaves the folder");
  expect_refused({{"location", "a/../../w.data"}}, "leaves the folder");
  expect_refused({{"location", "..\\w.data"}}, "relative path");
}

TEST_F(ExternalDataTest, RefusesALinkThatLeadsOutside) {
  (void)folder_.write("w.data", std::string(16, 'w'));
  std::filesystem::create_symlink(folder_ / "w.data", folder_ / "model/link");
  expect_refused({{"location", "link"}}, "leads outside");
  std::filesystem::create_directory_symlink(folder_.path(), folder_ / "model/up");
  expect_refused({{"location", "up/w.data"}}, "leads outside");
}

TEST_F(ExternalDataTest, RefusesAFileWithASecondHardLink) {
  (void)folder_.write("w.data", std::string(16, 'w'));
  std::filesystem::create_hard_link(folder_ / "w.data", folder_ / "model/hard");
  expect_refused({{"location", "hard"}}, "hard link");
}

TEST_F(ExternalDataTest, RefusesWhatIsNoRegularFile) {
  std::filesystem::create_directory(folder_ / "model/sub");
  expect_refused({{"location", "sub"}}, "not a regular file");
  expect_refused({{"location", "."}}, "");
  ASSERT_EQ(::mkfifo((folder_ / "model/fifo").c_str(), 0600), 0);
  expect_refused({{"location", "fifo"}}, "not a regular file");
}

TEST_F(ExternalDataTest, RefusesAMissingFileOrLocation) {
  expect_refused({{"location", "missing.data"}}, "No such file");
  expect_refused({{"location", ""}}, "relative path");
  expect_refused({{"offset", "0"}}, "");
  expect_refused({}, "");
}

TEST_F(ExternalDataTest, RefusesSizesThatDisagree) {
  (void)folder_.write("model/w.data", std::string(32, 'w'));
  expect_refused({{"location", "w.data"}, {"length", "12"}}, "dtype and shape need 16");
  expect_refused({{"location", "w.data"}, {"length", "32"}}, "dtype and shape need 16");
  expect_refused({{"location", "w.data"}, {"offset", "17"}}, "the file has 32");
  expect_refused({{"location", "w.data"}, {"offset", "33"}}, "the file has 32");
  expect_refused({{"location", "w.data"}, {"offset", "18446744073709551615"}}, "the file has 32");
  expect_ok(load({{"location", "w.data"}, {"offset", "16"}}));
}

TEST_F(ExternalDataTest, RefusesWhatIsNoNumber) {
  (void)folder_.write("model/w.data", std::string(32, 'w'));
  for (const char* text : {"-1", "18446744073709551616", "0x10", "1 ", "", "1e1"}) {
    expect_refused({{"location", "w.data"}, {"offset", text}}, "expected a whole number");
    expect_refused({{"location", "w.data"}, {"length", text}}, "expected a whole number");
  }
}

TEST_F(ExternalDataTest, RefusesTheSameEntryTwice) {
  (void)folder_.write("model/w.data", std::string(32, 'w'));
  expect_refused({{"location", "w.data"}, {"offset", "0"}, {"offset", "16"}}, "given twice");
}

TEST_F(ExternalDataTest, IsRefusedInAModelFromMemory) {
  onnx::ModelProto proto = small_proto();
  auto* tensor = proto.mutable_graph()->add_initializer();
  tensor->set_name("w");
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  tensor->add_dims(0);
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  auto* entry = tensor->add_external_data();
  entry->set_key("location");
  entry->set_value("w.data");
  const std::string bytes = proto.SerializeAsString();
  expect_error(parse_model(std::as_bytes(std::span(bytes)), nullptr), ErrorCode::kInvalidModel,
               "not read from a folder");
}

TEST_F(ExternalDataTest, IsRefusedInSparseTensorsWhichNobodyReadsHere) {
  onnx::ModelProto proto = small_proto();
  auto* sparse = proto.mutable_graph()->add_sparse_initializer();
  sparse->add_dims(4);
  auto* values = sparse->mutable_values();
  values->set_name("s");
  values->set_data_type(onnx::TensorProto::FLOAT);
  values->add_dims(0);
  values->set_data_location(onnx::TensorProto::EXTERNAL);
  auto* entry = values->add_external_data();
  entry->set_key("location");
  entry->set_value("/etc/passwd");
  const auto path = folder_.write("model/m.onnx", proto.SerializeAsString());
  expect_error(load_model(path), ErrorCode::kInvalidModel, "sparse tensor");
}

}  // namespace
}  // namespace tarmac::test
