#include "report/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "report/sample_report.h"
#include "support/temporary_folder.h"

namespace tarmac {
using namespace report;  // the subject of this test
namespace {

using nlohmann::json;
using test::sample_report;
using test::TemporaryFolder;

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++count;
  return count;
}

/// The JSON inside report.html.
std::string data_of(const std::string& html) {
  const std::string open = "<script type=\"application/json\" id=\"data\">";
  const std::size_t begin = html.find(open) + open.size();
  return html.substr(begin, html.find("</script>", begin) - begin);
}

TEST(ReportJson, HasTheNumbersOfEachMetricAndNullForThoseOfOthers) {
  DeployReport report = sample_report();
  auto segmentation = *SegmentationMetrics::create({"other", "road"});
  ASSERT_TRUE(segmentation
                  .add(Tensor::from<std::int32_t>({1, 1, 4}, {0, 1, 1, 1}),
                       std::vector{Tensor::from<std::uint8_t>({1, 4}, {0, 0, 1, 255})})
                  .ok());
  report.runs[0].accuracy = summarize_accuracy(segmentation);
  auto detection = *DetectionMetrics::create({"car", "bus"});
  const LabelledBox car{{0, 0, 9, 9}, 0, false};
  ASSERT_TRUE(detection.add(std::vector{Detection{car.box, 0, 0.9}}, std::vector{car}).ok());
  report.runs[1].accuracy = summarize_accuracy(detection);
  AgreementMetrics agreement;
  agreement.add(0.9);
  agreement.add(0.7);
  report.runs[2].accuracy = summarize_accuracy(agreement, "b.png");
  const json runs = json::parse(render_json(report))["runs"];
  const json& maps = runs[0]["accuracy"];
  EXPECT_EQ(maps["metric"], "mean_iou");
  EXPECT_EQ(maps["name"], "mean IoU");
  EXPECT_DOUBLE_EQ(maps["value"], 0.5);
  EXPECT_DOUBLE_EQ(maps["pixel_accuracy"], 2.0 / 3);
  EXPECT_DOUBLE_EQ(maps["classes"][1]["iou"], 0.5);
  EXPECT_EQ(maps["classes"][0]["samples"], 2);
  EXPECT_EQ(maps["confusion"], json::parse("[[1, 1], [0, 1]]"));
  EXPECT_TRUE(maps["balanced_accuracy"].is_null());
  EXPECT_TRUE(maps["classes"][0]["ap"].is_null());
  const json& boxes = runs[1]["accuracy"];
  EXPECT_EQ(boxes["metric"], "map");
  EXPECT_DOUBLE_EQ(boxes["map50"], 1);
  EXPECT_DOUBLE_EQ(boxes["classes"][0]["ap"], 1);
  EXPECT_TRUE(boxes["classes"][1]["ap"].is_null()) << "no bus is labelled";
  EXPECT_TRUE(boxes["classes"][0]["recall"].is_null());
  const json& agreed = runs[2]["accuracy"];
  EXPECT_EQ(agreed["name"], "agreement");
  EXPECT_DOUBLE_EQ(agreed["value"], 0.7);
  EXPECT_DOUBLE_EQ(agreed["mean_agreement"], 0.8);
  EXPECT_EQ(agreed["worst_sample"], "b.png");
  EXPECT_EQ(runs[3]["accuracy"]["name"], "top-1");
  EXPECT_TRUE(runs[3]["accuracy"]["errors"].is_null());
  EXPECT_TRUE(runs[3]["accuracy"]["by_frame"].empty());
}

TEST(ReportJson, SaysOfBoxesInSpaceWhatNuScenesDoes) {
  DeployReport report = sample_report();
  auto metrics = *DetectionMetrics3d::create({"car", "bus"});
  const Box3d car{1, 2, 0, 4, 2, 1.5, 0.5, 3, 0};
  Box3d found = car;
  found.vx = 2;
  for (const std::size_t frame : {0U, 1U}) {
    ASSERT_TRUE(
        metrics.add(std::vector{Detection3d{found, 0, 0.9}}, std::vector{LabelledBox3d{car, 0}}, frame).ok());
  }
  report.runs[0].accuracy = summarize_accuracy(metrics);
  report.runs[0].drift = {{"bev", {0.0, 0.25, std::numeric_limits<double>::infinity()}}};
  const json run = json::parse(render_json(report))["runs"][0];
  const json& accuracy = run["accuracy"];
  EXPECT_EQ(accuracy["metric"], "nuscenes");
  EXPECT_DOUBLE_EQ(accuracy["value"], 1);
  EXPECT_DOUBLE_EQ(accuracy["nds"], (4.0 + 3) / 8);
  EXPECT_DOUBLE_EQ(accuracy["errors"]["velocity_m_per_s"], 1);
  EXPECT_DOUBLE_EQ(accuracy["by_distance"][3]["distance_m"], 4);
  EXPECT_EQ(accuracy["by_frame"].size(), 2U);
  EXPECT_DOUBLE_EQ(accuracy["by_frame"][1]["velocity_m_per_s"], 1);
  EXPECT_EQ(accuracy["classes"][0]["ap_by_distance"], json::parse("[1.0, 1.0, 1.0, 1.0]"));
  EXPECT_TRUE(accuracy["classes"][1]["errors"].is_null()) << "no bus is labelled";
  EXPECT_EQ(run["drift"], json::parse(R"([{"output": "bev", "by_frame": [0.0, 0.25, null]}])"));
}

TEST(ReportJson, HoldsWhatTheStructsHold) {
  const DeployReport report = sample_report();
  const json parsed = json::parse(render_json(report));
  EXPECT_EQ(parsed["schema"], "tarmac.deploy_report");
  EXPECT_EQ(parsed["schema_version"], kReportSchemaVersion);
  EXPECT_EQ(parsed["model_name"], "traffic_light");
  EXPECT_EQ(parsed["passed"], false);
  EXPECT_EQ(parsed["acceptance"].size(), report.acceptance.size());
  EXPECT_DOUBLE_EQ(parsed["acceptance"][1]["measured"], 0.0034);
  EXPECT_TRUE(parsed["acceptance"][6]["measured"].is_null());
  ASSERT_EQ(parsed["runs"].size(), 6U);
  const json& run = parsed["runs"][2];
  EXPECT_EQ(run["variant"], "int8");
  EXPECT_EQ(run["latency"]["p99_ns"], report.runs[2].latency->p99_ns);
  EXPECT_EQ(run["accuracy"]["classes"][1]["name"], "yellow");
  EXPECT_EQ(run["accuracy"]["confusion"][0][2], 3);
  EXPECT_EQ(run["histogram"]["counts"].size(), 40U);
  EXPECT_EQ(run["node_times"].size(), 24U);
  EXPECT_EQ(parsed["references"][0]["metrics"]["count"], 96);
  EXPECT_EQ(parsed["equivalence"][1]["shapes"], "batch=8");
  EXPECT_EQ(parsed["equivalence"][1]["limit"], 1e-3);
  EXPECT_EQ(parsed["calibration"]["method"], "minmax");
  EXPECT_EQ(parsed["exported"]["source"], "models.py:detector");
  EXPECT_TRUE(parsed["exported"]["outputs"][1]["max_rel"].is_null());
  EXPECT_EQ(parsed["geometry"]["samples"], 297);
  EXPECT_EQ(parsed["geometry"]["p99_levels"], 1.5);
  EXPECT_EQ(parsed["geometry"]["accuracy"][0]["opencv"], 0.9933);
  EXPECT_EQ(parsed["precision"].size(), 23U);
  EXPECT_EQ(parsed["checks"][2]["available"], false);
  EXPECT_FALSE(parsed["pictures"][0].contains("jpeg_base64"));
  EXPECT_EQ(parsed["scenes"]["pictures"][1],
            json({{"variant", "int8"}, {"target", "openvino"}, {"scene", 0}, {"frame", 5}}));
  EXPECT_EQ(parsed["scenes"]["maps"][0], json({{"variant", "int8"}, {"target", "openvino"}, {"frames", 40}}));
}

TEST(ReportJson, AnEmptyReportHasEveryKey) {
  const json full = json::parse(render_json(sample_report()));
  const json empty = json::parse(render_json(DeployReport{}));
  for (const auto& [key, value] : full.items()) EXPECT_TRUE(empty.contains(key)) << key;
  EXPECT_TRUE(empty["runs"].is_array() && empty["runs"].empty());
  EXPECT_TRUE(empty["calibration"].is_null());
  EXPECT_TRUE(empty["exported"].is_null());
  EXPECT_TRUE(empty["geometry"].is_null());
  EXPECT_EQ(empty["passed"], false);
}

TEST(ReportJson, NumbersThatAreNotFiniteAreNull) {
  DeployReport report;
  report.references.resize(1);
  report.references[0].metrics.snr_db = std::numeric_limits<double>::infinity();
  report.references[0].metrics.max_rel = std::numeric_limits<double>::quiet_NaN();
  const json parsed = json::parse(render_json(report));
  EXPECT_TRUE(parsed["references"][0]["metrics"]["snr_db"].is_null());
  EXPECT_TRUE(parsed["references"][0]["metrics"]["max_rel"].is_null());
}

TEST(ReportJson, BytesThatAreNotUtf8DoNotStopTheReport) {
  DeployReport report;
  report.model_name = "caf\xe9";
  EXPECT_EQ(json::parse(render_json(report))["model_name"], "caf\xef\xbf\xbd");
}

TEST(ReportJson, PicturesWithAWrongPredictionComeFirst) {
  const json parsed = json::parse(render_json(sample_report()));
  const json& pictures = parsed["pictures"];
  ASSERT_EQ(pictures.size(), 40U);
  EXPECT_EQ(pictures[0]["name"], "test/green/picture_11.jpg");
  EXPECT_EQ(pictures[1]["name"], "test/yellow/picture_22.jpg");
  EXPECT_EQ(pictures[1]["wrong"], true);
  for (std::size_t i = 2; i < pictures.size(); ++i) EXPECT_EQ(pictures[i]["wrong"], false) << i;
}

TEST(ReportHtml, NoNameCanBecomeMarkup) {
  const std::string html = render_html(sample_report());
  // The page's own three scripts and nothing more; the data holds no '<' at all.
  EXPECT_EQ(count_of(html, "</script>"), 3U);
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
  const std::string data = data_of(html);
  EXPECT_EQ(data.find('<'), std::string::npos);
  const json parsed = json::parse(data);
  EXPECT_EQ(parsed["runs"][0]["node_times"][3]["name"],
            "/head/<script>alert(1)</script>/\"Conv\" & 'Relu' {{data}}");
}

TEST(ReportHtml, HoldsTheWholeReportAndReachesForNothing) {
  const DeployReport report = sample_report();
  const std::string html = render_html(report);
  json data = json::parse(data_of(html));
  EXPECT_EQ(data["pictures"][0]["jpeg_base64"].get<std::string>().substr(0, 5),
            "/9j/4");  // a JPEG begins FF D8 FF E0
  for (json& picture : data["pictures"]) picture.erase("jpeg_base64");
  for (json& picture : data["scenes"]["pictures"]) EXPECT_EQ(picture.erase("jpeg_base64"), 1U);
  for (json& map : data["scenes"]["maps"]) EXPECT_EQ(map.erase("png_base64"), 1U);
  EXPECT_EQ(data, json::parse(render_json(report)));
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
  for (const char* reach : {"src=\"http", "href=\"http", "@import", "url(http"}) {
    EXPECT_EQ(html.find(reach), std::string::npos) << reach;
  }
}

TEST(ReportHtml, Base64OfEveryRemainder) {
  DeployReport report;
  const std::pair<std::string, std::string> vectors[] = {
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
  for (const auto& [text, expected] : vectors) {
    ReportPicture picture;
    const auto bytes = std::as_bytes(std::span(text));
    picture.jpeg.assign(bytes.begin(), bytes.end());
    report.pictures = {picture};
    EXPECT_EQ(json::parse(data_of(render_html(report)))["pictures"][0]["jpeg_base64"], expected);
  }
}

TEST(WriteReport, LeavesBothFilesInAFolderThatItMakes) {
  // Stays in the build tree, for people to look at.
  const std::filesystem::path folder = std::filesystem::path(TARMAC_BINARY_DIR) / "tests/sample_report";
  std::filesystem::remove_all(folder);
  const DeployReport report = sample_report();
  ASSERT_TRUE(write_report(report, folder).ok());
  EXPECT_EQ(*read_file(folder / "report.json"), render_json(report));
  EXPECT_EQ(*read_file(folder / "report.html"), render_html(report));
}

TEST(WriteReport, AFileInTheFoldersPlaceIsAnError) {
  const TemporaryFolder folder;
  const auto file = folder.write("demo", "not a folder");
  EXPECT_FALSE(write_report(DeployReport{}, file).ok());
  EXPECT_FALSE(write_report(DeployReport{}, file / "below").ok());
  EXPECT_EQ(*read_file(file), "not a folder");
}

}  // namespace
}  // namespace tarmac
