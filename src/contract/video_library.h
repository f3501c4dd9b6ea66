// OpenCV's video reader and writer, loaded with the first video: they bring FFmpeg and about two hundred
// other libraries.
#pragma once

#include <memory>
#include <opencv2/videoio.hpp>
#include <string>

namespace tarmac {

/// cv::VideoCapture(path, CAP_FFMPEG); only its virtual functions may be called. Throws std::runtime_error
/// when the library is missing, else what OpenCV throws.
std::shared_ptr<cv::VideoCapture> open_video_with_opencv(const std::string& path);

/// cv::VideoWriter(path, CAP_FFMPEG, codec, fps, size); as above.
std::shared_ptr<cv::VideoWriter> open_video_writer_with_opencv(const std::string& path, int codec, double fps,
                                                               cv::Size size);

}  // namespace tarmac
