// Damaged contracts must be read or refused, never crash: under the sanitizer presets this is a small fuzz
// test.
#include <gtest/gtest.h>

#include <random>

#include "contract/scratch.h"
#include "tarmac/contract.h"

namespace tarmac {
namespace {

constexpr int kMutations = 5000;
constexpr std::string_view kFragments[] = {"{",
                                           "}",
                                           "[",
                                           "]",
                                           ":",
                                           ": ",
                                           "- ",
                                           "\n",
                                           "\n  ",
                                           ",",
                                           "?",
                                           "? ",
                                           "&a ",
                                           "*a",
                                           "!",
                                           "!!",
                                           "|",
                                           ">",
                                           "'",
                                           "\"",
                                           "#",
                                           "%",
                                           "@",
                                           "`",
                                           "\t",
                                           "~",
                                           "<<: ",
                                           "---\n",
                                           "...\n",
                                           "-",
                                           "1e999",
                                           "-1",
                                           "0x",
                                           "\xff",
                                           "\xef\xbb\xbf",
                                           "\xe2\x80\xa8",
                                           "1/255",
                                           "MiB"};

/// One to four random edits: an inserted fragment, a removed or repeated range, a changed byte, a cut end.
std::string mutate(std::string text, std::mt19937& random) {
  const auto below = [&](std::size_t limit) {
    return static_cast<std::size_t>(random()) % std::max<std::size_t>(limit, 1);
  };
  for (std::size_t edits = 1 + below(4); edits > 0; --edits) {
    const std::size_t at = below(text.size());
    switch (below(5)) {
      case 0:
        text.insert(at, kFragments[below(std::size(kFragments))]);
        break;
      case 1:
        text.erase(at, 1 + below(20));
        break;
      case 2:
        text.insert(below(text.size()), text.substr(at, 1 + below(60)));
        break;
      case 3:
        if (!text.empty()) text[at] = static_cast<char>(random() & 0xffU);
        break;
      default:
        if (below(8) == 0) text.resize(at);
        break;
    }
  }
  return text;
}

void expect_read_or_refused(std::string_view good) {
  std::mt19937 random(20260101);  // the engine's sequence is fixed by the standard
  ContractOptions options;
  options.files_must_exist = false;
  int refused = 0;
  for (int i = 0; i < kMutations; ++i) {
    const auto contract = parse_contract(mutate(std::string(good), random), "deploy.yaml", options);
    if (contract.ok()) continue;
    ++refused;
    ASSERT_TRUE(contract.error().context.starts_with("deploy.yaml")) << contract.error().str();
    ASSERT_FALSE(contract.error().message.empty());
  }
  EXPECT_GT(refused, kMutations / 2);  // the edits do reach the checks
  EXPECT_LT(refused, kMutations);      // and some files stay good
}

TEST(MutatedContract, IsReadOrRefusedWithItsFile) { expect_read_or_refused(kGoodContract); }

TEST(MutatedContract, WithBoxesInSpaceIsReadOrRefusedWithItsFile) {
  expect_read_or_refused(kGoodDetections3d);
}

TEST(MutatedContract, WithASourceIsReadOrRefusedWithItsFile) { expect_read_or_refused(kGoodSources[0]); }

}  // namespace
}  // namespace tarmac
