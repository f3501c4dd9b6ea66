#include "base/sha256.h"

#include <openssl/evp.h>

#include <cassert>

#include "base/file.h"

namespace tarmac {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  [[maybe_unused]] const int ok = EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr);
  assert(ok == 1);
}

Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  [[maybe_unused]] const int ok = EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size());
  assert(ok == 1);
}

Sha256Digest Sha256::finish() {
  Sha256Digest digest{};
  [[maybe_unused]] const int ok =
      EVP_DigestFinal_ex(context_->evp, reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  assert(ok == 1);
  return digest;
}

Sha256Digest sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

Result<Sha256Digest> sha256_file(const std::filesystem::path& path) {
  TARMAC_TRY(auto file, MappedFile::open(path));
  return sha256(file->bytes());
}

std::string to_hex(const Sha256Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(digest.size() * 2);
  for (const std::byte value : digest) {
    const auto bits = std::to_integer<unsigned>(value);
    text += kDigits[bits >> 4U];
    text += kDigits[bits & 15U];
  }
  return text;
}

}  // namespace tarmac
