// OpenCV's picture codecs, loaded when the first picture is read. Their library pulls in about a hundred
// others (GDAL among them), which would cost every start of a program 60 ms and 35 MB.
#pragma once

#include <opencv2/core/mat.hpp>
#include <string>
#include <vector>

namespace tarmac {

/// cv::imdecode(). Throws std::runtime_error when the library is missing, else what OpenCV throws.
cv::Mat decode_with_opencv(const cv::Mat& file, int flags);

/// cv::imencode(); throws as above.
std::vector<unsigned char> encode_with_opencv(const std::string& extension, const cv::Mat& picture,
                                              const std::vector<int>& parameters);

}  // namespace tarmac
