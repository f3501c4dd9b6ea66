// A whole frame of a plan with a 3-D detector's contract: bevformer_frame PLAN SCENES.npz ROUNDS. Six
// pictures as cameras give them (RGB, rows of pixels) become the input, the plan runs with its state, boxes
// come out. Prints one line of JSON.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tarmac/tarmac.h"
#include "tensor/io.h"
#include "verify/read_detections_3d.h"

namespace tarmac {
namespace {

using Clock = std::chrono::steady_clock;

/// Row `i` of an array, as a batch of one that refers to it.
Result<Tensor> row(const Tensor& array, std::size_t i) {
  Shape shape = array.shape();
  shape.front() = 1;
  const std::size_t bytes = array.bytes().size() / static_cast<std::size_t>(array.shape().front());
  return Tensor::view(array.dtype(), shape, array.bytes().subspan(i * bytes, bytes), nullptr);
}

/// [1, cameras, 3, H, W] as the cameras deliver it: pixel by pixel.
std::vector<std::byte> as_pixels(const Tensor& planes) {
  const std::size_t area = static_cast<std::size_t>(planes.shape()[3] * planes.shape()[4]);
  std::vector<std::byte> pixels(planes.bytes().size());
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const std::size_t camera = i / (3 * area);
    pixels[camera * 3 * area + i % area * 3 + i / area % 3] = planes.bytes()[i];
  }
  return pixels;
}

void to_planes(std::span<const std::byte> pixels, std::size_t area, std::span<std::byte> planes) {
  for (std::size_t camera = 0; camera < planes.size() / (3 * area); ++camera) {
    const std::byte* from = pixels.data() + camera * 3 * area;
    std::byte* red = planes.data() + camera * 3 * area;
    for (std::size_t i = 0; i < area; ++i) {
      red[i] = from[3 * i];
      red[area + i] = from[3 * i + 1];
      red[2 * area + i] = from[3 * i + 2];
    }
  }
}

nlohmann::ordered_json times(std::vector<std::int64_t> ns) {
  std::sort(ns.begin(), ns.end());
  const auto at = [&](double share) {
    return ns[std::min(ns.size() - 1, static_cast<std::size_t>(share * static_cast<double>(ns.size())))];
  };
  return {{"p50_ns", at(0.5)}, {"p99_ns", at(0.99)}, {"max_ns", ns.back()}};
}

Status run(const char* plan, const char* data, int rounds) {
  TARMAC_TRY(Session session, Session::open(plan));
  if (session.contract() == nullptr || !session.contract()->detections)
    return make_error(ErrorCode::kUsage, "the plan has no contract that says what detections are");
  const DetectionOutputs& how = *session.contract()->detections;
  TARMAC_TRY(const auto arrays, read_npz(data));
  const Tensor& images = arrays.at("images");
  const Tensor& scenes = arrays.at("scenes");
  const std::size_t area = static_cast<std::size_t>(images.shape()[3] * images.shape()[4]);
  Shape shape = images.shape();
  shape.front() = 1;
  TARMAC_TRY(Tensor planes, Tensor::allocate(images.dtype(), shape));
  TARMAC_CHECK_OK(session.set_input("images", planes));
  std::vector<std::int64_t> packing;
  std::vector<std::int64_t> running;
  std::vector<std::int64_t> decoding;
  std::vector<std::int64_t> whole;
  std::size_t boxes = 0;
  for (int round = 0; round <= rounds; ++round) {  // the first is not counted
    for (std::size_t i = 0; i < static_cast<std::size_t>(images.shape().front()); ++i) {
      TARMAC_TRY(const Tensor frame, row(images, i));
      const std::vector<std::byte> pixels = as_pixels(frame);
      if (i == 0 || scenes.data<std::int64_t>()[i] != scenes.data<std::int64_t>()[i - 1])
        session.reset_scene();
      const auto begin = Clock::now();
      to_planes(pixels, area, planes.mutable_bytes());
      for (const char* name : {"projection", "ego_motion"}) {
        TARMAC_TRY(const Tensor value, row(arrays.at(name), i));
        TARMAC_CHECK_OK(session.set_input(name, value));
      }
      const auto packed = Clock::now();
      TARMAC_CHECK_OK(session.run());
      const auto ran = Clock::now();
      NamedTensors outputs;
      for (const TensorSpec& output : session.outputs()) {
        if (output.name == "bev") continue;
        TARMAC_TRY(outputs[output.name], session.output(output.name));
      }
      TARMAC_TRY(const auto found, read_detections_3d(outputs, how, 1));
      const auto end = Clock::now();
      if (round == 0) continue;
      boxes += found.front().size();
      packing.push_back((packed - begin).count());
      running.push_back((ran - packed).count());
      decoding.push_back((end - ran).count());
      whole.push_back((end - begin).count());
    }
  }
  const nlohmann::ordered_json report = {{"frames", whole.size()},       {"boxes", boxes},
                                         {"pictures", times(packing)},   {"network", times(running)},
                                         {"boxes_out", times(decoding)}, {"frame", times(whole)}};
  std::printf("%s\n", report.dump().c_str());
  return {};
}

}  // namespace
}  // namespace tarmac

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bevformer_frame PLAN SCENES.npz ROUNDS\n");
    return 2;
  }
  const auto done = tarmac::run(argv[1], argv[2], std::atoi(argv[3]));
  if (done) return 0;
  std::fprintf(stderr, "bevformer_frame: %s\n", done.error().str().c_str());
  return 1;
}
