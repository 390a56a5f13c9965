"""List the public names of a system and their signatures, as facts: run once with the Python that has the original.

    PYTHONPATH=LASAGNE python extract_names.py theano > names_theano.tsv
    PYTHONPATH=LASAGNE python extract_names.py lasagne > names_lasagne.tsv

A child of `tools/upstream` that runs on Python 3.6, too. The public modules are those that the system's documentation
describes; a module that cannot be imported here (it wants a GPU) is read instead.
"""

import ast
import importlib
import inspect
import re
import sys
import types

MODULES = {
    "theano": """
        theano theano.compile theano.compile.builders theano.compile.debugmode theano.compile.function
        theano.compile.function_module theano.compile.io theano.compile.mode theano.compile.nanguardmode
        theano.compile.ops theano.compile.pfunc theano.compile.profiling theano.compile.sharedvalue theano.compat
        theano.gof theano.gof.fg theano.gof.graph theano.gof.null_type theano.gof.op theano.gof.type theano.gof.utils
        theano.gradient theano.ifelse theano.misc.may_share_memory theano.misc.pkl_utils theano.printing theano.raise_op
        theano.sandbox.rng_mrg theano.scalar theano.scan_module theano.sparse theano.sparse.basic theano.tensor
        theano.tensor.basic theano.tensor.elemwise theano.tensor.extra_ops theano.tensor.fft theano.tensor.inplace
        theano.tensor.io theano.tensor.nlinalg theano.tensor.nnet theano.tensor.nnet.abstract_conv theano.tensor.nnet.bn
        theano.tensor.nnet.conv theano.tensor.nnet.ctc theano.tensor.nnet.neighbours theano.tensor.nnet.nnet
        theano.tensor.nnet.sigm theano.tensor.raw_random theano.tensor.shared_randomstreams theano.tensor.sharedvar
        theano.tensor.signal.conv theano.tensor.signal.pool theano.tensor.slinalg theano.tensor.sort
        theano.tensor.subtensor theano.tensor.type theano.tensor.utils theano.tensor.var theano.tensor.xlogx
        theano.typed_list theano.updates
    """,
    "lasagne": """
        lasagne lasagne.init lasagne.layers lasagne.layers.corrmm lasagne.layers.cuda_convnet lasagne.layers.dnn
        lasagne.nonlinearities lasagne.objectives lasagne.random lasagne.regularization lasagne.theano_extensions.conv
        lasagne.theano_extensions.padding lasagne.updates lasagne.utils
    """,
}
# classes whose methods and attributes are a part of what programs use
CLASSES = {
    "theano": """
        theano.tensor.TensorVariable theano.tensor.TensorType theano.tensor.sharedvar.TensorSharedVariable
        theano.compile.SharedVariable theano.compile.function_module.Function theano.compile.Mode theano.gof.Op
        theano.gof.Apply theano.gof.Variable theano.tensor.shared_randomstreams.RandomStreams
        theano.sandbox.rng_mrg.MRG_RandomStreams theano.sparse.SparseVariable theano.sparse.SparseType
        theano.updates.OrderedUpdates theano.compile.builders.OpFromGraph
    """,
    "lasagne": "lasagne.layers.Layer lasagne.layers.MergeLayer",
}


def signature(thing):
    """Return the signature of something that can be called, '' for what has none."""
    if isinstance(thing, types.ModuleType) or not callable(thing):
        return ""
    try:
        text = str(inspect.signature(thing))
    except (TypeError, ValueError):
        return ""
    text = re.sub(r"<(?:function|class) '?([\w.]+)'?.*?>", lambda match: match.group(1).split(".")[-1], text)
    text = re.sub(r"<[^<>]*>", "...", text)
    return re.sub(r"\s+", " ", text).replace("(self, ", "(").replace("(self)", "()")


def names_in(module, system, seen):
    """Yield the public names of a module: those that it lists, or those that it has from its own system.

    What a package gathers is not named again for the modules that it is gathered from, nor what a module imports.
    """
    listed = getattr(module, "__all__", None)
    is_package = hasattr(module, "__path__")
    for name, thing in sorted(vars(module).items()):
        if name.startswith("_") or (listed is not None and name not in listed):
            continue
        if isinstance(thing, types.ModuleType):
            if listed is None and not thing.__name__.startswith(system + "."):
                continue
        elif listed is None:
            home = getattr(thing, "__module__", None) or type(thing).__module__
            own = str(home).split(".")[0] == system or isinstance(thing, (int, float, str, tuple, list, dict))
            if not own or "Test" in name or "_Feature" in type(thing).__name__:
                continue
            if not is_package and isinstance(thing, (type, types.FunctionType)) and home != module.__name__:
                continue
        if not is_package and id(thing) in seen and not isinstance(thing, (int, str, bool)):
            continue
        seen.setdefault(id(thing), thing)
        yield name, thing


def read_names(name, checkout):
    """Yield the names that an unimportable module lists in ``__all__``, with the signatures of its source."""
    with open(checkout) as file:
        tree = ast.parse(file.read())
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            for each in node.value.elts:
                yield each.s


def main():
    """Print the table."""
    system = sys.argv[1]
    rows, seen = set(), {}
    for name in sorted(MODULES[system].split(), key=lambda name: name.count(".")):
        try:
            module = importlib.import_module(name)
        except Exception:
            path = importlib.util.find_spec(name).origin
            rows.update((name + "." + each, "") for each in read_names(name, path))
            continue
        rows.add((name, ""))
        rows.update((name + "." + each, signature(thing)) for each, thing in names_in(module, system, seen))
    for path in CLASSES[system].split():
        module, cls = path.rsplit(".", 1)
        cls = getattr(importlib.import_module(module), cls)
        for each in dir(cls):
            if not each.startswith("_"):
                thing = inspect.getattr_static(cls, each)
                thing = getattr(thing, "__func__", thing)
                rows.add((path + "." + each, signature(thing) if callable(thing) else ""))
    if system == "theano":
        import theano

        rows.update(("theano.config." + each.fullname, "") for each in theano.configparser._config_var_list)
    sys.stdout.write("name\tsignature\n")
    for name, text in sorted(rows):
        sys.stdout.write(name + "\t" + text + "\n")


if __name__ == "__main__":
    main()
