// A benchmark of a driving operator: ours beside its peers on the same work.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tarmac::bench {

/// Threads that every side may use.
inline constexpr int kThreads = 2;

/// What the work costs at least, whatever the code: for the distance from the machine's limits.
struct Work {
  double bytes = 0;  ///< read and written once
  double flops = 0;
  double gathers = 0;  ///< cache lines fetched at addresses that depend on data
};

struct Side {
  std::string name;  ///< "tarmac", "openvino decomposed", "torch", "plain loop", …
  /// One whole inference; gives its time in nanoseconds. See sides.h for the usual ones; owns what it needs.
  std::function<std::int64_t()> run;
};

struct Case {
  std::string name;  ///< "multi_scale_deformable_attention/tiny"
  std::string what;  ///< sizes and what is compared, for the reader
  Work work;
  double required_ratio = 0;  ///< best peer's median ÷ ours that is wanted; 0: none
  std::vector<Side> sides;    ///< ours first
};

/// A case that is made only when it runs, since weights and engines cost memory.
struct CaseMaker {
  std::string name;
  std::function<Case()> make;
};

// One function for each operator, in its own file here; rows in main.cpp.
std::vector<CaseMaker> bev_pool_cases();
std::vector<CaseMaker> bevformer_encoder_cases();
std::vector<CaseMaker> box_decode_3d_cases();
std::vector<CaseMaker> camera_preprocess_cases();
std::vector<CaseMaker> circle_nms_cases();
std::vector<CaseMaker> deform_conv2d_cases();
std::vector<CaseMaker> grid_sample_cases();
std::vector<CaseMaker> multi_scale_deformable_attention_cases();
std::vector<CaseMaker> pillar_scatter_cases();
std::vector<CaseMaker> rotated_nms_cases();
std::vector<CaseMaker> voxelize_cases();

}  // namespace tarmac::bench
