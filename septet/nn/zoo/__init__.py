"""The zoo: definitions of well-known models, as papers and their implementations have them, without weights."""

from septet.nn.zoo.char_rnn import CharRNN
from septet.nn.zoo.dcgan import DCGANDiscriminator, DCGANGenerator
from septet.nn.zoo.densenet import DenseNet
from septet.nn.zoo.googlenet import GoogLeNet
from septet.nn.zoo.gpt import GPT
from septet.nn.zoo.inception_v3 import InceptionV3
from septet.nn.zoo.lenet import LeNet5
from septet.nn.zoo.mobilenet_v1 import MobileNetV1
from septet.nn.zoo.mobilenet_v2 import MobileNetV2
from septet.nn.zoo.resnet import ResNet
from septet.nn.zoo.seq2seq import Seq2Seq
from septet.nn.zoo.unet import UNet
from septet.nn.zoo.vae import VAE
from septet.nn.zoo.vgg import VGG
from septet.nn.zoo.vit import ViT

__all__ = [
    "CharRNN",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DenseNet",
    "GoogLeNet",
    "GPT",
    "InceptionV3",
    "LeNet5",
    "MobileNetV1",
    "MobileNetV2",
    "ResNet",
    "Seq2Seq",
    "UNet",
    "VAE",
    "VGG",
    "ViT",
]
