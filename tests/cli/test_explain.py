"""The command `septet errors`, which the messages of errors name."""

import pytest
from click.testing import CliRunner

import septet as st
from septet.base.errors import ArgumentError, all_errors
from septet.cli.main import septet


def run(*args):
    return CliRunner().invoke(septet, ["errors", *args])


def test_the_command_that_a_message_names_explains_it():
    with pytest.raises(st.errors.ShapeError) as caught:
        st.zeros((3, 4)) + st.zeros((5,))
    *_, last = str(caught.value).splitlines()
    code, _, command = last.strip().partition(" ")
    result = CliRunner().invoke(septet, command.split()[1:])
    assert code == "[S101]" and result.exit_code == 0
    assert result.output.startswith("S101: ShapeError\n\nShapes do not fit together.\n\nCause\n    An op was")
    assert run(code).output == run("shapeerror").output == result.output


def test_every_code_is_listed_and_explained():
    listed = run().output
    for cls in all_errors():
        if cls.__module__ == "septet.base.errors":
            assert f"{cls.code}  {cls.__name__} " in listed
            text = run(cls.code).output
            assert "\nFix\n" in text or cls is st.errors.SeptetError
            assert "Parameters" not in text and "``" not in text


def test_a_code_that_does_not_exist():
    with pytest.raises(ArgumentError, match=r"code 'S999'.* The codes are S000, S101"):
        CliRunner().invoke(septet, ["errors", "S999"], catch_exceptions=False)
