"""What FastestDet's output says: 1 x 85 x 22 x 22 with objectness, box (x, y, w, h) and 80 class scores for each cell."""

import cv2
import numpy as np


def detections(output, threshold=0.4):
    """(class, box) of what is found; boxes are x, y, w, h as shares of the picture."""
    objectness, box, scores = output[0, 0], output[0, 1:5], output[0, 5:]
    score = objectness**0.6 * scores.max(0)**0.4
    rows, columns = np.nonzero(score > threshold)
    size = np.array(score.shape[::-1])
    boxes, kept = [], []
    for row, column in zip(rows, columns):
        dx, dy, w, h = box[:, row, column]
        middle = (np.array([column, row]) + np.tanh([dx, dy])) / size
        extent = 1 / (1 + np.exp(-np.array([w, h])))
        boxes.append([*(middle - extent / 2), *extent])
        kept.append((int(scores[:, row, column].argmax()), float(score[row, column])))
    chosen = cv2.dnn.NMSBoxesBatched([[float(v) for v in box] for box in boxes], [s for _, s in kept], [c for c, _ in kept], threshold, 0.45) \
        if boxes else []
    return [(kept[i][0], boxes[i]) for i in chosen]


def overlap(a, b):
    """Intersection over union."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    inter = max(width, 0) * max(height, 0)
    return inter / (a[2] * a[3] + b[2] * b[3] - inter)


def matches(found, wanted):
    """How many of `wanted` have a partner of their own in `found`: the same class, an overlap of at least one half."""
    rest, count = list(found), 0
    for label, box in wanted:
        partner = max((d for d in rest if d[0] == label), key=lambda d: overlap(d[1], box), default=None)
        if partner and overlap(partner[1], box) >= 0.5:
            rest.remove(partner)
            count += 1
    return count
