"""Graphs as pictures: what is in them, still pictures, and the page, tried in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, CallError, NotSupportedError
from septet.view import dot
from septet.view.diagram import BACKWARD, UPDATE
from septet.view.page import data

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def network() -> nn.Module:
    """Two convolutions, one of them used twice, and a dense layer."""
    return nn.Sequential(nn.Conv2D(4, 3, padding="same"), nn.BatchNorm(), nn.ReLU(), nn.Flatten(), nn.Dense(3))


IMAGES, LABELS = np.zeros((2, 1, 6, 6), np.float32), np.zeros(2, np.int64)


def step_of(model: nn.Module):
    """A training step, and what it trains."""
    optimizer = st.optim.Adam(model.parameters(), 0.01)

    def step(images, labels):
        loss = nn.losses.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_model_is_drawn_by_its_layers():
    model = network()
    view = st.view.graph(model, st.symbol("images", (None, 1, 6, 6)))
    groups = view.diagram.groups
    assert [path for path in groups if len(path) == 2 and path[0] == "Sequential"] == [
        ("Sequential", f"{number}:{name}")
        for number, name in enumerate(["Conv2D", "BatchNorm", "ReLU", "Flatten", "Dense"])
    ]
    assert (
        groups[()].parameters
        == sum(v.value.size for v in model.parameters())
        == view.diagram.groups[("Sequential",)].parameters
    )
    (given,) = [item for item in view.diagram.items if item.kind == "input"]
    assert (given.label, given.type) == ("images", "float32 (?, 1, 6, 6)")
    kernel = next(item for item in view.diagram.items if item.label == "kernel")
    assert (kernel.group, kernel.type, kernel.parameters) == (("Sequential", "0:Conv2D"), "float32 (4, 1, 3, 3)", 36)
    assert any(edge.type == "float32 (?, 4, 6, 6)" for edge in view.diagram.edges)
    assert repr(view).startswith("GraphView(Sequential: ") and repr(view).endswith("groups, 483 parameters)")


def test_nothing_changes_by_drawing():
    model = network()
    model.build_for(IMAGES)
    before = model.state_dict()
    st.view.graph(st.compile(step_of(model)), IMAGES, LABELS)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    assert model.is_training


def test_backward_and_updates_have_their_own_groups():
    view = st.view.graph(step_of(network()), IMAGES, LABELS)
    groups = view.diagram.groups
    assert (BACKWARD, "Sequential", "0:Conv2D") in groups and (UPDATE, "0.kernel") in groups
    updates = [item for item in view.diagram.items if item.kind == "update"]
    assert {"new 0.kernel", "new 1.mean"} <= {item.label for item in updates}
    for edge in view.diagram.edges:  # what is forward needs nothing of what is backward
        source, target = (view.diagram.items[number].group[:1] for number in edge[:2])
        assert not (source == (BACKWARD,) and target == ("Sequential",))
    (line,) = [path for path in groups if len(path) == 1 and path[0].startswith("line test_graphs.py:")]
    assert groups[line].ops > 5  # the loss


def test_a_layer_that_is_applied_twice_is_two_groups():
    class Twice(nn.Module):
        def __init__(self):
            self.dense = nn.Dense(3)

        def forward(self, x):
            return self.dense(st.tanh(self.dense(x)))

    groups = st.view.graph(Twice(), np.zeros((2, 3), np.float32)).diagram.groups
    assert [path[1] for path in groups if len(path) == 2] == ["dense:Dense", "dense:Dense (2)"]
    assert groups[("Twice",)].parameters == 12


def test_functions_tensors_and_loops():
    x = st.symbol("x", (3,))
    function = st.function([x], st.exp(x) * 2, name="double")
    view = st.view.graph(function)
    assert view.title == "double" and {item.label for item in view.diagram.items} == {
        "x",
        "exp",
        "multiply(·, 2)",
        "output",
    }
    assert [item.kind for item in st.view.graph(st.exp(x)).diagram.items] == ["input", "op", "output"]
    w = st.Variable([1.0, 2.0], "w")
    pending = st.view.graph([(w * st.tensor([3.0, 4.0])).sum(), w + 1])
    assert [item.kind for item in pending.diagram.items].count("output") == 2
    loop = st.view.graph(lambda s: st.scan(lambda c, a: (c + st.sin(a), c), s[0], s), np.zeros(5, np.float32))
    (group,) = [path for path in loop.diagram.groups if path and path[-1].startswith("scan")]
    assert "sin" in {item.label for item in loop.diagram.items if item.group[: len(group)] == group}


def test_what_cannot_be_drawn():
    with pytest.raises(ArgumentError, match="graph draws models, functions of tensors and tensors, received 3"):
        st.view.graph(3)
    with pytest.raises(ArgumentError, match="depends on its input"):
        st.view.graph(network())
    with pytest.raises(CallError, match="it takes"):
        st.view.graph(lambda a: a, 1, 2)
    with pytest.raises(ArgumentError, match=r"saved as \.html, \.svg"):
        st.view.graph(st.ones(3)).save("graph.gif")


def test_large_graphs_start_folded():
    model = nn.Sequential(*[nn.Sequential(nn.Dense(8), nn.LayerNorm(), nn.ReLU()) for _ in range(12)])
    view = st.view.graph(step_of(model), np.zeros((2, 8), np.float32), LABELS)
    whole = view.diagram
    assert len(whole.items) > 600
    unfolded = whole.unfolded(40)
    seen = dot.Seen(whole, unfolded)
    boxes = {seen.box(number) for number in range(len(whole.items))}
    assert 12 <= len(boxes) <= 40
    assert ("Sequential",) in unfolded and len(
        [path for path in unfolded if len(path) == 2 and path[0] == "Sequential"]
    ) == 0
    assert whole.unfolded(10**6) == set(whole.groups)


def test_dot_writes_a_picture(tmp_path):
    pytest.importorskip("graphviz", reason="graphviz is not installed (pip install septet[view])")
    view = st.view.graph(network(), IMAGES)
    if shutil.which("dot") is None:
        with pytest.raises(NotSupportedError, match="the program dot"):
            view.svg()
        pytest.skip("the program dot of Graphviz is not installed")
    view.save(tmp_path / "graph.svg", depth=1)
    text = (tmp_path / "graph.svg").read_text()
    assert "0:Conv2D" in text and "float32 (2, 4, 6, 6)" in text and "dot_general" not in text
    assert "dot_general" in view.svg(depth=9)
    view.save(tmp_path / "graph.png")
    assert (tmp_path / "graph.png").read_bytes()[:4] == b"\x89PNG"


def test_without_graphviz_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "graphviz", None)
    with pytest.raises(NotSupportedError, match=r"graph needs graphviz.*pip install septet\[view\]"):
        st.view.graph(st.ones(3)).svg()
    monkeypatch.undo()
    pytest.importorskip("graphviz")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotSupportedError, match="needs the program dot of Graphviz"):
        st.view.graph(st.ones(3)).svg()


def test_the_page_holds_all_and_asks_for_nothing():
    view = st.view.graph(step_of(network()), IMAGES, LABELS)
    text = view.html()
    assert not re.search(r"""(src|href)=|@import|url\((?!#)""", text)
    assert not [host for host in re.findall(r"https?://([^/\"]+)", text) if host != "www.w3.org"]  # a name space
    found = json.loads(re.search(r'type="application/json">(.*?)</script>', text, re.DOTALL)[1])
    assert found == data(view.diagram, view.diagram.unfolded(40))
    assert "{{" not in text
    assert view._repr_html_().startswith("<iframe srcdoc=")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed, in which the page could be tried")
def test_the_page_draws_folds_and_finds_in_a_browser(tmp_path):
    view = st.view.graph(step_of(network()), IMAGES, LABELS)
    # What a reader does, done by a program at the end of the page; what came of it is written into the page.
    probe = """
    const told = { start: shown.length, edges: linkList.length };
    const box = groups.find((group) => group.name === "0:Conv2D");
    document.getElementById("g" + box.number).dispatchEvent(new MouseEvent("click", { bubbles: true }));
    told.unfolded = shown.length;
    told.kernel = document.getElementById("drawing").textContent.includes("float32 (4, 1, 3, 3)");
    find("cross"); find("dot_general"); told.found = document.getElementById("found").textContent;
    go(items.find((item) => item.label === "dot_general")); told.about = document.getElementById("about").textContent;
    document.getElementById("fold").click(); told.folded = shown.map((one) => one.name ?? one.label);
    groups.forEach((group) => { group.open = true; }); refresh(); told.all = shown.length;
    let apart = true; // no two boxes in one group lie on each other
    for (const group of groups) {
      const inside = [...group.items, ...group.groups];
      for (const a of inside) for (const b of inside)
        if (a !== b && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h) apart = false;
    }
    told.apart = apart;
    const made = document.createElement("pre"); made.id = "told"; made.textContent = JSON.stringify(told);
    document.body.appendChild(made);
    """
    page = tmp_path / "graph.html"
    page.write_text(view.html().replace("</body>", f"<script>{probe}</script></body>"))
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", page.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    told = json.loads(found[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    assert told["start"] <= 40 and told["edges"] > 5
    assert told["unfolded"] > told["start"] and told["kernel"]
    assert told["found"].startswith("3 found")  # forward, and two gradients
    assert "dot_general" in told["about"] and "Sequential/4:Dense" in told["about"]
    assert set(told["folded"]) >= {"Sequential", "backward", "update", "images", "labels", "output"}
    assert told["all"] == len(view.diagram.items) and told["apart"]
