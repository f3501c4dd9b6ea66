"""The models that are quantised: where they are, what they eat, on what they are calibrated and how they are judged.

The environment says where things lie: BENCH_MODELS (models of bench/models), BENCH_DATA (the examples' pictures), BENCH_MADE (what
prepare.py made), TARMAC_BENCH_DATA (optional: FastestDet and frames of a road, as folders fastestdet/ and traffic_frames/).
"""

import dataclasses
import functools
import os
import pathlib

import cv2
import numpy as np

import engines
import fastestdet

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
PICTURES = (".png", ".jpg", ".bmp")


def pictures_below(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in PICTURES)


def spread_over(items, count):
    """`count` of them, evenly over the whole list."""
    return [items[i * len(items) // count] for i in range(min(count, len(items)))]


@dataclasses.dataclass
class Case:
    name: str
    model: pathlib.Path
    input: str
    size: tuple  # height, width
    calibration: pathlib.Path  # a folder
    color: str = "RGB"
    mean: list = dataclasses.field(default_factory=lambda: [0, 0, 0])
    std: list = dataclasses.field(default_factory=lambda: [1, 1, 1])
    evaluation: pathlib.Path | None = None  # a folder; for top1 its folders are the classes
    metric: str = ""  # top1, miou, agreement
    labels: list = dataclasses.field(default_factory=list)
    samples: int = 300  # of calibration, where accuracy counts

    def sample(self, path):
        """What the contract's steps decode, resize and normalize give, for one picture."""
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if self.color == "RGB":
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        picture = cv2.resize(picture, self.size[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32) / np.float32(255)
        picture = (picture - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(picture.transpose(2, 0, 1)[None])

    def calibration_files(self, count):
        files = spread_over(pictures_below(self.calibration), count)
        if not files:
            raise SystemExit(f"{self.calibration}: no pictures")
        return files

    def contract(self, samples, judged=False):
        """The contract that lets tarmac calibrate, and judge, on the same pictures."""
        lines = ["version: 1", f"name: {self.name}", f"model: {self.model}", "inputs:", f"  {self.input}:",
                 f"    shape: [1, 3, {self.size[0]}, {self.size[1]}]", "    dtype: float32", "    layout: NCHW", "    preprocess:",
                 f"      - decode: {{color: {self.color}}}", f"      - resize: {{size: {list(self.size)}, interpolation: linear}}",
                 f"      - normalize: {{scale: 1/255, mean: {self.mean}, std: {self.std}}}",
                 "data:", f"  calibration: {{folder: {self.calibration}, samples: {samples}}}"]
        if judged:
            truth = {"top1": ", labels: from_folder", "miou": f", masks: {self.evaluation}_masks", "agreement": ""}[self.metric]
            lines += [f"  evaluation: {{folder: {self.evaluation}{truth}}}", f"evaluation: {{metric: {self.metric}}}"]
            lines += [f"labels: [{', '.join(self.labels)}]"] if self.labels else []
        return "\n".join(lines) + "\n"

    def evaluation_files(self):
        return pictures_below(self.evaluation)

    def score(self, predict, files=None):
        """Of `predict` (a sample to its first output), over `files` or all: "metric" from 0 to 100, more is better."""
        files = files or self.evaluation_files()
        return {"samples": len(files), **{"top1": self.top1, "miou": self.mean_iou, "agreement": self.agreement}[self.metric](predict, files)}

    def top1(self, predict, files):
        hits = sum(self.labels[int(predict(self.sample(path)).argmax())] == path.parent.name for path in files)
        return {"metric": 100 * hits / len(files)}

    def mean_iou(self, predict, files):
        """Over all pixels of all pictures, as usual; masks lie in the folder EVALUATION_masks under the same names."""
        classes = len(self.labels)
        count = np.zeros(classes * classes, np.int64)
        for path in files:
            truth = cv2.imread(str(self.evaluation.with_name(self.evaluation.name + "_masks") / path.name), cv2.IMREAD_GRAYSCALE)
            found = predict(self.sample(path))[0].argmax(0)
            count += np.bincount((truth.astype(np.int64) * classes + found).ravel(), minlength=classes**2)
        count = count.reshape(classes, classes)
        iou = np.diag(count) / np.maximum(count.sum(0) + count.sum(1) - np.diag(count), 1)
        return {"metric": 100 * float(iou[count.sum(1) > 0].mean()), "iou": dict(zip(self.labels, map(float, iou)))}

    def agreement(self, predict, files):
        """With the float model: 1 - |a - r|^2 / |r|^2 (as the contract's metric), its mean and worst, and the F1 of detections."""
        reference = engines.OpenVino(self.model, [1, 3, *self.size])
        agreements, matched, count = [], 0, 0
        for path in files:
            for sample in (self.sample(path), np.ascontiguousarray(self.sample(path)[..., ::-1])):
                found, wanted = np.array(predict(sample)), np.array(reference.predict(sample))
                agreements.append(max(0, 1 - float(np.square(found - wanted).sum() / np.square(wanted).sum())))
                found, wanted = fastestdet.detections(found), fastestdet.detections(wanted)
                matched, count = matched + fastestdet.matches(found, wanted), count + len(found) + len(wanted)
        return {"metric": 100 * float(np.mean(agreements)), "worst": 100 * min(agreements), "f1": 200 * matched / max(count, 1)}


def all_cases():
    models, data, made = (pathlib.Path(os.environ[name]) for name in ("BENCH_MODELS", "BENCH_DATA", "BENCH_MADE"))
    road, lights, here = data / "road_segmentation", data / "traffic_light", ROOT / "examples"
    scene = functools.partial(Case, calibration=road / "calibration")
    speed = functools.partial(scene, samples=100)  # random weights: nothing to judge
    cases = [
        speed("resnet50", models / "resnet50.onnx", "image", (224, 224), mean=IMAGENET[0], std=IMAGENET[1]),
        speed("detector", made / "detector.onnx", "image", (416, 416)),
        speed("mobilenet_v3", models / "mobilenet_v3.onnx", "image", (224, 224), mean=IMAGENET[0], std=IMAGENET[1]),
        Case("traffic_light", here / "traffic_light/traffic_light.onnx", "image", (96, 48), lights / "train",
             mean=IMAGENET[0], std=IMAGENET[1], evaluation=lights / "test", metric="top1", labels=["red", "yellow", "green"]),
        scene("road", here / "road_segmentation/road_segmentation.onnx", "image", (128, 256), mean=[0.5] * 3, std=[0.25] * 3,
              evaluation=road / "test", metric="miou", labels=["background", "road", "marking", "vehicle"]),
        scene("road_as_trained", here / "road_segmentation/trained.onnx", "image", (128, 256), mean=[0.5] * 3, std=[0.25] * 3,
              evaluation=road / "test", metric="miou", labels=["background", "road", "marking", "vehicle"]),
    ]
    shared = os.environ.get("TARMAC_BENCH_DATA")
    if shared:
        shared = pathlib.Path(shared)
        cases.append(Case("fastestdet", shared / "fastestdet/FastestDet.onnx", "input.1", (352, 352), made / "real", color="BGR",
                          evaluation=shared / "traffic_frames", metric="agreement"))
    return {case.name: case for case in cases}
