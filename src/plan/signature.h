// Ed25519 signatures (RFC 8032) with keys as OpenSSL writes them.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <string_view>

#include "tarmac/result.h"

namespace tarmac {

using PublicKey = std::array<std::byte, 32>;
using SignatureBytes = std::array<std::byte, 64>;

struct Signature {
  PublicKey signer{};
  SignatureBytes bytes{};
};

/// Signs with the private key of a PEM file (`openssl genpkey -algorithm ed25519`). Errors: kNotFound, kIo,
/// kInvalidInput (no private key, an encrypted one, or one of another kind; says which).
Result<Signature> sign(const std::filesystem::path& private_key, std::string_view message);

/// Whether the signer's signature holds for the message.
bool verify(const Signature& signature, std::string_view message);

/// The public key of a PEM file (`openssl pkey -in KEY -pubout`). Errors: as sign().
Result<PublicKey> read_public_key(const std::filesystem::path& path);

}  // namespace tarmac
