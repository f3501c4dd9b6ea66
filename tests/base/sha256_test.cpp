#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "support/temporary_folder.h"

namespace tarmac {
namespace {

std::string hash_of(std::string_view text) { return to_hex(sha256(std::as_bytes(std::span(text)))); }

// FIPS 180-4 example values.
TEST(Sha256, KnownVectors) {
  EXPECT_EQ(hash_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash_of(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheSameHashAsTheWhole) {
  const std::string text(1000, 'x');
  for (const std::size_t cut : {0U, 1U, 63U, 64U, 65U, 1000U}) {
    Sha256 hash;
    hash.update(std::as_bytes(std::span(text).first(cut)));
    hash.update(std::as_bytes(std::span(text).subspan(cut)));
    EXPECT_EQ(to_hex(hash.finish()), hash_of(text)) << cut;
  }
}

TEST(Sha256, HashesFiles) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(to_hex(*sha256_file(folder.write("abc.txt", "abc"))), hash_of("abc"));
  EXPECT_EQ(to_hex(*sha256_file(folder.write("empty.txt", ""))), hash_of(""));
  EXPECT_EQ(sha256_file(folder / "missing").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace tarmac
