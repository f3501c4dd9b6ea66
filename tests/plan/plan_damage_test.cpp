// Damage of every kind is refused before anything in the plan is parsed.
#include <gtest/gtest.h>

#include <random>

#include "base/file.h"
#include "plan/example_plan.h"
#include "plan/key_pair.h"
#include "plan/layout.h"
#include "support/temporary_folder.h"

namespace tarmac {
namespace {

class PlanDamageTest : public testing::Test {
 protected:
  void SetUp() override {
    const Model model = test::weighty_model();
    const auto path = folder / "m.plan";
    auto content = test::example_content(model);
    content.engine = "an engine";
    content.sign_key = test::write_key_pair(folder, "signer").private_key;
    ASSERT_TRUE(write_plan(path, content).ok());
    bytes = *read_file(path);
    header_bytes = kPlanPreambleBytes + 5 * kPlanEntryBytes + kPlanOriginBytes;
    ASSERT_TRUE(decode(bytes).ok());
  }

  static Result<PlanLayout> decode(const std::string& file) {
    return decode_plan(std::as_bytes(std::span(file)));
  }

  /// Refused as damage, which the command line turns into exit code 4.
  static testing::AssertionResult refused(const std::string& file) {
    const auto entries = decode(file);
    if (entries.ok()) return testing::AssertionFailure() << "was accepted";
    if (entries.error().code != ErrorCode::kInvalidModel || exit_code(entries.error().code) != 4) {
      return testing::AssertionFailure() << entries.error().str();
    }
    return testing::AssertionSuccess();
  }

  test::OwnMachine machine;
  test::TemporaryFolder folder;
  std::string bytes;
  std::size_t header_bytes = 0;
};

TEST_F(PlanDamageTest, EverySingleBitFlipOfTheHeaderIsRefused) {
  for (std::size_t bit = 0; bit < header_bytes * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_TRUE(refused(bytes)) << "bit " << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
}

TEST_F(PlanDamageTest, RandomBitFlipsElsewhereAreRefused) {
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::size_t> pick(header_bytes * 8, bytes.size() * 8 - 1);
  for (int i = 0; i < 10000; ++i) {
    const std::size_t bit = pick(random);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_TRUE(refused(bytes)) << "bit " << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
}

TEST_F(PlanDamageTest, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < bytes.size(); size += size < 2 * header_bytes ? 1 : 7)
    ASSERT_TRUE(refused(bytes.substr(0, size))) << size;
  ASSERT_TRUE(refused(bytes.substr(0, bytes.size() - 1)));
}

TEST_F(PlanDamageTest, TrailingBytesAreRefused) {
  EXPECT_TRUE(refused(bytes + '\0'));
  EXPECT_TRUE(refused(bytes + std::string(4096, '\0')));
}

TEST_F(PlanDamageTest, OpeningADamagedFileNamesIt) {
  bytes[bytes.size() - 1] = static_cast<char>(bytes.back() ^ 1);
  const auto path = folder.write("damaged.plan", bytes);
  const auto plan = PlanFile::open(path);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code, ErrorCode::kInvalidModel);
  EXPECT_EQ(plan.error().context, path.string());
  EXPECT_NE(plan.error().message.find("engine.bin"), std::string::npos) << plan.error().str();
}

}  // namespace
}  // namespace tarmac
