#include "plan/plan_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/sha256.h"
#include "plan/cpu_features.h"
#include "plan/example_plan.h"
#include "plan/layout.h"
#include "plan/manifest.h"
#include "plan/preprocessing.h"
#include "support/temporary_folder.h"
#include "tensor/io.h"

namespace tarmac {
namespace {

using Json = nlohmann::json;

class PlanFileTest : public testing::Test {
 protected:
  void write() {
    const Status written = write_plan(path, test::example_content(model));
    ASSERT_TRUE(written.ok()) << written.error().str();
  }

  void forge(const std::vector<std::pair<std::string, std::string>>& sections) const {
    ASSERT_TRUE(write_file(path, test::forge_plan(sections)).ok());
  }

  Json manifest_of_example() {
    write();
    const auto plan = PlanFile::open(path);
    const auto bytes = *plan->section("manifest.json");
    return Json::parse(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }

  /// Opens the example plan with another manifest.
  Result<PlanFile> open_with(const std::string& manifest) {
    const std::string bytes = *serialize_model(model);
    forge({{"manifest.json", manifest}, {"model.onnx", bytes}});
    return PlanFile::open(path);
  }

  test::OwnMachine machine;
  test::TemporaryFolder folder;
  std::filesystem::path path = folder / "m.plan";
  Model model = test::example_model();
};

TEST_F(PlanFileTest, GivesBackWhatWasWritten) {
  write();
  const auto plan = PlanFile::open(path);
  ASSERT_TRUE(plan.ok()) << plan.error().str();
  const PlanInfo& info = plan->info();
  EXPECT_EQ(info.target, "null");
  EXPECT_EQ(info.engine_version, "null 1");
  EXPECT_EQ(info.source_digest, std::string(64, 'a'));
  EXPECT_EQ(info.cores, 2);
  EXPECT_EQ(info.cpu_features, cpu_features());
  ASSERT_EQ(info.inputs.size(), 1U);
  EXPECT_EQ(info.inputs[0].type, "float32[batch, 4]");
  EXPECT_EQ(info.inputs[0].shape, (std::vector<TensorDim>{"batch", 4}));
  ASSERT_EQ(info.outputs.size(), 1U);
  EXPECT_EQ(info.outputs[0].name, "y");
  ASSERT_EQ(info.profiles.size(), 1U);
  EXPECT_EQ(info.profiles[0].shapes.at("x").max, (Shape{8, 4}));
  EXPECT_EQ(info.precision, "int8");
  EXPECT_EQ(Json::parse(info.precision_json)["quantized_nodes"], 1);
  EXPECT_EQ(info.labels[1], "grün");
  EXPECT_EQ(Json::parse(info.acceptance_json)[0]["name"], "fp32_drop");
  EXPECT_EQ(plan->contract_text(), test::kExampleContract);
  EXPECT_EQ(info.preprocessing.substr(0, 3), "x: ");
  EXPECT_EQ(info.preprocessing_fingerprint, to_hex(sha256(std::as_bytes(std::span(info.preprocessing)))));
  const auto loaded = plan->model();
  ASSERT_TRUE(loaded.ok()) << loaded.error().str();
  EXPECT_EQ(structural_difference(*loaded, model), "");
  EXPECT_EQ(info.file_bytes, std::filesystem::file_size(path));
  for (const PlanSection& section : info.sections) EXPECT_EQ(section.offset_bytes % 4096, 0U) << section.name;
}

TEST_F(PlanFileTest, KeepsLargeWeightsAlignedInASectionOfTheirOwnAndMapsThem) {
  model = test::weighty_model();
  write();
  const auto plan = PlanFile::open(path);
  ASSERT_TRUE(plan.ok()) << plan.error().str();
  EXPECT_EQ(plan->section("weights.bin")->size(), 4U * 512 * 4 + 512 * 4);
  EXPECT_LT(plan->section("model.onnx")->size(), 1024U);
  const auto loaded = plan->model();
  ASSERT_TRUE(loaded.ok()) << loaded.error().str();
  EXPECT_EQ(structural_difference(*loaded, model), "");
  const auto file = plan->file()->bytes();
  for (const Value* value : loaded->graph->initializers()) {
    const std::byte* data = value->initializer()->bytes().data();
    EXPECT_TRUE(data >= file.data() && data < file.data() + file.size()) << value->name() << " was copied";
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0U) << value->name();
  }
  EXPECT_EQ(plan->info().model_digest, *model_digest(model));
}

TEST_F(PlanFileTest, RefusesWeightsThatLieOutsideTheirSection) {
  model = test::weighty_model();
  const SplitModel split = *split_model(model, "weights.bin", 64);
  std::string weights;
  for (const auto part : split.weights)
    weights.append(reinterpret_cast<const char*>(part.data()), part.size());
  const std::string manifest = manifest_of_example().dump();
  const auto refusal = [&](const std::string& program, const std::string& data) -> std::string {
    std::vector<std::pair<std::string, std::string>> sections{{"manifest.json", manifest},
                                                              {"model.onnx", program}};
    if (!data.empty()) sections.emplace_back("weights.bin", data);
    forge(sections);
    const auto loaded = PlanFile::open(path)->model();
    if (loaded) return "";
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidModel);
    return loaded.error().message;
  };
  const auto with_location = [&](const std::string& location) {
    return split_model(model, location, 64)->program;
  };
  EXPECT_EQ(refusal(split.program, weights), "");
  EXPECT_NE(refusal(split.program, weights.substr(0, weights.size() - 1)), "");
  EXPECT_NE(refusal(split.program, ""), "");
  EXPECT_NE(refusal(with_location("*/_ORT_MEM_ADDR_/*"), weights), "");
  EXPECT_NE(refusal(with_location("/etc/passwd"), weights), "");
  EXPECT_NE(refusal(with_location("m.plan"), weights), "");
}

TEST_F(PlanFileTest, CarriesWhatTemporalStateBeginsWith) {
  const Tensor first = Tensor::from<float>({1, 4}, std::vector<float>{1, 2, 3, 4});
  ASSERT_TRUE(write_npy(folder / "first.npy", first).ok());
  auto content = test::example_content(model);
  content.contract_text += "sequence:\n  state:\n    - {output: y, input: h, first: first.npy}\n";
  content.contract_folder = folder.path();
  const Status written = write_plan(path, content);
  ASSERT_TRUE(written.ok()) << written.error().str();
  std::filesystem::remove(folder / "first.npy");
  const auto plan = PlanFile::open(path);
  const auto contract = parse_plan_contract(plan->contract_text(), path);
  ASSERT_TRUE(contract.ok()) << contract.error().str();
  const auto states = plan->first_states(*contract);
  ASSERT_TRUE(states.ok()) << states.error().str();
  EXPECT_TRUE(identical(states->at("h"), first));
  const Status absent = write_plan(path, content);
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
}

TEST_F(PlanFileTest, IsTheSameFileForTheSameContent) {
  write();
  const auto first = read_file(path);
  write();
  EXPECT_EQ(*first, *read_file(path));
}

TEST_F(PlanFileTest, IsKnownByItsFirstBytesOrItsName) {
  write();
  EXPECT_TRUE(is_plan(path));
  std::filesystem::rename(path, folder / "renamed");
  EXPECT_TRUE(is_plan(folder / "renamed"));
  EXPECT_FALSE(is_plan(folder.write("model.onnx", "\x08\x08")));
  EXPECT_FALSE(is_plan(folder / "absent"));
}

TEST_F(PlanFileTest, RefusesAnotherFormatVersionNamingBoth) {
  write();
  std::string bytes = *read_file(path);
  bytes[8] = 7;
  // A later version's header carries a right digest.
  Sha256 hash;
  const std::size_t header_bytes = 64 + 3 * 128 + 160;
  hash.update(std::as_bytes(std::span(bytes)).first(32));
  hash.update(std::as_bytes(std::span(bytes)).subspan(64, header_bytes - 64));
  const auto digest = hash.finish();
  std::copy_n(reinterpret_cast<const char*>(digest.data()), 32, bytes.begin() + 32);
  const auto plan = PlanFile::open(folder.write("later.plan", bytes));
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, ErrorCode::kMismatch) << plan.error().str();
  EXPECT_NE(plan.error().message.find("version 7"), std::string::npos) << plan.error().str();
  EXPECT_NE(plan.error().message.find("version 2"), std::string::npos) << plan.error().str();
}

TEST_F(PlanFileTest, RefusesAnotherEngineOrProcessorNamingBoth) {
  PlanInfo info;
  info.engine_version = "Engine 2";
  info.cpu_features = {"avx2", "amx_int8"};
  EXPECT_TRUE(check_plan_fits(info, {"Engine 2", {"amx_int8", "avx2", "avx512f"}, {}}).ok());
  const auto engine = check_plan_fits(info, {"Engine 3", {"amx_int8", "avx2"}, {}});
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.error().code, ErrorCode::kMismatch);
  EXPECT_NE(engine.error().message.find("Engine 2"), std::string::npos);
  EXPECT_NE(engine.error().message.find("Engine 3"), std::string::npos);
  const auto processor = check_plan_fits(info, {"Engine 2", {"avx2", "fma"}, {}});
  ASSERT_FALSE(processor.ok());
  EXPECT_EQ(processor.error().code, ErrorCode::kMismatch);
  EXPECT_NE(processor.error().message.find("avx2, amx_int8"), std::string::npos);
  EXPECT_NE(processor.error().message.find("avx2, fma"), std::string::npos);
  info.gpu = "NVIDIA H200";
  const auto gpu = check_plan_fits(info, {"Engine 2", {"avx2", "amx_int8"}, {"NVIDIA L4"}});
  ASSERT_FALSE(gpu.ok());
  EXPECT_EQ(gpu.error().code, ErrorCode::kMismatch);
  EXPECT_NE(gpu.error().message.find("NVIDIA H200"), std::string::npos);
  EXPECT_NE(gpu.error().message.find("NVIDIA L4"), std::string::npos);
  EXPECT_TRUE(check_plan_fits(info, {"Engine 2", {"avx2", "amx_int8"}, {"NVIDIA H200"}}).ok());
}

TEST_F(PlanFileTest, MakesThePreprocessorsOfItsContract) {
  write();
  const auto preprocessors = load_preprocessors(*PlanFile::open(path));
  ASSERT_TRUE(preprocessors.ok()) << preprocessors.error().str();
  ASSERT_EQ(preprocessors->count("x"), 1U);
  EXPECT_EQ(preprocessors->at("x").output_shape(), (Shape{1, 3, 8, 4}));
}

TEST_F(PlanFileTest, RefusesPreprocessingOtherThanTheOneItWasAcceptedWith) {
  Json manifest = manifest_of_example();
  manifest["preprocessing"] = "x: something else\n";
  const std::string bytes = *serialize_model(model);
  forge(
      {{"manifest.json", manifest.dump()}, {"model.onnx", bytes}, {"contract.yaml", test::kExampleContract}});
  const auto plan = PlanFile::open(path);
  ASSERT_TRUE(plan.ok()) << plan.error().str();
  const auto preprocessors = load_preprocessors(*plan);
  ASSERT_FALSE(preprocessors.ok());
  EXPECT_EQ(preprocessors.error().code, ErrorCode::kMismatch);
  EXPECT_NE(preprocessors.error().message.find("something else"), std::string::npos);
}

TEST_F(PlanFileTest, ToleratesManifestKeysOfLaterVersions) {
  Json manifest = manifest_of_example();
  manifest["weather"] = {{"rain", true}};
  manifest["inputs"][0]["quantization"] = {{"scale", 0.5}};
  const auto plan = open_with(manifest.dump());
  ASSERT_TRUE(plan.ok()) << plan.error().str();
  EXPECT_EQ(plan->info().inputs[0].name, "x");
}

TEST_F(PlanFileTest, RefusesAManifestOfTheWrongKindNamingTheKey) {
  const Json good = manifest_of_example();
  const std::vector<std::pair<std::string, Json>> wrong{
      {"target", 3},
      {"target", nullptr},
      {"cores", -1},
      {"cores", 4.5},
      {"cores", 1e300},
      {"cores", std::uint64_t{1} << 40U},
      {"labels", {"red", 1}},
      {"inputs", "x"},
      {"inputs", {{{"name", "x"}, {"dtype", "float33"}}}},
      {"inputs", {{{"name", "x"}, {"dtype", "float32"}, {"shape", {std::uint64_t{1} << 63U}}}}},
      {"profiles", {{{"x", {{"min", {2}}, {"opt", {1}}, {"max", {3}}}}}}},
      {"profiles", {{{"x", {{"min", {1}}, {"opt", {1, 1}}, {"max", {3}}}}}}},
  };
  for (const auto& [key, value] : wrong) {
    Json manifest = good;
    manifest[key] = value;
    const auto plan = open_with(manifest.dump());
    ASSERT_FALSE(plan.ok()) << key << " = " << value;
    EXPECT_EQ(plan.error().code, ErrorCode::kInvalidModel);
    EXPECT_NE(plan.error().message.find(key), std::string::npos) << plan.error().str();
  }
}

TEST_F(PlanFileTest, RefusesAManifestThatIsNoJsonOrNestedDeeply) {
  for (const std::string& text : {std::string("{"), std::string("[]"), std::string(100000, '['),
                                  "{\"a\":" + std::string(200, '[') + std::string(200, ']') + "}"}) {
    const auto plan = open_with(text);
    ASSERT_FALSE(plan.ok());
    EXPECT_EQ(plan.error().code, ErrorCode::kInvalidModel) << plan.error().str();
  }
}

TEST_F(PlanFileTest, RefusesForgedLayouts) {
  const Json manifest = manifest_of_example();
  const std::string bytes = *serialize_model(model);
  const auto refused = [&](const std::vector<std::pair<std::string, std::string>>& sections) {
    forge(sections);
    const auto plan = PlanFile::open(path);
    return !plan.ok() && plan.error().code == ErrorCode::kInvalidModel;
  };
  EXPECT_FALSE(refused({{"manifest.json", manifest.dump()}, {"model.onnx", bytes}}));
  EXPECT_TRUE(refused({{"manifest.json", manifest.dump()}}));
  EXPECT_TRUE(refused({{"manifest.json", manifest.dump()}, {"model.onnx", bytes}, {"model.onnx", bytes}}));
  EXPECT_TRUE(refused({{"manifest.json", manifest.dump()}, {"model.onnx", bytes}, {"../etc", "x"}}));
  EXPECT_TRUE(refused({{"manifest.json", manifest.dump()}, {"model.onnx", bytes}, {"", "x"}}));
}

TEST_F(PlanFileTest, SaysWhenDetailsAreNoJsonAndLeavesTheOldFile) {
  write();
  const auto before = read_file(path);
  auto content = test::example_content(model);
  content.info.acceptance_json = "{broken";
  const Status status = write_plan(path, content);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(*before, *read_file(path));
  EXPECT_EQ(folder.entries(), 1U);
}

TEST_F(PlanFileTest, SaysWhichSectionsThereAre) {
  write();
  const auto plan = PlanFile::open(path);
  const auto section = plan->section("engine.bin");
  ASSERT_FALSE(section.ok());
  EXPECT_EQ(section.error().code, ErrorCode::kNotFound);
  EXPECT_NE(section.error().message.find("model.onnx"), std::string::npos);
}

}  // namespace
}  // namespace tarmac
