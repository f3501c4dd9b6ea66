// The text form reads back as the same model, wherever ONNX's own parser has words for what is in it.
#include <map>

#include "support/cases.h"
#include "support/graph_checks.h"

namespace tarmac::test {
namespace {

constexpr std::size_t kAllElements = 4096;

TEST(Text, OfAllGeneratedCasesReadsBackAsTheSameModel) {
  std::size_t same = 0;
  std::size_t total = 0;
  std::map<std::string, std::size_t> unreadable;
  for (const char* kind : {"node", "simple", "pytorch-operator"}) {
    for (const auto& file : case_models(kind)) {
      SCOPED_TRACE(file);
      ++total;
      const Model loaded = expect_ok(load_model(file));
      const auto again = model_from_text(model_to_text(loaded, kAllElements));
      if (!again) {
        std::cout << file.parent_path().filename().string() << ": " << again.error().message << "\n";
        continue;
      }
      EXPECT_EQ(structural_difference(loaded, *again, {.names = true}), "");
      ++same;
    }
  }
  if (total == 0) GTEST_SKIP() << kNoCases;
  std::cout << same << " of " << total << " models read back from text\n";
}

}  // namespace
}  // namespace tarmac::test
