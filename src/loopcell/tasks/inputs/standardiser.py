import numpy as np, torch
from torch import nn
class Standardiser(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.register_buffer("mean", torch.zeros(n)); self.register_buffer("scale", torch.ones(n))
    def fit(self, seqs):
        v=np.concatenate(list(seqs)).astype(float)
        self.mean.copy_(torch.tensor(v.mean(0))); s=v.std(0); self.scale.copy_(torch.tensor(np.where(s>0,s,1)))
        return self
    def forward(self,x): return (x-self.mean)/self.scale
