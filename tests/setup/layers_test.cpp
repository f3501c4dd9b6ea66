// Includes go one way: base → tensor → … → cli. First the rule is shown to catch what it should, then it is
// applied to this tree.
#include "setup/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace tarmac::setup {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LayersTest : public testing::Test {
 protected:
  LayersTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    root_ =
        fs::temp_directory_path() / ("tarmac_layers_" + std::string(test->name()) + std::to_string(getpid()));
    fs::create_directories(root_);
  }
  ~LayersTest() override { fs::remove_all(root_); }

  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }

  std::vector<std::string> messages() const {
    std::vector<std::string> found;
    for (const LayerViolation& violation :
         find_layer_violations(root_, {"base", "graph", "targets", "contract"})) {
      found.push_back(violation.file + ":" + std::to_string(violation.line) + ": " + violation.message);
    }
    return found;
  }

  fs::path root_;
};

TEST_F(LayersTest, IncludingLeftIsFine) {
  write("src/graph/graph.h", "#include \"base/log.h\"\n#include \"graph/node.h\"\n#include <vector>\n");
  EXPECT_THAT(messages(), IsEmpty());
}

TEST_F(LayersTest, IncludingRightIsRefused) {
  write("src/base/log.cpp", "\n#include \"graph/graph.h\"\n");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("src/base/log.cpp:2: base includes graph/graph.h")));
}

TEST_F(LayersTest, APublicHeaderMayNotIncludeAnInternalOne) {
  write("include/tarmac/model.h", "#include \"tarmac/result.h\"\n#include \"graph/graph.h\"\n");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("model.h:2: a public header")));
}

TEST_F(LayersTest, TargetsMayNotSeeEachOther) {
  write("src/targets/openvino/a.cpp",
        "#include \"targets/target.h\"\n#include \"targets/onnxruntime/b.h\"\n");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("target openvino includes target onnxruntime")));
}

TEST_F(LayersTest, TargetsMayUseTheirCommonPartButNotTheReverse) {
  write("src/targets/openvino/a.cpp", "#include \"targets/common/guard.h\"\n");
  EXPECT_THAT(messages(), IsEmpty());
  write("src/targets/common/guard.h", "#include \"targets/openvino/engine.h\"\n");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("target common includes target openvino")));
}

TEST_F(LayersTest, VendorHeadersStayInTheirPlace) {
  write("src/targets/openvino/a.cpp", "#include <openvino/openvino.hpp>\n");
  write("src/contract/preprocess.cpp", "#include <opencv2/imgproc.hpp>\n");
  EXPECT_THAT(messages(), IsEmpty());
  write("src/graph/a.cpp", "#include <onnxruntime_cxx_api.h>\n");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("vendor header <onnxruntime_cxx_api.h>")));
}

TEST_F(LayersTest, AFolderOutsideTheListIsRefused) {
  write("src/utils/a.h", "#include <vector>\n");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("src/utils is not in the list")));
}

TEST(Layers, ThisTreeKeepsThem) {
  std::vector<std::string> layers;
  std::istringstream list(TARMAC_LAYERS);
  for (std::string layer; list >> layer;) layers.push_back(layer);
  ASSERT_GT(layers.size(), 10U);
  for (const LayerViolation& violation : find_layer_violations(TARMAC_SOURCE_DIR, layers)) {
    ADD_FAILURE() << violation.file << ":" << violation.line << ": " << violation.message;
  }
}

}  // namespace
}  // namespace tarmac::setup
