"""torch.nn.functional.grid_sample, for the sizes of grid_sample.cpp."""
import torch
import torch.nn.functional as F

SIZES = {
    "bev_warp": ((1, 256, 100, 100), (200, 200)),
    "cameras": ((6, 64, 58, 100), (900, 8)),
    "voxels": ((1, 64, 16, 100, 100), (16, 100, 100)),
}


def case(size):
    x_shape, out = SIZES[size]
    x = torch.rand(x_shape) * 2 - 1
    transform = torch.eye(len(out), len(out) + 1)
    transform[0, 1], transform[1, 0] = -0.1, 0.1
    transform[:, -1] = 0.02
    grid = F.affine_grid(transform.expand(x_shape[0], -1, -1), [x_shape[0], 1, *out], align_corners=False).contiguous()
    return lambda: F.grid_sample(x, grid, align_corners=False)
