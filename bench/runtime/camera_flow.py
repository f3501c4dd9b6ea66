"""Six cameras' frames to results in Python with OpenCV and ONNX Runtime: camera_flow.py SPEC (JSON); JSON on stdout.

Everything that does not change is made once: maps, buffers, the session. "flow" says how a frame becomes input:
  steps    colours, undistortion, resizing, normalisation, one after the other
  one_map  undistortion and resizing in one map, which gives what Tarmac's fused geometry gives
"threads": 0 leaves OpenCV its own threads; more run that many cameras at once.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import onnxruntime

LINEAR = cv2.INTER_LINEAR


class Camera:
    def __init__(self, lens, frame_size, size, flow):
        (self.height, self.width), (rows, columns) = frame_size, size
        fx, fy, cx, cy = lens["intrinsics"]
        matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        straight, shape = matrix.copy(), (self.width, self.height)
        if flow == "one_map":  # centres of pixels stand at (x + 0.5) * scale - 0.5
            across, down = columns / self.width, rows / self.height
            straight[0] *= across
            straight[1] *= down
            straight[0, 2] += 0.5 * across - 0.5
            straight[1, 2] += 0.5 * down - 0.5
            shape = (columns, rows)
        self.maps = cv2.initUndistortRectifyMap(matrix, np.array(lens["distortion"]), None, straight, shape, cv2.CV_16SC2)
        self.size = None if flow == "one_map" else (columns, rows)
        self.color = self.bent = self.small = None

    def preprocess(self, frame, out, gain, bias):
        self.color = cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_NV12, self.color)
        self.bent = cv2.remap(self.color, *self.maps, LINEAR, self.bent, cv2.BORDER_CONSTANT)
        picture = self.bent
        if self.size:
            self.small = picture = cv2.resize(self.bent, self.size, self.small, interpolation=LINEAR)
        for channel, values in enumerate(cv2.split(picture)):
            np.multiply(values, gain[channel], out=out[channel])
            if bias[channel]:
                out[channel] += bias[channel]


def main():
    spec = json.loads(sys.argv[1])
    count, size, frame_size = len(spec["lenses"]), spec["size"], spec["frame_size"]
    cameras = [Camera(lens, frame_size, size, spec["flow"]) for lens in spec["lenses"]]
    gain = np.float32([1 / 255 / std for std in spec["std"]])
    bias = np.float32([-mean / std for mean, std in zip(spec["mean"], spec["std"])])
    rows = frame_size[0] * 3 // 2
    moments = [[np.fromfile(path, np.uint8).reshape(rows, frame_size[1]) for path in paths] for paths in spec["frames"]]
    session = onnxruntime.InferenceSession(spec["model"], providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    batch = np.empty((count, 3, *size), np.float32)
    pool = None
    if spec["threads"]:
        cv2.setNumThreads(1)
        pool = ThreadPoolExecutor(spec["threads"])

    def step(moment):
        begin = time.perf_counter_ns()
        if pool:
            list(pool.map(lambda i: cameras[i].preprocess(moment[i], batch[i], gain, bias), range(count)))
        else:
            for i, camera in enumerate(cameras):
                camera.preprocess(moment[i], batch[i], gain, bias)
        middle = time.perf_counter_ns()
        results = session.run(None, {name: batch})[0]
        return results, middle - begin, time.perf_counter_ns() - middle

    with open(spec["results"], "wb") as file:
        for moment in moments:  # also warms up
            file.write(step(moment)[0].tobytes())
    found = {"wall_ns": [], "preprocess_ns": [], "inference_ns": []}
    end = time.perf_counter() + spec["seconds"]
    while not found["wall_ns"] or time.perf_counter() < end:
        _, first, second = step(moments[len(found["wall_ns"]) % len(moments)])
        found["preprocess_ns"].append(first)
        found["inference_ns"].append(second)
        found["wall_ns"].append(first + second)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
