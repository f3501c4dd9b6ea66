// Keys for tests, as `openssl genpkey` writes them.
#pragma once

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <filesystem>
#include <string>

#include "support/temporary_folder.h"

namespace tarmac::test {

struct KeyPair {
  std::filesystem::path private_key;
  std::filesystem::path public_key;
};

inline std::string pem_of(EVP_PKEY* key, bool is_private, const char* passphrase = nullptr) {
  BIO* out = BIO_new(BIO_s_mem());
  const auto size = passphrase == nullptr ? 0 : static_cast<int>(std::string(passphrase).size());
  const int ok = is_private ? PEM_write_bio_PKCS8PrivateKey(
                                  out, key, passphrase == nullptr ? nullptr : EVP_aes_256_cbc(), passphrase,
                                  size, nullptr, nullptr)
                            : PEM_write_bio_PUBKEY(out, key);
  EXPECT_EQ(ok, 1);
  char* data = nullptr;
  const long length = BIO_get_mem_data(out, &data);
  std::string text(data, static_cast<std::size_t>(length));
  BIO_free(out);
  return text;
}

/// NAME.pem and NAME.pub.pem in a folder; `type` is OpenSSL's name of the algorithm.
inline KeyPair write_key_pair(const TemporaryFolder& folder, const std::string& name,
                              const char* type = "ED25519", const char* passphrase = nullptr) {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, type);
  EXPECT_NE(key, nullptr);
  KeyPair pair{folder.write(name + ".pem", pem_of(key, true, passphrase)),
               folder.write(name + ".pub.pem", pem_of(key, false))};
  EVP_PKEY_free(key);
  return pair;
}

}  // namespace tarmac::test
