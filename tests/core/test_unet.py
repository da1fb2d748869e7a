"""The network: its shape, how far it sees, and that folding changes nothing."""

from __future__ import annotations

import pytest
import torch

import napari_unet_seg as nus
from napari_unet_seg.core.checkpoint import BUNDLED
from napari_unet_seg.core.unet import AttentionGate, UNet, activate, describe, receptive_radius
from napari_unet_seg.errors import SettingsError
from napari_unet_seg.settings import ARCHITECTURES, NetworkSettings
from tests.tiny import discs

KINDS = [*ARCHITECTURES, "strided unet", "strided residual-attention"]


def shape(kind: str, **others: object) -> NetworkSettings:
    *strided, architecture = kind.split()
    return NetworkSettings.of(architecture, stride=2 if strided else 1, **others)


@pytest.mark.parametrize("kind", KINDS)
def test_returns_one_map_a_channel_at_the_extent_of_the_input(kind):
    network = UNet(shape(kind, width=4, depth=2))
    assert network(torch.zeros(2, 1, 32, 48)).shape == (2, 4, 32, 48)


@pytest.mark.parametrize("kind", KINDS)
def test_volumes_go_through_the_same_network(kind):
    network = UNet(shape(kind, width=4, depth=2, spatial_dims=3))
    assert network(torch.zeros(1, 1, 8, 16, 24)).shape == (1, 4, 8, 16, 24)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", ["batch", "none"])
def test_folding_keeps_the_maps(norm, kind):
    torch.manual_seed(0)
    network = UNet(shape(kind, width=8, depth=3, norm=norm))
    network(torch.rand(4, 1, 64, 64))  # moves the running statistics away from their start
    network.eval()
    image = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        before = network(image)
        after = network.fold()(image)
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-4)
    assert not any("norm" in name for name in network.state_dict())


@pytest.mark.parametrize(("depth", "kind"), [(1, "unet"), (2, "unet"), (3, "unet"), *((2, kind) for kind in KINDS[1:])])
def test_receptive_radius_is_reached_and_never_passed(depth, kind):
    """All weights are positive, so that every path counts: the gradient shows which pixels can matter."""
    network = UNet(shape(kind, width=4, depth=depth, norm="none"))
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    network.pool = torch.nn.AvgPool2d(2)  # a maximum has a gradient at one pixel of four alone
    radius, size = receptive_radius(network.settings), 16 * network.settings.multiple
    reach = 0
    for position in range(size // 2, size // 2 + network.settings.multiple):
        image = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(network.double()(image)[0, 0, position, position], image)
        seen = gradient[0, 0].nonzero()
        reach = max(reach, position - int(seen.min()), int(seen.max()) - position)
    assert reach == radius


def test_receptive_radius_of_the_bundled_shape():
    assert receptive_radius(NetworkSettings(depth=4)) == 107


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_a_stride_joins_pixels_and_parts_them_again(stride):
    settings = NetworkSettings(width=4, depth=2, stride=stride)
    network, edge = UNet(settings), 6 * settings.multiple
    assert settings.multiple == 4 * stride
    levels = []
    assert network(torch.zeros(1, 1, edge, edge), levels).shape == (1, 4, edge, edge)
    assert levels[-1].shape == (1, 4, edge // stride, edge // stride)
    with torch.no_grad():  # each of the pixels that are seen as one has an answer of its own
        answers = network.eval()(torch.rand(1, 1, edge, edge))[0, 0, :stride, :stride]
    assert len(answers.unique()) == stride**2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tile", [64, 80])
def test_tiles_change_nothing(kind, tile):
    torch.manual_seed(1)
    network = UNet(shape(kind, width=4, depth=2)).train()
    network(torch.rand(4, 1, 64, 64))  # moves the running statistics away from their start
    model = nus.Model(network.eval())
    image, _ = discs((150, 203), 14)
    whole, tiled = (nus.predict(image, model, "cpu", nus.SegmentSettings(tile=edge, precision="float32")) for edge in (512, tile))
    torch.testing.assert_close(torch.from_numpy(tiled), torch.from_numpy(whole), atol=1e-3, rtol=0)  # kept as float16
    assert whole.std() > 0.01


def test_a_gate_weighs_each_pixel_by_itself():
    torch.manual_seed(0)
    gate = AttentionGate(4, NetworkSettings(norm="none"))
    skip, signal = torch.rand(1, 4, 6, 6), torch.rand(1, 4, 6, 6)
    before = gate(skip, signal)
    signal[0, :, 2, 3] += 5
    changed = (gate(skip, signal) != before).any(dim=1)[0]
    assert changed.nonzero().tolist() == [[2, 3]]
    share = before / skip
    assert 0 < share.min() <= share.max() < 1
    torch.testing.assert_close(share, share[:, :1].expand_as(share))  # one weight for all features of a pixel


def test_a_residual_block_adds_to_its_input():
    """With nothing learned by its second convolution, what comes out is the shortcut."""
    network = UNet(NetworkSettings.of("residual", width=4, depth=1, norm="none"))
    block = network.encoder[0]
    torch.nn.init.zeros_(block[1].conv.weight)
    torch.nn.init.zeros_(block[1].conv.bias)
    image = torch.rand(1, 1, 8, 8)
    torch.testing.assert_close(block(image), torch.relu(block.shortcut(image)))


def test_levels_of_the_decoder_can_be_looked_at():
    levels = []
    network = UNet(NetworkSettings(width=4, depth=3)).eval()
    logits = network(torch.rand(1, 1, 32, 32), levels)
    assert [tuple(level.shape) for level in levels] == [(1, 16, 8, 8), (1, 8, 16, 16), (1, 4, 32, 32)]
    torch.testing.assert_close(network.head(levels[-1]), logits)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_variants_are_saved_and_loaded(tmp_path, kind):
    model = nus.Model(UNet(shape(kind, width=4, depth=2)).eval(), name="kind")
    loaded = nus.load_model(model.save(tmp_path / "kind"))
    assert (loaded.settings, loaded.settings.architecture) == (model.settings, kind.split()[-1])
    image, _ = discs((64, 64), 4)
    assert (nus.predict(image, loaded, "cpu") == nus.predict(image, model, "cpu")).all()


def test_files_of_before_the_family_keep_their_hash():
    """The bundled model names no attention and no stride; neither may what is written of it."""
    import hashlib

    path = BUNDLED / "nuclei-v3.safetensors"
    model = nus.load_model("nuclei-v3")
    assert model.settings.architecture == "unet"
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_unknown_kind_is_refused():
    with pytest.raises(SettingsError, match="architecture is 'vgg'; it must be one of 'unet', 'residual'"):
        NetworkSettings.of("vgg")


def test_activation_gives_probabilities_and_a_distance():
    settings = NetworkSettings()
    maps = activate(torch.randn(2, 4, 8, 8) * 10, settings)
    torch.testing.assert_close(maps[:, :3].sum(dim=1), torch.ones(2, 8, 8))
    assert maps.min() >= 0
    assert maps.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_description_lists_every_parameter_and_the_way_down_and_up(kind):
    network = UNet(shape(kind, width=4, depth=2)).train()
    rows = describe(network, size=32)
    assert sum(row["parameters"] for row in rows) == sum(p.numel() for p in network.parameters())
    assert rows[0]["name"].startswith("encoder.0")
    assert rows[-1]["name"] == "head"
    assert {row["shape"][1] for row in rows} == ({16, 8, 4, 32} if network.settings.stride == 2 else {32, 16, 8})
    assert network.training, "looking at a network must not change it"


def test_a_network_is_described_whose_stride_does_not_divide_the_edge():
    assert describe(UNet(NetworkSettings(width=4, depth=2, stride=3)), size=32)[0]["shape"] == (4, 12, 12)


def test_classes_must_differ():
    with pytest.raises(SettingsError, match="two different classes"):
        NetworkSettings(classes=("background", "background"))
