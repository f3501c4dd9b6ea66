#include "plan/local_secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace tarmac {
namespace {

/// Empty without a home folder.
std::filesystem::path secret_path() {
  std::filesystem::path folder;
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    folder = state;
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    folder = std::filesystem::path(home) / ".local" / "state";
  } else {
    return {};
  }
  return folder / "tarmac" / "plan-secret";
}

Error io_error(const std::filesystem::path& path, const char* what) {
  return make_error(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                    std::string(what) + ": " + std::strerror(errno), {}, path.string());
}

struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

/// Several processes may come here at once; all go on with the secret of the one whose link() came first.
Status create(const std::filesystem::path& path) {
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  if (failure) return make_error(ErrorCode::kIo, failure.message(), {}, path.parent_path().string());
  Sha256Digest bytes{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()) != 1)
    return make_error(ErrorCode::kIo, "the system gives no random numbers");
  std::string temporary = path.string() + ".XXXXXX";
  const Descriptor file{::mkstemp(temporary.data())};  // mode 0600
  if (file.value < 0) return io_error(path, "cannot create");
  Status status;
  if (::write(file.value, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      ::fsync(file.value) != 0) {
    status = io_error(path, "cannot write");
  } else if (::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    status = io_error(path, "cannot put into place");
  }
  ::unlink(temporary.c_str());
  return status;
}

}  // namespace

Result<LocalSecret> LocalSecret::read(const std::filesystem::path& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (file.value < 0) return io_error(path, "cannot open");
  struct stat status {};
  if (::fstat(file.value, &status) != 0) return io_error(path, "cannot read");
  const auto refused = [&](const std::string& why) {
    return make_error(ErrorCode::kInvalidInput, why, {}, path.string());
  };
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid())
    return refused("the secret that seals plans is no file of this user; remove it");
  if ((status.st_mode & 077U) != 0) {
    return refused("others may read the secret that seals plans, so it proves nothing; remove it (then " +
                   std::string("engines inside plans are rebuilt until these are compiled again)"));
  }
  Sha256Digest bytes{};
  if (status.st_size != static_cast<off_t>(bytes.size()) ||
      ::read(file.value, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return refused("the secret that seals plans is not 32 bytes long; remove it");
  }
  return LocalSecret(bytes);
}

Result<LocalSecret> LocalSecret::open() {
  const auto path = secret_path();
  if (path.empty()) return make_error(ErrorCode::kNotFound, "neither XDG_STATE_HOME nor HOME is set");
  return read(path);
}

Result<LocalSecret> LocalSecret::open_or_create() {
  auto secret = open();
  if (secret || secret.error().code != ErrorCode::kNotFound) return secret;
  const auto path = secret_path();
  if (path.empty()) return secret;
  TARMAC_CHECK_OK(create(path));
  return read(path);
}

Sha256Digest LocalSecret::seal(std::string_view message) const {
  Sha256Digest digest{};
  [[maybe_unused]] const auto* const made =
      HMAC(EVP_sha256(), bytes_.data(), static_cast<int>(bytes_.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(),
           reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  assert(made != nullptr);
  return digest;
}

bool LocalSecret::holds(const Sha256Digest& seal, std::string_view message) const {
  const Sha256Digest expected = this->seal(message);
  return CRYPTO_memcmp(seal.data(), expected.data(), expected.size()) == 0;
}

}  // namespace tarmac
