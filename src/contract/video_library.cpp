#include "contract/video_library.h"

#include <dlfcn.h>

#include <stdexcept>

namespace tarmac {
namespace {

using Construct = void(void*, const cv::String&, int);
using Destroy = void(void*);

struct Library {
  Construct* construct = nullptr;
  Destroy* destroy = nullptr;
  std::string problem;

  Library() {
    void* library = dlopen(TARMAC_OPENCV_VIDEO, RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) {
      construct = reinterpret_cast<Construct*>(
          dlsym(library, "_ZN2cv12VideoCaptureC1ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEi"));
      destroy = reinterpret_cast<Destroy*>(dlsym(library, "_ZN2cv12VideoCaptureD1Ev"));
    }
    if (construct == nullptr || destroy == nullptr)
      problem = std::string("OpenCV's video library cannot be loaded: ") + dlerror();
  }
};

struct Storage {
  alignas(cv::VideoCapture) std::byte bytes[sizeof(cv::VideoCapture)];
};

}  // namespace

std::shared_ptr<cv::VideoCapture> open_video_with_opencv(const std::string& path) {
  static const Library library;
  if (!library.problem.empty()) throw std::runtime_error(library.problem);
  auto storage = std::make_unique<Storage>();
  library.construct(storage->bytes, path, cv::CAP_FFMPEG);
  auto* const capture = reinterpret_cast<cv::VideoCapture*>(storage->bytes);
  return {capture, [memory = storage.release()](cv::VideoCapture* made) {
            library.destroy(made);
            delete memory;
          }};
}

}  // namespace tarmac
