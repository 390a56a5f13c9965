"""Time series: carbon dioxide over Mauna Loa, the next year from the two before, compared with naive forecasts.

The data is the weekly series of 1958 to 2001 that comes with statsmodels (``pip install statsmodels``; only its file is
read), or any CSV file whose last column holds the values. The last fifth of the series is kept for the test.

    python examples/time_series.py
    python examples/time_series.py --short
"""

import argparse
import csv
import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import septet as st
from septet import nn

YEAR, PAST = 52, 104  # weeks: how far to look ahead, and how far back


def network():
    """A GRU over the past, and a dense layer for all weeks of the forecast at once."""
    return nn.Sequential(nn.GRU(32), nn.Dense(YEAR))


def read_series(path):
    """Return the numbers in the last column of a CSV file; gaps are filled along a straight line."""
    if path is None:
        found = importlib.util.find_spec("statsmodels")
        if found is None:
            raise SystemExit("no data: pip install statsmodels, or give a CSV file by --data")
        path = Path(found.submodule_search_locations[0]) / "datasets/co2/co2.csv"
    with open(path, newline="") as file:
        texts = [row[-1] for row in csv.reader(file) if row][1:]
    values = np.array([float(text) if text else np.nan for text in texts])
    known = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(len(values)), known, values[known])


def windows(series, scale):
    """Return every stretch of past and future, both as differences to the last value of the past, and that value."""
    stretches = np.lib.stride_tricks.sliding_window_view(series, PAST + YEAR)  # (N, PAST + YEAR)
    last = stretches[:, PAST - 1 : PAST]
    past, future = np.split((stretches - last) / scale, [PAST], axis=1)
    return past[:, :, None].astype(np.float32), future.astype(np.float32), last


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, help="by default 30, with --short 12")
    parser.add_argument("--short", action="store_true", help="a small setting, for a first look")
    parser.add_argument("--data", type=Path, help="a CSV file; by default the one of statsmodels")
    parser.add_argument("--out", type=Path, default=Path("time-series-output"), help="the folder of the results")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    st.random.seed(options.seed)

    series = read_series(options.data)
    begin = int(0.8 * len(series))
    scale = float(np.std(series[YEAR:begin] - series[: begin - YEAR]))
    inputs, targets, _ = windows(series[:begin], scale)
    test_inputs, test_targets, last = windows(series[begin - PAST :], scale)  # forecasts begin after the training data

    model = network()
    epochs = options.epochs or (12 if options.short else 30)
    schedule = st.optim.schedules.OneCycle(5e-3, epochs * -(-len(inputs) // 32))
    model.fit(
        (inputs, targets), epochs=epochs, validation=(test_inputs, test_targets), loss="mse", metrics=[],
        optimizer=st.optim.Adam(model.parameters(), schedule, clip_global_norm=1.0), seed=options.seed,
    )  # fmt: skip
    st.io.save_model(model, options.out / "model.safetensors", inputs, {"scale": scale})
    model, metadata = st.io.load_model(options.out / "model.safetensors")

    truth = test_targets * scale + last
    year_before = test_inputs[:, -YEAR:, 0] * scale + last
    forecasts = {
        "the last value": np.broadcast_to(last, truth.shape),
        "a year before": year_before,
        "a year before + a year's growth": year_before - test_inputs[:, -YEAR - 1, :] * scale,
        "network": model.predict(test_inputs) * metadata["scale"] + last,
    }
    errors = {name: float(np.sqrt(np.mean((forecast - truth) ** 2))) for name, forecast in forecasts.items()}
    for name, error in errors.items():
        print(f"root mean squared error of {name}: {error:.3f}")

    figure, panel = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
    place = len(truth) // 2
    weeks = np.arange(-PAST, YEAR)
    panel.plot(weeks[:PAST], test_inputs[place, :, 0] * scale + last[place], color="#6b6b6b", label="past")
    panel.plot(weeks[PAST:], truth[place], color="#222222", label="what came")
    for name, style in (("network", "-"), ("a year before + a year's growth", "--")):
        panel.plot(weeks[PAST:], forecasts[name][place], style, label=f"{name}: {errors[name]:.2f} on average")
    panel.set(xlabel="weeks from now", ylabel="CO2, parts per million" if options.data is None else options.data.stem)
    figure.legend(fontsize=8, loc="outside lower center", ncols=4)
    figure.savefig(options.out / "time-series.png", dpi=80)
    plt.close(figure)
    return errors


if __name__ == "__main__":
    main()
