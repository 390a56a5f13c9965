"""The coefficients of the vector mathematics are what the tool fits."""

import re

import numpy as np
import pytest

from septet.backends.cpu.vectormath import coefficients


@pytest.fixture(scope="module")
def pieces(load_tool):
    return load_tool("fit_polynomials").written()


def test_every_fit_is_in_the_file_and_nothing_else(load_tool, pieces):
    names = [fit.name for fit in load_tool("fit_polynomials").FITS]
    assert list(pieces) == names
    found = [name for name in vars(coefficients) if name.isupper()]
    assert [name for name in found if not name.endswith("_BELOW")] == names


def test_numbers_have_the_fits_format_and_count(load_tool):
    for fit in load_tool("fit_polynomials").FITS:
        numbers = getattr(coefficients, fit.name)
        assert len(numbers) == fit.count
        if fit.kind == "float":
            assert all(float(np.float32(number)) == number for number in numbers)
        if fit.denominator:
            below = getattr(coefficients, fit.name + "_BELOW")
            assert len(below) == fit.denominator + 1 and below[0] == 1.0


def test_errors_are_below_what_the_format_resolves(load_tool, pieces):
    for fit in load_tool("fit_polynomials").FITS:
        error = float(re.search(r"^# error 2\*\*(-[\d.]+)$", pieces[fit.name], re.MULTILINE)[1])
        enough = {"CBRT": -9, "EXP2_POWER": -28, "LOG2_POWER": -38}.get(fit.name, -26 if fit.kind == "float" else -53)
        assert error <= enough, fit.name


@pytest.mark.parametrize("name", ["EXP2_FLOAT", "CBRT", "COS_FLOAT"])
def test_fitting_again_gives_the_file(load_tool, pieces, name):
    tool = load_tool("fit_polynomials")
    (fit,) = (fit for fit in tool.FITS if fit.name == name)
    assert tool.render(fit) == pieces[name]


def test_a_polynomial_is_found_again(load_tool):
    tool = load_tool("fit_polynomials")
    fit = tool.Fit("P", "", "double", lambda x: 3 + 2 * x - x**2, lambda x: tool.mpf(1), -1.0, 1.0, 3)
    top, _, error = tool.Fitter(fit).run()
    assert [float(c) for c in top] == [3.0, 2.0, -1.0] and error < 1e-15


def test_a_quotient_is_found_again(load_tool):
    tool = load_tool("fit_polynomials")
    fit = tool.Fit("Q", "", "double", lambda x: (1 + x) / (1 + x / 4), lambda x: 1, 0.0, 1.0, 2, denominator=1)
    top, below, _ = tool.Fitter(fit).run()
    assert [float(c) for c in (*top, *below)] == [1.0, 1.0, 1.0, 0.25]
