"""What PyTorch's twins of the sequence networks share: recurrent layers by their formulas, so that they may
have one bias, and a reset gate before the product."""


def recurrent(torch, kind, n_x, n, layers=1, bidirectional=False, recurrent_bias=False, reset_after=True):
    """A module: x (m, T, n_x), states a list of (layers * directions, m, n) -> y (m, T, n), states at the
    end. Gates are stacked as in PyTorch: i, f, g, o of an LSTM, r, z, n of a GRU."""
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]

    class Recurrent(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.suffixes = []
            for layer in range(layers):
                wide = n * (1 + bidirectional) if layer else n_x
                for suffix in (f"_l{layer}", f"_l{layer}_reverse")[: 1 + bidirectional]:
                    self.suffixes.append(suffix)
                    shapes = [("weight_ih", (gates * n, wide)), ("weight_hh", (gates * n, n))]
                    shapes += [("bias_ih", (gates * n,))]
                    shapes += [("bias_hh", (gates * n,))] if recurrent_bias else []
                    for name, shape in shapes:
                        self.register_parameter(name + suffix, torch.nn.Parameter(torch.randn(shape) / n))

        def forward(self, x, states=None):
            count = 2 if kind == "lstm" else 1
            if states is None:
                zeros = x.new_zeros(len(self.suffixes), len(x), n)
                states = [zeros] * count
            ends, width = [], 1 + bidirectional
            for place, suffix in enumerate(self.suffixes):
                if place % width == 0:
                    below, outputs = x, []
                y, end = self.run(suffix, below, [s[place] for s in states], place % width == 1)
                outputs.append(y)
                ends.append(end)
                x = torch.cat(outputs, -1)
            return x, [torch.stack(parts) for parts in zip(*ends)]

        def run(self, suffix, x, states, backwards):
            U = getattr(self, "weight_hh" + suffix)
            b = getattr(self, "bias_hh" + suffix) if recurrent_bias else U.new_zeros(gates * n)
            z = x @ getattr(self, "weight_ih" + suffix).T + getattr(self, "bias_ih" + suffix)
            steps = list(z.unbind(1))
            outputs = []
            for z in steps[::-1] if backwards else steps:
                states = getattr(self, kind)(z, U, b, *states)
                outputs.append(states[0])
            return torch.stack(outputs[::-1] if backwards else outputs, 1), states

        def rnn(self, z, U, b, h):
            return [torch.tanh(z + h @ U.T + b)]

        def lstm(self, z, U, b, h, c):
            i, f, g, o = (z + h @ U.T + b).chunk(4, -1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            return [o.sigmoid() * c.tanh(), c]

        def gru(self, z, U, b, h):
            first = h @ U[: 2 * n].T + b[: 2 * n]
            r, u = (z[:, : 2 * n] + first).sigmoid().chunk(2, -1)
            if reset_after:
                new = torch.tanh(z[:, 2 * n :] + r * (h @ U[2 * n :].T + b[2 * n :]))
            else:
                new = torch.tanh(z[:, 2 * n :] + (r * h) @ U[2 * n :].T + b[2 * n :])
            return [(1 - u) * new + u * h]

    return Recurrent()


def numbers(vocabulary, *lengths):
    """`examples` of a row: sequences of numbers in 0..vocabulary-1 of these lengths, and for the last of them
    the numbers to predict."""

    def examples(rng, m):
        inputs = tuple(rng.integers(vocabulary, size=(m, T)) for T in lengths)
        return inputs, rng.integers(vocabulary, size=(m, lengths[-1]))

    return examples
