#include "precision/second_moments.h"

#include <algorithm>

#include "precision/gram.h"

namespace tarmac {
namespace {

constexpr std::size_t kMostBlock = 576;  // 64 channels of 3x3
constexpr std::size_t kWaiting = 64;     // windows that are multiplied at a time

/// An attribute of two numbers; `fallback` for both where it is absent.
bool read_pair(const Node& node, const char* name, std::int64_t fallback, std::int64_t (&pair)[2]) {
  const auto* values = node.attribute<std::vector<std::int64_t>>(name);
  if (values != nullptr && values->size() != 2) return false;
  for (std::size_t i = 0; i < 2; ++i) pair[i] = values == nullptr ? fallback : (*values)[i];
  return true;
}

}  // namespace

std::optional<SecondMoments> SecondMoments::create(const Node& node) {
  const auto channels = weight_channels(node);
  if (!channels || node.is("ConvTranspose")) return std::nullopt;
  Window window;
  if (!node.is("Conv")) return SecondMoments(*channels, window, true);
  const Shape& shape = constant_of(node.input(1))->shape();
  if (shape.size() != 4 || node.attribute_or<std::string>("auto_pad", "NOTSET") != "NOTSET")
    return std::nullopt;
  for (std::size_t i = 0; i < 2; ++i) window.size[i] = static_cast<std::size_t>(shape[i + 2]);
  if (!read_pair(node, "strides", 1, window.stride) || !read_pair(node, "dilations", 1, window.dilation))
    return std::nullopt;
  if (const auto* pads = node.attribute<std::vector<std::int64_t>>("pads")) {
    if (pads->size() != 4) return std::nullopt;
    for (std::size_t i = 0; i < 2; ++i) {
      window.pad[i] = (*pads)[i];
      window.pad_end[i] = (*pads)[i + 2];
    }
  }
  return SecondMoments(*channels, window, false);
}

SecondMoments::SecondMoments(WeightChannels channels, const Window& window, bool rows)
    : channels_(channels), window_(window), rows_(rows) {
  const std::size_t width = channels.inputs * channels.kernel;
  const std::size_t most = std::max<std::size_t>(1, kMostBlock / channels.kernel) * channels.kernel;
  for (std::size_t first = 0; first < width; first += most) {
    const std::size_t size = std::min(most, width - first);
    blocks_.push_back({first, size, std::vector<float>(channels.groups * size * size),
                       std::vector<double>(channels.groups * size)});
  }
  gathered_.resize(kWaiting * width * channels.groups);
}

std::size_t SecondMoments::bytes() const {
  std::size_t bytes = gathered_.size() * sizeof(float);
  for (const Block& block : blocks_) bytes += block.products.size() * sizeof(float);
  return bytes;
}

bool SecondMoments::add(const Tensor& input, std::size_t samples, std::size_t most) {
  const Shape& shape = input.shape();
  if (input.dtype() != DType::kFloat32 || shape.size() < 2 || input.count() == 0) return false;
  const std::int64_t channels = rows_ ? shape.back() : shape[1];
  if (channels != static_cast<std::int64_t>(channels_.input_count())) return false;
  if (!rows_ && shape.size() != 4) return false;
  samples = std::min(samples, static_cast<std::size_t>(shape[0]));
  rows_ ? add_rows(input, samples, most) : add_maps(input, samples, most);
  flush();
  return true;
}

void SecondMoments::add_rows(const Tensor& input, std::size_t samples, std::size_t most) {
  const std::size_t width = channels_.inputs;
  const auto rows =
      static_cast<std::size_t>(input.count()) / width / static_cast<std::size_t>(input.shape()[0]) * samples;
  const std::size_t step = std::max<std::size_t>(1, rows / (most * samples));
  const float* values = input.data<float>().data();
  for (std::size_t row = 0; row < rows; row += step) {
    std::copy_n(values + row * width, width, gathered_.data() + waiting_ * width);
    if (++waiting_ == kWaiting) flush();
  }
}

void SecondMoments::add_maps(const Tensor& input, std::size_t samples, std::size_t most) {
  const Shape& shape = input.shape();
  const std::int64_t size[2] = {shape[2], shape[3]};
  std::int64_t out[2];
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = window_.dilation[i] * (static_cast<std::int64_t>(window_.size[i]) - 1) + 1;
    out[i] = (size[i] + window_.pad[i] + window_.pad_end[i] - reach) / window_.stride[i] + 1;
    if (out[i] <= 0) return;
  }
  const auto places = static_cast<std::size_t>(out[0] * out[1]);
  // An odd step, so that it does not stay in a few columns.
  const std::size_t step = std::max<std::size_t>(1, places / most) | 1U;
  const std::size_t width = channels_.inputs * channels_.kernel;
  const std::size_t channels = channels_.input_count();
  const float* values = input.data<float>().data();
  const auto plane = static_cast<std::size_t>(size[0] * size[1]);
  for (std::size_t sample = 0; sample < samples; ++sample) {
    for (std::size_t place = sample % step; place < places; place += step) {
      const std::int64_t top = static_cast<std::int64_t>(place) / out[1] * window_.stride[0] - window_.pad[0];
      const std::int64_t left =
          static_cast<std::int64_t>(place) % out[1] * window_.stride[1] - window_.pad[1];
      for (std::size_t channel = 0; channel < channels; ++channel) {
        const float* map = values + (sample * channels + channel) * plane;
        // Windows of one group lie together, as add_gram() wants them.
        float* into = gathered_.data() + channel / channels_.inputs * kWaiting * width + waiting_ * width +
                      channel % channels_.inputs * channels_.kernel;
        for (std::size_t ky = 0; ky < window_.size[0]; ++ky) {
          const std::int64_t y = top + static_cast<std::int64_t>(ky) * window_.dilation[0];
          for (std::size_t kx = 0; kx < window_.size[1]; ++kx) {
            const std::int64_t x = left + static_cast<std::int64_t>(kx) * window_.dilation[1];
            const bool inside = y >= 0 && y < size[0] && x >= 0 && x < size[1];
            *into++ = inside ? map[y * size[1] + x] : 0.0F;
          }
        }
      }
      if (++waiting_ == kWaiting) flush();
    }
  }
}

void SecondMoments::flush() {
  const std::size_t width = channels_.inputs * channels_.kernel;
  for (Block& block : blocks_) {
    for (std::size_t group = 0; group < channels_.groups; ++group) {
      const float* windows = gathered_.data() + group * kWaiting * width + block.first;
      add_gram(windows, waiting_, width, block.size, block.products.data() + group * block.size * block.size);
      double* sums = block.sums.data() + group * block.size;
      for (std::size_t row = 0; row < waiting_; ++row) {
        for (std::size_t i = 0; i < block.size; ++i) sums[i] += static_cast<double>(windows[row * width + i]);
      }
    }
  }
  count_ += waiting_;
  waiting_ = 0;
}

}  // namespace tarmac
