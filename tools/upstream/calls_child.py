"""Call public functions of Theano with many arguments and write what comes of it. Runs on Python 3.6, too.

    python calls_child.py OUT PREFIX ... [--map]

A child of `tools/upstream`; `calls` compares what two of these have written. Names are those of ``names_theano.tsv``
that begin with a prefix; classes of variables are asked for their attributes, with arguments where these are called.
"""

import importlib
import json
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse
from nose_child import use_dialects

SECONDS = 4  # for each call
NOT_CALLED = {  # what writes files, or changes what comes of other calls
    "pydotprint", "verify_grad", "numeric_grad", "function_dump", "dump", "load", "test", "set_value",
    "shared_constructor", "append_construction_observer", "register_mode", "register_linker", "register_optimizer",
    "register_checker", "register_transfer", "hash_from_file", "reload", "disable_log_handler",
}  # fmt: skip
SPREAD = (np.arange(96) * 0.37 % 1.3 - 0.45).astype("float64")
ARGUMENTS = {  # name: what makes the variable, its value
    "v": ("tensor.dvector", [0.3, -0.7, 1.2]), "w": ("tensor.dvector", [1.5, 0.2, -0.4]),
    "m": ("tensor.dmatrix", [[2, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.1]]),
    "n": ("tensor.dmatrix", SPREAD[:9].reshape(3, 3)), "s": ("tensor.dscalar", 0.6), "r": ("tensor.dscalar", 1.7),
    "i": ("tensor.lvector", [2, 0, 1]), "j": ("tensor.lvector", [1, 1, 2]), "k": ("tensor.iscalar", np.int32(2)),
    "e": ("tensor.tensor3", SPREAD[:18].reshape(2, 3, 3)), "t": ("tensor.tensor4", SPREAD[:64].reshape(2, 2, 4, 4)),
    "u": ("tensor.tensor4", SPREAD[:24].reshape(3, 2, 2, 2)), "f": ("tensor.fvector", np.array([0.5, -1.5, 2.25], "f")),
    "b": ("tensor.TensorType('bool', (False,))", np.array([True, False, True])),
    "z": ("tensor.zvector", np.array([1 + 2j, -0.5j, 0.3])), "h": ("tensor.bvector", np.array([1, -3, 7], "int8")),
    "o": ("tensor.drow", [[0.1, 0.2, 0.3]]), "c": ("tensor.dcol", [[0.1], [0.2], [0.3]]),
    "p": ("sparse.csr_matrix", scipy.sparse.csr_matrix(np.array([[0, 1.5, 0], [0.2, 0, -0.7], [0, 0, 0.4]]))),
    "q": ("sparse.csc_matrix", scipy.sparse.csc_matrix(np.array([[0, 0.5, 0], [0, 2, -0.7], [1, 0, 0.4]]))),
    "x": ("scalar.float64", np.float64(0.7)), "y": ("scalar.int64", np.int64(5)),
}  # fmt: skip
CALLS = """
v m s i k e t f b z h o c p q x y v,w m,n v,m s,r i,j v,i m,k v,f b,b b,i e,m m,e t,u o,c m,o p,m p,q p,v m,p p,s x,y
v,2 m,0 m,1 e,1 i,3 v,'int32' 3 3,4 'x' 3.5 [1,2] (2,3) None [v,w] [m,n],1 v,[w] m,(1,0) v,(3,1) v,0,1 (2,2),s m,True
v,s,r m,n,n s,r,s i,3,4 m,i,0 p,q,s 0,m,n m,w,i m,i,j v,m,i b,v,w k,v,w t,(2,2) v,i,i,(3,3) x,y,x y,y,y
"""
METHOD_CALLS = "0 1 2 w n i (1,0) 'int32' (3,1) None 0,1 [0,1]"


class Slow(Exception):
    """A call that took too long."""


def ring(*_):
    raise Slow


def numbers(array):
    """Return dtype and shape of an array as text, and its first elements as pairs of real and imaginary part."""
    array = array.toarray() if scipy.sparse.issparse(array) else np.asarray(array)
    if array.dtype.kind not in "biufc":
        return [str(array.dtype), []]
    parts = array.ravel()[:40].astype("complex128").view("float64")
    return [f"{array.dtype} {array.shape}", parts.tolist()]


def described(theano, found, variables):
    """Return what a call gave, as something that JSON holds: its kind, and what there is to compare."""
    if isinstance(found, theano.gof.Variable):
        kind = [type(found.type).__name__, str(getattr(found.type, "dtype", "")), str(getattr(found.type, "ndim", ""))]
        inputs = [v for v in variables.values() if v in theano.gof.graph.inputs([found])]
        try:
            value = theano.function(inputs, found)(*[ARGUMENTS[v.name][1] for v in inputs])
        except Slow:
            raise
        except Exception:
            return ["variable", kind, "cannot be computed"]
        return ["variable", kind, numbers(value)]
    if isinstance(found, (list, tuple)):
        return ["several", [described(theano, each, variables) for each in found[:6]]]
    if isinstance(found, (bool, int, float, np.generic, np.ndarray)) or scipy.sparse.issparse(found):
        return ["value", numbers(found)]
    return ["text", found] if isinstance(found, str) else ["object"]


def outcome(theano, call, text):
    """Return what comes of a call with the arguments that a text names, each variable made anew."""
    variables = {name: eval("theano." + made, {"theano": theano})(name) for name, (made, _) in ARGUMENTS.items()}
    try:
        signal.alarm(SECONDS)
        return described(theano, call(variables, *eval(f"({text},)" if text else "()", dict(variables))), variables)
    except Slow:
        return ["slow"]
    except Exception as error:
        return ["raises", type(error).__name__]
    finally:
        signal.alarm(0)


def find(name):
    """Return what Theano has under a name; the module, where a function has its name."""
    path, _, last = name.rpartition(".")
    try:
        thing = importlib.import_module(path)
    except ImportError:
        thing = find(path)
    return getattr(thing, last)


def outcomes_of(theano, name):
    """Return the outcomes of the calls of one name, by their arguments."""
    thing = find(name)
    owner = find(name.rpartition(".")[0]) if name.count(".") > 1 else None
    if isinstance(owner, type):
        last, bases = name.rpartition(".")[2], "p q" if "parse" in name else "v m i e s z"
        attribute = {
            base: outcome(theano, lambda all_, _base=base: getattr(all_[_base], last), "") for base in bases.split()
        }
        calls = {}
        for base in [base for base, found in attribute.items() if found == ["object"]]:
            for text in ["", *METHOD_CALLS.split()]:
                calls[base + "(" + text + ")"] = outcome(
                    theano, lambda all_, *given, _base=base: getattr(all_[_base], last)(*given), text
                )
        return dict(attribute, **calls)
    return {"(" + text + ")": outcome(theano, lambda _, *given: thing(*given), text) for text in ["", *CALLS.split()]}


def main():
    """Write the outcomes."""
    arguments = [each for each in sys.argv[1:] if each != "--map"]
    warnings.simplefilter("ignore")
    if "--map" in sys.argv:
        use_dialects(("theano",))
    import theano
    import theano.sparse

    signal.signal(signal.SIGALRM, ring)
    lines = (Path(__file__).resolve().parent / "names_theano.tsv").read_text().splitlines()[1:]
    names = [line.partition("\t")[0] for line in lines]
    names = [each for each in names if each.startswith(tuple("theano." + prefix for prefix in arguments[1:]))]
    with open(arguments[0], "w") as out:
        for name in names:
            if name.rpartition(".")[2] in NOT_CALLED:
                continue
            try:
                if callable(find(name)) or isinstance(find(name.rpartition(".")[0]), type):
                    out.write(json.dumps([name, outcomes_of(theano, name)]) + "\n")
            except Exception:  # refused, or not there
                continue
            out.flush()  # in case that the process ends early


if __name__ == "__main__":
    main()
