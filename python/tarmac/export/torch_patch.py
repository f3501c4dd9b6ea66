"""Redirects functions of mmcv and its relatives to Tarmac's operators while a module is exported.

Known by name and by the names of their parameters, wherever they are defined: mmcv, Deformable DETR,
mmdetection3d, BEVDet and BEVFusion carry copies of the same few functions. What is redirected is
recorded once it is called, and the exported file is compared with the module as it is without
redirection.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import BuiltinMethodType, FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor

from tarmac.export import torch_ops


def _attention(value: Tensor, shapes: Any, locations: Tensor, weights: Tensor) -> Tensor:
    shapes = torch.as_tensor(shapes, device=value.device)
    return torch_ops.multi_scale_deformable_attention(value, shapes, locations, weights)


def _attention_function(
    value: Tensor,
    shapes: Tensor,
    starts: Tensor,
    locations: Tensor,
    weights: Tensor,
    im2col_step: int = 64,
) -> Tensor:
    return torch_ops.multi_scale_deformable_attention(value, shapes, locations, weights, starts)


def _filled(bias: Tensor | None) -> Tensor | None:
    """mmcv passes an empty tensor, or False, where there is no bias."""
    return bias if isinstance(bias, Tensor) and bias.numel() else None


def _modulated_deform_conv(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    deform_groups: int = 1,
) -> Tensor:
    return torch_ops.deform_conv2d(
        input, offset, weight, _filled(bias), stride, padding, dilation, mask
    )


def _deform_conv(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    deform_groups: int = 1,
    bias: Any = False,
    im2col_step: int = 32,
) -> Tensor:
    return torch_ops.deform_conv2d(input, offset, weight, None, stride, padding, dilation)


def _bev_pool_v2(channels_last: bool) -> Callable[..., Tensor]:
    def pool(
        depth: Tensor,
        feat: Tensor,
        ranks_depth: Tensor,
        ranks_feat: Tensor,
        ranks_bev: Tensor,
        bev_feat_shape: Any,
        interval_starts: Tensor,
        interval_lengths: Tensor,
    ) -> Tensor:
        return torch_ops.bev_pool(
            feat,
            ranks_bev,
            [int(size) for size in bev_feat_shape[:4]],
            depth=depth,
            ranks_depth=ranks_depth,
            ranks_feat=ranks_feat,
            interval_starts=interval_starts,
            interval_lengths=interval_lengths,
            channels_last=channels_last,
        )

    return pool


def _bev_pool(feats: Tensor, coords: Tensor, B: int, D: int, H: int, W: int) -> Tensor:
    """BEVFusion: feats [P, C], coords [P, 4] with the cell's y, x, z and batch."""
    y, x, z, b = coords.long().unbind(1)
    cells = ((b * D + z) * H + y) * W + x
    return torch_ops.bev_pool(feats, cells, (B, D, H, W))


@dataclass(frozen=True)
class Redirection:
    """A function known by its name and its first parameters (of `forward`, for autograd functions)."""

    name: str
    parameters: tuple[str, ...]
    replacement: Callable[..., Tensor]


_ATTENTION_APPLY = (
    "value",
    "value_spatial_shapes",
    "value_level_start_index",
    "sampling_locations",
)
_ATTENTION_CORE = ("value", "value_spatial_shapes", "sampling_locations", "attention_weights")
_BEV_POOL = ("depth", "feat", "ranks_depth", "ranks_feat", "ranks_bev")

AUTOGRAD_FUNCTIONS = (
    Redirection("MultiScaleDeformableAttnFunction", _ATTENTION_APPLY, _attention_function),
    Redirection("MSDeformAttnFunction", _ATTENTION_APPLY, _attention_function),
    Redirection(
        "ModulatedDeformConv2dFunction",
        ("input", "offset", "mask", "weight"),
        _modulated_deform_conv,
    ),
    Redirection("DeformConv2dFunction", ("input", "offset", "weight", "stride"), _deform_conv),
    Redirection("QuickCumsumCuda", _BEV_POOL, _bev_pool_v2(channels_last=True)),
)
FUNCTIONS = (
    Redirection("multi_scale_deformable_attn_pytorch", _ATTENTION_CORE, _attention),
    Redirection("ms_deform_attn_core_pytorch", _ATTENTION_CORE, _attention),
    Redirection("bev_pool_v2", _BEV_POOL, _bev_pool_v2(channels_last=False)),
    Redirection("bev_pool", ("feats", "coords", "B", "D", "H", "W"), _bev_pool),
)
_BY_NAME = {row.name: row for row in (*AUTOGRAD_FUNCTIONS, *FUNCTIONS)}


def _fits(function: Callable[..., Any], row: Redirection, skip: int) -> bool:
    try:
        names = tuple(inspect.signature(function).parameters)[skip:]
    except (TypeError, ValueError):
        return False
    return names[: len(row.parameters)] == row.parameters


def _modules() -> list[ModuleType]:
    """All that could hold such a function: not PyTorch itself, and none of ours."""
    ours = ("torch.", "torchvision.", "numpy.", "onnx", "tarmac.")
    return [
        module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType) and not name.startswith(ours) and name != "torch"
    ]


@contextmanager
def patch() -> Iterator[list[str]]:
    """While it lasts, known functions of loaded modules are Tarmac's operators; yields the names of
    those that were called.

        with patch() as redirected:
            torch.onnx.export(module, …)

    A function is redirected in every module that imported it by its name; classes of autograd
    functions once, at their `apply`.
    """
    undo: list[tuple[Any, str, Any]] = []
    called: list[str] = []

    def put(owner: Any, attribute: str, found: Any, row: Redirection, name: str) -> None:
        @functools.wraps(row.replacement)
        def redirected(*arguments: Any, **named: Any) -> Tensor:
            if name not in called:
                called.append(name)
            return row.replacement(*arguments, **named)

        undo.append((owner, attribute, found))
        setattr(owner, attribute, staticmethod(redirected) if found is None else redirected)

    try:
        for module in _modules():
            for attribute, found in list(vars(module).items()):
                # `deform_conv2d = DeformConv2dFunction.apply` keeps the method it found.
                kept = isinstance(found, BuiltinMethodType) and found.__name__ == "apply"
                known: Any = found.__self__ if kept else found
                if not isinstance(known, (FunctionType, type)):
                    continue
                row = _BY_NAME.get(known.__name__)
                if row is None:
                    continue
                label = f"{known.__module__}.{row.name}"
                if isinstance(known, FunctionType):
                    if row in FUNCTIONS and _fits(known, row, skip=0):
                        put(module, attribute, found, row, label)
                    continue
                forward = getattr(known, "forward", None)
                is_function = issubclass(known, torch.autograd.Function)
                if not is_function or forward is None or not _fits(forward, row, skip=1):
                    continue
                if kept:
                    put(module, attribute, found, row, label)
                elif "apply" not in vars(known):
                    put(known, "apply", None, row, label)
        yield called
    finally:
        for owner, attribute, found in reversed(undo):
            if found is None:
                delattr(owner, attribute)
            else:
                setattr(owner, attribute, found)
