#include "contract/picture_codecs.h"

#include <dlfcn.h>

#include <opencv2/imgcodecs.hpp>
#include <stdexcept>

namespace tarmac {
namespace {

using Decode = cv::Mat(cv::InputArray, int);
using Encode = bool(const cv::String&, cv::InputArray, std::vector<uchar>&, const std::vector<int>&);

struct Codecs {
  Decode* decode = nullptr;
  Encode* encode = nullptr;
  std::string problem;

  Codecs() {
    void* library = dlopen(TARMAC_OPENCV_CODECS, RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) {
      decode = reinterpret_cast<Decode*>(dlsym(library, "_ZN2cv8imdecodeERKNS_11_InputArrayEi"));
      encode = reinterpret_cast<Encode*>(
          dlsym(library,
                "_ZN2cv8imencodeERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEERKNS_11_InputArrayE"
                "RSt6vectorIhSaIhEERKSB_IiSaIiEE"));
    }
    if (decode == nullptr || encode == nullptr)
      problem = std::string("OpenCV's picture codecs cannot be loaded: ") + dlerror();
  }
};

const Codecs& codecs() {
  static const Codecs loaded;
  if (!loaded.problem.empty()) throw std::runtime_error(loaded.problem);
  return loaded;
}

}  // namespace

cv::Mat decode_with_opencv(const cv::Mat& file, int flags) { return codecs().decode(file, flags); }

std::vector<unsigned char> encode_with_opencv(const std::string& extension, const cv::Mat& picture,
                                              const std::vector<int>& parameters) {
  std::vector<unsigned char> bytes;
  codecs().encode(extension, picture, bytes, parameters);
  return bytes;
}

}  // namespace tarmac
