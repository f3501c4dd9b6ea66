// What the program makes of plans' signatures.
#include <gtest/gtest.h>

#include <fstream>

#include "cli/child_program.h"
#include "cli/scene.h"

namespace tarmac::test {
namespace {

TEST(Plans, AreRefusedWithoutTheSignatureThatIsRequired) {
  const Scene scene;
  const std::string tensor = scene.tensor("x", {1, 3, 8, 8}, 0.5F);
  ASSERT_EQ(
      run_tarmac({"compile", scene.model(), "-o", scene.path("m.plan"), "--target", "openvino"}).exit_status,
      0);
  std::ofstream(scene.path("someone.pub.pem"))
      << "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAeQa+J9Y0GRK9NUXuFuxrP5vktQymGNvVuKc3u5x05qs=\n"
         "-----END PUBLIC KEY-----\n";
  for (const std::string& file : {scene.path("m.plan"), scene.model()}) {
    for (const std::vector<std::string>& command : {std::vector<std::string>{"inspect", file},
                                                    {"run", file, "--input", "image=" + tensor},
                                                    {"verify", file, "--reference", scene.model()}}) {
      std::vector<std::string> words = command;
      words.insert(words.end(), {"--require-signature", scene.path("someone.pub.pem")});
      const ProgramResult result = run_tarmac(words);
      EXPECT_EQ(result.exit_status, 4) << words[0] << " " << file << ": " << result.err;
    }
  }
}

}  // namespace
}  // namespace tarmac::test
