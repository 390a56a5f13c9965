"""Commands about the machine: `doctor` and `bench`."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

import septet as st
from septet import nn
from septet.backends.cpu import libraries, objects
from septet.base.config import config
from septet.base.errors import SeptetError
from septet.base.text import listing, plural, seconds_text, table
from septet.base.threads import explain, usable_cores

NEEDED = ("numpy", "ml-dtypes", "llvmlite", "scipy-openblas32", "safetensors", "rich", "click")
LIBRARY_OF_CONVOLUTIONS = "onednn-cpu-gomp"  # only Linux on x86-64 has it; elsewhere our own loops serve
EXTRAS = {
    "view": ("matplotlib", "pillow", "graphviz"),
    "data": ("pillow", "pyarrow", "h5py"),
    "text": ("tokenizers",),
    "yaml": ("pyyaml",),
    "tensorboard": ("tensorboard",),
    "py2": ("fissix",),
}
"""What the optional parts need, by the name that pip knows them by: ``pip install septet[view]``."""


def version_of(package: str) -> str | None:
    """Return the version of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def trouble() -> list[str]:
    """Return what keeps Septet from working as it should, in words; nothing where all is well.

    Besides looking for what is missing, a small function is compiled, and what it computes is compared with NumPy.
    """
    found = [f"{package} is not installed" for package in NEEDED if version_of(package) is None]
    found += [line.splitlines()[0] for line in libraries.status() if "cannot" in line or "is not" in line]
    x = np.linspace(-2, 2, 4096, dtype=np.float32).reshape(64, 64)
    try:
        values = st.compile(lambda a: st.tanh(a @ a.T).sum(axis=0))(x).numpy()
    except SeptetError as error:
        return [*found, f"compiled code does not run: {error.message}"]
    if not np.allclose(values, np.tanh(x @ x.T).sum(axis=0), rtol=1e-4, atol=1e-3):
        found.append("compiled code computes something else than NumPy: please report it")
    return found


@click.command(short_help="Check the installation.")
def doctor() -> None:
    """Check the installation, and show versions, extras, threads, caches and settings.

    The first line says whether everything works; where it does not, the exit status is 1.
    """
    wrong = trouble()
    click.echo("everything works" if not wrong else f"{plural(len(wrong), 'trouble')}: {'; '.join(wrong)}")
    click.echo()
    click.echo(f"septet {st.__version__}, Python {platform.python_version()}, {platform.platform()}")
    packages = [*NEEDED, LIBRARY_OF_CONVOLUTIONS]
    click.echo("\n".join(f"  {name}: {version_of(name) or 'not installed'}" for name in packages))
    click.echo("extras")
    for extra, names in EXTRAS.items():
        missing = [name for name in names if version_of(name) is None]
        state = f"lacks {listing(missing)}: pip install septet[{extra}]" if missing else "installed"
        click.echo(f"  {extra}: {state}")
    dot = shutil.which("dot")
    click.echo(f"  the program dot of Graphviz, for still pictures of graphs: {dot or 'not on the PATH'}")
    click.echo("devices")
    click.echo(f"  cpu: {platform.machine()}, {plural(usable_cores(), 'thread')}; backend {config.backend}")
    click.echo(objects.current().status())
    click.echo("\n".join(libraries.status()))
    click.echo(explain())
    click.echo()
    settings = [
        (row.name, str(getattr(config, row.name)), config.origin(row.name), row.variable) for row in config.rows()
    ]
    click.echo(table(settings, ("setting", "value", "from", "environment variable"), "llll"))
    click.echo("what they mean: docs/settings.md, or print(septet.config.table())")
    if wrong:
        raise SystemExit(1)


@click.command(short_help="Measure this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench(as_json: bool) -> None:
    """Measure this machine: products of matrices, memory, convolution, a training step. Takes some seconds."""
    rows = [*measure()]
    if as_json:
        about = {"septet": st.__version__, "machine": platform.machine(), "threads": usable_cores()}
        click.echo(json.dumps({**about, "backend": config.backend, "measured": rows}, indent=2))
        return
    cells = [(row["what"], f"{row['value']:.3g} {row['unit']}", seconds_text(row["seconds"])) for row in rows]
    click.echo(table(cells, ("what", "speed", "one run"), "lrr"))
    click.echo(f"{plural(usable_cores(), 'thread')}, backend {config.backend}; the best of several runs")


def measure(side: int = 1024, seconds: float = 0.5) -> list[dict[str, Any]]:
    """Return what was measured, a row for each: what, value, unit, seconds of the best run.

    Parameters
    ----------
    side : int
        Of the matrices; the other sizes follow from it.
    seconds : float
        For how long each is repeated.
    """
    random = np.random.default_rng(0)

    def array(*shape: int) -> st.Tensor:
        return st.tensor(random.normal(size=shape).astype(np.float32))

    a, b = array(side, side), array(side, side)
    product = st.compile(lambda x, y: x @ y)
    long = array(16 * side * side)  # 64 MB: more than caches hold
    chain = st.compile(lambda x: st.tanh(x * 0.5 + 1.0) * x)
    images, labels = random.normal(size=(32, 16, 32, 32)).astype(np.float32), random.integers(0, 10, 32)
    layer = nn.Conv2D(32, 3, padding="same").build_for(images)
    convolution = st.compile(layer)
    model = nn.Sequential(nn.Conv2D(16, 3), nn.ReLU(), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(10)).build_for(images)
    optimizer = st.optim.Adam(model.parameters(), 1e-3)

    @st.compile
    def step(x: st.Tensor, y: st.Tensor) -> st.Tensor:
        loss = nn.losses.cross_entropy(model(x), y)
        loss.backward()  # type: ignore[attr-defined]
        optimizer.step()
        return loss

    giga, pictures, classes = 1e-9, st.tensor(images), st.tensor(labels)
    works: list[tuple[str, Callable[[], Any], float, str]] = [
        (f"product of matrices {side} x {side}", lambda: product(a, b), 2 * side**3 * giga, "GFLOP/s"),
        ("tanh(0.5 x + 1) x, in memory", lambda: chain(long), 2 * 4 * 16 * side * side * giga, "GB/s"),
        (
            "convolution 3 x 3, 32 images",
            lambda: convolution(pictures),
            2 * 32 * 32 * 32 * 32 * 16 * 9 * giga,
            "GFLOP/s",
        ),
        ("training step, 32 images", lambda: step(pictures, classes), 32, "images/s"),
    ]
    rows = []
    for what, work, amount, unit in works:
        best = fastest(work, seconds)
        rows.append({"what": what, "value": amount / best, "unit": unit, "seconds": best})
    return rows


def fastest(work: Callable[[], Any], seconds: float) -> float:
    """Return the time of the fastest run; the first ones, which compile, do not count."""
    st.evaluate(work())
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        st.evaluate(work())
        best = min(best, time.perf_counter() - start)
    return best
