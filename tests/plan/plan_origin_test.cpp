// Who vouches for a plan: signatures, the local seal, and what follows for the engine inside.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.h"
#include "plan/example_plan.h"
#include "plan/key_pair.h"
#include "plan/local_secret.h"
#include "plan/signature.h"
#include "support/temporary_folder.h"

namespace tarmac {
namespace {

class PlanOriginTest : public testing::Test {
 protected:
  void write(const std::filesystem::path& sign_key = {}) {
    auto content = test::example_content(model);
    content.engine = "an engine";
    content.sign_key = sign_key;
    const Status written = write_plan(path, content);
    ASSERT_TRUE(written.ok()) << written.error().str();
  }

  /// The plan as another program would write it that has right digests but not the keys.
  void write_with_origin(const PlanOrigin& origin) const {
    const auto sections = test::sections_of(path);
    ASSERT_TRUE(write_file(path, test::forge_plan(sections, origin)).ok());
  }

  test::OwnMachine machine;
  test::TemporaryFolder folder;
  std::filesystem::path path = folder / "m.plan";
  Model model = test::example_model();
  test::KeyPair alice = test::write_key_pair(folder, "alice");
  test::KeyPair bob = test::write_key_pair(folder, "bob");
};

TEST_F(PlanOriginTest, TrustsAnEngineThatThisUserMadeHere) {
  write();
  const auto plan = PlanFile::open(path);
  ASSERT_TRUE(plan.ok()) << plan.error().str();
  EXPECT_TRUE(plan->info().sealed_here);
  EXPECT_TRUE(plan->info().has_engine);
  EXPECT_EQ(plan->info().signed_by, "");
  EXPECT_EQ(plan->engine_distrust(), "");
}

TEST_F(PlanOriginTest, DoesNotTrustAnEngineOfAnotherMachineButOpensThePlan) {
  write();
  const test::OwnMachine other;
  const auto without_secret = PlanFile::open(path);
  ASSERT_TRUE(without_secret.ok()) << without_secret.error().str();
  EXPECT_FALSE(without_secret->info().sealed_here);
  EXPECT_NE(without_secret->engine_distrust(), "");
  ASSERT_TRUE(LocalSecret::open_or_create().ok());
  const auto with_secret = PlanFile::open(path);
  ASSERT_TRUE(with_secret.ok()) << with_secret.error().str();
  EXPECT_FALSE(with_secret->info().sealed_here);
  EXPECT_NE(with_secret->engine_distrust().find("elsewhere"), std::string::npos);
}

TEST_F(PlanOriginTest, DoesNotTakeASealFromAnotherPlan) {
  write();
  const auto bytes = read_file(path);
  const PlanOrigin of_first = decode_plan(std::as_bytes(std::span(*bytes)))->origin;
  auto content = test::example_content(model);
  content.engine = "another engine";
  ASSERT_TRUE(write_plan(path, content).ok());
  write_with_origin(of_first);
  const auto plan = PlanFile::open(path);
  ASSERT_TRUE(plan.ok()) << plan.error().str();
  EXPECT_FALSE(plan->info().sealed_here);
  EXPECT_NE(plan->engine_distrust(), "");
}

TEST_F(PlanOriginTest, SealsNothingWithoutAHome) {
  const char* const home = std::getenv("HOME");
  const std::string saved = home == nullptr ? "" : home;
  ::unsetenv("HOME");
  ::setenv("XDG_STATE_HOME", "relative", 1);
  write();
  const auto plan = PlanFile::open(path);
  if (home != nullptr) ::setenv("HOME", saved.c_str(), 1);
  ASSERT_TRUE(plan.ok()) << plan.error().str();
  EXPECT_FALSE(plan->info().sealed_here);
}

TEST_F(PlanOriginTest, MakesASecretThatOnlyThisUserReadsAndRefusesOneThatOthersRead) {
  write();
  struct stat status {};
  ASSERT_EQ(::stat(machine.secret().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(status.st_size, 32);
  ASSERT_EQ(::chmod(machine.secret().c_str(), 0640), 0);
  const auto plan = PlanFile::open(path);
  ASSERT_TRUE(plan.ok()) << plan.error().str();
  EXPECT_FALSE(plan->info().sealed_here);
  const Status again = write_plan(path, test::example_content(model));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kInvalidInput);
  EXPECT_NE(again.error().str().find("plan-secret"), std::string::npos) << again.error().str();
}

TEST_F(PlanOriginTest, RefusesASecretOfAnotherSize) {
  write();
  ASSERT_TRUE(write_file(machine.secret(), "short").ok());
  ASSERT_EQ(::chmod(machine.secret().c_str(), 0600), 0);
  EXPECT_EQ(LocalSecret::open().error().code, ErrorCode::kInvalidInput);
}

TEST_F(PlanOriginTest, SaysWhoSigned) {
  write(alice.private_key);
  const auto info = inspect_plan(path);
  ASSERT_TRUE(info.ok()) << info.error().str();
  EXPECT_EQ(info->signed_by, to_hex(*read_public_key(alice.public_key)));
}

TEST_F(PlanOriginTest, TrustsAnEngineThatTheRequiredSignerSigned) {
  write(alice.private_key);
  const test::OwnMachine other;
  const auto required = PlanFile::open(path, alice.public_key);
  ASSERT_TRUE(required.ok()) << required.error().str();
  EXPECT_EQ(required->engine_distrust(), "");
  // Anyone can sign with a key of his own.
  EXPECT_NE(PlanFile::open(path)->engine_distrust(), "");
}

TEST_F(PlanOriginTest, RefusesAnotherSignerOrNoneNamingBoth) {
  write(alice.private_key);
  const auto by_bob = PlanFile::open(path, bob.public_key);
  ASSERT_FALSE(by_bob.ok());
  EXPECT_EQ(by_bob.error().code, ErrorCode::kMismatch);
  for (const auto& key : {alice.public_key, bob.public_key}) {
    EXPECT_NE(by_bob.error().message.find(to_hex(*read_public_key(key))), std::string::npos);
  }
  write();
  const auto unsigned_plan = PlanFile::open(path, alice.public_key);
  ASSERT_FALSE(unsigned_plan.ok());
  EXPECT_EQ(unsigned_plan.error().code, ErrorCode::kMismatch);
  EXPECT_NE(unsigned_plan.error().message.find("unsigned"), std::string::npos);
}

TEST_F(PlanOriginTest, RefusesASignatureThatDoesNotHoldEvenWhenNoneIsRequired) {
  write(alice.private_key);
  const auto bytes = read_file(path);
  const PlanOrigin good = decode_plan(std::as_bytes(std::span(*bytes)))->origin;
  PlanOrigin wrong_key = good;
  wrong_key.signature->signer = *read_public_key(bob.public_key);
  PlanOrigin wrong_bytes = good;
  wrong_bytes.signature->bytes[5] ^= std::byte{1};
  for (const PlanOrigin& origin : {wrong_key, wrong_bytes}) {
    write_with_origin(origin);
    const auto plan = PlanFile::open(path);
    ASSERT_FALSE(plan.ok());
    EXPECT_EQ(plan.error().code, ErrorCode::kInvalidModel) << plan.error().str();
    write(alice.private_key);
  }
  // A signature of other content.
  auto content = test::example_content(model);
  content.engine = "another engine";
  ASSERT_TRUE(write_plan(path, content).ok());
  write_with_origin(good);
  EXPECT_EQ(PlanFile::open(path, alice.public_key).error().code, ErrorCode::kInvalidModel);
}

TEST_F(PlanOriginTest, RefusesKeysThatAreNoEd25519KeysSayingWhatTheyAre) {
  const auto code_and_words = [&](const std::filesystem::path& key, const char* words) {
    auto content = test::example_content(model);
    content.sign_key = key;
    const Status status = write_plan(path, content);
    return !status && status.error().code == ErrorCode::kInvalidInput &&
           status.error().message.find(words) != std::string::npos;
  };
  EXPECT_TRUE(code_and_words(test::write_key_pair(folder, "x25519", "X25519").private_key, "X25519"));
  EXPECT_TRUE(
      code_and_words(test::write_key_pair(folder, "locked", "ED25519", "secret").private_key, "encrypted"));
  EXPECT_TRUE(code_and_words(alice.public_key, "something else"));
  EXPECT_TRUE(code_and_words(folder.write("text", "hello"), "no PEM"));
  EXPECT_FALSE(std::filesystem::exists(path));
  write(alice.private_key);
  EXPECT_EQ(PlanFile::open(path, alice.private_key).error().code, ErrorCode::kInvalidInput);
  EXPECT_EQ(PlanFile::open(path, folder / "absent").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace tarmac
