#!/usr/bin/env python3
"""Trains the traffic-light classifier and writes everything that this folder commits of it.

    python train.py --data DIR --out DIR

DIR of --data has train/ and test/, each with the folders red/, yellow/ and green/ (README.md says how to get
them). The same seed, thread count, machine type and package versions give the same weights.

Preprocessing, to be repeated exactly by whoever runs the network:
    cv2.imread (uint8, BGR) -> RGB -> cv2.resize to 96 high and 48 wide, INTER_LINEAR, stretched
    -> float32 -> (x / 255 - mean) / std for each channel -> NCHW
    mean = 0.485, 0.456, 0.406    std = 0.229, 0.224, 0.225    (RGB; the usual ImageNet numbers)
"""

import argparse
import datetime
import hashlib
import json
import platform
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn import functional

from model import TrafficLightNet, count_macs

LABELS = ["red", "yellow", "green"]
HEIGHT, WIDTH = 96, 48
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
VALIDATION_SHARE = 0.2
BATCH = 64
REFERENCE_PICTURES = 32


def list_pictures(folder: Path) -> list[tuple[Path, int]]:
    """(file, label) in a fixed order."""
    found = [(file, i) for i, label in enumerate(LABELS) for file in sorted((folder / label).glob("*.jpg"))]
    if {label for _, label in found} != set(range(len(LABELS))):
        raise SystemExit(f"{folder}: expected pictures (*.jpg) in each of {', '.join(LABELS)}")
    return found


def refuse_shared_files(train: list, test: list) -> dict:
    """Stops if a file of the test set is also in the training set; returns what was counted."""
    train_hashes, test_hashes = (
        [hashlib.sha256(file.read_bytes()).hexdigest() for file, _ in pictures] for pictures in (train, test)
    )
    if shared := set(train_hashes) & set(test_hashes):
        raise SystemExit(f"{len(shared)} files are in train/ and in test/ alike: {sorted(shared)}")
    return {
        "shared_by_train_and_test": 0,
        "repeated_in_train": len(train_hashes) - len(set(train_hashes)),
        "repeated_in_test": len(test_hashes) - len(set(test_hashes)),
    }


def load_pixels(pictures: list) -> np.ndarray:
    """uint8 [n, 96, 48, 3], RGB."""
    pixels = np.empty((len(pictures), HEIGHT, WIDTH, 3), np.uint8)
    for i, (file, _) in enumerate(pictures):
        picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if picture is None:
            raise SystemExit(f"{file}: not a picture that OpenCV can read")
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        pixels[i] = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return pixels


def normalise(pixels: np.ndarray) -> torch.Tensor:
    image = (pixels.astype(np.float32) / np.float32(255) - MEAN) / STD
    return torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))


def split_validation(labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Indices (training, validation): the same share of every class goes to validation."""
    validation = []
    for label in range(len(LABELS)):
        members = rng.permutation(np.flatnonzero(labels == label))
        validation.extend(members[: round(len(members) * VALIDATION_SHARE)])
    validation = np.sort(np.array(validation))
    return np.setdiff1d(np.arange(len(labels)), validation), validation


def augment(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Moves, tilts, scales, mirrors and re-exposes a normalised batch; hue is what tells the classes apart, so
    all three channels always change alike."""
    n = len(image)

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    angle, scale = uniform(-0.14, 0.14), uniform(0.85, 1.15)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    aspect = WIDTH / HEIGHT  # grid coordinates run from -1 to 1 on both axes, a rotation must know the real sizes
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = scale * mirror * angle.cos(), -scale * angle.sin() / aspect
    theta[:, 1, 0], theta[:, 1, 1] = scale * mirror * angle.sin() * aspect, scale * angle.cos()
    theta[:, 0, 2], theta[:, 1, 2] = uniform(-0.15, 0.15), uniform(-0.1, 0.1)
    grid = functional.affine_grid(theta, list(image.shape), align_corners=False)
    image = functional.grid_sample(image, grid, padding_mode="border", align_corners=False)

    mean, std = (torch.from_numpy(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    exposure, lift = uniform(0.7, 1.3).view(n, 1, 1, 1), uniform(-0.08, 0.08).view(n, 1, 1, 1)
    picture = (image * std + mean) * exposure + lift
    picture += torch.randn(picture.shape, generator=generator) * 0.02
    return (picture.clamp(0, 1) - mean) / std


@torch.no_grad()
def predict(model: nn.Module, image: torch.Tensor) -> torch.Tensor:
    model.eval()
    return torch.cat([model(part) for part in image.split(BATCH)])


def score(logits: np.ndarray, labels: np.ndarray) -> dict:
    confusion = np.zeros((len(LABELS), len(LABELS)), int)
    np.add.at(confusion, (labels, logits.argmax(1)), 1)
    return {
        "pictures": len(labels),
        "accuracy": round(float(np.trace(confusion) / len(labels)), 6),
        "accuracy_per_class": {
            name: round(float(confusion[i, i] / confusion[i].sum()), 6) for i, name in enumerate(LABELS)
        },
        "confusion_true_by_predicted": confusion.tolist(),
    }


def train(image, labels, training, validation, epochs: int, seed: int) -> tuple[nn.Module, dict]:
    """Returns the model of the epoch with the lowest class-balanced validation loss, and that epoch's numbers."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = TrafficLightNet(len(LABELS))
    targets = torch.from_numpy(labels)
    counts = np.bincount(labels[training])
    # Each class is drawn equally often: 28 yellow pictures would drown among 580 red ones.
    draw = torch.from_numpy(1.0 / counts[labels[training]])
    balance = torch.from_numpy((1.0 / np.bincount(labels[validation])).astype(np.float32))
    steps = epochs * (len(training) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    best = {"loss": float("inf")}
    for epoch in range(1, epochs + 1):
        model.train()
        drawn = torch.multinomial(draw, len(training), replacement=True, generator=generator)
        order = torch.from_numpy(training)[drawn]
        for batch in order[: len(order) // BATCH * BATCH].split(BATCH):
            logits = model(augment(image[batch], generator))
            loss = functional.cross_entropy(logits, targets[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        logits = predict(model, image[validation])
        validation_loss = functional.cross_entropy(logits, targets[validation], weight=balance).item()
        accuracy = score(logits.numpy(), labels[validation])["accuracy"]
        print(f"epoch {epoch:3}/{epochs}  train loss {loss.item():.4f}  validation loss {validation_loss:.4f}"
              f"  accuracy {accuracy:.4f}", flush=True)
        if validation_loss < best["loss"]:
            weights = {name: value.clone() for name, value in model.state_dict().items()}
            best = {"loss": validation_loss, "epoch": epoch}
    model.load_state_dict(weights)
    return model, best


def export(model: nn.Module, file: Path) -> None:
    """ONNX opset 13 with a dynamic batch. In evaluation mode the exporter folds BatchNorm into the convolutions."""
    model.eval()
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, HEIGHT, WIDTH),),
        str(file),
        opset_version=13,
        do_constant_folding=True,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
        dynamo=False,
    )
    onnx.checker.check_model(str(file), full_check=True)


def choose_reference(pictures: list) -> list[int]:
    """Every yellow picture; red and green, evenly spaced, share the rest by their numbers."""
    members = [[i for i, (_, label) in enumerate(pictures) if label == c] for c in range(len(LABELS))]
    rest = REFERENCE_PICTURES - len(members[1])
    red = round(rest * len(members[0]) / (len(members[0]) + len(members[2])))
    wanted = [red, len(members[1]), rest - red]
    return [m[int(k * len(m) / n)] for m, n in zip(members, wanted) for k in range(n)]


def write_reference(folder: Path, root: Path, pictures: list, logits: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    chosen = choose_reference(pictures)
    np.save(folder / "outputs.npy", logits[chosen])
    names = [pictures[i][0].relative_to(root).as_posix() for i in chosen]
    (folder / "pictures.txt").write_text("\n".join(names) + "\n", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and test/")
    parser.add_argument("--out", type=Path, required=True, help="where the results go")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)

    train_pictures, test_pictures = list_pictures(args.data / "train"), list_pictures(args.data / "test")
    files = refuse_shared_files(train_pictures, test_pictures)
    labels = np.array([label for _, label in train_pictures])
    training, validation = split_validation(labels, np.random.default_rng(args.seed))
    image = normalise(load_pixels(train_pictures))
    started = time.monotonic()
    model, best = train(image, labels, training, validation, args.epochs, args.seed)
    seconds = time.monotonic() - started
    validation_score = score(predict(model, image[validation]).numpy(), labels[validation])

    # The test set is touched here for the first time, after the model has been chosen.
    test_labels = np.array([label for _, label in test_pictures])
    test_image = normalise(load_pixels(test_pictures))
    logits = predict(model, test_image).numpy()
    args.out.mkdir(parents=True, exist_ok=True)
    export(model, args.out / "traffic_light.onnx")
    session = onnxruntime.InferenceSession(args.out / "traffic_light.onnx", providers=["CPUExecutionProvider"])
    exported = session.run(["logits"], {"image": test_image.numpy()})[0]
    write_reference(args.out / "reference", args.data, test_pictures, logits)

    result = {
        "test": score(logits, test_labels),
        "validation": {**validation_score, "balanced_loss": round(best["loss"], 6), "epoch": best["epoch"]},
        "onnx": {
            "test": score(exported, test_labels),
            "max_absolute_error": float(np.abs(exported - logits).max()),
            # Relative to the largest logit: a single logit may be arbitrarily close to zero.
            "max_relative_error": float(np.abs(exported - logits).max() / np.abs(logits).max()),
            "bytes": (args.out / "traffic_light.onnx").stat().st_size,
        },
        "wrong": [
            {"picture": file.relative_to(args.data).as_posix(), "predicted": LABELS[row.argmax()]}
            for (file, label), row in zip(test_pictures, logits)
            if row.argmax() != label
        ],
        "labels": LABELS,
        "files": files,
        "training": {
            "pictures": dict(zip(LABELS, np.bincount(labels[training]).tolist())),
            "epochs": args.epochs,
            "seed": args.seed,
            "threads": args.threads,
            "seconds": round(seconds, 1),
            "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        },
        "parameters": sum(p.numel() for p in model.parameters()),
        "mflops": round(2 * count_macs(model, test_image[:1]) / 1e6, 1),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "onnxruntime": onnxruntime.__version__,
            "opencv": cv2.__version__,
            "numpy": np.__version__,
        },
    }
    (args.out / "accuracy.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
