#!/usr/bin/env python3
"""Writes the test cases of the onnx package (onnx.backend.test.loader) as folders.

usage: generate_cases.py CACHE_FOLDER

Result: CACHE_FOLDER/onnx-cases-<onnx version>/<kind>/<case>/
          model.onnx
          test_data_set_<i>/input_<j>.pb, output_<j>.pb   TensorProto, SequenceProto or OptionalProto, by the model's type
          case.json   {"rtol", "atol", "inputs": [names], "outputs": [names]}
and prints that folder. Does nothing but print when the folder is complete.
"""

import json
import os
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader
from onnx.backend.test.runner import Runner

# Raise when the layout changes; folders of another layout are made anew.
LAYOUT = 1


def to_proto(value, value_info):
    """The value of one model input or output as the protobuf message that its type asks for."""
    kind = value_info.type.WhichOneof("value")
    if kind == "sequence_type":
        elements = [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in value]
        if not elements:
            proto = onnx.SequenceProto(name=value_info.name, elem_type=onnx.SequenceProto.TENSOR)
            return proto
        return numpy_helper.from_list(elements, value_info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, value_info.name)
    if kind == "map_type":
        return numpy_helper.from_dict(value, value_info.name)
    if isinstance(value, onnx.TensorProto):
        proto = onnx.TensorProto()
        proto.CopyFrom(value)
        proto.name = value_info.name
        return proto
    return numpy_helper.from_array(np.asarray(value), value_info.name)


def write_case(folder, model_bytes, data_sets, inputs, outputs, case):
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(model_bytes)
    for i, (input_protos, output_protos) in enumerate(data_sets):
        data_folder = folder / f"test_data_set_{i}"
        data_folder.mkdir()
        for stem, protos in (("input", input_protos), ("output", output_protos)):
            for j, proto in enumerate(protos):
                (data_folder / f"{stem}_{j}.pb").write_bytes(proto)
    description = {"rtol": case.rtol, "atol": case.atol, "inputs": inputs, "outputs": outputs}
    (folder / "case.json").write_text(json.dumps(description) + "\n")


def write_node_case(folder, case):
    """Cases whose model and data the package computes."""
    graph = case.model.graph
    data_sets = [
        [
            [to_proto(v, info).SerializeToString() for v, info in zip(values, infos)]
            for values, infos in ((inputs, graph.input), (outputs, graph.output))
        ]
        for inputs, outputs in case.data_sets
    ]
    write_case(
        folder,
        case.model.SerializeToString(),
        data_sets,
        [i.name for i in graph.input][: len(case.data_sets[0][0])],
        [o.name for o in graph.output][: len(case.data_sets[0][1])],
        case,
    )


def fed_inputs(model):
    initializers = {i.name for i in model.graph.initializer}
    return [i for i in model.graph.input if i.name not in initializers]


def write_stored_case(folder, case):
    """Cases that the package ships as files."""
    source = Path(case.model_dir)
    model = onnx.load(source / "model.onnx", load_external_data=False)
    data_sets = []
    for data_folder in sorted(source.glob("test_data_set_*")):
        data_sets.append(
            [
                [(data_folder / f"{stem}_{j}.pb").read_bytes() for j in range(len(list(data_folder.glob(f"{stem}_*.pb"))))]
                for stem in ("input", "output")
            ]
        )
    names = [i.name for i in fed_inputs(model)]
    fed = len(data_sets[0][0])
    if fed > len(names):  # the data also feeds inputs that have defaults
        names = [i.name for i in model.graph.input]
    write_case(
        folder,
        (source / "model.onnx").read_bytes(),
        data_sets,
        names[:fed],
        [o.name for o in model.graph.output][: len(data_sets[0][1])],
        case,
    )


def write_light_case(folder, case):
    """Networks with their weights replaced by constants; the input is onnx's dummy data, the outputs are shipped."""
    path = Path(loader.DATA_DIR) / "light" / Path(case.url).name
    model = onnx.load(path)
    inputs = fed_inputs(model)
    values = [Runner.generate_dummy_data(i, seed=0, name=case.model_name, random=False) for i in inputs]
    outputs = [
        (path.parent / f"{path.stem}_output_{j}.pb").read_bytes() for j in range(len(model.graph.output))
    ]
    write_case(
        folder,
        path.read_bytes(),
        [[[to_proto(v, i).SerializeToString() for v, i in zip(values, inputs)], outputs]],
        [i.name for i in inputs],
        [o.name for o in model.graph.output],
        case,
    )


def complete(folder):
    try:
        return json.loads((folder / "manifest.json").read_text())["layout"] == LAYOUT
    except (OSError, ValueError, KeyError):
        return False


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    target = Path(sys.argv[1]) / f"onnx-cases-{onnx.__version__}"
    if not complete(target):
        warnings.simplefilter("ignore")  # the package's own numpy overflows are part of its cases
        partial = target.with_name(target.name + f".partial.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        counts = {}
        for kind, label, write in (
            ("node", "node", write_node_case),
            ("simple", "simple", write_stored_case),
            ("pytorch-converted", "pytorch-converted", write_stored_case),
            ("pytorch-operator", "pytorch-operator", write_stored_case),
            ("real", "light", write_light_case),
        ):
            cases = loader.load_model_tests(kind=kind)
            counts[label] = len(cases)
            for case in cases:
                write(partial / label / case.name, case)
        (partial / "manifest.json").write_text(
            json.dumps({"layout": LAYOUT, "onnx": onnx.__version__, "cases": counts}) + "\n"
        )
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    print(target)


if __name__ == "__main__":
    main()
