// SHA-256 (FIPS 180-4) through OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "tarmac/result.h"

namespace tarmac {

using Sha256Digest = std::array<std::byte, 32>;

/// Incremental hash; finish() may be called once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::span<const std::byte> bytes);
  [[nodiscard]] Sha256Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

[[nodiscard]] Sha256Digest sha256(std::span<const std::byte> bytes);

/// Hash of a file's content. Errors: kNotFound, kIo.
Result<Sha256Digest> sha256_file(const std::filesystem::path& path);

/// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(const Sha256Digest& digest);

}  // namespace tarmac
