"""`theano.configparser`: names of the settings' machinery that programs import."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.configdefaults import THEANO_FLAGS_DICT as THEANO_FLAGS_DICT
from septet.dialects.theano.configdefaults import TheanoConfigParser as TheanoConfigParser
from septet.dialects.theano.configdefaults import change_flags as change_flags
from septet.dialects.theano.configdefaults import config as config


class ConfigParam:
    """One setting, as those see it that go through all of them.

    Parameters
    ----------
    fullname : str
        With its section: ``"gcc.cxxflags"``.
    """

    def __init__(self, fullname: str) -> None:
        self.fullname = fullname

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return config.get(self.fullname)

    def __set__(self, instance: Any, value: Any) -> None:
        config.set(self.fullname, value)


_config_var_list = [ConfigParam(name) for name in config]
