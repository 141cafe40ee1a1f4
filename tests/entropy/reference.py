"""What the probabilities are, by definition: one position at a time, in NumPy integers.

Shares no code with the package: its own tables (from floats), its own windows, its own order.
"""

import numpy as np

HALF = np.arange(-1024, 1024) / 128


def nearest(values):
    return np.floor(values + 0.5).astype(np.int64)


TANH = np.clip(nearest(128 * np.tanh(HALF)), -127, 127)
SIGMOID = nearest(1024 / (1 + np.exp(-HALF)))
PROBABILITY = np.clip(nearest(65536 / (1 + np.exp(-np.arange(-4096, 4096) / 256))), 1, 65535)


def shifted(x, shift):
    """x / 2^shift, halves up."""
    return x << -shift if shift <= 0 else (x + (1 << (shift - 1))) >> shift


class Reference:
    def __init__(self, config, tensors):
        self.tensors = {k: v.numpy().astype(np.int64) for k, v in tensors.items()}
        self.hidden = config["hidden"]
        self.progressive = config["name"] == "progressive"

    def layer(self, name, t, x, table, input_bits=7):
        weight, exponent, bias = (
            self.tensors[f"{name}.{part}"][t] for part in ("weight", "exponent", "bias")
        )
        total = x @ weight + bias
        table_bits = 8 if table is PROBABILITY else 7
        steps = [
            shifted(int(v), int(e) + input_bits - table_bits)
            for v, e in zip(total, exponent, strict=True)
        ]
        return table[np.clip(np.array(steps) + len(table) // 2, 0, len(table) - 1)]

    def lstm(self, gates, cell):
        f, i, o, s = gates.reshape(4, self.hidden)
        cell = np.clip((f * cell + i * (2 * s - 1024) + 512) >> 10, -8191, 8191)
        tanh = 2 * SIGMOID[np.clip(((cell + 2) >> 2) + 1024, 0, 2047)] - 1024
        return np.clip((o * tanh + 4096) >> 13, -127, 127), cell

    def probabilities(self, codes):
        """codes (T, h, w, 32) of 0 and 1 -> (T, h, w, 32)."""
        T, h, w, _ = codes.shape
        out = np.zeros(codes.shape, dtype=np.int64)
        state = np.zeros((h, w, 32), dtype=np.int64)
        memory = np.zeros((2, h, w, self.hidden), dtype=np.int64)
        for t in range(T):
            b = codes[t].astype(np.int64) * 2 - 1
            out[t] = self.iteration(t, b, state)
            if self.progressive and t < T - 1:
                memory, state = self.remember(t, b, memory)
        return out

    def iteration(self, t, b, state):
        h, w, _ = b.shape
        out = np.zeros(b.shape, dtype=np.int64)
        z = np.zeros((h, w, self.hidden * (2 if self.progressive else 1)), dtype=np.int64)
        hidden, cell = np.zeros((2, h, w, self.hidden), dtype=np.int64)
        for y in range(h):
            for x in range(w):
                past = [at(b, y + dy, x + dx) for dy in (-3, -2, -1) for dx in range(-3, 4)]
                past += [at(b, y, x + dx) for dx in (-3, -2, -1)]
                z[y, x, : self.hidden] = self.layer("context", t, np.concatenate(past), TANH, 0)
                if self.progressive:
                    z[y, x, self.hidden :] = self.layer("prior", t, around(state, y, x), TANH)
                line = [at(z, y, x - 1), at(z, y, x)]
                line += [at(hidden, y - 1, x + dx) for dx in (-1, 0, 1)]
                gates = self.layer("line", t, np.concatenate(line), SIGMOID)
                hidden[y, x], cell[y, x] = self.lstm(gates, at(cell, y - 1, x))
                output = self.layer("output", t, hidden[y, x], TANH)
                out[y, x] = self.layer("logits", t, output, PROBABILITY)
        return out

    def remember(self, t, b, memory):
        h, w, _ = b.shape
        positions = [(y, x) for y in range(h) for x in range(w)]
        a = np.zeros((h, w, self.hidden), dtype=np.int64)
        state = np.zeros((h, w, 32), dtype=np.int64)
        new = np.zeros_like(memory)
        for y, x in positions:
            a[y, x] = self.layer("past_a", t, around(b, y, x), TANH, 0)
        for y, x in positions:
            past = self.layer("past_b", t, around(a, y, x), TANH)
            gates = self.layer("memory", 0, np.concatenate([past, memory[0, y, x]]), SIGMOID)
            new[0, y, x], new[1, y, x] = self.lstm(gates, memory[1, y, x])
            recall = self.layer("recall_a", 0, new[0, y, x], TANH)
            state[y, x] = self.layer("recall_b", 0, recall, TANH)
        return new, state


def at(field, y, x):
    inside = 0 <= y < field.shape[0] and 0 <= x < field.shape[1]
    return field[y, x] if inside else np.zeros_like(field[0, 0])


def around(field, y, x):
    return np.concatenate([at(field, y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
