"""What is known about data sets whose files are fetched: names, addresses, check sums, classes, sources."""

from __future__ import annotations

from dataclasses import dataclass

from septet.data.fetching import RemoteFile

__all__ = ["CIFAR10_CLASSES", "CIFAR100_CLASSES", "KNOWN", "Known"]


@dataclass(frozen=True)
class Known:
    """The files of a data set, what its labels stand for, and who made it."""

    files: tuple[RemoteFile, ...]
    class_names: tuple[str, ...]
    source: str


CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())  # noqa: SIM905
CIFAR100_CLASSES = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
    """.split()  # noqa: SIM905 (one name per line would fill two pages)
)

_SCIKIT_LEARN = "https://raw.githubusercontent.com/scikit-learn/scikit-learn/1.5.0/sklearn/datasets/data/"
_NLTK = "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


def _idx(base: str, sums: dict[str, str]) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(
            (f"{name}.gz", name, f"{name.replace('-idx', '.idx')}.gz", name.replace("-idx", ".idx")),
            f"{base}{name}.gz",
            f"md5:{check_sum}",
        )
        for name, check_sum in sums.items()
    )


def _csv(name: str, check_sum: str) -> tuple[RemoteFile, ...]:
    return (RemoteFile((name,), _SCIKIT_LEARN + name, f"sha256:{check_sum}"),)


KNOWN = {
    "mnist": Known(
        _idx(
            _MNIST,
            {
                "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
                "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
                "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
            },
        ),
        tuple("0123456789"),
        'Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998',
    ),
    "fashion-mnist": Known(
        _idx(
            _FASHION,
            {
                "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
                "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
                "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
            },
        ),
        (),
        "H. Xiao, K. Rasul, R. Vollgraf, arXiv:1708.07747, 2017",
    ),
    "cifar10": Known(
        (
            RemoteFile(
                ("cifar-10-binary.tar.gz", "cifar-10-batches-bin"),
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "md5:c32a1d4ab5d03f1284b67883e8d87530",
            ),
        ),
        CIFAR10_CLASSES,
        'A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009',
    ),
    "cifar100": Known(
        (
            RemoteFile(
                ("cifar-100-binary.tar.gz", "cifar-100-binary"),
                "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
                "md5:03b5dce01913d631647c71ecec9e9cb8",
            ),
        ),
        CIFAR100_CLASSES,
        'A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009',
    ),
    "imdb": Known(
        (
            RemoteFile(
                ("aclImdb_v1.tar.gz", "aclImdb"),
                "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                "md5:7c2ac02c03563afcf9b574c7e56c153a",
            ),
        ),
        ("negative", "positive"),
        'A. L. Maas et al., "Learning Word Vectors for Sentiment Analysis", 2011',
    ),
    "sentence-polarity": Known(
        (
            RemoteFile(
                ("sentence_polarity.zip", "sentence_polarity"),
                _NLTK + "sentence_polarity.zip",
                "sha256:6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
            ),
        ),
        ("negative", "positive"),
        'B. Pang, L. Lee, "Seeing stars", 2005, CC BY 4.0',
    ),
    "movie-reviews": Known(
        (
            RemoteFile(
                ("movie_reviews.zip", "movie_reviews"),
                _NLTK + "movie_reviews.zip",
                "sha256:a41211ae685019137410268134db6a1a14428c89b671eb83056151a878539008",
            ),
        ),
        ("negative", "positive"),
        'B. Pang, L. Lee, "A Sentimental Education", 2004, CC BY 4.0',
    ),
    "tiny-shakespeare": Known(
        (
            RemoteFile(
                ("tinyshakespeare.txt", "input.txt"),
                "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            ),
        ),
        (),
        "plays of W. Shakespeare, public domain, as in A. Karpathy's char-rnn, 2015",
    ),
    "california-housing": Known(
        (
            RemoteFile(
                ("california_housing.csv", "housing.csv"),
                "https://raw.githubusercontent.com/ageron/handson-ml2/master/datasets/housing/housing.csv",
                "sha256:8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e",
            ),
        ),
        (),
        'R. K. Pace, R. Barry, "Sparse Spatial Autoregressions", 1997: the census of 1990',
    ),
    "iris": Known(
        _csv("iris.csv", "f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449"),
        ("setosa", "versicolor", "virginica"),
        'R. A. Fisher, "The use of multiple measurements in taxonomic problems", 1936',
    ),
    "wine": Known(
        _csv("wine_data.csv", "10e8a802908b34f86e5da8ce962f3c806694bc98450a18f61851af59f324bede"),
        ("class_0", "class_1", "class_2"),
        "S. Aeberhard, M. Forina, UCI Machine Learning Repository, 1991",
    ),
    "breast-cancer": Known(
        _csv("breast_cancer.csv", "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"),
        ("malignant", "benign"),
        "W. H. Wolberg, W. N. Street, O. L. Mangasarian, UCI Machine Learning Repository, 1995",
    ),
}
