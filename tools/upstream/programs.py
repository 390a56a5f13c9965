"""The programs of the tutorials: where they lie, what they read, how far they run, and what counts as working.

Programs run unmodified in copies of their folders, through `septet run`. A program that would train for hours is either
called with fewer epochs, by the function that it defines, or stopped when it has printed what it is judged by.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

Judge = Callable[[str, int], str]  # from the output and the exit status to what is wrong, '' for nothing


def numbers(pattern: str, output: str) -> list[float]:
    """Return the numbers that a pattern with one group finds, line by line."""
    return [float(match[1]) for line in output.splitlines() if (match := re.search(pattern, line))]


def ends(output: str, status: int) -> str:
    """The program ends well."""
    return "" if status == 0 else f"exit status {status}"


def last_number(low: float, high: float) -> Judge:
    """The last number printed lies in a range."""

    def judge(output: str, status: int) -> str:
        found = re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", output)
        if not found:
            return "no number was printed"
        return "" if low <= float(found[-1]) <= high else f"{found[-1]} is not in [{low}, {high}]"

    return judge


def falls(pattern: str, count: int = 2, first: int | None = None) -> Judge:
    """A number that is printed again and again is lower at the end than at the beginning; of the first ones, if so."""

    def judge(output: str, status: int) -> str:
        found = numbers(pattern, output)[:first]
        if len(found) < count:
            return f"printed {len(found)} times; wanted {count}; exit status {status}"
        return "" if found[-1] < found[0] else f"from {found[0]} to {found[-1]}"

    return judge


def rises(pattern: str, count: int = 2) -> Judge:
    """A number that is printed again and again is higher at the end than at the beginning."""
    below = falls(pattern, count)

    def judge(output: str, status: int) -> str:
        found = numbers(pattern, output)
        if len(found) >= count and found[-1] > found[0]:
            return ""
        return below(output, status) or f"from {found[0]} to {found[-1]}"

    return judge


def reaches(pattern: str, bound: float) -> Judge:
    """A number that is printed is at least so large at the end."""

    def judge(output: str, status: int) -> str:
        found = numbers(pattern, output)
        if not found:
            return f"nothing was printed; exit status {status}"
        return "" if found[-1] >= bound else f"{found[-1]} < {bound}"

    return judge


def prints(*patterns: str) -> Judge:
    """The program ends well and prints what patterns say, in their order."""

    def judge(output: str, status: int) -> str:
        if status:
            return f"exit status {status}"
        return "" if re.search(".*?".join(patterns), output, re.DOTALL) else f"not printed: {patterns}"

    return judge


def raises(text: str) -> Judge:
    """The program ends with an error whose traceback shows a line of it."""

    def judge(output: str, status: int) -> str:
        if status == 0:
            return "no error"
        return "" if text in output else f"the traceback does not show {text!r}"

    return judge


def first_is_slower(output: str, status: int) -> str:
    """Of two times that are printed the second is shorter."""
    found = numbers(r"([\d.]+) sec", output)
    return "" if len(found) == 2 and found[1] < found[0] else f"times: {found}; exit status {status}"


@dataclass(frozen=True)
class Program:
    """A program: its place, the call that runs it, its data, and its judge.

    `call` is Python that runs the program; by default the script itself is run. `files` are pairs of a path in the
    folder where it runs, and a file of the folder of data. After `stop` lines that a pattern finds it is stopped.
    """

    path: str
    judge: Judge = ends
    call: str = ""
    files: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    py2: bool = False
    stop: tuple[str, int] = ("", 0)
    limit: int = 300
    name: str = ""
    folder: str = ""

    @property
    def title(self) -> str:
        """What to call the program."""
        return self.name or self.path

    @property
    def home(self) -> str:
        """The folder that it runs in."""
        return self.folder or self.path.rpartition("/")[0]


SMALL_MNIST = {"mnist.pkl.gz": "small/mnist.pkl.gz"}
SMALL_IDX = {
    f"{name}.gz": f"small/{name}.gz"
    for name in (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    )
}
WHOLE_IDX = {name: name for name in SMALL_IDX}
NEWMU_DATA = "import os, load\nload.datasets_dir = os.path.join(os.environ['UPSTREAM_DATA'], '')\n"
MODEL = """\
import lasagne
import {module}
net = {module}.{call}
last = {last}
print(last.output_shape, lasagne.layers.count_params(last))
"""


def model(path: str, call: str, last: str, *patterns: str) -> Program:
    """Return the program that builds a model of the zoo and prints its shape and its number of parameters."""
    module = path.rsplit("/", 1)[1].removesuffix(".py")
    return Program(path, prints(*patterns), MODEL.format(module=module, call=call, last=last))


EXERCISES = [
    Program(f"theano_exercises/{path}", py2=py2)
    for path, py2 in {
        "01_basics/01_building_expressions/01_scalar_soln.py": True,
        "01_basics/01_building_expressions/02_vector_mat_soln.py": True,
        "01_basics/02_compiling_and_running/01_function_soln.py": True,
        "01_basics/02_compiling_and_running/02_shared_soln.py": True,
        "01_basics/03_advanced_expressions/01_basic_indexing_soln.py": False,
        "01_basics/03_advanced_expressions/03_rng_soln.py": False,
        "02_advanced/01_symbolic/01_grad_soln.py": True,
        "02_advanced/01_symbolic/03_energy_soln.py": True,
        "02_advanced/02_debugging/ex_02_detect_negative_soln.py": True,
    }.items()
]
TUTORIALS = "deeplearningtutorials/code"
PROGRAMS = [
    *EXERCISES,
    Program("theano_exercises/02_advanced/02_debugging/ex_01_compute_test_value_soln.py", raises("g = e + f")),
    Program("newmu-theano-tutorials/0_multiply.py", py2=True),
    Program("newmu-theano-tutorials/1_linear_regression.py", last_number(1.7, 2.3), py2=True),
    Program(
        "newmu-theano-tutorials/2_logistic_regression.py",
        reaches(r"(0\.\d+)", 0.85),
        NEWMU_DATA + "__import__('2_logistic_regression')\n",
        py2=True,
        stop=(r"0\.\d+", 3),
    ),
    Program(
        "newmu-theano-tutorials/4_modern_net.py",
        reaches(r"(0\.\d+)", 0.93),
        NEWMU_DATA + "__import__('4_modern_net')\n",
        py2=True,
        stop=(r"0\.\d+", 1),
    ),
    Program(
        f"{TUTORIALS}/logistic_sgd.py",
        falls(r"validation error ([\d.]+)"),
        "import logistic_sgd\nlogistic_sgd.sgd_optimization_mnist(n_epochs=10)\n",
        SMALL_MNIST,
    ),
    Program(
        f"{TUTORIALS}/mlp.py",
        falls(r"validation error ([\d.]+)"),
        "import mlp\nmlp.test_mlp(n_epochs=2)\n",
        SMALL_MNIST,
    ),
    Program(
        f"{TUTORIALS}/convolutional_mlp.py",
        falls(r"validation error ([\d.]+)"),
        "import convolutional_mlp\nconvolutional_mlp.evaluate_lenet5(n_epochs=3, nkerns=[5, 5])\n",
        SMALL_MNIST,
    ),
    Program(
        f"{TUTORIALS}/dA.py",
        falls(r"Training epoch \d+, cost +([\d.]+)", first=2),
        "import dA\ndA.test_dA(training_epochs=2, output_folder='tmp_dA_plots')\n",
        SMALL_MNIST,
    ),
    Program(
        f"{TUTORIALS}/SdA.py",
        falls(r"layer 0, epoch \d+, cost ([\d.]+)"),
        "import SdA\nSdA.test_SdA(pretraining_epochs=2, training_epochs=1, batch_size=300)\n",
        SMALL_MNIST,
    ),
    Program(
        f"{TUTORIALS}/rbm.py",
        rises(r"cost is +(-[\d.]+)"),
        "import rbm\nrbm.test_rbm(training_epochs=3, batch_size=300, n_chains=1, n_samples=1, n_hidden=20)\n",
        SMALL_MNIST,
    ),
    Program(
        f"{TUTORIALS}/lstm.py",
        falls(r"Train +([\d.]+)"),
        "import lstm\nlstm.train_lstm(max_epochs=3, test_size=500, validFreq=50)\n",
        {"imdb.pkl": "imdb.pkl"},
    ),
    Program(
        f"{TUTORIALS}/hmc/test_hmc.py",
        prints("final acceptance_rate", "done"),
        "from hmc import test_hmc\ntest_hmc.test_hmc()\nprint('done')\n",
        folder=TUTORIALS,
    ),
    Program("craffel-theano-tutorial/Theano Tutorial.ipynb"),
    Program("theano/doc/tutorial/adding_solution_1.py"),
    Program("theano/doc/tutorial/loop_solution_1.py"),
    Program("theano/doc/hpcs2011_tutorial/simple_example.py"),
    Program("theano/doc/hpcs2011_tutorial/scan_pow.py"),
    Program("theano/doc/hpcs2011_tutorial/logreg_example.py", prints("target values", "prediction")),
    Program("theano/doc/hpcs2011_tutorial/double_op.py"),
    Program("theano/doc/crei2013/ifelse_switch.py", first_is_slower),
    Program(
        "lasagne/examples/mnist.py",
        reaches(r"test accuracy:\s+([\d.]+)", 90.0),
        files=WHOLE_IDX,
        arguments=("mlp", "3"),
        name="lasagne/examples/mnist.py mlp",
    ),
    Program(
        "lasagne/examples/mnist.py",
        falls(r"training loss:\s+([\d.]+)"),
        "import mnist\nmnist.main('cnn', 2)\n",
        SMALL_IDX,
        name="lasagne/examples/mnist.py cnn",
    ),
    Program(
        "lasagne-recipes/examples/lstm_text_generation.py",
        falls(r"average loss = ([\d.]+)"),
        "import lstm_text_generation as program\nprogram.PRINT_FREQ = 15\nprogram.main()\n",
        {"nietzsche.txt": "nietzsche.txt"},
        py2=True,
        stop=("average loss", 3),
    ),
    Program(
        "lasagne-recipes/examples/spatial_transformer_network.ipynb",
        falls(r"Train cost ([\d.]+)"),
        files={"mnist_cluttered_60x60_6distortions.npz": "mnist_cluttered_60x60_6distortions.npz"},
        py2=True,
        stop=("Train cost", 3),
    ),
    Program(
        "lasagne-recipes/papers/deep_residual_learning/Deep_Residual_Learning_CIFAR-10.py",
        falls(r"training loss:\s+([\d.]+)"),
        "program = __import__('Deep_Residual_Learning_CIFAR-10')\nprogram.main(n=1, num_epochs=2)\n",
        {"cifar-10-batches-py": "cifar-10-batches-py"},
        py2=True,
        limit=900,
    ),
    model("lasagne-recipes/modelzoo/vgg16.py", "build_model()", "net['prob']", r"None, 1000\) 138357544"),
    model("lasagne-recipes/modelzoo/googlenet.py", "build_model()", "net['prob']", r"None, 1000\) 6998552"),
    model("lasagne-recipes/modelzoo/cifar10_nin.py", "build_model()", "net['output']", r"None, 10\) 966986"),
    model("lasagne-recipes/modelzoo/Unet.py", "build_UNet()", "net['output_flattened']", r", 2\) \d+"),
    Program(
        "vict0rsch-deep-learning/lasagne/feedforward/feedforward_lasagne_mnist.py",
        falls(r"training loss:\s+([\d.]+)"),
        "import feedforward_lasagne_mnist as program\nprogram.run_network(num_epochs=3)\n",
        SMALL_IDX,
    ),
]

# What is measured against the original: the program, how many training steps an epoch has, how many are run.
COMPARED = {
    "newmu-theano-tutorials/4_modern_net.py": (468, 60),
    f"{TUTORIALS}/mlp.py": (2500, 390),
    f"{TUTORIALS}/convolutional_mlp.py": (100, 30),
    "lasagne/examples/mnist.py cnn": (100, 20),
    f"{TUTORIALS}/lstm.py": (141, 40),
}
