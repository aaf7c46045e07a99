"""Each cell of a map is read where it lies in the image, whatever a network does to its axes, or it is refused."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from worlds import network_at, seeing

from dissection.errors import LayerNotFoundError, NetworkError
from dissection.networks.forward import forward, forward_from
from dissection.networks.map_layouts import Layout
from dissection.networks.mosaics import Mosaics, find_layout
from dissection.networks.network import Network
from dissection.networks.reruns import Reruns

SIZE = (32, 32)


class Tokens(nn.Module):
    """A transformer over 4 x 4 patches whose class token and registers stand at given places among the 64."""

    def __init__(self, *places: int) -> None:
        super().__init__()
        self.places = places
        count = 64 + len(places)
        self.patches = nn.Conv2d(3, 32, 4, 4)
        self.more = nn.Parameter(torch.randn(1, len(places), 32))
        self.positions = nn.Parameter(torch.randn(1, count, 32) * 0.02)
        layer = nn.TransformerEncoderLayer(32, 2, 64, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 5)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        for number, place in enumerate(self.places):
            extra = self.more[:, number : number + 1].expand(len(images), -1, -1)
            tokens = torch.cat([tokens[:, :place], extra, tokens[:, place:]], 1)
        return self.head(self.layers(tokens + self.positions)[:, self.places[0]])


class Altered(nn.Module):
    """Convolutions, after which something happens to the map before the head."""

    def __init__(self, alter: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 12, 4, 4), nn.ReLU())
        self.altered = Alter(alter)
        self.head = nn.LazyLinear(5)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.altered(self.body(images)).flatten(1))


class Alter(nn.Module):
    def __init__(self, alter: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.alter = alter

    def forward(self, maps: Tensor) -> Tensor:
        return self.alter(maps)


def hidden(maps: Tensor, order: Tensor) -> Tensor:
    """Reorders a map where no data flow can see it."""
    cells = maps.detach().numpy().reshape(*maps.shape[:2], -1)[:, :, order.numpy()]
    return torch.from_numpy(cells.reshape(maps.shape))


SHUFFLED = torch.randperm(64, generator=torch.Generator().manual_seed(1))


def folded(maps: Tensor) -> Tensor:
    """Patches of 2 x 2 cells beside each other, as MobileViT folds them: ``(images, units, 4, 16)``."""
    return maps.unflatten(2, (4, 2)).unflatten(4, (4, 2)).permute(0, 1, 3, 5, 2, 4).reshape(len(maps), 12, 4, 16)


def in_windows(maps: Tensor) -> Tensor:
    """Tokens window by window: ``(images, 64, units)``."""
    return maps.unflatten(2, (2, 4)).unflatten(4, (2, 4)).permute(0, 2, 4, 3, 5, 1).reshape(len(maps), 64, 12)


def by_content(maps: Tensor) -> Tensor:
    return maps.mean(1).flatten(1).argsort(1)[0]


def rolled_by_content(maps: Tensor) -> Tensor:
    """Rolled by a number of cells that depends on the images."""
    flat, start = maps.flatten(2), (maps.sum() * 1e3).long() % 63 + 1
    return torch.cat([flat[:, :, start:], flat[:, :, :start]], 2).view(maps.shape)


def overwritten(maps: Tensor) -> Tensor:
    other = maps.clone()
    other[:, :, :, :] = maps.flip(2)
    return other


def cells_in_place(network: Network) -> int:
    """How many cells move most when the image is changed at their own place; slow and from the definition."""
    generator = torch.Generator().manual_seed(5)
    base = torch.randn(1, 3, *SIZE, generator=generator)
    height, width = network.layer.height, network.layer.width
    tall, wide = SIZE[0] // height, SIZE[1] // width
    images = base.repeat(height * width, 1, 1, 1)
    for cell, image in enumerate(images):
        row, column = divmod(cell, width)
        place = image[:, row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
        place += 3 * torch.randn(place.shape, generator=generator)
    moved = forward(network, images).activation.detach() - forward(network, base).activation.detach()
    return int((moved.cpu().abs().sum(1).flatten(1).argmax(1) == torch.arange(height * width)).sum())


@pytest.mark.parametrize("places", [(0,), (31,), (64,), (0, 65), (64, 65, 66), (10, 40), (0, 1, 2, 3, 4, 5, 6, 7, 8)])
def test_tokens_in_any_order(places: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = Network.from_module(Tokens(*places).eval(), preprocessing=seeing(SIZE))
    assert (network.layer.units, network.layer.height, network.layer.width) == (32, 8, 8)
    assert cells_in_place(network) == 64


ALTERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "folded patches": folded,
    "windows": in_windows,
    "channels last": lambda maps: maps.permute(0, 2, 3, 1),
    "channels in the middle": lambda maps: maps.permute(0, 2, 1, 3),
    "transposed": lambda maps: maps.transpose(2, 3),
    "flipped": lambda maps: maps.flip(3),
    "rolled": lambda maps: maps.roll((3, 5), (2, 3)),
    "tokens last": lambda maps: maps.flatten(2),
    "viewed as tokens": lambda maps: maps.permute(0, 2, 3, 1).reshape(len(maps), 64, 12),
    "overwritten": overwritten,
    "indexed": lambda maps: maps.flatten(2)[:, :, SHUFFLED].view(maps.shape),
}


@pytest.mark.parametrize("name", ALTERATIONS)
def test_axes_in_any_order(name: str) -> None:
    module = Altered(ALTERATIONS[name]).eval()
    module(torch.zeros(1, 3, *SIZE))
    network = network_at(module, "altered", SIZE)
    assert (network.layer.units, network.layer.height, network.layer.width) == (12, 8, 8)
    assert cells_in_place(network) == 64


@pytest.mark.parametrize("order", [torch.arange(64), torch.arange(64).flip(0), torch.arange(64).view(8, 8).T.flatten()])
def test_what_no_data_flow_shows_is_tried(order: Tensor) -> None:
    module = Altered(lambda maps: hidden(maps, order)).eval()
    module(torch.zeros(1, 3, *SIZE))
    assert cells_in_place(network_at(module, "altered", SIZE)) == 64


@pytest.mark.parametrize(
    "alter",
    [
        lambda maps: maps.reshape(len(maps), 8, 8, 12),
        lambda maps: hidden(maps, SHUFFLED),
        lambda maps: maps.flatten(2)[:, :, by_content(maps)].view(maps.shape),
        lambda maps: torch.index_select(maps.flatten(2), 2, index=by_content(maps)).view(maps.shape),
        rolled_by_content,
        lambda maps: maps + maps.flip(2).flip(3),
    ],
    ids=[
        "reshaped across axes",
        "shuffled out of sight",
        "sorted by content",
        "sorted by an argument with a name",
        "cut at a place by content",
        "two places in one",
    ],
)
def test_what_lies_nowhere_is_refused(alter: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    module = Altered(alter).eval()
    module(torch.zeros(1, 3, *SIZE))
    with pytest.raises(LayerNotFoundError, match=r"layer 'altered' of Altered gives no map of the image"):
        network_at(module, "altered", SIZE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_an_order_on_a_gpu_is_followed() -> None:
    order = SHUFFLED.cuda()
    module = Altered(lambda maps: maps.flatten(2)[:, :, order].view(maps.shape)).eval().cuda()
    module(torch.zeros(1, 3, *SIZE, device="cuda"))
    assert cells_in_place(network_at(module, "altered", SIZE)) == 64


def test_a_network_of_one_image_cannot_be_tried() -> None:
    module = Altered(lambda maps: hidden(maps.view(1, 12, 8, 8), torch.arange(64))).eval()
    module(torch.zeros(1, 3, *SIZE))
    with pytest.raises(NetworkError, match=r"Altered runs on one image, but not on 8 at once \(RuntimeError: "):
        Network.from_module(module, layer="altered", preprocessing=seeing(SIZE))


@pytest.mark.parametrize(("fine", "order"), [(0.01, "usual"), (0.15, "unclear"), (0.5, "transposed in blocks")])
def test_another_order_needs_more_than_what_hardly_shows(fine: float, order: str) -> None:
    mosaics = Mosaics.of(torch.zeros(1, 3, *SIZE), torch.ones(1, 3, *SIZE), 8)
    transposed = torch.arange(64).view(4, 2, 4, 2).transpose(1, 3).flatten()
    resembled = torch.from_numpy(mosaics.in_cells(8, 8))
    resembled = torch.cat([0.5 * resembled[:4], fine * resembled[4:, transposed]])
    output = torch.cat([torch.zeros(1, 64), torch.ones(1, 64), (1 + resembled) / 2])[:, None].expand(-1, 12, -1)
    usual, cells = Layout((12, 64), 1, tuple(range(64))), tuple(transposed.tolist())
    expected = {"usual": usual, "unclear": None, "transposed in blocks": Layout((12, 64), 1, cells)}
    placed = find_layout(output.float(), mosaics, usual)
    assert (placed and placed[0]) == expected[order]


@pytest.mark.parametrize("alter", [folded, in_windows, lambda maps: maps.flip(3)])
def test_an_unusual_layout_is_part_of_the_fingerprint_and_goes_back_through_the_head(
    alter: Callable[[Tensor], Tensor],
) -> None:
    torch.manual_seed(0)
    module = Altered(alter).eval()
    module(torch.zeros(1, 3, *SIZE))
    network = Network.from_module(module, layer="altered", preprocessing=seeing(SIZE))
    images = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        expected = module(images)
    result = forward(network, images)
    torch.testing.assert_close(result.scores, expected)
    torch.testing.assert_close(forward_from(network, result.activation.detach()).scores, expected)
    reruns = Reruns(network)
    noted = reruns.forward(images)
    torch.testing.assert_close(reruns.scores(noted, noted.result.activation.detach()), expected)
    (slope,) = torch.autograd.grad(result.scores[:, 0].sum(), result.activation)
    torch.testing.assert_close(slope[0].abs().sum(), module.head.weight[0].abs().sum())
    plain = Network.from_module(module, layer="body", preprocessing=seeing(SIZE))
    assert network.layout is not None
    assert plain.layout is None
    assert network.fingerprint != plain.fingerprint


def test_all_layers_of_a_network_are_placed_in_one_pass() -> None:
    module = Altered(folded).eval()
    module(torch.zeros(1, 3, *SIZE))
    network = Network.from_module(module, layer="body", preprocessing=seeing(SIZE))
    maps = network.feature_maps()
    sizes = {found.layer.name: (found.layer.units, found.layer.height, found.layer.width) for found in maps}
    assert sizes == {"body.0": (12, 8, 8), "body.1": (12, 8, 8), "body": (12, 8, 8), "altered": (12, 8, 8)}
    assert [found.layer.name for found in maps if found.layout] == ["altered"]
    assert cells_in_place(network.reading(maps).at("altered")) == 64


@pytest.mark.parametrize(("mosaic", "is_believed"), [(slice(5, 6), True), (slice(2, 4), False)])
def test_the_usual_order_may_differ_in_stripes_as_narrow_as_a_cell_only(mosaic: slice, is_believed: bool) -> None:
    mosaics = Mosaics.of(torch.zeros(1, 3, *SIZE), torch.ones(1, 3, *SIZE), 8)
    resembled = 0.5 * torch.from_numpy(mosaics.in_cells(8, 8))
    resembled[mosaic] *= -0.5
    output = torch.cat([torch.zeros(1, 64), torch.ones(1, 64), (1 + resembled) / 2])[:, None].expand(-1, 12, -1)
    usual = Layout((12, 64), 1, tuple(range(64)))
    placed = find_layout(output.float(), mosaics, usual)
    assert (placed and placed[0]) == (usual if is_believed else None)
