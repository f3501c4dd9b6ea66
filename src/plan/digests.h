// SHA-256 of several long pieces, on several threads.
#pragma once

#include <span>
#include <vector>

#include "base/sha256.h"

namespace tarmac {

/// Parts of one piece, in order.
using DigestParts = std::vector<std::span<const std::byte>>;

/// The digest of each piece. Errors: kResourceExhausted.
Result<std::vector<Sha256Digest>> sha256_each(const std::vector<DigestParts>& pieces);

}  // namespace tarmac
