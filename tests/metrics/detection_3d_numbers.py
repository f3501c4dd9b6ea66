"""Writes detection_3d_numbers.h: made-up frames and what nuScenes' definitions say of them, computed with numpy.

    python tests/metrics/detection_3d_numbers.py > tests/metrics/detection_3d_numbers.h

Written from the definitions, apart from src/metrics/detection_3d.cpp, which the numbers are to check: matching runs
over all frames at once here, and frame by frame there.
"""

import math
import random

import numpy as np

DISTANCES = (0.5, 1.0, 2.0, 4.0)
SCENES, LENGTH, CLASSES = 6, 5, 4  # the last class has no labelled box, the third no velocity
ERRORS = ("translation", "scale", "orientation", "velocity")


def made_up():
    """Rows of frame, class, x, y, z, dx, dy, dz, yaw, vx, vy; a score behind it for detections."""
    draw = random.Random(9)
    truth, found = [], []
    for frame in range(SCENES * LENGTH):
        for label in range(3):
            for _ in range(draw.randrange(4)):
                size = [draw.uniform(0.5, 5) for _ in range(3)]
                speed = [draw.uniform(-9, 9), draw.uniform(-9, 9)] if label != 2 else [math.nan, math.nan]
                box = [draw.uniform(-25, 25), draw.uniform(-25, 25), draw.uniform(-1, 1), *size, draw.uniform(-3.1, 3.1), *speed]
                truth.append([frame, label, *box])
                for _ in range(draw.choice((0, 1, 1, 1, 2))):
                    away = draw.choice((0.2, 0.5, 1.5))
                    near = [value + draw.gauss(0, away) for value in box[:3]]
                    near += [value * draw.uniform(0.7, 1.4) for value in size]
                    near += [box[6] + draw.choice((0, 0, 0, math.pi)) + draw.gauss(0, 0.2)]
                    near += [(0 if math.isnan(v) else v) + draw.gauss(0, 0.3 * (1 + frame % LENGTH)) for v in speed]
                    # Few different scores, so that many are equal.
                    found.append([frame, label, *near, round(draw.uniform(0.05, 1), 1 if label == 1 else 2)])
        for _ in range(draw.randrange(4)):
            box = [draw.uniform(-25, 25) for _ in range(2)] + [0, 1, 1, 1, 0, 0, 0]
            found.append([frame, draw.randrange(CLASSES), *box, round(draw.uniform(0.05, 0.6), 2)])
    for rows in (truth, found):  # numbers that a short text holds
        rows[:] = [row[:2] + [round(value, 3) for value in row[2:]] for row in rows]
    return truth, found


def match(truth, found, limit):
    """Detections by falling score with the labelled box that each takes, over all frames."""
    order = sorted(range(len(found)), key=lambda i: -found[i][-1])
    taken, matches = set(), []
    for i in order:
        here = [(math.hypot(box[2] - found[i][2], box[3] - found[i][3]), g) for g, box in enumerate(truth)
                if box[0] == found[i][0] and g not in taken]
        away, nearest = min(here, default=(math.inf, None))
        if away < limit:
            taken.add(nearest)
        matches.append((found[i], truth[nearest] if away < limit else None))
    return matches


def curves(matches, support):
    recall_axis = np.linspace(0, 1, 101)
    right = np.cumsum([box is not None for _, box in matches]).astype(float)
    precision = right / np.arange(1, len(matches) + 1)
    scores = np.array([one[-1] for one, _ in matches])
    return (np.interp(recall_axis, right / support, precision, right=0),
            np.interp(recall_axis, right / support, scores, right=0))


def average_precision(truth, found, limit):
    matches = match(truth, found, limit)
    if not any(box for _, box in matches):
        return 0.0
    precision, _ = curves(matches, len(truth))
    return float(np.mean(np.maximum(precision[11:] - 0.1, 0)) / 0.9)


def errors_of_match(one, box):
    volume = [np.prod(row[5:8]) for row in (one, box)]
    both = np.prod(np.minimum(one[5:8], box[5:8]))
    turn = abs(one[8] - box[8]) % (2 * math.pi)
    return (math.hypot(one[2] - box[2], one[3] - box[3]), 1 - both / (sum(volume) - both), min(turn, 2 * math.pi - turn),
            math.hypot(one[9] - box[9], one[10] - box[10]))


def errors(truth, found):
    matches = match(truth, found, 2.0)
    pairs = [(one[-1], errors_of_match(one, box)) for one, box in matches if box]
    if not pairs:
        return [1.0] * 4
    _, confidence = curves(matches, len(truth))
    last = np.nonzero(confidence)[0][-1]
    if last < 11:
        return [1.0] * 4
    scores = np.array([score for score, _ in pairs])
    result = []
    for kind in range(4):
        values = np.array([pair[kind] for _, pair in pairs])
        known = ~np.isnan(values)
        means = np.ones(len(values)) if not known.any() else np.divide(
            np.nancumsum(values), np.cumsum(known), out=np.zeros(len(values)), where=np.cumsum(known) > 0)
        along = np.interp(confidence[::-1], scores[::-1], means[::-1])[::-1]
        result.append(float(np.mean(along[11:last + 1])))
    return result


def of_class(rows, label, places=range(LENGTH)):
    return [row for row in rows if row[1] == label and row[0] % LENGTH in places]


def main():
    truth, found = made_up()
    labels = [label for label in range(CLASSES) if of_class(truth, label)]
    precisions = [[average_precision(of_class(truth, k), of_class(found, k), d) for d in DISTANCES] for k in labels]
    by_class = [errors(of_class(truth, k), of_class(found, k)) for k in labels]
    moving = [k for k in labels if not math.isnan(of_class(truth, k)[0][9])]
    mean = [float(np.mean([by_class[k][i] for k in (moving if i == 3 else labels)])) for i in range(4)]
    mean_ap = float(np.mean(precisions))
    score = (4 * mean_ap + sum(1 - min(1, value) for value in mean)) / 8
    by_frame = []
    for place in range(LENGTH):
        parts = [(of_class(truth, k, [place]), of_class(found, k, [place])) for k in labels]
        by_frame.append((sum(len(t) for t, _ in parts), float(np.mean([average_precision(t, f, 2.0) for t, f in parts if t])),
                         float(np.mean([errors(*parts[k])[3] for k in moving if parts[k][0]]))))

    def number(value):
        return "kNan" if isinstance(value, float) and math.isnan(value) else repr(value)

    def rows_of(rows):
        return ",\n".join("    {" + ", ".join(number(value) for value in row) + "}" for row in rows)

    print("// Made by detection_3d_numbers.py: frames, and what nuScenes' definitions say of them.\n#pragma once\n")
    print("#include <array>\n#include <limits>\n#include <vector>\n\nnamespace tarmac::test {\n")
    print("inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();")
    print(f"inline constexpr int kClasses = {CLASSES};\ninline constexpr int kSceneLength = {LENGTH};")
    print(f"inline constexpr int kFrames = {SCENES * LENGTH};\n")
    print("/// frame, class, x, y, z, dx, dy, dz, yaw, vx, vy")
    print(f"inline const std::vector<std::array<double, 11>> kTruth = {{\n{rows_of(truth)}}};\n")
    print("/// The same, and the score.")
    print(f"inline const std::vector<std::array<double, 12>> kFound = {{\n{rows_of(found)}}};\n")
    print("/// AP of each class that has labelled boxes, at 0.5, 1, 2 and 4 m.")
    print(f"inline const std::vector<std::array<double, 4>> kPrecisions = {{\n{rows_of(precisions)}}};\n")
    print("/// Translation, scale, orientation and velocity error of these classes, and their mean.")
    print(f"inline const std::vector<std::array<double, 4>> kErrors = {{\n{rows_of(by_class)}}};")
    print("inline constexpr std::array<double, 4> kMeanErrors = {" + ", ".join(map(repr, mean)) + "};\n")
    print(f"inline constexpr double kMeanAp = {mean_ap!r};\ninline constexpr double kScore = {score!r};\n")
    print("/// Labelled boxes, mAP at 2 m and velocity error of the frames at each place in their scenes.")
    print(f"inline const std::vector<std::array<double, 3>> kByFrame = {{\n{rows_of(by_frame)}}};\n")
    print("}  // namespace tarmac::test")


if __name__ == "__main__":
    main()
