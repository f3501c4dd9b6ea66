"""How calls of driving operators become nodes: for the TorchScript-based exporter and for torch.export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch

from tarmac.export.torch_ops import DOMAIN, VERSION, node_of

# Below it the TorchScript-based exporter knows no operators at all.
LOWEST_OPSET = 9

OPERATORS = (
    "tarmac::multi_scale_deformable_attention",
    "tarmac::bev_pool",
    "tarmac::deform_conv2d",
    "torchvision::deform_conv2d",
)

# Inputs of the ONNX operators, as far as exporters need to know them: a `?` marks optional ones.
SCHEMAS = {
    "MultiScaleDeformableAttention": (
        "value:T spatial_shapes:I level_start_index:I? sampling:T attention_weights:T",
        "",
    ),
    "BevPool": (
        (
            "depth:T? feat:T ranks_depth:I? ranks_feat:I? ranks_bev:I interval_starts:I? "
            "interval_lengths:I?"
        ),
        "batch:INT z:INT height:INT width:INT layout:STRING",
    ),
    "DeformConv2d": (
        "X:T W:T offset:T B:T? mask:T?",
        "strides:INTS pads:INTS dilations:INTS group:INT offset_group:INT",
    ),
}


def has_operator(name: str) -> bool:
    """torchvision's are there only once it was imported."""
    namespace, _, operator = name.partition("::")
    return hasattr(getattr(torch.ops, namespace), operator)


def _script_symbolic(name: str, g: Any, *arguments: Any) -> Any:
    """One node for the TorchScript-based exporter. Constants arrive as values of its graph."""
    from torch.onnx import symbolic_helper

    kinds = [_KINDS[str(argument.type)] for argument in _overload(name)._schema.arguments]
    plain = [
        None if symbolic_helper._is_none(argument) else symbolic_helper._parse_arg(argument, kind)
        for argument, kind in zip(arguments, kinds, strict=True)
    ]
    operator, inputs, attributes = node_of(name, _script_shape, plain)
    none = g.op("prim::Constant") if None in inputs else None
    if none is not None:
        none.setType(torch._C.OptionalType.ofTensor())
    while inputs[-1] is None:
        inputs.pop()
    typed = {f"{key}_{'s' if isinstance(v, str) else 'i'}": v for key, v in attributes.items()}
    return g.op(f"{DOMAIN}::{operator}", *(none if i is None else i for i in inputs), **typed)


# By the type of an argument: how the exporter's helper reads it, "v" leaving it a value of the graph.
_KINDS = {
    "Tensor": "v",
    "Optional[Tensor]": "v",
    "int": "i",
    "bool": "b",
    "str": "s",
    "List[int]": "is",
}


def _script_shape(value: Any) -> Sequence[int]:
    sizes: Sequence[int] = value.type().sizes()
    return sizes


def register_symbolics() -> None:
    """Tells the TorchScript-based exporter of every operator that is there. May be called again."""
    for name in OPERATORS:
        if has_operator(name):
            symbolic = partial(_script_symbolic, name)
            torch.onnx.register_custom_op_symbolic(name, symbolic, LOWEST_OPSET)


@cache
def _onnx_operators() -> dict[str, Any]:
    """The operators as onnxscript functions."""
    import onnx
    import onnxscript

    schema = onnx.defs.OpSchema
    types = [
        ("T", ["tensor(float)", "tensor(float16)", "tensor(bfloat16)"], "floats"),
        ("I", ["tensor(int32)", "tensor(int64)"], "integers"),
    ]
    for operator, (inputs, attributes) in SCHEMAS.items():
        parameters = []
        for text in inputs.split():
            name, _, kind = text.rstrip("?").partition(":")
            option = schema.FormalParameterOption
            chosen = option.Optional if text.endswith("?") else option.Single
            parameters.append(schema.FormalParameter(name, kind, param_option=chosen))
        found = [text.partition(":") for text in attributes.split()]
        onnx.defs.register_schema(
            schema(
                operator,
                DOMAIN,
                VERSION,
                inputs=parameters,
                outputs=[schema.FormalParameter("y", "T")],
                type_constraints=types,
                attributes=[
                    schema.Attribute(name, getattr(schema.AttrType, kind), required=False)
                    for name, _, kind in found
                ],
            )
        )
    opset = onnxscript.values.Opset(DOMAIN, VERSION)
    return {operator: getattr(opset, operator) for operator in SCHEMAS}


def _translation(name: str) -> Callable[..., Any]:
    def translate(*arguments: Any, **named: Any) -> Any:
        overload = _overload(name)
        order = [argument.name for argument in overload._schema.arguments]
        defaults = [
            argument.default_value if argument.has_default_value() else None
            for argument in overload._schema.arguments
        ]
        values = [
            arguments[i] if i < len(arguments) else named.get(order[i], defaults[i])
            for i in range(len(order))
        ]
        operator, inputs, attributes = node_of(name, lambda value: tuple(value.shape), values)
        while inputs[-1] is None:
            inputs.pop()
        return _onnx_operators()[operator](*inputs, **attributes)

    return translate


def _overload(name: str) -> Any:
    namespace, _, operator = name.partition("::")
    return getattr(getattr(torch.ops, namespace), operator).default


def translation_table() -> dict[Any, Callable[..., Any]]:
    """custom_translation_table of torch.onnx.export(dynamo=True)."""
    return {_overload(name): _translation(name) for name in OPERATORS if has_operator(name)}
