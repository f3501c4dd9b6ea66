#include "contract/video_library.h"

#include <dlfcn.h>

#include <stdexcept>

namespace tarmac {
namespace {

using ConstructReader = void(void*, const cv::String&, int);
using ConstructWriter = void(void*, const cv::String&, int, int, double, cv::Size, bool);
using Destroy = void(void*);

struct Library {
  ConstructReader* construct_reader = nullptr;
  ConstructWriter* construct_writer = nullptr;
  Destroy* destroy_reader = nullptr;
  Destroy* destroy_writer = nullptr;
  std::string problem;

  Library() {
    void* library = dlopen(TARMAC_OPENCV_VIDEO, RTLD_NOW | RTLD_LOCAL);
    const bool complete =
        library != nullptr &&
        find(library, "_ZN2cv12VideoCaptureC1ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEi",
             construct_reader) &&
        find(library,
             "_ZN2cv11VideoWriterC1ERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEEiidNS_5Size_IiEEb",
             construct_writer) &&
        find(library, "_ZN2cv12VideoCaptureD1Ev", destroy_reader) &&
        find(library, "_ZN2cv11VideoWriterD1Ev", destroy_writer);
    if (!complete) problem = std::string("OpenCV's video library cannot be loaded: ") + dlerror();
  }

  template <typename Function>
  static bool find(void* library, const char* symbol, Function*& function) {
    function = reinterpret_cast<Function*>(dlsym(library, symbol));
    return function != nullptr;
  }
};

const Library& library() {
  static const Library loaded;
  if (!loaded.problem.empty()) throw std::runtime_error(loaded.problem);
  return loaded;
}

/// A T that `construct` makes in memory of its own and `destroy` ends.
template <typename T, typename Construct>
std::shared_ptr<T> make(const Construct& construct, Destroy* destroy) {
  struct Storage {
    alignas(T) std::byte bytes[sizeof(T)];
  };
  auto storage = std::make_unique<Storage>();
  construct(storage->bytes);
  return {reinterpret_cast<T*>(storage->bytes), [destroy, memory = storage.release()](T* made) {
            destroy(made);
            delete memory;
          }};
}

}  // namespace

std::shared_ptr<cv::VideoCapture> open_video_with_opencv(const std::string& path) {
  const Library& loaded = library();
  return make<cv::VideoCapture>([&](void* memory) { loaded.construct_reader(memory, path, cv::CAP_FFMPEG); },
                                loaded.destroy_reader);
}

std::shared_ptr<cv::VideoWriter> open_video_writer_with_opencv(const std::string& path, int codec, double fps,
                                                               cv::Size size) {
  const Library& loaded = library();
  return make<cv::VideoWriter>(
      [&](void* memory) { loaded.construct_writer(memory, path, cv::CAP_FFMPEG, codec, fps, size, true); },
      loaded.destroy_writer);
}

}  // namespace tarmac
