"""Septet in the peer benchmark: the workloads as a user of Septet writes them.

The benchmark loads this file by the environment variable OURS_ADAPTER. `ours` is define-by-run code without any
decorator; in `ours-compile` the whole step is compiled. Both share the code of each workload.
"""

import os

import numpy as np
from adapters import base  # of the benchmark that loads this file


class Peer(base.Peer):
    variants = ("ours", "ours-compile")

    def env(self):
        return {}

    def load(self):
        global st, nn
        folder = os.environ.get("OURS_CACHE_DIR")
        if folder:
            os.environ["SEPTET_CACHE_DIR"] = folder
        os.environ["SEPTET_NUM_THREADS"] = str(self.threads)
        import septet as st
        from septet import nn

        self.is_compiled = self.variant == "ours-compile"

    def version(self):
        return st.__version__

    # What workloads share.

    def _compiled(self, call):
        return st.compile(call) if self.is_compiled else call

    def _parameters(self, spec):
        return {name: st.Variable(value, name) for name, value in spec.params.items()}

    def _optimizer(self, parameters, options):
        rate = options["lr"]
        if options["kind"] == "adam":
            return st.optim.Adam(parameters, learning_rate=rate)
        if options["kind"] == "adamw":
            return st.optim.AdamW(parameters, learning_rate=rate, weight_decay=options["wd"])
        return st.optim.SGD(parameters, learning_rate=rate, momentum=options.get("mu", 0.0))

    def _train(self, spec, loss_of, parameters):
        optimizer = self._optimizer(list(parameters.values()), spec.opt)
        batches = [(st.asarray(x), st.asarray(y)) for x, y in spec.batches]

        @self._compiled
        def update(x, y):
            loss = loss_of(x, y)
            loss.backward()
            optimizer.step()
            return loss

        return base.Session(lambda i: update(*batches[i % len(batches)]), wait=self._wait)

    def _infer(self, spec, network):
        batches = [st.asarray(batch[0]) for batch in spec.batches]
        call = self._compiled(network)

        def step(i):
            with st.no_grad():
                return self._computed(call(batches[i % len(batches)]))

        return base.Session(step, lambda h: float(np.abs(np.asarray(h)).mean()), wait=self._wait)

    @staticmethod
    def _wait(handle):
        st.evaluate(handle)

    @staticmethod
    def _computed(handle):
        """Compute what a step returns: define-by-run code would compute only what somebody asks for."""
        st.evaluate(handle)
        return handle

    # Workloads.

    def mlp(self, spec):
        p = self._parameters(spec)

        def loss(x, y):
            h = st.relu(x @ p["W1"] + p["b1"])
            h = st.relu(h @ p["W2"] + p["b2"])
            return nn.losses.cross_entropy(h @ p["W3"] + p["b3"], y)

        return self._train(spec, loss, p)

    def lenet(self, spec):
        p = self._parameters(spec)

        def layer(x, kernel, bias):
            h = st.relu(st.conv(x, kernel, padding=2) + bias.reshape((-1, 1, 1)))
            return st.max_pool(h, window=2)

        def loss(x, y):
            h = layer(layer(x, p["K1"], p["c1"]), p["K2"], p["c2"])
            h = st.relu(h.reshape((h.shape[0], -1)) @ p["W3"] + p["b3"])
            return nn.losses.cross_entropy(h @ p["W4"] + p["b4"], y)

        return self._train(spec, loss, p)

    def resnet(self, spec):
        p = self._parameters(spec)
        is_training = spec.kind == "train"
        stats = {name: st.Variable(value, name, role="statistic") for name, value in spec.cfg["stats"].items()}

        def channels(vector):
            return vector.reshape((-1, 1, 1))

        def conv_norm(x, name, stride, padding):
            x = st.conv(x, p[name + ".k"], stride=stride, padding=padding)
            mean, variance = stats[name + ".m"], stats[name + ".v"]
            if is_training:
                batch_mean, batch_variance = st.moments(x, axis=(0, 2, 3))
                mean.assign(0.9 * mean + 0.1 * batch_mean)
                variance.assign(0.9 * variance + 0.1 * batch_variance)
                mean, variance = batch_mean, batch_variance
            return st.normalize(
                x, channels(mean), channels(variance), channels(p[name + ".g"]), channels(p[name + ".b"])
            )

        def network(x):
            x = st.relu(conv_norm(x, "stem", 1, 1))
            for name, _, _, stride, has_projection in spec.cfg["blocks"]:
                h = conv_norm(st.relu(conv_norm(x, name + "a", stride, 1)), name + "b", 1, 1)
                x = st.relu(h + (conv_norm(x, name + "s", stride, 0) if has_projection else x))
            return x.mean((2, 3)) @ p["fc.W"] + p["fc.b"]

        if not is_training:
            return self._infer(spec, network)
        return self._train(spec, lambda x, y: nn.losses.cross_entropy(network(x), y), p)

    def lstm(self, spec):
        p = self._parameters(spec)
        size = spec.cfg["H"]

        def loss(x, y):
            h = st.take(p["E"], x.T, axis=0)  # (T, B, H)
            for layer in (0, 1):
                inputs = h @ p[f"Wx{layer}"] + p[f"b{layer}"]
                recurrent = p[f"Wh{layer}"]

                def cell(state, z, recurrent=recurrent):
                    h, c = state
                    z = z + h @ recurrent
                    i, f, g, o = (z[:, n * size : (n + 1) * size] for n in range(4))
                    c = st.sigmoid(f) * c + st.sigmoid(i) * st.tanh(g)
                    h = st.sigmoid(o) * st.tanh(c)
                    return (h, c), h

                zero = st.zeros((h.shape[1], size))
                _, h = st.scan(cell, (zero, zero), inputs)
            return nn.losses.cross_entropy(h @ p["Wo"] + p["bo"], y.T)

        return self._train(spec, loss, p)

    def gpt(self, spec):
        p, c = self._parameters(spec), spec.cfg
        width, length, heads = c["D"], c["T"], c["H"]
        mask = st.tril(st.ones((length, length), dtype="bool"))

        def network(x):
            batch = x.shape[0]
            h = st.take(p["E"], x, axis=0) + p["P"]
            for layer in range(c["L"]):
                q = f"h{layer}."
                a = st.layer_norm(h, p[q + "g1"], p[q + "n1"]) @ p[q + "Wqkv"] + p[q + "bqkv"]
                a = a.reshape((batch, length, 3, heads, width // heads))
                query, key, value = (a[:, :, n].transpose((0, 2, 1, 3)) for n in range(3))  # (B, heads, T, D / heads)
                scores = query @ key.transpose((0, 1, 3, 2)) / 8.0
                weights = st.softmax(st.where(mask, scores, -1e30))
                a = (weights @ value).transpose((0, 2, 1, 3)).reshape((batch, length, width))
                h = h + a @ p[q + "Wp"] + p[q + "bp"]
                m = st.layer_norm(h, p[q + "g2"], p[q + "n2"]) @ p[q + "W1"] + p[q + "b1"]
                h = h + st.gelu(m, approximate=True) @ p[q + "W2"] + p[q + "b2"]
            return st.layer_norm(h, p["gf"], p["nf"]) @ p["Wo"]

        if spec.kind == "infer":
            return self._infer(spec, network)
        return self._train(spec, lambda x, y: nn.losses.cross_entropy(network(x), y), p)

    def elementwise(self, spec):
        a, b, c = (spec.cfg[name] for name in "abc")
        x = st.asarray(spec.batches[0][0])

        def f(x):
            return (st.tanh(a * x + b) * st.sigmoid(c * x) + st.exp(-x * x)).mean()

        if not spec.cfg["grad"]:
            call = self._compiled(f)
            return base.Session(lambda i: self._computed(call(x)), wait=self._wait)
        both = self._compiled(st.value_and_grad(f))
        return base.Session(
            lambda i: self._computed(both(x)),
            lambda h: float(h[0]),
            wait=self._wait,
            aux=lambda h: float(np.abs(np.asarray(h[1])[::1000]).sum()) * 1e6,
        )

    def logreg(self, spec):
        p = self._parameters(spec)
        w, b = p["w"], p["b"]
        x, y = (st.asarray(array) for array in spec.batches[0])

        @self._compiled
        def update(x, y):
            z = x @ w + b
            cost = (st.softplus(z) - y * z).mean() + 0.01 * (w * w).sum()
            cost.backward()
            with st.no_grad():
                w.assign(w - 0.1 * w.grad)
                b.assign(b - 0.1 * b.grad)
            w.zero_grad()
            b.zero_grad()
            return cost

        return base.Session(lambda i: update(x, y), wait=self._wait)

    def dyntree(self, spec):
        if self.is_compiled:
            raise base.Unsupported("a new graph each step: that is what define-by-run is for")
        p = self._parameters(spec)
        table, weight, bias, out, out_bias = p.values()
        optimizer = st.optim.SGD(list(p.values()), learning_rate=spec.opt["lr"])
        trees = [(tree, st.asarray([label])) for tree, label in spec.batches]

        def node(tree):
            if isinstance(tree, int):
                return table[tree : tree + 1]
            return st.tanh(st.concatenate((node(tree[0]), node(tree[1])), axis=1) @ weight + bias)

        def step(i):
            tree, label = trees[i % len(trees)]
            loss = nn.losses.cross_entropy(node(tree) @ out + out_bias, label)
            loss.backward()
            optimizer.step()
            return loss

        return base.Session(step, wait=self._wait)

    def tiny(self, spec):
        if self.is_compiled:
            raise base.Unsupported("measures define-by-run code")
        x, y = (st.asarray(array) for array in spec.batches[0])
        count, mode = spec.cfg["n"], spec.cfg["mode"]
        if mode != "plain":
            x = st.Variable(x)

        def step(i):
            v = x
            for _ in range(count):
                v = v + y
            if mode != "bwd":
                return self._computed((v,))
            mean = v.mean()
            mean.backward()
            gradient = x.grad
            x.zero_grad()
            return self._computed((mean, gradient))

        return base.Session(
            step,
            lambda h: float(h[0].mean()),
            wait=self._wait,
            aux=(lambda h: float(h[1].sum())) if mode == "bwd" else None,
        )
