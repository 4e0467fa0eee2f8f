"""WeatherMixer in plain PyTorch: the independent reference that goldens and benchmarks use.

Equations: docs/model.md (Kieckhefen et al., arXiv 2507.05753). Parameter names and memory layouts are those of the
checkpoints, so weights pass between the two through safetensors without change. A patch vector is ordered
(dy, dx, variable); fields come and go as [batch, variable, latitude, longitude].
"""
import torch
from torch import nn
from torch.nn import functional as F


class MLP(nn.Module):
    """second(gelu(first(norm(x)))) without the residual path."""

    def __init__(self, channels, inputs, width):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.first = nn.Linear(inputs, width)
        self.second = nn.Linear(width, inputs)


class Block(nn.Module):
    def __init__(self, tokens, channels, token_width, channel_width):
        super().__init__()
        self.tokens = MLP(channels, tokens, token_width)
        self.channels = MLP(channels, channels, channel_width)

    def forward(self, x):  # [batch, tokens, channels]
        h = self.tokens.norm(x).transpose(1, 2)
        x = x + self.tokens.second(F.gelu(self.tokens.first(h))).transpose(1, 2)
        return x + self.channels.second(F.gelu(self.channels.first(self.channels.norm(x))))


class Decoder(nn.Linear):
    """Linear on concat(LN(X), E); the norm is its member so that names match."""

    def __init__(self, channels, outputs):
        super().__init__(2 * channels, outputs)
        self.norm = nn.LayerNorm(channels)


class Blend(nn.Linear):
    def __init__(self, variables):
        super().__init__(2 * variables, variables)
        self.inner = nn.LayerNorm(variables)
        self.outer = nn.LayerNorm(2 * variables)


class WeatherMixer(nn.Module):
    def __init__(self, grid, patch, variables, auxiliaries, channels, token_width, channel_width, blocks,
                 residual_scale=None):
        super().__init__()
        self.grid, self.patch, self.variables = grid, patch, variables
        self.tokens = grid[0] // patch[0] * (grid[1] // patch[1])
        points = patch[0] * patch[1]
        self.encoder = nn.Linear(points * (variables + auxiliaries), channels)
        self.blocks = nn.ModuleList(
            Block(self.tokens, channels, token_width, channel_width) for _ in range(blocks))
        self.decoder = Decoder(channels, points * variables)
        if residual_scale is None:
            self.blend = Blend(variables)
        else:
            self.blend = None
            self.register_buffer("residual_scale", torch.as_tensor(residual_scale), persistent=False)

    def patches(self, x):
        """[batch, variable, lat, lon] -> [batch, token, (dy, dx, variable)]"""
        b, v, _, _ = x.shape
        (p, q), (h, w) = self.patch, self.grid
        x = x.reshape(b, v, h // p, p, w // q, q)
        return x.permute(0, 2, 4, 3, 5, 1).reshape(b, self.tokens, p * q * v)

    def unpatch(self, y):
        """[batch, token, (dy, dx, variable)] -> [batch, variable, lat, lon]"""
        b = y.shape[0]
        (p, q), (h, w) = self.patch, self.grid
        y = y.reshape(b, h // p, w // q, p, q, -1)
        return y.permute(0, 5, 1, 3, 2, 4).reshape(b, -1, h, w)

    def encode(self, state, auxiliary=None):
        inputs = [self.patches(state)] + ([] if auxiliary is None else [self.patches(auxiliary)])
        return self.encoder(torch.cat(inputs, -1))

    def process(self, x):
        for block in self.blocks:
            x = block(x)
        return x

    def decode(self, x, encoded, state):
        y = self.unpatch(self.decoder(torch.cat([self.decoder.norm(x), encoded], -1)))
        if self.blend is None:
            return state + self.residual_scale[:, None, None] * y
        y, s = y.movedim(1, -1), state.movedim(1, -1)
        return self.blend(self.blend.outer(torch.cat([self.blend.inner(y), s], -1))).movedim(-1, 1)

    def forward(self, state, auxiliary=None, applications=1):
        encoded = self.encode(state, auxiliary)
        x = encoded
        for _ in range(applications):
            x = self.process(x)
        return self.decode(x, encoded, state)


def weighted_loss(prediction, target, row_weights, variable_weights):
    """mean of (w_lat * w_var * (prediction - target))^2"""
    w = variable_weights[:, None, None] * row_weights[:, None]
    return ((w * (prediction - target)) ** 2).mean()
