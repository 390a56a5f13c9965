"""Steps on images: against Pillow, colorsys and what can be said exactly; the same with any number of workers."""

import colorsys
import pickle

import numpy
import pytest

from septet.base.errors import ArgumentError, IndexOutOfRangeError, ShapeError
from septet.data import Stream, images

RANDOM = numpy.random.default_rng(5)
PICTURE = RANDOM.integers(0, 256, (3, 24, 17)).astype(numpy.uint8)
PICTURES = RANDOM.integers(0, 256, (12, 3, 16, 16)).astype(numpy.uint8)


def generator(seed=0):
    return numpy.random.default_rng(seed)


@pytest.mark.parametrize("size", [(24, 17), (12, 5), (48, 40), (7, 34), (1, 1), (30, 9)])
def test_resize_is_that_of_pillow(size):
    image = pytest.importorskip("PIL.Image")
    expected = numpy.asarray(
        image.fromarray(PICTURE.transpose(1, 2, 0)).resize(size[::-1], image.Resampling.BILINEAR)
    ).reshape(*size, 3)
    found = images.resize(PICTURE, size)
    assert found.dtype == numpy.uint8 and found.shape == (3, *size)
    assert abs(found.astype(int) - expected.transpose(2, 0, 1)).max() <= 1
    floats = images.resize(PICTURE / 255, size)
    assert floats.dtype == numpy.float64 and abs(floats * 255 - found).max() < 0.51


def test_sizes():
    assert images.Resize(12)(PICTURE).shape == (3, 16, 12)
    assert (images.CenterCrop((4, 5))(PICTURE) == PICTURE[:, 10:14, 6:11]).all()
    assert images.RandomResizedCrop(9)(PICTURE, generator()).shape == (3, 9, 9)
    whole = images.RandomResizedCrop((24, 17), scale=(1, 1), ratio=(17 / 24, 17 / 24))(PICTURE, generator())
    assert (whole == PICTURE).all()


def test_crops_and_flips_are_parts_of_the_image():
    padded = numpy.pad(PICTURE, ((0, 0), (2, 2), (2, 2)))
    parts = {padded[:, y : y + 20, x : x + 20].tobytes() for y in range(9) for x in range(2)}
    found = {images.RandomCrop(20, padding=2)(PICTURE, generator(seed)).tobytes() for seed in range(60)}
    assert found <= parts and len(found) > 10
    flips = [images.RandomFlip(axis, p)(PICTURE, generator()) for axis in ("horizontal", "vertical") for p in (0, 1)]
    for flip, expected in zip(flips, (PICTURE, PICTURE[:, :, ::-1], PICTURE, PICTURE[:, ::-1])):
        assert (flip == expected).all()
    share = numpy.mean([(images.RandomFlip()(PICTURE, generator(s)) == PICTURE).all() for s in range(200)])
    assert 0.35 < share < 0.65


class Fixed:
    """A generator whose uniform numbers are given."""

    def __init__(self, *values):
        self.values = list(values)

    def uniform(self, low, high):
        value = self.values.pop(0)
        assert low <= value <= high
        return value


def test_affine_maps_that_can_be_said_exactly():
    square = PICTURE[:, :17]
    step = images.RandomAffine(degrees=180, translate=0.5, scale=(0.5, 2), shear=45)
    same = step.apply(square, Fixed(0, 0, 0, 0, 1))
    assert (same == square).all()
    turned = step.apply(square, Fixed(90, 0, 0, 0, 1))
    assert (turned == numpy.rot90(square, -1, (1, 2))).all() or (turned == numpy.rot90(square, 1, (1, 2))).all()
    moved = step.apply(square, Fixed(0, 0, 3 / 17, -2 / 17, 1))
    assert (moved[:, 3:, :-2] == square[:, :-3, 2:]).all() and not moved[:, :3].any() and not moved[:, :, -2:].any()
    larger = step.apply(square.astype(numpy.float32), Fixed(0, 0, 0, 0, 2))
    assert abs(larger[:, ::2, ::2] - square[:, 4:13, 4:13]).max() < 1e-3
    sheared = step.apply(square, Fixed(0, 45, 0, 0, 1))
    rows = [numpy.roll(square[:, 8 + k], k, axis=-1) for k in (-2, 0, 3)]
    for k, row in zip((-2, 0, 3), rows):
        assert (sheared[:, 8 + k, 4:13] == row[:, 4:13]).all()


def test_affine_is_that_of_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    step = images.RandomAffine(degrees=30, translate=0.2, scale=(0.5, 2), fill=7.0)
    image = PICTURE.astype(numpy.float32)
    found = step.apply(image, Fixed(20, 0, 0.1, -0.05, 1.3))
    angle = numpy.radians(20)
    forward = 1.3 * numpy.array([[numpy.cos(angle), numpy.sin(angle)], [-numpy.sin(angle), numpy.cos(angle)]])
    back, middle = numpy.linalg.inv(forward), (numpy.array([24, 17]) - 1) / 2
    offset = middle - back @ (middle + [0.1 * 24, -0.05 * 17])
    expected = [ndimage.affine_transform(c, back, offset, order=1, mode="constant", cval=7.0) for c in image]
    inside = [ndimage.affine_transform(numpy.ones_like(c), back, offset, order=1) > 0.999 for c in image]
    assert abs(found - expected)[numpy.array(inside)].max() < 0.02


def test_normalize_and_scale():
    found = images.Normalize((0.1, 0.2, 0.3), (1, 2, 4))(PICTURE)
    expected = (PICTURE / 255 - numpy.array([0.1, 0.2, 0.3])[:, None, None]) / numpy.array([1, 2, 4])[:, None, None]
    assert found.dtype == numpy.float32 and found.flags.c_contiguous and numpy.allclose(found, expected, atol=1e-6)
    assert numpy.allclose(images.Normalize(0.5, 0.5)(PICTURE / 255), PICTURE / 127.5 - 1, atol=1e-6)
    assert numpy.allclose(images.Scale()(PICTURE), PICTURE / 255) and images.Scale()(PICTURE).dtype == numpy.float32
    with pytest.raises(ShapeError, match="2 values do not fit 3 channels"):
        images.Normalize((1, 2), 1)(PICTURE)


def test_hue_is_that_of_colorsys():
    from septet.data.images.color import _turn_hue

    colors = numpy.concatenate([RANDOM.random((3, 50)), [[0, 1, 0.5, 1], [0, 1, 0.5, 0], [0, 1, 0.5, 0]]], axis=1)
    found = _turn_hue(colors[:, None].astype(numpy.float32), 0.3)[:, 0]
    for color, turned in zip(colors.T, found.T):
        hue, saturation, value = colorsys.rgb_to_hsv(*color)
        assert numpy.allclose(turned, colorsys.hsv_to_rgb((hue + 0.3) % 1, saturation, value), atol=1e-5)


@pytest.mark.parametrize(("name", "index"), [("brightness", 0), ("contrast", 1), ("saturation", 2), ("hue", 3)])
def test_color_jitter_changes_one_property(name, index):
    jitter = images.ColorJitter(**{name: 0.4})
    found = jitter(PICTURE, generator(3)).astype(float)
    assert found.std() != PICTURE.std() and jitter(PICTURE, generator(3)).dtype == numpy.uint8
    before, after = PICTURE.astype(float), found
    if name == "brightness":
        ratio = after.mean() / before.mean()
        assert 0.6 < ratio < 1.4 and abs(after - numpy.clip(before * ratio, 0, 255)).max() < 25
    if name in ("saturation", "contrast"):
        gray = numpy.tensordot([0.299, 0.587, 0.114], before, 1)
        center = gray if name == "saturation" else gray.mean()
        inside = (after > 0) & (after < 255) & (abs(before - center) > 20)
        factors = ((after - center) / (before - center))[inside]
        assert numpy.ptp(factors) < 0.12 and 0.6 < factors.mean() < 1.4
    if name == "hue":
        assert abs(after.max(axis=0) - before.max(axis=0)).max() <= 1  # the value stays
    assert (images.ColorJitter()(PICTURE, generator()) == PICTURE).all()


def test_erasing():
    step = images.RandomErasing(1.0, scale=(0.1, 0.1), ratio=(1, 1), value=0)
    image = numpy.ones((1, 20, 20), numpy.float32)
    erased = step(image, generator(1))
    rows, columns = numpy.where(erased[0] == 0)
    assert len(rows) == numpy.ptp(rows) * numpy.ptp(columns) + numpy.ptp(rows) + numpy.ptp(columns) + 1 == 36
    assert image.all()  # a copy was changed
    noise = images.RandomErasing(1.0, value=None)(PICTURE, generator(1))
    assert noise.dtype == numpy.uint8 and (noise != PICTURE).any()


def test_mixtures():
    labels = numpy.arange(12) % 4
    mixed, shares = images.Mixup(4, alpha=1.0)((PICTURES, labels), generator(2))
    share = shares[shares > 0].max()
    assert mixed.dtype == numpy.uint8 and shares.shape == (12, 4) and numpy.allclose(shares.sum(axis=1), 1)
    others = generator(2)
    draw = others.beta(1.0, 1.0)
    order = others.permutation(12)
    assert abs(mixed - (PICTURES * draw + PICTURES[order] * (1 - draw))).max() <= 0.51 and share >= draw - 1e-6
    cut, shares = images.CutMix(4)((PICTURES, labels), generator(4))
    from_first = (cut == PICTURES).all(axis=1).mean(axis=(1, 2))
    for i in range(12):
        assert shares[i].sum() == pytest.approx(1) and shares[i, labels[i]] >= from_first[i] - 0.05
    with pytest.raises(IndexOutOfRangeError):
        images.Mixup(3)((PICTURES, labels), generator())


STEPS = images.Chain(
    images.RandomResizedCrop(12), images.RandomFlip(), images.RandomAffine(10, 0.1, (0.9, 1.1), 5),
    images.ColorJitter(0.2, 0.2, 0.2, 0.1), images.RandomCrop(10, padding=1, mode="reflect"),
    images.Normalize(0.5, 0.25), images.RandomErasing(),
)  # fmt: skip


def test_results_do_not_depend_on_workers():
    stream = Stream((PICTURES, numpy.arange(12)), shuffle=True, seed=2).map(STEPS, seed=3).batch(4)
    stream = stream.map(images.Mixup(12), seed=4)
    expected = [tuple(part.copy() for part in batch) for _ in range(2) for batch in stream]
    with Stream(stream.stage).parallel(3) as parallel:
        found = [batch for _ in range(2) for batch in parallel]
    assert all((a == b).all() for x, y in zip(expected, found, strict=True) for a, b in zip(x, y))
    assert not (expected[0][0] == expected[3][0]).all()  # another epoch
    assert repr(pickle.loads(pickle.dumps(STEPS))) == repr(STEPS)


def test_samples_of_all_kinds():
    flip = images.RandomFlip(probability=1)
    assert (flip(PICTURE, generator()) == PICTURE[:, :, ::-1]).all()
    found = images.Chain(flip, name="pixels")({"pixels": PICTURE, "label": 3}, generator())
    assert found["label"] == 3 and (found["pixels"] == PICTURE[:, :, ::-1]).all()
    own = images.Chain(lambda image, random: image * 2)
    assert (own(PICTURE, generator()) == PICTURE * 2).all()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: images.RandomFlip()(PICTURE), ArgumentError),
        (lambda: images.Chain(images.Scale())(PICTURE[0]), ShapeError),
        (lambda: images.Chain(images.Scale())({"a": PICTURE}), ArgumentError),
        (lambda: images.Chain(3), ArgumentError),
        (lambda: images.RandomCrop(50)(PICTURE, generator()), ShapeError),
        (lambda: images.CenterCrop(50)(PICTURE), ShapeError),
        (lambda: images.RandomCrop(5, mode="wrap"), ArgumentError),
        (lambda: images.RandomFlip("diagonal"), ArgumentError),
        (lambda: images.RandomFlip(probability=2), ArgumentError),
        (lambda: images.RandomResizedCrop(5, scale=(1, 0)), ArgumentError),
        (lambda: images.RandomAffine(-1), ArgumentError),
        (lambda: images.RandomAffine(shear=90), ArgumentError),
        (lambda: images.ColorJitter(hue=0.6), ArgumentError),
        (lambda: images.ColorJitter(hue=0.1)(PICTURE[:1], generator()), ShapeError),
        (lambda: images.Normalize(0, 0), ArgumentError),
        (lambda: images.Resize(0), ArgumentError),
        (lambda: images.Mixup(3, alpha=0), ArgumentError),
    ],
)
def test_wrong_arguments(make, error):
    with pytest.raises(error):
        make()
