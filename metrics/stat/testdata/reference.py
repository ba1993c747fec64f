"""Writes reference.json: python3 reference.py

Reference values from the definitions, in exact integer arithmetic where the
definition allows it, and by inversion of the test where it does not.
"""
import json
import os
import random
from fractions import Fraction
from math import comb, sqrt
from statistics import NormalDist

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = random.Random(20241001)
normal = NormalDist()


def wilson(k, n, confidence):
    """The proportions at which the score test just does not reject k of n, by bisection."""
    z = normal.inv_cdf(0.5 + confidence / 2)

    def inside(p):
        return (k / n - p) ** 2 <= z * z * p * (1 - p) / n

    def edge(inner, outer):
        for _ in range(200):
            middle = (inner + outer) / 2
            inner, outer = (middle, outer) if inside(middle) else (inner, middle)
        return inner

    lo = 0.0 if k == 0 else edge(k / n, 0.0)
    hi = 1.0 if k == n else edge(k / n, 1.0)
    return lo, hi


def mcnemar(b, c):
    n = b + c
    return float(min(Fraction(1), Fraction(2 * sum(comb(n, i) for i in range(min(b, c) + 1)), 2**n)))


def holm(p):
    """Each adjusted value is the largest of the corrections of all values not above it."""
    ordered = sorted(p)
    m = len(p)
    return [max(min(1.0, (m - i) * q) for i, q in enumerate(ordered) if q <= x) for x in p]


def newcombe(a, b, c, d):
    """Method 10, in the notation of the paper: e.g. a pairs positive on both."""
    n = a + b + c + d
    l2, u2 = wilson(a + b, n, 0.95)
    l3, u3 = wilson(a + c, n, 0.95)
    theta = (b - c) / n
    dl2, du2 = (a + b) / n - l2, u2 - (a + b) / n
    dl3, du3 = (a + c) / n - l3, u3 - (a + c) / n
    root = sqrt((a + b) * (c + d) * (a + c) * (b + d))
    top = a * d - b * c
    phi = 0.0 if root == 0 else (max(top - n / 2, 0) if top > 0 else top) / root
    delta = sqrt(max(0.0, dl2**2 - 2 * phi * dl2 * du3 + du3**2))
    epsilon = sqrt(max(0.0, du2**2 - 2 * phi * du2 * dl3 + dl3**2))
    return max(-1.0, theta - delta), min(1.0, theta + epsilon)


cases = {"wilson": [], "mcnemar": [], "holm": [], "newcombe": []}
for n in [1, 2, 3, 10, 50, 200, 1000, 100000, 10**7]:
    for k in sorted({0, 1, n // 50, n // 3, n // 2, n - 1, n}):
        for confidence in [0.5, 0.9, 0.95, 0.99, 0.999]:
            cases["wilson"].append([k, n, confidence, *wilson(k, n, confidence)])
for n in list(range(0, 30)) + [50, 100, 200, 500, 1000, 5000]:
    for b in sorted({0, 1, n // 10, n // 4, int(n / 2 - sqrt(n)) if n > 4 else 0, n // 2, (n + 1) // 2, n} | ({rng.randint(0, n)})):
        if b <= n:
            cases["mcnemar"].append([b, n - b, mcnemar(b, n - b)])
for m in [0, 1, 2, 3, 5, 12, 40]:
    for _ in range(5):
        p = [rng.choice([rng.random(), rng.random() ** 4, 0.0, 1.0, 0.04]) for _ in range(m)]
        cases["holm"].append([p, holm(p)])
for _ in range(100):
    table = [rng.choice([0, 1, 5, 40, 150]) for _ in range(4)]
    if sum(table):
        cases["newcombe"].append([*table, *newcombe(*table)])
with open("reference.json", "w", encoding="ascii") as f:
    json.dump(cases, f, separators=(",", ":"))
    f.write("\n")
