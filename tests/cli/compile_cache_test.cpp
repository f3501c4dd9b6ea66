// The cache of finished plans: taken again only when nothing differs, and never trusted blindly.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/child_program.h"
#include "cli/scene.h"
#include "plan/plan_file.h"

namespace tarmac::test {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::json;

class CompileCache : public ::testing::Test {
 protected:
  [[nodiscard]] json compile(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"compile",  scene_.model(), "-o",          scene_.path("m.plan"),
                                      "--target", "auto",         "--cache-dir", scene_.path("cache"),
                                      "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const ProgramResult result = run_tarmac(words);
    EXPECT_EQ(result.exit_status, 0) << result.err << result.out;
    return result.json();
  }
  [[nodiscard]] std::vector<fs::path> entries() const {
    std::vector<fs::path> list;
    for (const auto& entry : fs::directory_iterator(scene_.path("cache"))) list.push_back(entry.path());
    return list;
  }
  Scene scene_;
};

TEST_F(CompileCache, MakesTheSamePlanAtLeastTenTimesFaster) {
  const json first = compile();
  EXPECT_EQ(first["cache"]["hit"], false);
  const json second = compile();
  EXPECT_EQ(second["cache"]["hit"], true);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which slow both as a whole
  EXPECT_LT(10 * second["took_s"].get<double>(), first["took_s"].get<double>());
#endif
  EXPECT_EQ(first["tried"], second["tried"]);
  EXPECT_EQ(run_tarmac({"inspect", scene_.path("m.plan")}).exit_status, 0);
  EXPECT_EQ(entries().size(), 1U);  // no folder of the work is left
}

TEST_F(CompileCache, IsNotTakenForOtherOptionsOrAnotherModel) {
  (void)compile();
  EXPECT_EQ(compile({"--batch", "2"})["cache"]["hit"], false);
  EXPECT_EQ(compile({"--cores", "1"})["cache"]["hit"], false);
  Model model = expect_ok(load_model(scene_.model()));
  model.graph->rename(*model.graph->find("scores"), "colours");
  expect_ok(save_model(model, scene_.model()));
  EXPECT_EQ(compile()["cache"]["hit"], false);
}

TEST_F(CompileCache, DamagedAndForeignEntriesAreMadeAnew) {
  (void)compile();
  const fs::path entry = entries().at(0);
  fs::resize_file(entry, fs::file_size(entry) - 1);
  EXPECT_EQ(compile()["cache"]["hit"], false);
  EXPECT_EQ(compile()["cache"]["hit"], true);
  // The same plan as another user would have written it: whole, but not sealed by this one.
  ::setenv("XDG_STATE_HOME", scene_.path("elsewhere").c_str(), 1);
  EXPECT_EQ(compile()["cache"]["hit"], false);
  ::unsetenv("XDG_STATE_HOME");
  EXPECT_EQ(compile()["cache"]["hit"], false);
}

TEST_F(CompileCache, TwoAtOnceDoNotSpoilIt) {
  std::thread other([&] { (void)compile(); });
  (void)compile();
  other.join();
  EXPECT_EQ(entries().size(), 1U);
  EXPECT_EQ(compile()["cache"]["hit"], true);
}

TEST_F(CompileCache, StaysEmptyWithoutBeingAsked) {
  const ProgramResult result = run_tarmac({"compile", scene_.model(), "-o", scene_.path("m.plan"), "--target",
                                           "openvino", "--no-cache", "--json"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_FALSE(result.json()["cache"].contains("folder"));
}

}  // namespace
}  // namespace tarmac::test
