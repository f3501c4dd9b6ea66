// Each case changes one place of the good contract and names the whole line the user then reads.
#include <gtest/gtest.h>

#include "contract/scratch.h"
#include "tarmac/contract.h"

namespace tarmac {
namespace {

struct BadContract {
  const char* found;     // text in kGoodContract
  const char* replaced;  // what a user might write instead
  const char* expected;  // after "deploy.yaml:"
};

constexpr BadContract kBadContracts[] = {
    {"name: traffic-light", "name: [traffic", "3: found invalid YAML: end of sequence flow not found"},
    {"name: traffic-light", "name: a: b", "2: found invalid YAML: illegal map value"},
    {"name: traffic-light", "	name: a", "2: found invalid YAML: illegal tab when looking for indentation"},
    {"name: traffic-light", "name: &n traffic",
     "2: found a YAML anchor (&name); anchors are not allowed, write the value out"},
    {"name: traffic-light", "name: *n", "2: found invalid YAML: the referenced anchor is not defined"},
    {"name: traffic-light", "name: !!str traffic",
     "2: found the YAML tag 'tag:yaml.org,2002:str'; tags are not allowed"},
    {"name: traffic-light", "name: a\nname: b",
     "3: found the key 'name' again (first on line 2); each key is allowed once"},
    {"name: traffic-light", "name: a\x01", "2: found a control character; a contract is UTF-8 text"},
    {"name: traffic-light", "? [a, b]\n: c", "2: found a list or map as a key; keys are plain words"},
    {"name: traffic-light", "~: c", "2: found an empty key; keys are plain words"},
    {"memory: 500 MiB", "memory: 500 MiB\n---\nversion: 1",
     "40: found a second YAML document; a contract file holds one"},
    {"version: 1", "version: 2", "1: version: found '2'; expected 1, the only version this program reads"},
    {"version: 1", "version: one",
     "1: version: found 'one'; expected 1, the only version this program reads"},
    {"version: 1\n", "", "1: the key 'version' is missing; it is mandatory here"},
    {"name: traffic-light\n", "", "1: the key 'name' is missing; it is mandatory here"},
    {"name: traffic-light", "name: a/b",
     "2: name: found 'a/b'; expected a name of letters, digits, '_', '-' and '.'"},
    {"name: traffic-light",
     "name:", "2: name: found nothing; expected a name of letters, digits, '_', '-' and '.'"},
    {"model: traffic_light.onnx", "model: 3",
     "3: model: found '3'; expected the path of a file, relative to the contract"},
    {"model: traffic_light.onnx\n", "", "1: the key 'model' is missing; it is mandatory here"},
    {"inputs:\n", "input:\n",
     "4: found the unknown key 'input'; did you mean 'inputs'? allowed: version, name, model, inputs, "
     "labels, data, evaluation, reference, targets, precision, profiles, acceptance, sequence, detections, "
     "robustness"},
    {"acceptance:", "accept:",
     "32: found the unknown key 'accept'; allowed: version, name, model, inputs, labels, data, evaluation, "
     "reference, targets, precision, profiles, acceptance, sequence, detections, "
     "robustness"},
    {"labels: [red, yellow, green]", "labels: [red, red]",
     "15: labels[1]: found the label 'red' again; labels are unique"},
    {"labels: [red, yellow, green]", "labels: [0, 1]",
     "15: labels[0]: found '0'; expected a class name (a number goes in quotes)"},
    {"labels: [red, yellow, green]", "labels: red",
     "15: labels: found 'red'; expected a list of class names"},
    {"labels: [red, yellow, green]\n", "",
     "16: data.calibration.labels: the section 'labels' is missing; it names the classes in order"},
    {"shape: [batch, 3, 64, 48]", "shape: [batch, 3, 0, 48]",
     "6: inputs.image.shape[2]: found '0'; expected a size of at least 1, or a symbol such as batch"},
    {"shape: [batch, 3, 64, 48]", "shape: [batch, 3, 64.5, 48]",
     "6: inputs.image.shape[2]: found '64.5'; expected a size of at least 1, or a symbol such as batch"},
    {"shape: [batch, 3, 64, 48]", "shape: [batch, 3, 64x, 48]",
     "6: inputs.image.shape[2]: found '64x'; expected a size of at least 1, or a symbol such as batch"},
    {"shape: [batch, 3, 64, 48]", "shape: batch",
     "6: inputs.image.shape: found 'batch'; expected a list of sizes and symbols, such as [batch, 3, 64, "
     "64]"},
    {"shape: [batch, 3, 64, 48]", "shape: [3, 64, 48]",
     "8: inputs.image.layout: a layout needs a shape of 4 dimensions; this input has 3"},
    {"shape: [batch, 3, 64, 48]", "shape: [batch, channels, 64, 48]",
     "9: inputs.image.preprocess: found the symbol 'channels' for the channels of the shape; a picture has "
     "3"},
    {"shape: [batch, 3, 64, 48]", "shape: [batch, 1, 64, 48]",
     "9: inputs.image.preprocess: the steps give 3 channels, but under layout NCHW the shape has 1"},
    {"shape: [batch, 3, 64, 48]", "shape: [batch, 64, 48, 3]",
     "9: inputs.image.preprocess: the steps give 3 channels, but under layout NCHW the shape has 64"},
    {"shape: [batch, 3, 64, 48]", "shape: [batch, 3, 64, 64]",
     "9: inputs.image.preprocess: the steps give the width 48, but the shape has 64"},
    {"    shape: [batch, 3, 64, 48]\n", "",
     "5: inputs.image: the key 'shape' is missing; it is mandatory here"},
    {"dtype: float32", "dtype: flaot32",
     "7: inputs.image.dtype: found 'flaot32'; did you mean 'float32'? allowed: float32, float16, bfloat16, "
     "float64, uint8, int8, uint16, int16, uint32, int32, uint64, int64, bool"},
    {"dtype: float32", "dtype: int64",
     "9: inputs.image.preprocess: found the dtype int64; pictures become float32, float16, uint8 or int8"},
    {"dtype: float32", "dtype: 32",
     "7: inputs.image.dtype: found '32'; allowed: float32, float16, bfloat16, float64, uint8, int8, uint16, "
     "int16, uint32, int32, uint64, int64, bool"},
    {"layout: NCHW", "layout: NCWH",
     "8: inputs.image.layout: found 'NCWH'; did you mean 'NCHW'? allowed: NCHW, NHWC"},
    {"layout: NCHW", "layout: NHWC",
     "9: inputs.image.preprocess: the steps give 3 channels, but under layout NHWC the shape has 48"},
    {"    layout: NCHW\n", "",
     "8: inputs.image.preprocess: preprocess needs the key 'layout' beside it; allowed: NCHW, NHWC"},
    {"dtype: float32", "dtpye: float32",
     "7: inputs.image: found the unknown key 'dtpye'; did you mean 'dtype'? allowed: shape, dtype, layout, "
     "geometry, preprocess"},
    {"    preprocess:\n", "    geometry: fast\n    preprocess:\n",
     "9: inputs.image.geometry: found 'fast'; allowed: opencv, fused"},
    {"    preprocess:\n", "    geometry: fused\n    preprocess:\n",
     "10: inputs.image.preprocess: geometry fused interpolates linearly, found resize with area; write "
     "linear, or "
     "geometry: opencv"},
    {"color: RGB}", "color: RGB, format: yv12}",
     "10: inputs.image.preprocess[0].decode.format: found 'yv12'; did you mean 'nv12'? allowed: nv12, yuyv, "
     "rgb, "
     "bgr"},
    {"color: RGB}", "color: RGB, format: nv12}",
     "10: inputs.image.preprocess[0].decode: the key 'size' is missing; it is mandatory here"},
    {"color: RGB}", "color: RGB, format: nv12, size: [7, 8]}",
     "10: inputs.image.preprocess[0].decode.size: nv12 has an even height and width"},
    {"color: RGB}", "color: RGB, format: yuyv, size: [7, 8], row_bytes: 15}",
     "10: inputs.image.preprocess[0].decode.row_bytes: found '15'; expected a whole number from 16 to "
     "1048576"},
    {"color: RGB}", "color: RGB, format: rgb, size: [7, 8], yuv_range: full}",
     "10: inputs.image.preprocess[0].decode.yuv_range: yuv_range belongs to nv12 and yuyv; remove it"},
    {"color: RGB}", "color: RGB, row_bytes: 16}",
     "10: inputs.image.preprocess[0].decode.row_bytes: row_bytes belongs to a camera's frames; add the key "
     "'format'"},
    {"color: RGB}", "color: RGB, format: nv12, size: [64, 64], yuv_matrix: bt709}",
     "9: inputs.image.preprocess: geometry opencv has only the colours of yuv_matrix bt601 and yuv_range "
     "limited; "
     "write geometry: fused"},
    {"- crop: {size: [64, 40], position: center}",
     "- undistort: {model: fisheye, size: [64, 64], intrinsics: [9, 9, 5, 5], distortion: [0, 0, 0, 0]}",
     "12: inputs.image.preprocess[2].undistort: undistort stands after another step; it must follow decode"},
    {"color: RGB}",
     "color: RGB}\n      - undistort: {model: fisheye, size: [4, 4], intrinsics: [9, 9, 5], distortion: [0]}",
     "11: inputs.image.preprocess[1].undistort.intrinsics: found a list of 3; expected a list of four, [fx, "
     "fy, cx, "
     "cy] in pixels"},
    {"color: RGB}",
     "color: RGB}\n      - undistort: {model: fisheye, size: [4, 4], intrinsics: [9, 9, 5, 5], distortion: "
     "[0]}",
     "11: inputs.image.preprocess[1].undistort.distortion: found a list of 1; expected a list of four, [k1, "
     "k2, k3, "
     "k4]"},
    {"color: RGB}",
     "color: RGB}\n      - undistort: {model: radial_tangential, size: [4, 4], intrinsics: [0, 9, 5, 5], "
     "distortion: [0, 0, 0, 0]}",
     "11: inputs.image.preprocess[1].undistort: found the intrinsics 0.000000, 9.000000, 5.000000, 5.000000; "
     "expected "
     "finite numbers fx, fy, cx, cy with fx and fy above 0"},
    {"color: RGB}",
     "color: RGB}\n      - undistort: {model: radial_tangential, size: [4, 4], intrinsics: [9, 9, 5, 5], "
     "distortion: [.nan, 0, 0, 0]}",
     "11: inputs.image.preprocess[1].undistort.distortion[0]: found '.nan'; expected a number"},
    {"color: RGB}",
     "color: RGB, format: bgr, size: [4, 6]}\n      - undistort: {model: fisheye, size: [4, 4], intrinsics: "
     "[9, 9, 5, 5], distortion: [0, 0, 0, 0]}",
     "11: inputs.image.preprocess[1].undistort: the camera was calibrated for 4 x 4, but the frames are 4 "
     "high and 6 "
     "wide"},
    {"- decode: {color: RGB}\n      ", "",
     "10: inputs.image.preprocess[0].resize: resize stands before decode; decode must come first"},
    {"color: RGB", "color: rgb",
     "10: inputs.image.preprocess[0].decode.color: found 'rgb'; did you mean 'RGB'? allowed: RGB, BGR, GRAY"},
    {"color: RGB", "colour: RGB",
     "10: inputs.image.preprocess[0].decode: found the unknown key 'colour'; did you mean 'color'? allowed: "
     "color, format, size, row_bytes, yuv_matrix, yuv_range"},
    {"color: RGB", "color: GRAY",
     "11: inputs.image.preprocess[1].resize.pad_value: found a list of 3; expected a list of 1, one value a "
     "channel"},
    {"- decode: {color: RGB}", "- decode: {color: RGB}\n      - decode: {color: RGB}",
     "11: inputs.image.preprocess[1].decode: decode stands here again; it is allowed once, as the first "
     "step"},
    {"- decode: {color: RGB}", "- decode",
     "10: inputs.image.preprocess[0]: found 'decode'; expected one step, such as decode: {color: RGB}"},
    {"- crop: {size: [64, 40], position: center}", "- crap: {size: [64, 40], position: center}",
     "12: inputs.image.preprocess[2].crap: found the unknown step 'crap'; did you mean 'crop'? allowed: "
     "decode, undistort, resize, crop, pad, normalize"},
    {"- crop: {size: [64, 40], position: center}", "- rotate: {angle: 90}",
     "12: inputs.image.preprocess[2].rotate: found the unknown step 'rotate'; allowed: decode, undistort, "
     "resize, "
     "crop, pad, normalize"},
    {"- crop: {size: [64, 40], position: center}", "- {crop: {size: [64, 40], position: center}, pad: {}}",
     "12: inputs.image.preprocess[2]: found a map of 2; expected one step, such as decode: {color: RGB}"},
    {"size: [64, 64]", "size: [0, 64]",
     "11: inputs.image.preprocess[1].resize.size[0]: found '0'; expected a whole number from 1 to 16384"},
    {"size: [64, 64]", "size: [-64, 64]",
     "11: inputs.image.preprocess[1].resize.size[0]: found '-64'; expected a whole number from 1 to 16384"},
    {"size: [64, 64]", "size: 64",
     "11: inputs.image.preprocess[1].resize.size: found '64'; expected a list of two, [height, width]"},
    {"size: [64, 64]", "size: [64, 64, 3]",
     "11: inputs.image.preprocess[1].resize.size: found a list of 3; expected a list of two, [height, "
     "width]"},
    {"size: [64, 64]", "size: [100000, 64]",
     "11: inputs.image.preprocess[1].resize.size[0]: found '100000'; expected a whole number from 1 to "
     "16384"},
    {"interpolation: area", "interpolation: bilinear",
     "11: inputs.image.preprocess[1].resize.interpolation: found 'bilinear'; did you mean 'linear'? allowed: "
     "nearest, linear, cubic, area, lanczos4"},
    {"mode: letterbox", "mode: letter_box",
     "11: inputs.image.preprocess[1].resize.mode: found 'letter_box'; did you mean 'letterbox'? allowed: "
     "stretch, letterbox, fit_shorter"},
    {"mode: letterbox", "mode: stretch",
     "11: inputs.image.preprocess[1].resize.pad_value: pad_value belongs to mode letterbox; remove it or set "
     "the mode"},
    {"mode: letterbox, pad_value: [1, 2, 3]", "mode: letterbox",
     "11: inputs.image.preprocess[1].resize: mode letterbox needs the key 'pad_value', such as [114, 114, "
     "114]"},
    {"pad_value: [1, 2, 3]", "pad_value: [1, 2]",
     "11: inputs.image.preprocess[1].resize.pad_value: found a list of 2; expected a list of 3, one value a "
     "channel"},
    {"pad_value: [1, 2, 3]", "pad_value: [1, 2, 256]",
     "11: inputs.image.preprocess[1].resize.pad_value[2]: found '256'; expected a whole number from 0 to "
     "255"},
    {"area, mode: letterbox, pad_value: [1, 2, 3]}\n      - crop: {size: [64, 40], position: center}",
     "area, mode: fit_shorter}",
     "9: inputs.image.preprocess: the steps leave the height to the picture, but the shape has 64; add a "
     "resize or a crop"},
    {"crop: {size: [64, 40], position: center}", "crop: {size: [65, 40], position: center}",
     "12: inputs.image.preprocess[2].crop: the crop reaches outside the picture, which here is 64 high and "
     "64 wide; crop less"},
    {"position: center", "position: [10, 0]",
     "12: inputs.image.preprocess[2].crop: the crop reaches outside the picture, which here is 64 high and "
     "64 wide; crop less"},
    {"position: center", "position: middle",
     "12: inputs.image.preprocess[2].crop.position: found 'middle'; expected center, or a list of two, [y, "
     "x]"},
    {"position: center", "position: [1]",
     "12: inputs.image.preprocess[2].crop.position: found a list of 1; expected center, or a list of two, "
     "[y, x]"},
    {"left: 8, pad_value", "left: -8, pad_value",
     "13: inputs.image.preprocess[3].pad.left: found '-8'; expected a whole number from 0 to 16384"},
    {"left: 8, pad_value: [0, 0, 0]", "left: 8",
     "13: inputs.image.preprocess[3].pad: the key 'pad_value' is missing; it is mandatory here"},
    {"scale: 1/255", "scale: 1/0",
     "14: inputs.image.preprocess[4].normalize.scale: found '1/0'; expected a number above 0, or a fraction "
     "such as 1/255"},
    {"scale: 1/255", "scale: 255 / 1 / 2",
     "14: inputs.image.preprocess[4].normalize.scale: found '255 / 1 / 2'; expected a number above 0, or a "
     "fraction such as 1/255"},
    {"scale: 1/255", "sclae: 1/255",
     "14: inputs.image.preprocess[4].normalize: found the unknown key 'sclae'; did you mean 'scale'? "
     "allowed: scale, mean, std"},
    {"mean: [0.5, 0.4, 0.3]", "mean: [0.5, 0.4]",
     "14: inputs.image.preprocess[4].normalize.mean: found a list of 2; expected a list of 3, one number a "
     "channel"},
    {"mean: [0.5, 0.4, 0.3]", "mean: 0.5",
     "14: inputs.image.preprocess[4].normalize.mean: found '0.5'; expected a list of numbers, one a channel"},
    {"mean: [0.5, 0.4, 0.3]", "mean: [0.5, 0.4, nan]",
     "14: inputs.image.preprocess[4].normalize.mean[2]: found 'nan'; expected a number"},
    {"std: [0.2, 0.2, 0.25]", "std: [0.2, 0, 0.25]",
     "14: inputs.image.preprocess[4].normalize.std[1]: found '0'; expected a number above 0"},
    {"std: [0.2, 0.2, 0.25]", "std: [0.2, 0.2, 0.25, 1]",
     "14: inputs.image.preprocess[4].normalize.std: found a list of 4; expected a list of 3, one number a "
     "channel"},
    {"std: [0.2, 0.2, 0.25]}", "std: [0.2, 0.2, 0.25]}\n      - crop: {size: [1, 1], position: center}",
     "15: inputs.image.preprocess[5].crop: crop stands after normalize; normalize must be the last step"},
    {"- normalize:", "- normalise:",
     "14: inputs.image.preprocess[4].normalise: found the unknown step 'normalise'; did you mean "
     "'normalize'? allowed: decode, undistort, resize, crop, pad, normalize"},
    {"folder: train", "folder: trian",
     "17: data.calibration.folder: there is no folder 'trian'; correct the path or put the pictures there"},
    {"folder: train", "folder: train, root: train",
     "17: data.calibration.root: root belongs to list; remove it"},
    {"folder: train", "folder: traffic_light.onnx",
     "17: data.calibration.folder: found the file 'traffic_light.onnx'; expected a folder"},
    {"folder: train, ", "",
     "17: data.calibration: expected exactly one of the keys folder, list, npz, video"},
    {"folder: train", "folder: train, npz: a.npz",
     "17: data.calibration: expected exactly one of the keys folder, list, npz, video"},
    {"folder: train, labels: from_folder", "npz: traffic_light.onnx",
     "17: data.calibration.npz: found 'traffic_light.onnx'; expected an .npz or .npy file"},
    {"folder: train, labels: from_folder", "list: reference/pictures.txt, labels: from_folder",
     "17: data.calibration.labels: found 'from_folder'; did you mean 'from_file'? allowed: from_file"},
    {"labels: from_folder, samples", "labels: from_file, samples",
     "17: data.calibration.labels: found 'from_file'; did you mean 'from_folder'? allowed: from_folder"},
    {"samples: 300", "samples: 0",
     "17: data.calibration.samples: found '0'; expected a whole number of at least 1"},
    {"samples: 300", "samples: all",
     "17: data.calibration.samples: found 'all'; expected a whole number of at least 1"},
    {"samples: 300, seed", "seed",
     "17: data.calibration.seed: seed chooses among samples; add the key 'samples' or remove seed"},
    {"seed: 7", "seed: -7", "17: data.calibration.seed: found '-7'; expected a whole number of at least 0"},
    {"  calibration:", "  calibrate:",
     "17: data: found the unknown key 'calibrate'; did you mean 'calibration'? allowed: calibration, "
     "evaluation"},
    {"  evaluation: {folder: test, labels: from_folder}\n", "",
     "18: evaluation: evaluation needs data.evaluation, which is missing"},
    {"evaluation: {folder: test, labels: from_folder}", "evaluation: {folder: test}",
     "19: evaluation.metric: top1 needs labelled data; add 'labels' to data.evaluation"},
    {"metric: top1", "metric: top5",
     "19: evaluation.metric: found 'top5'; did you mean 'top1'? allowed: top1, miou, map, nuscenes, "
     "agreement"},
    {"evaluation: {folder: test, labels: from_folder}", "evaluation: {folder: test, masks: train}",
     "19: evaluation.metric: top1 needs labelled data; add 'labels' to data.evaluation"},
    {"evaluation: {folder: test, labels: from_folder}",
     "evaluation: {folder: test, labels: from_folder, masks: train}",
     "18: data.evaluation: expected at most one of the keys labels, masks, boxes"},
    {"evaluation: {folder: test, labels: from_folder}", "evaluation: {video: test, masks: train}",
     "18: data.evaluation.masks: frames of a video have no labels; remove the key"},
    {"evaluation: {folder: test, labels: from_folder}", "evaluation: {folder: test, masks: nowhere}",
     "18: data.evaluation.masks: there is no folder 'nowhere'; correct the path or put the pictures there"},
    {"evaluation: {folder: test, labels: from_folder}", "evaluation: {folder: test, boxes: nowhere.json}",
     "18: data.evaluation.boxes: there is no file 'nowhere.json'; correct the path or put the file there"},
    {"evaluation: {folder: test, labels: from_folder}",
     "evaluation: {npz: reference/outputs.npy, masks: train}",
     "18: data.evaluation.masks: tensors have their label maps or boxes in the array 'labels'; write labels: "
     "from_file"},
    {"calibration: {folder: train, labels: from_folder", "calibration: {folder: train, masks: train",
     "17: data.calibration: found the unknown key 'masks'; allowed: folder, list, root, npz, video, stride, "
     "labels, samples, seed"},
    {"metric: top1", "metric: miou",
     "19: evaluation.metric: miou needs label maps; add 'masks' to data.evaluation"},
    {"metric: top1, output: logits", "metric: map, outputs: {boxes: b, scores: s, classes: c}",
     "19: evaluation.metric: map needs boxes; add 'boxes' to data.evaluation"},
    {"metric: top1", "metric: map",
     "19: evaluation.output: a detector has several; write outputs: {boxes: NAME, scores: NAME, classes: "
     "NAME}"},
    {"metric: top1, output: logits", "metric: map",
     "19: evaluation: the key 'outputs' is missing; it is mandatory here without a section 'detections'"},
    {"metric: top1, output: logits", "metric: map, outputs: {boxes: b, scores: s}",
     "19: evaluation.outputs: the key 'classes' is missing; it is mandatory here"},
    {"metric: top1, output: logits", "metric: map, outputs: {boxes: b, scores: s, classes: c, boxs: d}",
     "19: evaluation.outputs: found the unknown key 'boxs'; did you mean 'boxes'? allowed: boxes, scores, "
     "classes, count, decoder, min_score"},
    {"metric: top1, output: logits", "metric: map, outputs: {decoder: fastestdet, boxes: b}",
     "19: evaluation.outputs: found the unknown key 'boxes'; allowed: decoder, head, min_score, max_iou"},
    {"metric: top1, output: logits", "metric: map, outputs: {decoder: yolo8}",
     "19: evaluation.outputs.decoder: found 'yolo8'; did you mean 'yolov8'? allowed: boxes, fastestdet, "
     "yolov8, centerpoint"},
    {"metric: top1, output: logits", "metric: map, outputs: {decoder: yolov8, max_iou: 1.5}",
     "19: evaluation.outputs.max_iou: found '1.5'; expected a share from 0 to 1"},
    {"metric: top1, output: logits", "metric: map, outputs: {decoder: yolov8, min_score: -1}",
     "19: evaluation.outputs.min_score: found '-1'; expected a score from 0 to 1"},
    {"labels: [red, yellow, green]", "labels: [red, yellow, green]\ndetections: fastestdet",
     "16: detections: found 'fastestdet'; expected a map of a detector's outputs"},
    {"labels: [red, yellow, green]", "labels: [red, yellow, green]\ndetections: {scores: s, classes: c}",
     "16: detections: the key 'boxes' is missing; it is mandatory here"},
    {"metric: top1, output: logits", "metric: map, outputs: {boxes: b, scores: s, classes: 3}",
     "19: evaluation.outputs.classes: found '3'; expected the name of an output"},
    {"metric: top1", "metric: top1, outputs: {boxes: b, scores: s, classes: c}",
     "19: evaluation.outputs: outputs belong to metric map or nuscenes, or agreement with compare: boxes; "
     "write output"},
    {"metric: top1", "metric: top1, compare: values",
     "19: evaluation.compare: compare belongs to metric agreement; remove it"},
    {"metric: top1", "metric: agreement, compare: value",
     "19: evaluation.compare: found 'value'; did you mean 'values'? allowed: values, classes, boxes"},
    {"metric: top1", "metric: top1, threshold: 0.5",
     "19: evaluation.threshold: a threshold belongs to metric miou, or agreement of classes or boxes; remove "
     "it"},
    {"metric: top1", "metric: miou, threshold: high",
     "19: evaluation.threshold: found 'high'; expected a number"},
    {"metric: top1, ", "", "19: evaluation: the key 'metric' is missing; it is mandatory here"},
    {"output: logits}", "output: 3}", "19: evaluation.output: found '3'; expected the name of an output"},
    {"outputs: reference/outputs.npy", "outputs: reference/missing.npy",
     "21: reference.outputs: there is no file 'reference/missing.npy'; correct the path or put the file "
     "there"},
    {"outputs: reference/outputs.npy", "outputs: reference/pictures.txt",
     "21: reference.outputs: found 'reference/pictures.txt'; expected an .npy file"},
    {"inputs: reference/pictures.txt", "inputs: traffic_light.onnx",
     "22: reference.inputs: found 'traffic_light.onnx'; expected a list of pictures (.txt), or tensors "
     "(.npy, .npz)"},
    {"inputs: reference/pictures.txt", "inputs: reference/outputs.npy",
     "23: reference.root: root belongs to a list of pictures; remove it"},
    {"max_relative_error: 1%", "max_relative_error: 0.01",
     "25: reference.max_relative_error: found '0.01'; expected a percentage from 0% to 100%, such as 1%"},
    {"max_relative_error: 1%", "max_relative_error: 101%",
     "25: reference.max_relative_error: found '101%'; expected a percentage from 0% to 100%, such as 1%"},
    {"  root: test\n", "  root: toast\n",
     "23: reference.root: there is no folder 'toast'; correct the path or put the pictures there"},
    {"- openvino\n", "- onnxruntime\n  - onnxruntime\n",
     "28: targets[1]: found the target 'onnxruntime' again; name each once"},
    {"- openvino\n", "- 3\n", "27: targets[0]: found '3'; expected the name of a target, such as openvino"},
    {"- openvino\n", "- {providers: [CPU]}\n",
     "27: targets[0]: the key 'name' is missing; it is mandatory here"},
    {"- openvino\n", "- {name: openvino, providers: [CPU]}\n",
     "27: targets[0].providers: providers belong to onnxruntime; remove them"},
    {"targets:\n  - openvino\n", "targets: openvino\nx:\n",
     "27: found the unknown key 'x'; allowed: version, name, model, inputs, labels, data, evaluation, "
     "reference, targets, precision, profiles, acceptance, sequence, detections, "
     "robustness"},
    {"providers: [CPU, CUDA]", "providers: [CPU, CPU]",
     "28: targets[1].providers[1]: found the provider 'CPU' again; name each once"},
    {"providers: [CPU, CUDA]", "providers: CPU",
     "28: targets[1].providers: found 'CPU'; expected a list of providers, such as [CPU, CUDA]"},
    {"providers: [CPU, CUDA], ", "",
     "28: targets[1].allow_fallback: allow_fallback needs the key 'providers' beside it"},
    {"allow_fallback: true", "allow_fallback: yes",
     "28: targets[1].allow_fallback: found 'yes'; expected true or false"},
    {"cores: 2", "cores: 0", "28: targets[1].cores: found '0'; expected a whole number from 1 to 4096"},
    {"mode: int8", "mode: int4",
     "29: precision.mode: found 'int4'; did you mean 'int8'? allowed: fp32, int8"},
    {"method: minmax", "method: max",
     "29: precision.method: found 'max'; allowed: minmax, moving-average, entropy, percentile, mse"},
    {"mode: int8", "mode: fp32", "29: precision.method: method belongs to mode int8; remove it"},
    {"mode: int8, method: minmax", "mode: fp32, max_drop: 1%",
     "29: precision.max_drop: max_drop belongs to mode int8; remove it"},
    {"method: minmax", "max_drop: 1",
     "29: precision.max_drop: found '1'; expected a percentage from 0% to 100%, such as 1%"},
    {"method: minmax", "equalize: maybe", "29: precision.equalize: found 'maybe'; expected true or false"},
    {"method: minmax", "also: [fp8]", "29: precision.also[0]: found 'fp8'; allowed: fp16, bf16"},
    {"method: minmax", "also: fp16", "29: precision.also: found 'fp16'; expected a list of fp16 and bf16"},
    {"method: minmax", "also: [fp16, fp16]", "29: precision.also[1]: found fp16 again; name each once"},
    {"int8_drop:", "bf16_drop:", "34: acceptance.bf16_drop: bf16_drop needs precision: {also: [bf16]}"},
    {"mode: int8, method: minmax", "mode: fp32",
     "34: acceptance.int8_drop: int8_drop needs precision: {mode: int8}"},
    {"mode: int8, ", "", "29: precision: the key 'mode' is missing; it is mandatory here"},
    {"  calibration: {folder: train, labels: from_folder, samples: 300, seed: 7}\n", "",
     "28: precision.mode: int8 needs data.calibration, which is missing"},
    {"image: {min", "picture: {min", "31: profiles.picture: there is no input 'picture'; allowed: image"},
    {"min: [1, 3, 64, 48]", "min: [1, 3, 64]",
     "31: profiles.image.min: found a list of 3; expected a list of 4, as in the input's shape"},
    {"min: [1, 3, 64, 48]", "min: [1, 3, 64, 49]",
     "31: profiles.image.min[3]: found '49'; expected 48, as in the input's shape"},
    {"min: [1, 3, 64, 48]", "min: [5, 3, 64, 48]",
     "31: profiles.image: found min [5, 3, 64, 48], opt [4, 3, 64, 48], max [8, 3, 64, 48]; expected min <= "
     "opt <= max in dimension 0"},
    {"min: [1, 3, 64, 48]", "min: [batch, 3, 64, 48]",
     "31: profiles.image.min[0]: found 'batch'; expected a whole number from 1 to 1099511627776"},
    {"min: [1, 3, 64, 48], ", "", "31: profiles.image: the key 'min' is missing; it is mandatory here"},
    {"opt: [4", "best: [4", "31: profiles.image: found the unknown key 'best'; allowed: min, opt, max"},
    {"fp32_drop: 1%", "fp32_drop: 1",
     "33: acceptance.fp32_drop: found '1'; expected a percentage from 0% to 100%, such as 1%"},
    {"fp32_drop: 1%", "fp32_drop: -1%",
     "33: acceptance.fp32_drop: found '-1%'; expected a percentage from 0% to 100%, such as 1%"},
    {"fp32_drop: 1%", "fp32_drop: \"1%\"",
     "33: acceptance.fp32_drop: found the text '1%'; expected a percentage from 0% to 100%, such as 1%"},
    {"latency_p50: 10 ms", "latency_p50: 10",
     "35: acceptance.latency_p50: found '10'; expected a time above 0 in us, ms or s, such as 10 ms"},
    {"latency_p50: 10 ms", "latency_p50: 10 msec",
     "35: acceptance.latency_p50: found '10 msec'; expected a time above 0 in us, ms or s, such as 10 ms"},
    {"latency_p50: 10 ms", "latency_p50: 0 ms",
     "35: acceptance.latency_p50: found '0 ms'; expected a time above 0 in us, ms or s, such as 10 ms"},
    {"latency_p50: 10 ms", "latency_p50: 10 MiB",
     "35: acceptance.latency_p50: found '10 MiB'; expected a time above 0 in us, ms or s, such as 10 ms"},
    {"latency_p50: 10 ms", "latency_p50: 1 s",
     "36: acceptance.latency_p99: the limit of latency_p99 is below that of latency_p50, which cannot be"},
    {"latency_p50", "latency_p90",
     "35: acceptance: found the unknown key 'latency_p90'; did you mean 'latency_p50'? allowed: fp32_drop, "
     "int8_drop, fp16_drop, bf16_drop, nds_drop, velocity_error_rise, latency_p50, latency_p99, throughput, "
     "memory"},
    {"throughput: 100 /s", "throughput: 100",
     "37: acceptance.throughput: found '100'; expected a rate above 0 a second, such as 100 /s"},
    {"throughput: 100 /s", "throughput: 100 /min",
     "37: acceptance.throughput: found '100 /min'; expected a rate above 0 a second, such as 100 /s"},
    {"memory: 500 MiB", "memory: 500",
     "38: acceptance.memory: found '500'; expected a size above 0 in KiB, MiB, GiB, kB, MB or GB, such as "
     "500 MiB"},
    {"memory: 500 MiB", "memory: 500 MIB",
     "38: acceptance.memory: found '500 MIB'; expected a size above 0 in KiB, MiB, GiB, kB, MB or GB, such "
     "as 500 MiB"},
    {"memory: 500 MiB", "memory: inf GiB",
     "38: acceptance.memory: found 'inf GiB'; expected a size above 0 in KiB, MiB, GiB, kB, MB or GB, such "
     "as 500 MiB"},
    {"memory: 500 MiB", "memory: {}",
     "38: acceptance.memory: found a map of 0; expected a size above 0 in KiB, MiB, GiB, kB, MB or GB, such "
     "as 500 MiB"},
    {"evaluation: {metric: top1, output: logits}\n", "",
     "32: acceptance.fp32_drop: a drop needs the section 'evaluation', which is missing"},
};

/// The same for the first of kGoodSources.
constexpr BadContract kBadSources[] = {
    {"torch: models.py:heads.detector", "pytorch: models.py:detector",
     "4: model: found the unknown key 'pytorch'; did you mean 'torch'? allowed: torch, saved_model, keras, "
     "frozen_graph, tflite, paddle, inputs, sizes, opset, max_error, data, simplify, python, time_limit"},
    {"torch: models.py:heads.detector\n  weights: weights/detector.pth",
     "keras: model.h5\n  weights: weights/detector.pth",
     "5: model: found the unknown key 'weights'; allowed: keras, layout, output_layout, inputs, sizes, "
     "opset, max_error, data, simplify, python, time_limit"},
    {"  weights: weights/detector.pth", "  keras: model.h5",
     "5: model.keras: found a second source; a model has one, remove model.torch or this"},
    {"  weights: weights/detector.pth", "  signature: serving_default",
     "5: model: found the unknown key 'signature'; allowed: torch, outputs, weights, exporter, depends, "
     "inputs, sizes, opset, max_error, data, simplify, python, time_limit"},
    {"models.py:heads.detector", "model.py:detector",
     "4: model.torch: there is no file 'model.py'; correct the path or put the file there"},
    {"models.py:heads.detector", "\"models.py:\"",
     "4: model.torch: found the text 'models.py:'; expected FILE.py:FACTORY or package.module:FACTORY, where "
     "FACTORY names what makes the model"},
    {"models.py:heads.detector", "models.py:make()",
     "4: model.torch: found 'models.py:make()'; expected FILE.py:FACTORY or package.module:FACTORY, where "
     "FACTORY names what makes the model"},
    {"models.py:heads.detector", "--output:x",
     "4: model.torch: found '--output:x'; expected FILE.py:FACTORY or package.module:FACTORY, where FACTORY "
     "names what makes the model"},
    {"models.py:heads.detector", "detector.pth",
     "4: model.torch: found 'detector.pth', which holds weights; expected FILE.py:FACTORY for what makes the "
     "model, and the file under 'weights'"},
    {"models.py:heads.detector", "3", "4: model.torch: found '3'; expected a path, relative to the contract"},
    {"weights/detector.pth", "weights", "5: model.weights: found the folder 'weights'; expected a file"},
    {"shape: [16], ", "", "8: model.inputs.pose: the key 'shape' is missing; it is mandatory here"},
    {"dtype: int64", "dtype: long",
     "8: model.inputs.pose.dtype: found 'long'; allowed: float32, float16, bfloat16, float64, uint8, int8, "
     "uint16, int16, uint32, int32, uint64, int64, bool"},
    {"dtype: int64", "dtype: int64, layout: NCHW",
     "8: model.inputs.pose: found the unknown key 'layout'; allowed: shape, dtype"},
    {"sizes: {batch: [2, 3]}", "sizes: {width: [1, 2]}",
     "11: model.sizes.width: no input has a dynamic axis of this name"},
    {"sizes: {batch: [2, 3]}", "sizes: {batch: [1]}",
     "11: model.sizes.batch: found a list of 1; expected two sizes, such as [256, 320]"},
    {"sizes: {batch: [2, 3]}", "sizes: {batch: [0, 1]}",
     "11: model.sizes.batch[0]: found '0'; expected a whole number from 1 to 1048576"},
    {"[scores, boxes]", "[scores, scores]",
     "9: model.outputs[1]: found the output 'scores' again; names are unique"},
    {"[scores, boxes]", "[]", "9: model.outputs: found a list of 0; expected at least one output name"},
    {"exporter: dynamo", "exporter: fx",
     "10: model.exporter: found 'fx'; allowed: auto, torchscript, dynamo"},
    {"opset: 18", "opset: 17", "12: model.opset: found '17'; expected a whole number from 18 to 30"},
    {"max_error: 0.5%", "max_error: 0.005",
     "13: model.max_error: found '0.005'; expected a percentage from 0% to 100%, such as 1%"},
    {"data: samples.npz", "data: config.json", "14: model.data: found 'config.json'; expected an .npz file"},
    {"simplify: false", "simplify: no", "15: model.simplify: found 'no'; expected true or false"},
    {"[layers, config.json]", "[layers, gone.json]",
     "16: model.depends[1]: there is no file 'gone.json'; correct the path or put the file there"},
    {"python: env/bin/python", "python: 3",
     "17: model.python: found '3'; expected an interpreter: a name in PATH, or a path"},
    {"time_limit: 90 s", "time_limit: 90",
     "18: model.time_limit: found '90'; expected a time above 0 in us, ms or s, such as 10 ms"},
    {"time_limit: 90 s", "time_limit: 700000 s",
     "18: model.time_limit: found '700000 s'; expected at most 604800 s, a week"},
};

/// One whole model each.
constexpr BadContract kBadModels[] = {
    {"", "{}",
     "found no source; expected the path of an ONNX file, or one of the keys torch, saved_model, keras, "
     "frozen_graph, tflite, paddle"},
    {"", "[model.onnx]", "found a list of 1; expected the path of a file, relative to the contract"},
    {"", "{opset: 17}",
     "found no source; expected the path of an ONNX file, or one of the keys torch, saved_model, keras, "
     "frozen_graph, tflite, paddle"},
    {"", "saved",
     "found the folder 'saved'; expected an ONNX file (a SavedModel is written model: {saved_model: "
     "FOLDER})"},
    {"", "{frozen_graph: graph.pb}",
     "a frozen graph needs the key 'outputs', such as [\"detection_boxes:0\"]"},
    {"", "{saved_model: model.h5}", ".saved_model: found the file 'model.h5'; expected a folder"},
    {"", "{tflite: model.tflite, layout: CHW}",
     ".layout: found 'CHW'; did you mean 'NCHW'? allowed: NCHW, NHWC"},
    {"", "{tflite: model.tflite, inputs: {image: {shape: [3], dtype: bfloat16}}}",
     "the input 'image' is bfloat16, which exporters cannot feed; give the model float32 inputs"},
    {"", "{torch: models.py, inputs: {image: {shape: [3]}}}",
     ".inputs.image: the key 'dtype' is missing; a module does not say it itself"},
    {"", "{torch: models.py, opset: 12}", ".opset: found '12'; expected a whole number from 13 to 30"},
    {"", "{paddle: inference/gone}",
     ".paddle: there is neither 'inference/gone.pdmodel' nor 'inference/gone.json'; name the PREFIX of "
     "Paddle's files, or FILE.py:FACTORY"},
};

/// The error line for the good contract with `found` replaced, without the folder.
std::string error_line(const Scratch& scratch, const BadContract& bad,
                       std::string_view good = kGoodContract) {
  std::string text(good);
  const std::size_t at = text.find(bad.found);
  if (at == std::string::npos) return std::string("the good contract lacks ") + bad.found;
  text.replace(at, std::string_view(bad.found).size(), bad.replaced);
  const auto contract = load_contract(scratch.write("deploy.yaml", text));
  if (contract.ok()) return "accepted";
  std::string line = contract.error().str();
  for (std::size_t place; (place = line.find((scratch / "").string())) != std::string::npos;) {
    line.erase(place, (scratch / "").string().size());
  }
  return line;
}

TEST(BadContract, IsRefusedWithItsLineWhatWasFoundAndWhatIsAllowed) {
  const Scratch scratch;
  make_named_files(scratch);
  for (const BadContract& bad : kBadContracts) {
    EXPECT_EQ(error_line(scratch, bad), std::string("deploy.yaml:") + bad.expected) << bad.replaced;
  }
}

TEST(BadContract, WithASourceIsRefusedWithItsLineWhatWasFoundAndWhatIsAllowed) {
  const Scratch scratch;
  make_named_sources(scratch);
  for (const BadContract& bad : kBadSources) {
    EXPECT_EQ(error_line(scratch, bad, kGoodSources[0]), std::string("deploy.yaml:") + bad.expected)
        << bad.replaced;
  }
  for (const BadContract& bad : kBadModels) {
    const std::string model = std::string("model: ") + bad.replaced;
    const char* separator = bad.expected[0] == '.' ? "3: model" : "3: model: ";
    EXPECT_EQ(error_line(scratch, {"model: {keras: model.h5}", model.c_str(), ""}, kGoodSources[3]),
              std::string("deploy.yaml:") + separator + bad.expected)
        << bad.replaced;
  }
}

}  // namespace
}  // namespace tarmac
