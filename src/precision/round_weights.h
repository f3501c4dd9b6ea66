// Rounding weights so that the errors cancel where the activations are alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tarmac {

/// The weights of one output channel in units of its scale, `kernel` of each input channel in a row, to
/// integers from −largest to largest. Neighbouring activations are nearly equal, so what an error of the
/// weights does to the result is mostly its sum: rounding to the nearest is taken back for the elements that
/// were closest to the middle until the errors of each kernel, then those of the channel, sum up to at most
/// half a step (so far as `largest` lets them). No element ends more than one step away. Guo et al., "SQuant:
/// on-the-fly data-free quantization via diagonal Hessian approximation", ICLR 2022.
std::vector<std::int8_t> round_channel(std::span<const float> weights, std::size_t kernel, int largest);

}  // namespace tarmac
