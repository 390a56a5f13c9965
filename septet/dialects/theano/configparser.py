"""`theano.configparser`: names of the settings' machinery that programs import."""

from septet.dialects.theano.configdefaults import THEANO_FLAGS_DICT as THEANO_FLAGS_DICT
from septet.dialects.theano.configdefaults import TheanoConfigParser as TheanoConfigParser
from septet.dialects.theano.configdefaults import change_flags as change_flags
from septet.dialects.theano.configdefaults import config as config
