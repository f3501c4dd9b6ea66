#!/usr/bin/env python3
"""Trains the road-segmentation network on generated pictures and exports it.

    python train.py OUT.onnx [--device cuda] [--weights FILE]

Also writes OUT.pt, the weights, and OUT.json with what they reach on the test split. Two minutes on a large GPU, an hour or two on
a few cores. Preprocessing: RGB / 255, minus 0.5, divided by 0.25.
"""

import argparse
import concurrent.futures
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

import generate
from model import RoadNet

BATCH = 16
CLASS_WEIGHTS = [1.0, 1.0, 2.0, 1.5]  # lines and vehicles have few pixels


def load(split, count):
    with concurrent.futures.ProcessPoolExecutor() as pool:
        pictures, classes = zip(*pool.map(generate.draw, [split] * count, range(count), chunksize=16))
    return np.stack(pictures), torch.from_numpy(np.stack(classes).astype(np.int64))


def normalise(pictures):
    image = (pictures.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.25)
    return torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2)))


def augment(image, classes, generator):
    """Mirrors, re-exposes and tints."""
    def uniform(shape, low, high):
        return (torch.rand(shape, generator=generator) * (high - low) + low).to(image.device)
    if torch.rand(1, generator=generator) < 0.5:
        image, classes = image.flip(3), classes.flip(2)
    n = len(image)
    gain = uniform((n, 3, 1, 1), 0.9, 1.1) * uniform((n, 1, 1, 1), 0.75, 1.25)
    return (image + 2) * gain - 2 + uniform((n, 1, 1, 1), -0.2, 0.2), classes


def confusion_of(model, image, classes):
    model.eval()
    count = np.zeros((4, 4), np.int64)
    with torch.no_grad():
        for part, truth in zip(image.split(BATCH), classes.split(BATCH)):
            found = model(part).argmax(1)
            count += np.bincount((truth * 4 + found).flatten().numpy(), minlength=16).reshape(4, 4)
    return count


def iou_of(count):
    """IoU of each class over all pixels of all pictures, from counts [true, predicted]."""
    hit = np.diag(count)
    return hit / (count.sum(0) + count.sum(1) - hit)


def train(image, classes, epochs, seed, device):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = RoadNet().to(device, memory_format=torch.channels_last)
    image, classes = image.to(device), classes.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=1e-3)
    steps = epochs * (len(image) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=6e-3, total_steps=steps)
    weights = torch.tensor(CLASS_WEIGHTS, device=device)
    for epoch in range(1, epochs + 1):
        model.train()
        started, total = time.monotonic(), 0.0
        order = torch.randperm(len(image), generator=generator).to(device)
        for batch in order[: len(order) // BATCH * BATCH].split(BATCH):
            inputs, truth = augment(image[batch], classes[batch], generator)
            loss = functional.cross_entropy(model(inputs.contiguous(memory_format=torch.channels_last)), truth, weight=weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
        print(f"epoch {epoch:3}/{epochs}  loss {float(total) / (len(image) // BATCH):.4f}  {time.monotonic() - started:.0f} s", flush=True)
    return model.cpu().to(memory_format=torch.contiguous_format)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pictures", type=int, default=2400)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--weights", type=Path, help="OUT.pt of an earlier run, to export it without training")
    args = parser.parse_args()
    started = time.monotonic()
    if args.weights:
        model = RoadNet()
        model.load_state_dict(torch.load(args.weights, weights_only=True))
    else:
        pictures, classes = load("train", args.pictures)
        model = train(normalise(pictures), classes, args.epochs, args.seed, args.device)
        torch.save(model.state_dict(), args.output.with_suffix(".pt"))
    seconds = time.monotonic() - started

    pictures, classes = load("test", args.test)
    iou = iou_of(confusion_of(model, normalise(pictures), classes))
    result = {"mean_iou": float(iou.mean()), "iou": dict(zip(generate.LABELS, iou.tolist())), "test_pictures": args.test,
              "training_pictures": args.pictures, "epochs": args.epochs, "seed": args.seed, "device": args.device,
              "seconds": round(seconds), "parameters": sum(p.numel() for p in model.parameters()), "torch": torch.__version__}
    args.output.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    torch.onnx.export(model.eval(), torch.zeros(1, 3, generate.HEIGHT, generate.WIDTH), str(args.output),
                      input_names=["image"], output_names=["logits"], opset_version=17, dynamo=False,
                      dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}})


if __name__ == "__main__":
    main()
