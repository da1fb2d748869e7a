"""The network: its shape, how far it sees, and that folding changes nothing."""

from __future__ import annotations

import pytest
import torch

from napari_unet_seg.core.unet import UNet, activate, describe, receptive_radius
from napari_unet_seg.errors import SettingsError
from napari_unet_seg.settings import NetworkSettings


def test_returns_one_map_a_channel_at_the_extent_of_the_input():
    network = UNet(NetworkSettings(width=4, depth=2))
    assert network(torch.zeros(2, 1, 32, 48)).shape == (2, 4, 32, 48)


def test_volumes_go_through_the_same_network():
    network = UNet(NetworkSettings(width=4, depth=2, spatial_dims=3))
    assert network(torch.zeros(1, 1, 8, 16, 12)).shape == (1, 4, 8, 16, 12)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_folding_keeps_the_maps(norm):
    torch.manual_seed(0)
    network = UNet(NetworkSettings(width=8, depth=3, norm=norm))
    network(torch.rand(4, 1, 64, 64))  # moves the running statistics away from their start
    network.eval()
    image = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        before = network(image)
        after = network.fold()(image)
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-4)
    assert not any("norm" in name for name in network.state_dict())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_receptive_radius_is_reached_and_never_passed(depth):
    """All weights are positive, so that every path counts: the gradient shows which pixels can matter."""
    network = UNet(NetworkSettings(width=4, depth=depth, norm="none"))
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    network.pool = torch.nn.AvgPool2d(2)  # a maximum has a gradient at one pixel of four alone
    radius, size = receptive_radius(network.settings), 16 * 2**depth
    reach = 0
    for position in range(size // 2, size // 2 + 2**depth):
        image = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(network.double()(image)[0, 0, position, position], image)
        seen = gradient[0, 0].nonzero()
        reach = max(reach, position - int(seen.min()), int(seen.max()) - position)
    assert reach == radius


def test_receptive_radius_of_the_bundled_shape():
    assert receptive_radius(NetworkSettings(depth=4)) == 107


def test_activation_gives_probabilities_and_a_distance():
    settings = NetworkSettings()
    maps = activate(torch.randn(2, 4, 8, 8) * 10, settings)
    torch.testing.assert_close(maps[:, :3].sum(dim=1), torch.ones(2, 8, 8))
    assert maps.min() >= 0
    assert maps.max() <= 1


def test_description_lists_every_parameter_and_the_way_down_and_up():
    network = UNet(NetworkSettings(width=4, depth=2)).train()
    rows = describe(network, size=32)
    assert sum(row["parameters"] for row in rows) == sum(p.numel() for p in network.parameters())
    assert rows[0]["name"].startswith("encoder.0")
    assert rows[-1]["name"] == "head"
    assert {row["shape"][1] for row in rows} == {32, 16, 8}
    assert network.training, "looking at a network must not change it"


def test_classes_must_differ():
    with pytest.raises(SettingsError, match="two different classes"):
        NetworkSettings(classes=("background", "background"))
