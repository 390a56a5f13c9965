"""`load_image`: every kind of file becomes the same input, and the note tells what was done."""

import numpy
import pytest

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.view import load_image

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install septet[view])")

FIGURE = numpy.zeros((40, 40))
FIGURE[8:32, 16:24] = 1.0  # a thick "1", light on black


def gray(background, ink):
    return (background + (ink - background) * FIGURE).round().astype(numpy.uint8)


def save(tmp_path, picture, name="picture.png", **options):
    path = tmp_path / name
    if isinstance(picture, numpy.ndarray):
        picture = Image.fromarray(picture)
    picture.save(path, **options)
    return path


def rgba(ink, opacity):
    picture = numpy.zeros((40, 40, 4), numpy.uint8)
    picture[..., :3] = ink
    picture[..., 3] = (opacity * FIGURE).astype(numpy.uint8)
    return picture


EXPECTED = FIGURE.reshape(10, 4, 10, 4).mean(axis=(1, 3))  # what the figure is at 10 x 10: its edges fall on pixels


@pytest.mark.parametrize(
    ("picture", "is_inverted"),
    [
        (gray(255, 0), True),
        (gray(0, 255), False),
        (numpy.stack([gray(255, 0)] * 3, axis=2), True),
        (rgba((0, 0, 0), 255), True),
        (rgba((255, 255, 255), 255), False),
        (gray(255, 0).astype(numpy.uint16) * 257, True),
        (Image.fromarray(gray(255, 0)).convert("1"), True),
        (Image.fromarray(gray(255, 0)).convert("P"), True),
        (Image.fromarray(gray(255, 0)).convert("LA"), True),
        (Image.fromarray(gray(255, 0)).convert("I"), True),
    ],
    ids=["paper", "board", "rgb", "ink", "chalk", "16 bits", "1 bit", "palette", "gray+alpha", "32 bits"],
)
def test_every_kind_of_file_gives_a_light_figure_on_black(tmp_path, picture, is_inverted):
    if getattr(picture, "mode", "") == "I":  # Pillow writes it as 16 bits
        picture = Image.fromarray(numpy.asarray(picture).astype(numpy.uint16) * 257)
    loaded = load_image(save(tmp_path, picture), (1, 10, 10))
    assert loaded.pixels.shape == (1, 10, 10) and loaded.pixels.dtype == numpy.float32
    assert loaded.pixels.flags.c_contiguous
    assert loaded.pixels.min() >= 0 and loaded.pixels.max() <= 1
    assert loaded.is_inverted is is_inverted
    assert ("not inverted: a light figure" if not is_inverted else "; inverted: a dark figure") in loaded.note
    assert abs(loaded.pixels[0] - EXPECTED).max() < 0.12  # the filter reaches over the edges


def test_jpeg(tmp_path):
    loaded = load_image(save(tmp_path, gray(250, 10), "picture.jpg", quality=95), (10, 10))
    assert loaded.pixels.shape == (10, 10)
    assert abs(loaded.pixels - EXPECTED).max() < 0.15


def test_content_decides_not_the_name(tmp_path):
    path = save(tmp_path, gray(0, 255))
    misnamed = tmp_path / "picture.npy"
    misnamed.write_bytes(path.read_bytes())
    numpy.testing.assert_array_equal(load_image(misnamed, (10, 10)).pixels, load_image(path, (10, 10)).pixels)


def test_the_camera_turned_is_turned_back(tmp_path):
    orientation = Image.Exif()
    orientation[0x0112] = 6  # "rotate by 90 degrees clockwise to show"
    path = save(tmp_path, gray(0, 255), exif=orientation)
    loaded = load_image(path, (40, 40), invert=False)
    numpy.testing.assert_array_equal(loaded.pixels, numpy.rot90(FIGURE, -1).astype(numpy.float32))


def test_same_size_is_not_filtered(tmp_path):
    loaded = load_image(save(tmp_path, gray(0, 255)), (40, 40))
    numpy.testing.assert_array_equal(loaded.pixels, FIGURE.astype(numpy.float32))


@pytest.mark.parametrize("invert", [True, False])
def test_inversion_as_asked(tmp_path, invert):
    loaded = load_image(save(tmp_path, gray(0, 255)), (40, 40), invert=invert)
    assert loaded.is_inverted is invert
    assert "as asked" in loaded.note
    numpy.testing.assert_array_equal(loaded.pixels, numpy.abs(invert - FIGURE).astype(numpy.float32))


@pytest.mark.parametrize(
    ("background", "ink", "is_inverted"), [(150, 60, True), (60, 150, False), (90, 30, True), (200, 250, False)]
)
def test_inversion_does_not_depend_on_the_absolute_brightness(tmp_path, background, ink, is_inverted):
    assert load_image(save(tmp_path, gray(background, ink)), (10, 10)).is_inverted is is_inverted


def test_a_thin_line_is_a_figure(tmp_path):
    picture = numpy.full((200, 200), 255, numpy.uint8)
    picture[50:150, 100] = 0  # 0.25 % of the pixels
    assert load_image(save(tmp_path, picture), (20, 20)).is_inverted


def test_a_flat_picture(tmp_path):
    loaded = load_image(save(tmp_path, gray(255, 255)), (10, 10), crop=True)
    assert loaded.note == "40 x 40 gray cropped and made 10 x 10 gray; not inverted: the image is flat"
    assert (loaded.pixels == 1).all()


def test_colour(tmp_path):
    picture = numpy.zeros((20, 20, 3), numpy.uint8)
    picture[..., 0], picture[..., 1] = 255, 102
    path = save(tmp_path, picture)
    loaded = load_image(path, (3, 10, 10))
    numpy.testing.assert_allclose(
        loaded.pixels, numpy.broadcast_to([[[1.0]], [[0.4]], [[0.0]]], (3, 10, 10)), atol=1e-6
    )
    assert loaded.note == "20 x 20 colour made 10 x 10 colour; not inverted: a colour image"
    luminance = 0.299 + 0.587 * 0.4
    numpy.testing.assert_allclose(load_image(path, (10, 10)).pixels, luminance, atol=1e-6)
    as_colour = load_image(save(tmp_path, gray(0, 255)), (3, 40, 40)).pixels
    numpy.testing.assert_array_equal(as_colour, numpy.stack([FIGURE] * 3).astype(numpy.float32))


def test_the_aspect_is_kept_unless_asked_otherwise(tmp_path):
    path = save(tmp_path, gray(255, 0)[:, 10:30])  # 40 high, 20 wide
    kept = load_image(path, (40, 40)).pixels
    numpy.testing.assert_array_equal(kept[:, 10:30], FIGURE[:, 10:30].astype(numpy.float32))
    assert not kept[:, :10].any() and not kept[:, 30:].any()  # the paper, inverted
    stretched = load_image(path, (40, 40), keep_aspect=False).pixels
    assert (stretched[20] > 0.5).nonzero()[0].tolist() == list(range(12, 28))  # 8 columns of ink became 16


def test_crop(tmp_path):
    cropped = load_image(save(tmp_path, gray(255, 0)), (24, 24), crop=True)
    expected = numpy.zeros((24, 24), numpy.float32)
    expected[:, 8:16] = 1
    numpy.testing.assert_array_equal(cropped.pixels, expected)
    assert "cropped" in cropped.note


@pytest.mark.parametrize("size", [7, 20, 80])
def test_a_cropped_figure_has_its_centre_of_mass_in_the_middle(tmp_path, size):
    """A figure of odd width in an even input lies between two pixels."""
    picture = numpy.full((12 * size, 12 * size), 255, numpy.uint8)
    picture[2 * size : 10 * size, 3 * size : 8 * size] = 0  # 8 high, 5 wide, away from the middle
    pixels = load_image(save(tmp_path, picture), (8, 8), crop=True).pixels
    places = numpy.arange(8) + 0.5
    assert abs(pixels.sum(axis=0) @ places / pixels.sum() - 4) < 0.15
    assert abs(pixels.sum(axis=1) @ places / pixels.sum() - 4) < 0.05


def test_a_cropped_figure_is_not_cut_to_bring_its_mass_to_the_middle(tmp_path):
    picture = numpy.full((80, 80), 255, numpy.uint8)
    picture[20:60, 20:24] = 0  # an L: most of its mass is at its left end
    picture[56:60, 20:58] = 0
    pixels = load_image(save(tmp_path, picture), (8, 8), crop=True).pixels
    assert pixels[7].min() > 0.5 or pixels[7, :7].min() > 0.5
    assert pixels[:, :2].max(axis=1).min() > 0.5


def test_an_extreme_shape_costs_no_memory(tmp_path):
    picture = numpy.zeros((1, 60_000), numpy.uint8)
    picture[0, 100:200] = 255
    assert load_image(save(tmp_path, picture), (28, 28)).pixels.shape == (1 * 28, 28)


@pytest.mark.parametrize(
    "array",
    [
        gray(0, 255),
        gray(0, 255)[None],
        gray(0, 255)[..., None],
        FIGURE,
        FIGURE.astype(numpy.float16)[None],
        FIGURE > 0,
        (FIGURE * 65535).astype(numpy.uint16),
        numpy.stack([FIGURE] * 3),
        numpy.stack([FIGURE] * 3, axis=2),
    ],
)
def test_npy(tmp_path, array):
    path = tmp_path / "image.npy"
    numpy.save(path, array)
    numpy.testing.assert_allclose(load_image(path, (1, 40, 40)).pixels[0], FIGURE, atol=1e-6)


def test_bad_npy(tmp_path):
    path = tmp_path / "image.npy"

    def expect(message, array):
        numpy.save(path, array)
        with pytest.raises(DataError, match=message):
            load_image(path, (8, 8))

    expect("floats must be from 0 to 1, found 0 to 16", FIGURE * 16)
    expect("floats must be from 0 to 1", numpy.full((4, 4), numpy.nan))
    expect(r"found \(5,\)", numpy.zeros(5))
    expect(r"found \(2, 5, 5\)", numpy.zeros((2, 5, 5)))
    expect("found dtype complex128", numpy.zeros((5, 5), complex))
    expect("holds no pixels", numpy.zeros((0, 5)))
    expect("expected uint8 or uint16 .* found dtype int64", numpy.full((5, 5), 255))
    expect("damaged or foreign", numpy.array([[{}]]))  # Python objects would need pickle
    numpy.save(path, FIGURE)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="damaged or foreign"):
        load_image(path, (8, 8))


def test_bad_files(tmp_path):
    with pytest.raises(MissingDataError, match="there is no file"):
        load_image(tmp_path / "missing.png", (8, 8))
    with pytest.raises(MissingDataError, match="there is no file"):
        load_image(tmp_path, (8, 8))
    foreign = tmp_path / "text.png"
    foreign.write_text("not an image")
    with pytest.raises(DataError, match=r"text.png' is not an image"):
        load_image(foreign, (8, 8))
    whole = save(tmp_path, numpy.random.default_rng(0).integers(0, 256, (40, 40), dtype=numpy.uint8)).read_bytes()
    for length in range(0, len(whole) - 20, 97):
        foreign.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"text.png'"):
            load_image(foreign, (8, 8))


@pytest.mark.parametrize("shape", [(8,), (2, 8, 8), (1, 1, 8, 8), (0, 8), (8, -1), ()])
def test_bad_shapes(tmp_path, shape):
    with pytest.raises(ArgumentError, match=r"shape must be \(H, W\), \(1, H, W\) or \(3, H, W\), received"):
        load_image(save(tmp_path, gray(0, 255)), shape)
