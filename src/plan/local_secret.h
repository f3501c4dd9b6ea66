// A secret that this user has on this machine: what is sealed with it was made here.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/sha256.h"
#include "tarmac/result.h"

namespace tarmac {

/// 32 random bytes in "tarmac/plan-secret" of the user's state folder (XDG_STATE_HOME, else
/// $HOME/.local/state), readable by this user alone.
class LocalSecret {
 public:
  /// The secret there is. Errors: kNotFound (none, or no home folder), kInvalidInput (others may read it, it
  /// is another user's, or of another size; names the remedy), kIo.
  static Result<LocalSecret> open();
  /// As open(), but makes one where there is none.
  static Result<LocalSecret> open_or_create();

  /// HMAC-SHA256 (RFC 2104) of a message.
  [[nodiscard]] Sha256Digest seal(std::string_view message) const;
  /// Compares in constant time.
  [[nodiscard]] bool holds(const Sha256Digest& seal, std::string_view message) const;

 private:
  explicit LocalSecret(const Sha256Digest& bytes) : bytes_(bytes) {}
  static Result<LocalSecret> read(const std::filesystem::path& path);

  Sha256Digest bytes_;
};

}  // namespace tarmac
