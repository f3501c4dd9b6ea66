// The product of a matrix of samples with itself.
#pragma once

#include <cstddef>

namespace tarmac {

/// gram[i][j] += Σ_r rows[r][i]·rows[r][j] for all i, j < `columns`; both row-major, rows `stride` apart,
/// gram `columns`.
void add_gram(const float* rows, std::size_t count, std::size_t stride, std::size_t columns, float* gram);

}  // namespace tarmac
