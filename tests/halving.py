"""Where halving the triangles changes how the walls lie, and where not: what close calls predict.

Two enumerations are compared triangle by triangle: one with the inputs interpolated on the
triangles of a mesh, one with them interpolated on parts of these triangles.  Nothing has changed
in a triangle if

    the same walls cross its sides in the same order,
    the same pairs of walls cross inside, and
    its regions have the same patterns, as often.

A crossing of walls may move over a side, and a wall over a corner; that changes triangles but no
region.  So triangles on both sides of a side along which the order has changed are looked at as
one.  Sets and sequences are compared by sums of random 64-bit words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from relu_dynamics import EncodedRegions, regions_on_triangles


class Arrangement(NamedTuple):
    """How the walls lie in some triangles of a mesh."""

    triangle: np.ndarray  # (F,) the triangle that every face is part of
    pattern: np.ndarray   # (F,) a word for every face's pattern
    edge: np.ndarray      # (c,) the edge of the mesh at every place where a wall crosses one,
    place: np.ndarray     # (c, 2)
    wall: np.ndarray      # (c,) and a word for the wall
    inside: np.ndarray    # (k,) the triangle of every crossing of walls inside one,
    pair: np.ndarray      # (k,) and a word for the pair
    beside: np.ndarray    # (m, 2) faces on the two sides of a part of an edge of the mesh,
    between: np.ndarray   # (m,) and the edge


def lie_of_halved(net, encoding, mesh):
    """How the walls lie in the triangles of mesh, and in the same triangles when all are cut in
    four."""
    points, triangles, parent, old_edge = quartered(mesh)
    finer = regions_on_triangles(net, points, triangles, encoding(points), max_regions=2**20)
    coarse = regions_on_triangles(net, mesh.points, mesh.triangles, encoding(mesh.points),
                                  max_regions=2**20)
    mesh = finer.triangulation
    number = {(int(u), int(v)): e for e, (u, v) in enumerate(mesh.edges)}
    old = np.full(len(mesh.edges), -1)
    for (u, v), e in old_edge.items():
        old[number[u, v]] = e
    return arrangement(coarse), on_old(arrangement(finer), parent, old)


def quartered(mesh):
    """Points and triangles when all are cut in four; of every new triangle, the old one; and of
    parts of old edges, by their ends, the old edge."""
    n = len(mesh.points)
    (a, b, c), (m, ma, mb) = mesh.triangles.T, n + mesh.sides.T  # m halves ab, ma bc, mb ca
    parts = [(a, m, mb), (b, ma, m), (c, mb, ma), (m, ma, mb)]
    points = np.vstack([mesh.points, mesh.points[mesh.edges].mean(axis=1)])
    old_edge = {(int(u), n + e): e for e, ends in enumerate(mesh.edges) for u in ends}
    return (points, np.concatenate([np.stack(part, axis=1) for part in parts]),
            np.tile(np.arange(len(mesh.triangles)), 4), old_edge)


def arrangement(regions: EncodedRegions):
    """How the walls lie in the triangles of regions."""
    sub, triangle = regions.pieces, regions.triangle
    on_edge, wall = np.full(len(sub.points), -1), np.zeros(len(sub.points), np.uint64)
    crossed = np.zeros(len(sub.points), np.uint64)  # the sum of the words of walls that end here
    part = sub.owner < 0
    on_edge[sub.edges[part]] = -1 - sub.owner[part, None]
    word = _mixed(sub.owner[~part].astype(np.uint64) + np.uint64(1))
    for end in sub.edges[~part].T:
        wall[end] = word
        np.add.at(crossed, end, word)
    face_of = np.full(len(sub.points), -1)
    half = np.flatnonzero(sub.face >= 0)
    face_of[sub.edges.ravel()[half]] = sub.face[half]
    new = np.arange(len(sub.points)) >= len(regions.triangulation.points)
    on, inside = np.flatnonzero(new & (on_edge >= 0)), np.flatnonzero(new & (on_edge < 0))
    beside = sub.face.reshape(-1, 2)[part]
    inner = (beside >= 0).all(axis=1)
    return Arrangement(
        triangle, _pattern_words(regions.packed[regions.region]), on_edge[on],
        sub.points[on], wall[on], triangle[face_of[inside]], _mixed(crossed[inside]),
        beside[inner], -1 - sub.owner[part][inner])


def on_old(new, parent, old_edge):
    """An arrangement on a finer mesh by the triangles and edges that its own are part of."""
    return new._replace(triangle=parent[new.triangle], inside=parent[new.inside],
                        edge=old_edge[new.edge], between=old_edge[new.between])


def touched(mesh, old, new):
    """(t,) in which triangles of mesh the walls lie in any other way, if only across a side."""
    every, inside = np.arange(len(mesh.triangles)), np.zeros(len(mesh.edges) + 1, np.bool_)
    inside[-1] = True
    sums = (_sums(walls, every, inside) for walls in (old, new))
    moved = _sequences(mesh, old) != _sequences(mesh, new)
    return np.not_equal(*sums) | moved[mesh.sides].any(axis=1)


def changed(mesh, old, new):
    """(t,) in which triangles of mesh the walls lie in another way."""
    moved = _sequences(mesh, old) != _sequences(mesh, new)
    order = np.argsort(mesh.sides.ravel(), kind="stable")
    edge, triangle = mesh.sides.ravel()[order], order // 3
    twice = np.flatnonzero((edge[1:] == edge[:-1]) & moved[edge[1:]])
    cluster = _components(len(mesh.triangles), triangle[twice], triangle[twice + 1])
    joined = np.zeros(len(moved) + 1, np.bool_)  # and, as its last entry, an edge in no old one
    joined[edge[twice]] = joined[-1] = True
    differs = _sums(old, cluster, joined) != _sums(new, cluster, joined)
    window = np.bincount(edge, minlength=len(moved)) == 1
    differs[cluster[triangle[(moved & window)[edge]]]] = True
    return differs[cluster]


def _sequences(mesh, walls):
    """(e,) a word for the walls that cross each edge of the mesh, in their order along it."""
    known = walls.edge >= 0
    edge, place, wall = walls.edge[known], walls.place[known], walls.wall[known]
    a, b = (mesh.points[mesh.edges[edge, k]] for k in range(2))
    order = np.lexsort((((place - a) * (b - a)).sum(axis=1), edge))
    edge = edge[order]
    rank = np.arange(len(edge)) - np.searchsorted(edge, edge)
    words = np.zeros(len(mesh.edges), np.uint64)
    np.add.at(words, edge, wall[order] * (2 * rank + 1).astype(np.uint64))
    return words


def _sums(walls, cluster, joined):
    """(t,) a word for the crossings and the regions in each cluster of triangles."""
    region = _components(len(walls.triangle), *walls.beside[joined[walls.between]].T)
    _, some = np.unique(region, return_index=True)
    words = np.zeros(len(cluster), np.uint64)
    for triangle, word in ((walls.triangle[some], walls.pattern[some]), (walls.inside, walls.pair)):
        np.add.at(words, cluster[triangle], word)
    return words


def _components(n, i, j):
    """(n,) numbers, from 0, of the connected components of a graph with the edges (i, j)."""
    return connected_components(coo_array((np.ones(len(i)), (i, j)), (n, n)), directed=False)[1]


def _pattern_words(packed):
    """(F,) one word for each row of words."""
    total = np.zeros(len(packed), np.uint64)
    for column in packed.T:
        total = _mixed(total ^ column)
    return total


def _mixed(word):
    """A fixed random permutation of 64-bit words (the finaliser of SplitMix64)."""
    word = (word + np.uint64(0x9E3779B97F4A7C15))
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(word ^ (word >> np.uint64(31)))
