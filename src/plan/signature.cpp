#include "plan/signature.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "base/file.h"

namespace tarmac {
namespace {

constexpr std::uint64_t kMaxKeyFileBytes = std::uint64_t{64} << 10U;

template <typename T, void (*kFree)(T*)>
struct Freed {
  void operator()(T* object) const { kFree(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX, EVP_MD_CTX_free>>;
using Source = std::unique_ptr<BIO, Freed<BIO, BIO_free_all>>;

/// Instead of OpenSSL's own, which asks at the terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Error wrong_key(const std::filesystem::path& path, const std::string& found, const char* expected) {
  return make_error(ErrorCode::kInvalidInput, "found " + found + ", expected " + expected, {}, path.string());
}

using ReadKey = EVP_PKEY* (*)(BIO*, EVP_PKEY**, pem_password_cb*, void*);

Result<Key> read_key(const std::filesystem::path& path, ReadKey read, const char* expected) {
  TARMAC_TRY(const std::string text, read_file(path, kMaxKeyFileBytes));
  const Source source(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  bool encrypted = false;
  Key key(read(source.get(), nullptr, no_passphrase, &encrypted));
  if (encrypted) return wrong_key(path, "an encrypted key, which cannot be used unattended", expected);
  if (!key) {
    const bool other = text.find("-----BEGIN ") != std::string::npos;
    return wrong_key(path, other ? "PEM of something else" : "no PEM file", expected);
  }
  if (EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) {
    const char* const name = EVP_PKEY_get0_type_name(key.get());
    return wrong_key(path, std::string("a key of type ") + (name != nullptr ? name : "unknown"), expected);
  }
  return key;
}

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }
const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Result<PublicKey> public_part(EVP_PKEY* key, const std::filesystem::path& path) {
  PublicKey bytes{};
  std::size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key, raw(bytes.data()), &size) == 1 && size == bytes.size()) return bytes;
  return make_error(ErrorCode::kInternal, "OpenSSL does not hand out the public key", {}, path.string());
}

}  // namespace

Result<Signature> sign(const std::filesystem::path& private_key, std::string_view message) {
  TARMAC_TRY(const Key key,
             read_key(private_key, PEM_read_bio_PrivateKey,
                      "an Ed25519 private key in PEM form, as 'openssl genpkey -algorithm ed25519' makes"));
  Signature signature;
  TARMAC_TRY(signature.signer, public_part(key.get(), private_key));
  const Digest context(EVP_MD_CTX_new());
  std::size_t size = signature.bytes.size();
  const bool ok =
      context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      EVP_DigestSign(context.get(), raw(signature.bytes.data()), &size, raw(message), message.size()) == 1 &&
      size == signature.bytes.size();
  if (!ok) return make_error(ErrorCode::kInternal, "OpenSSL cannot sign", {}, private_key.string());
  return signature;
}

bool verify(const Signature& signature, std::string_view message) {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(signature.signer.data()),
                                            signature.signer.size()));
  const Digest context(EVP_MD_CTX_new());
  return key && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), raw(signature.bytes.data()), signature.bytes.size(), raw(message),
                          message.size()) == 1;
}

Result<PublicKey> read_public_key(const std::filesystem::path& path) {
  TARMAC_TRY(const Key key,
             read_key(path, PEM_read_bio_PUBKEY,
                      "an Ed25519 public key in PEM form, as 'openssl pkey -in KEY -pubout' makes"));
  return public_part(key.get(), path);
}

}  // namespace tarmac
