"""Where halving the triangles changes how the walls lie, and where not: what close calls predict.

Two enumerations are compared triangle by triangle: one with the inputs interpolated on the
triangles of a mesh, one with them interpolated on parts of these triangles.  Nothing has changed
in a triangle if

    the same walls cross its sides in the same order,
    the same pairs of walls cross inside, and
    its regions have the same patterns, as often.

A crossing of walls may move over a side, and a wall over a corner; that changes triangles but no
region.  So triangles on both sides of a side along which the order has changed are looked at as
one; where the other triangle was not halved, nothing is said.  Sets and sequences are compared by
sums of random 64-bit words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Bits, Indices, Words
from relu_dynamics.regions2d.bits import packed_patterns
from relu_dynamics.regions2d.encoded import components
from relu_dynamics.regions2d.found import Found, roots
from relu_dynamics.regions2d.triangulation import Triangulation, halved, window_sides


class Arrangement(NamedTuple):
    """How the walls lie in some triangles of a mesh."""

    triangle: Indices  # (F,) the triangle that every face is part of
    pattern: Words     # (F,) a word for every face's pattern
    edge: Indices      # (c,) the edge of the mesh at every place where a wall crosses one,
    place: Array       # (c, 2)
    wall: Words        # (c,) and a word for the wall
    inside: Indices    # (k,) the triangle of every crossing of walls inside one,
    pair: Words        # (k,) and a word for the pair
    beside: Indices    # (m, 2) faces on the two sides of a part of an edge of the mesh,
    between: Indices   # (m,) and the edge


def arrangement(found: Found, which: Indices, mesh_vertices: int) -> Arrangement:
    """What was found in the triangles which of a mesh; mesh_vertices of its vertices are theirs."""
    sub = found.complex
    triangle = which[roots(found.layers, np.arange(found.faces))]
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
    new = np.arange(len(sub.points)) >= mesh_vertices
    on, inside = np.flatnonzero(new & (on_edge >= 0)), np.flatnonzero(new & (on_edge < 0))
    beside = sub.face.reshape(-1, 2)[part]
    inner = (beside >= 0).all(axis=1)
    return Arrangement(
        triangle, _pattern_words(packed_patterns(found.layers, found.faces)), on_edge[on],
        sub.points[on], wall[on], triangle[face_of[inside]], _mixed(crossed[inside]),
        beside[inner], -1 - sub.owner[part][inner])


def on_old(new: Arrangement, parent: Indices, old_edge: Indices) -> Arrangement:
    """An arrangement on a halved mesh by the triangles and edges that its own are part of."""
    return new._replace(triangle=parent[new.triangle], inside=parent[new.inside],
                        edge=old_edge[new.edge], between=old_edge[new.between])


def touched(mesh: Triangulation, old: Arrangement, new: Arrangement) -> Bits:
    """(t,) in which triangles of mesh the walls lie in any other way, if only across a side."""
    every, inside = np.arange(len(mesh.triangles)), np.zeros(len(mesh.edges) + 1, np.bool_)
    inside[-1] = True
    sums = (_sums(walls, every >= 0, every, inside) for walls in (old, new))
    moved = _sequences(mesh, old) != _sequences(mesh, new)
    return np.asarray(np.not_equal(*sums) | moved[mesh.sides].any(axis=1))


def changed(mesh: Triangulation, active: Bits, old: Arrangement, new: Arrangement) -> Bits:
    """(t,) in which active triangles of mesh the walls lie in another way."""
    moved = _sequences(mesh, old) != _sequences(mesh, new)
    sides = mesh.sides[active]
    moved[np.setdiff1d(np.arange(len(moved)), sides)] = False
    triangles = np.flatnonzero(active)
    edge, order = sides.ravel(), np.argsort(sides.ravel(), kind="stable")
    edge, triangle = edge[order], np.repeat(triangles, 3)[order]
    twice = np.flatnonzero((edge[1:] == edge[:-1]) & moved[edge[1:]])
    cluster = components(len(active), triangle[twice], triangle[twice + 1])
    joined = np.zeros(len(moved) + 1, np.bool_)  # and, as its last entry, an edge in no old one
    joined[edge[twice]] = joined[-1] = True
    differs = _sums(old, active, cluster, joined) != _sums(new, active, cluster, joined)
    side, rim = np.zeros((2, len(moved)), np.bool_)
    side[window_sides(mesh)] = True
    rim[np.setdiff1d(edge, edge[twice])] = True
    differs[cluster[triangle[(moved & rim & ~side)[edge]]]] = False
    differs[cluster[triangle[(moved & side)[edge]]]] = True
    return np.asarray(active & differs[cluster])


def halved_twice(mesh: Triangulation) -> tuple[Triangulation, Indices, Indices]:
    """All triangles in four; of every new triangle the old one, and of every new edge the old one,
    or -1 inside."""
    new, parent, old = _halved_once(mesh)
    newer, middle, of_edge = _halved_once(new)
    return newer, parent[middle], np.where(of_edge >= 0, old[of_edge], -1)


def _halved_once(mesh: Triangulation) -> tuple[Triangulation, Indices, Indices]:
    new, parent = halved(mesh, np.ones(len(mesh.triangles), np.bool_))
    n, old = len(mesh.points), np.full(len(new.edges), -1)
    number = {(int(u), int(v)): e for e, (u, v) in enumerate(mesh.edges)}
    middles = {tuple(middle): e for e, middle in enumerate(mesh.points[mesh.edges].mean(axis=1))}
    for e, (u, v) in enumerate(new.edges.tolist()):
        if v < n:
            old[e] = number[u, v]
        elif u in mesh.edges[middles[tuple(new.points[v])]]:
            old[e] = middles[tuple(new.points[v])]
    return new, parent, old


def _sequences(mesh: Triangulation, walls: Arrangement) -> Words:
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


def _sums(walls: Arrangement, active: Bits, cluster: Indices, joined: Bits) -> Words:
    """(t,) a word for the crossings and the regions in each cluster of triangles."""
    region = components(len(walls.triangle), *walls.beside[joined[walls.between]].T)
    _, some = np.unique(region, return_index=True)
    words = np.zeros(len(active), np.uint64)
    for triangle, word in ((walls.triangle[some], walls.pattern[some]), (walls.inside, walls.pair)):
        there = active[triangle]
        np.add.at(words, cluster[triangle[there]], word[there])
    return words


def _pattern_words(packed: Words) -> Words:
    """(F,) one word for each row of words."""
    total = np.zeros(len(packed), np.uint64)
    for column in packed.T:
        total = _mixed(total ^ column)
    return total


def _mixed(word: Words) -> Words:
    """A fixed random permutation of 64-bit words (the finaliser of SplitMix64)."""
    word = (word + np.uint64(0x9E3779B97F4A7C15))
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(word ^ (word >> np.uint64(31)))
