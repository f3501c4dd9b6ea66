// OpenVINO and OpenCV both bring a libtbb.so.12. Two of them in one process would mean two thread pools and,
// at worst, one calling into the other; so exactly one may be mapped, and it must be the newer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/version.h>

#include <fstream>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <openvino/openvino.hpp>
#include <set>
#include <string>

namespace {

std::set<std::string> mapped_files(const std::string& name_part) {
  std::set<std::string> files;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t path = line.find('/');
    if (path != std::string::npos && line.find(name_part, path) != std::string::npos) {
      files.insert(line.substr(path));
    }
  }
  return files;
}

void use_opencv() {
  const cv::Mat picture(64, 64, CV_8UC3, cv::Scalar(10, 20, 30));
  cv::Mat smaller;
  cv::resize(picture, smaller, cv::Size(32, 32));
  ASSERT_EQ(smaller.cols, 32);
}

void use_openvino() {
  ov::Core core;
  EXPECT_THAT(core.get_available_devices(), testing::Contains("CPU"));
}

TEST(OneTbb, OpenCvAndOpenVinoShareOneLibrary) {
  use_opencv();
  use_openvino();
  EXPECT_EQ(mapped_files("libopencv_core.so").size(), 1U);
  EXPECT_EQ(mapped_files("libopenvino_intel_cpu_plugin.so").size(), 1U);
  EXPECT_THAT(mapped_files("libtbb.so"), testing::SizeIs(1));
}

TEST(OneTbb, TheNewerVersionIsTheOneLoaded) {
  EXPECT_GE(TBB_runtime_interface_version(), 12130) << TBB_runtime_version();
}

}  // namespace
