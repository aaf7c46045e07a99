"""What the public functions take in place of their objects: paths, folders, names, modules, pictures and arrays.

Each function that people call turns its arguments into objects here, and everything behind it takes objects only. What
cannot be turned is a ``TypeError`` of one sentence: what was given, and what would do. Classes are turned in
:mod:`neuronexplain.class_arguments`, stores and runs in :mod:`db.arguments`, preprocessings in
:mod:`dissection.networks.foreign_preprocessing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from dissection.concepts.dataset import ConceptDataset
from dissection.concepts.layouts import open_concepts
from dissection.errors import described, not_taken
from dissection.files.paths import readable
from dissection.images.photographs import open_photograph, upright
from dissection.networks.network import Network
from dissection.networks.opening import open_network

from .class_images import ClassImages, open_class_images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jaxtyping import Float

NetworkLike: TypeAlias = Network | nn.Module | str | PathLike[str]
"""A network, a module, or a name that :func:`open_network` takes."""

ConceptsLike: TypeAlias = ConceptDataset | str | PathLike[str]
"""Concept data, or their folder."""

ClassImagesLike: TypeAlias = ClassImages | str | PathLike[str]
"""Images sorted by class, or their folder."""

ImageLike: TypeAlias = str | PathLike[str] | Image.Image | np.ndarray | Tensor
"""A photograph: a file; a picture of Pillow; an array ``(h, w, 3)``; or a tensor ``(3, h, w)``.

Arrays and tensors hold red, green and blue in this order, as bytes (uint8, from 0 to 255), or as floats from 0 to 1,
which are rounded to the nearest of those 256 steps. They are not normalised yet. One colour, or no axis for it, is
grey; a fourth one is opacity, over white."""

ImagesLike: TypeAlias = ImageLike | Iterable[ImageLike]
"""A photograph, or several."""

NamedImage: TypeAlias = tuple[str, ImageLike]
"""A photograph with the name that explanations call it by."""

_IMAGE = "a path, a picture of Pillow, an array (h, w, 3) or a tensor (3, h, w)"
_CHANNELS = (1, 3, 4)
_BATCH = 4


def network_of(network: object) -> Network:
    """The network that is meant.

    Raises:
        NetworkError: if a name or module cannot be opened.
        TypeError: if it is nothing of all that.
    """
    if isinstance(network, Network):
        return network
    if isinstance(network, nn.Module):
        return Network.from_module(network)
    return open_network(require_name(network))


def require_name(network: object) -> str:
    """The name or path of a network.

    Raises:
        TypeError: if it is neither.
    """
    if isinstance(network, str | PathLike):
        return str(network)
    raise not_taken("network", network, "a Network, a torch.nn.Module, or a name that open_network takes")


def networks_of(networks: NetworkLike | Sequence[NetworkLike]) -> list[Network]:
    """One network, or the same at several layers, as a list.

    Raises:
        NetworkError: if a name or module cannot be opened.
        TypeError: if they are nothing of all that, or none.
    """
    if isinstance(networks, list | tuple):
        if not networks:
            raise not_taken("networks", networks, "at least one network")
        return list(map(network_of, networks))
    return [network_of(networks)]


def concepts_of(concepts: ConceptsLike) -> ConceptDataset:
    """The concept data that are meant.

    Raises:
        ConceptDataError: if a folder holds none.
        TypeError: if they are neither data nor a folder.
    """
    if isinstance(concepts, str | PathLike):
        return open_concepts(concepts)
    if isinstance(concepts, ConceptDataset):
        return concepts
    raise not_taken("concepts", concepts, "a ConceptDataset, or the folder of one")


def class_images_of(class_images: ClassImagesLike | None, labels: Sequence[str]) -> ClassImages | None:
    """The images sorted by class that are meant.

    Raises:
        ConceptDataError: if a folder holds none.
        ClassNotFoundError: if one of its folders is not named after a class.
        TypeError: if they are neither images nor a folder.
    """
    if class_images is None or isinstance(class_images, ClassImages):
        return class_images
    if isinstance(class_images, str | PathLike):
        return open_class_images(class_images, labels)
    raise not_taken("class_images", class_images, "a folder that holds a folder of images for each class")


def names_of(methods: object) -> tuple[str, ...]:
    """Names of methods, of which one may stand alone.

    Raises:
        TypeError: if they are not names.
    """
    names: list[str] = []
    for name in methods if isinstance(methods, Iterable) and not isinstance(methods, str) else (methods,):
        if not isinstance(name, str):
            raise not_taken("methods", name, "names of methods, as METHODS has them")
        names.append(name)
    return tuple(names)


def is_single(images: object) -> bool:
    """Whether it is one photograph, and not several."""
    return isinstance(images, str | PathLike | Image.Image | np.ndarray | Tensor)


def as_many(images: object) -> Iterable[object]:
    """One photograph as a list, and several as they are.

    Raises:
        TypeError: if it is neither.
    """
    if is_single(images):
        return [images]
    if isinstance(images, Iterable) and not isinstance(images, bytes | dict | nn.Module):
        return images
    raise not_taken("image", images, f"{_IMAGE}, or a list of these")


def named_pictures(images: Iterable[object]) -> Iterator[tuple[str, Image.Image]]:
    """Photographs, perhaps in pairs with their names, one after the other: a file has its path, any other its number.

    Raises:
        PhotographError: if a file is not a photograph.
        TypeError: if one of them is no photograph.
    """
    for number, image in enumerate(images, 1):
        if isinstance(image, tuple) and len(image) == 2 and isinstance(image[0], str):
            name, picture = image
            yield name, picture_of(picture, name)
        else:
            yield named_picture(image, f"picture {number}")


def named_picture(image: object, name: str = "the picture") -> tuple[str, Image.Image]:
    """A photograph with its path, or with this name if it is not a file."""
    return readable(image) if isinstance(image, str | PathLike) else name, picture_of(image, name)


def picture_of(image: object, name: str = "the picture") -> Image.Image:
    """A photograph as Pillow holds it: upright, 8 bits of red, green and blue.

    Raises:
        PhotographError: if a file is not a photograph.
        TypeError: if it is none; the message calls it ``name`` where it is not a file.
    """
    if isinstance(image, Image.Image):
        return upright(image, name)
    if isinstance(image, str | PathLike):
        return open_photograph(Path(image))
    if isinstance(image, Tensor):
        return upright(_of_array(image.detach().cpu(), name), name)
    if isinstance(image, np.ndarray):
        return upright(_of_array(image, name), name)
    raise not_taken("image", image, _IMAGE)


def inputs_of(network: Network, images: ImagesLike) -> Float[Tensor, "images channels H W"]:
    """The network's input: a batch that is preprocessed already as it is, photographs preprocessed.

    Raises:
        PhotographError: if a file is not a photograph.
        TypeError: if ``images`` is nothing of all that.
    """
    is_batch = isinstance(images, Tensor | np.ndarray) and images.ndim == _BATCH
    if is_batch and isinstance(images, Tensor) and images.is_floating_point():
        return images
    if is_batch and isinstance(images, Iterable):
        pictures = list(map(picture_of, images))
    else:
        pictures = [picture for _, picture in named_pictures(as_many(images))]
    if not pictures:
        raise TypeError("images is empty; give at least one photograph")
    preprocessing = network.preprocessing
    inputs = torch.stack([preprocessing.tensor(preprocessing.frame(picture)) for picture in pictures])
    return inputs.to(network.device)


def _of_array(values: np.ndarray | Tensor, name: str) -> Image.Image:
    """The picture that an array (height, width, colours) or a tensor (colours, height, width) holds."""
    is_tensor = isinstance(values, Tensor)
    order = "a tensor (3, h, w)" if is_tensor else "an array (h, w, 3)"
    if values.ndim == _BATCH:
        raise not_taken("image", values, f"{order}, or the photographs of a batch as a list: list(batch)")
    channels = 1 if values.ndim == 2 else values.shape[0 if is_tensor else -1]
    if values.ndim not in {2, 3} or channels not in _CHANNELS:
        swapped = values.ndim == 3 and values.shape[-1 if is_tensor else 0] in _CHANNELS
        advice = f": .{'permute(2, 0, 1)' if is_tensor else 'transpose(1, 2, 0)'} makes one" if swapped else ""
        raise not_taken("image", values, f"{order}{advice}")
    if not all(values.shape):
        raise not_taken("image", values, f"{order} with at least one pixel")
    pixels = _bytes(values, name)
    if is_tensor and pixels.ndim == 3:
        pixels = pixels.transpose(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.ndim == 3 and channels == 1 else pixels))


def _bytes(values: np.ndarray | Tensor, name: str) -> np.ndarray:
    array = values.float().numpy() if isinstance(values, Tensor) and values.is_floating_point() else np.asarray(values)
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise not_taken("image", values, "bytes (uint8) from 0 to 255, or floats from 0 to 1")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 1):
        raise TypeError(
            f"{name} is {described(values)} with values from {low:.3g} to {high:.3g}; give bytes (uint8) from 0 to "
            "255, or floats from 0 to 1, as they are before they are normalised"
        )
    return np.rint(array.astype(np.float64) * 255).astype(np.uint8)
