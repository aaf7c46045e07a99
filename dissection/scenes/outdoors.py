"""Scenes under the sky. They share hours, ground colours and much of the cast: only things tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import land
from .beings import bird, camel, cow, deer, dog, duck, person, sheep
from .buildings import barn, cabin, house, lighthouse, skyscraper
from .canvas import Spot
from .equipment import ball, bench, container, crane, fence, hay_bale, streetlight, towel, umbrella
from .plants import bush, cactus, fir, flower, mesa, mushroom, palm, rock, tree
from .sky import DAY, NIGHT, Light, sky
from .stage import Cast, perform
from .vehicles import bicycle, bus, car, motor_boat, sailing_boat, tractor

if TYPE_CHECKING:
    from .canvas import Canvas, Point
    from .dice import Dice


def _hour(dice: Dice, night: float) -> Light:
    return dice.pick(NIGHT) if dice.chance(night) else dice.pick(DAY)


def _ground(dice: Dice, top: float) -> list[Point]:
    return land.ridge(dice, top, 2, 4)


def beach(canvas: Canvas, dice: Dice) -> Light:
    """Sand, sea, sunshades and bathers."""
    light, horizon = _hour(dice, 0.1), dice.between(36, 46)
    sky(canvas, dice, light)
    if dice.chance(0.3):
        land.hills(canvas, dice, light, horizon)
    land.sea(canvas, dice, light, horizon, 80)
    perform(canvas, dice, [Cast(sailing_boat, (0, 1), (14, 20), (horizon + 3, horizon + 6))])
    land.sand(canvas, dice, _ground(dice, dice.between(58, 66)))
    perform(canvas, dice, [
        Cast(palm, (0, 1, 1, 2), (55, 72), (70, 88)),
        Cast(umbrella, (1, 2), (30, 42), (74, 92)),
        Cast(towel, (1, 2), (22, 32), (80, 96)),
        Cast(person, (0, 1, 2), (28, 36), (72, 94)),
        Cast(ball, (0, 1, 1, 1), (8, 12), (78, 95)),
        Cast(bird, (0, 1, 2), (10, 15), (12, 32)),
    ])  # fmt: skip
    return light


def city(canvas: Canvas, dice: Dice) -> Light:
    """Towers over a wide road, by day or by night."""
    light, kerb = _hour(dice, 0.45), dice.between(72, 78)
    sky(canvas, dice, light)
    far = [
        Cast(skyscraper, (3, 4), (46, 58), (kerb - 3, kerb - 2)),
        Cast(skyscraper, (3, 4), (50, 68), (kerb, kerb + 0.5)),
    ]
    perform(canvas, dice, far)
    perform(canvas, dice, [Cast(tree, (0, 1, 2), (18, 24), (kerb, kerb + 1))])
    land.sidewalk(canvas, dice, kerb, kerb + 5)
    land.road(canvas, dice, kerb + 5, 101)
    perform(canvas, dice, [
        Cast(streetlight, (0, 1, 2), (30, 36), (kerb + 4, kerb + 5)),
        Cast(person, (0, 1), (15, 18), (kerb + 3, kerb + 4)),
        Cast(car, (0, 1, 2), (24, 32), (kerb + 10, 97)),
        Cast(bus, (0, 1), (38, 48), (kerb + 10, 95)),
    ])  # fmt: skip
    return light


def desert(canvas: Canvas, dice: Dice) -> Light:
    """Dunes, table mountains, cacti and camels."""
    light, horizon = _hour(dice, 0.15), dice.between(46, 56)
    sky(canvas, dice, light)
    perform(canvas, dice, [Cast(mesa, (0, 1, 1, 2), (20, 30), (horizon + 3, horizon + 5))])
    land.dunes(canvas, dice, horizon)
    perform(canvas, dice, [
        Cast(cactus, (1, 2, 3), (28, 48), (66, 92)),
        Cast(camel, (0, 1, 1, 2), (30, 42), (66, 90)),
        Cast(rock, (0, 1, 2), (10, 18), (66, 95)),
        Cast(person, (0, 1), (24, 30), (68, 90)),
        Cast(bird, (0, 1), (10, 14), (12, 30)),
    ])  # fmt: skip
    return light


def farm(canvas: Canvas, dice: Dice) -> Light:
    """A barn, a field, a tractor and cattle."""
    light, horizon = _hour(dice, 0.05), dice.between(42, 50)
    sky(canvas, dice, light)
    if dice.chance(0.5):
        land.hills(canvas, dice, light, horizon)
    (land.grass if dice.chance(0.3) else land.field)(canvas, dice, _ground(dice, horizon))
    perform(canvas, dice, [
        Cast(barn, (0, 1, 1, 1), (36, 46), (horizon + 8, horizon + 12)),
        Cast(tree, (0, 1, 2), (26, 36), (horizon + 3, horizon + 8)),
    ])  # fmt: skip
    if dice.chance(0.6):
        land.grass(canvas, dice, _ground(dice, horizon + 20))
    perform(canvas, dice, [
        Cast(tractor, (0, 1, 1, 1), (30, 38), (74, 90)),
        Cast(cow, (0, 1, 1, 2), (22, 32), (74, 94)),
        Cast(sheep, (0, 1, 2), (17, 24), (72, 94)),
        Cast(hay_bale, (0, 1, 2), (14, 22), (70, 94)),
        Cast(fence, (0, 1, 1, 1), (26, 32), (92, 99)),
        Cast(person, (0, 1), (24, 30), (74, 90)),
        Cast(hay_bale, (1,), (15, 22), (70, 94)),
    ])  # fmt: skip
    return light


def forest(canvas: Canvas, dice: Dice) -> Light:
    """Firs and leafy trees, mushrooms, sometimes a deer."""
    light, horizon = _hour(dice, 0.1), dice.between(50, 58)
    sky(canvas, dice, light)
    far = dice.pick((fir, tree))
    perform(canvas, dice, [Cast(far, (5, 6, 7), (34, 46), (horizon + 2, horizon + 6))])
    land.forest_floor(canvas, dice, horizon + 4)
    if dice.chance(0.4):
        land.path(canvas, dice, horizon + 5)
    perform(canvas, dice, [
        Cast(fir, (1, 2, 3), (48, 68), (66, 84)),
        Cast(tree, (0, 1, 2, 3), (46, 64), (66, 84)),
        Cast(deer, (0, 1, 1, 2), (28, 38), (76, 92)),
        Cast(mushroom, (1, 2, 3), (10, 17), (82, 98)),
        Cast(bush, (0, 1, 2), (14, 22), (70, 96)),
        Cast(rock, (0, 1), (12, 18), (76, 96)),
        Cast(bird, (0, 1), (10, 14), (12, 30)),
    ])  # fmt: skip
    return light


def harbour(canvas: Canvas, dice: Dice) -> Light:
    """Boats at a quay with cranes, containers or a lighthouse."""
    light, horizon = _hour(dice, 0.2), dice.between(36, 44)
    sky(canvas, dice, light)
    if dice.chance(0.4):
        land.hills(canvas, dice, light, horizon)
    perform(canvas, dice, [Cast(lighthouse, (0, 1, 1, 1), (34, 42), (horizon + 2, horizon + 4))])
    quay = dice.between(78, 86)
    land.sea(canvas, dice, light, horizon, quay + 3)
    perform(canvas, dice, [
        Cast(sailing_boat, (1, 2), (30, 46), (horizon + 14, quay - 3), 0.6),
        Cast(motor_boat, (0, 1, 2), (26, 36), (horizon + 16, quay - 2), 0.6),
        Cast(bird, (0, 1, 2), (10, 15), (12, 32)),
    ])  # fmt: skip
    land.quay(canvas, dice, quay)
    perform(canvas, dice, [
        Cast(crane, (0, 1, 1, 1), (58, 70), (quay + 6, quay + 9)),
        Cast(container, (0, 1, 1, 2), (24, 32), (quay + 8, quay + 11)),
        Cast(person, (0, 1), (24, 30), (quay + 8, 97)),
    ])  # fmt: skip
    return light


def mountain(canvas: Canvas, dice: Dice) -> Light:
    """Snow on peaks, firs, a cabin."""
    light, horizon = _hour(dice, 0.1), dice.between(52, 62)
    sky(canvas, dice, light)
    land.mountains(canvas, dice, light, horizon)
    land.grass(canvas, dice, land.ridge(dice, horizon, 4, 4))
    if dice.chance(0.3):
        land.path(canvas, dice, horizon + 2)
    perform(canvas, dice, [
        Cast(fir, (0, 1, 2, 3), (26, 40), (horizon + 6, 84)),
        Cast(cabin, (0, 1, 1, 1), (28, 36), (horizon + 12, 84)),
        Cast(rock, (0, 1, 2), (10, 18), (72, 96)),
        Cast(sheep, (0, 1), (15, 20), (76, 94)),
        Cast(person, (0, 1), (22, 28), (76, 94)),
        Cast(flower, (0, 1, 2), (8, 12), (84, 98)),
        Cast(bird, (0, 1), (10, 15), (12, 28)),
    ])  # fmt: skip
    return light


def park(canvas: Canvas, dice: Dice) -> Light:
    """Benches, a pond with ducks, people and dogs on the grass."""
    light, horizon = _hour(dice, 0.08), dice.between(42, 52)
    sky(canvas, dice, light)
    if dice.chance(0.35):
        perform(canvas, dice, [Cast(house, (1, 2), (24, 30), (horizon + 1, horizon + 2))])
    land.grass(canvas, dice, _ground(dice, horizon))
    if dice.chance(0.55):
        land.path(canvas, dice, horizon + 3)
    perform(canvas, dice, [Cast(tree, (1, 2, 3), (36, 52), (horizon + 6, horizon + 16))])
    ponds = [_duck_pond(canvas, dice)] if dice.chance(0.8) else []
    perform(canvas, dice, [
        Cast(bench, (1, 2), (26, 34), (70, 90)),
        Cast(person, (0, 1, 2), (26, 32), (72, 92)),
        Cast(dog, (0, 1), (16, 22), (76, 95)),
        Cast(flower, (0, 1, 2, 3), (9, 13), (80, 98)),
        Cast(streetlight, (0, 1), (40, 48), (64, 76)),
        Cast(bush, (0, 1), (14, 20), (66, 90)),
        Cast(bicycle, (0, 1), (26, 32), (76, 92)),
    ], around=ponds)  # fmt: skip
    return light


def street(canvas: Canvas, dice: Dice) -> Light:
    """A row of houses, a pavement and a road with cars."""
    light, kerb = _hour(dice, 0.2), dice.between(64, 70)
    sky(canvas, dice, light)
    x = dice.between(-8, 6)
    while x < 108:
        house(canvas, dice, Spot(x, kerb + 1, dice.between(46, 58)))
        x += dice.between(29, 34)
    land.sidewalk(canvas, dice, kerb, kerb + 9)
    land.road(canvas, dice, kerb + 9, 101)
    perform(canvas, dice, [
        Cast(tree, (0, 1, 2), (34, 44), (kerb + 3, kerb + 5)),
        Cast(streetlight, (0, 1, 2), (42, 50), (kerb + 5, kerb + 8)),
        Cast(person, (0, 1, 2), (22, 26), (kerb + 4, kerb + 8)),
        Cast(dog, (0, 1), (12, 15), (kerb + 6, kerb + 8)),
        Cast(bicycle, (0, 1), (24, 28), (kerb + 6, kerb + 9)),
        Cast(car, (1, 2), (32, 44), (kerb + 16, 97)),
        Cast(bus, (0, 1), (46, 56), (kerb + 16, 96)),
    ])  # fmt: skip
    return light


def _duck_pond(canvas: Canvas, dice: Dice) -> Spot:
    """A pond with ducks; returns its spot."""
    spot = Spot(dice.between(20, 80), dice.between(82, 92), dice.between(50, 70))
    land.pond(canvas, dice, spot)
    for _ in range(dice.count(1, 2)):
        x, y = spot.x + dice.between(-0.3, 0.3) * spot.size, spot.y - dice.between(0.06, 0.14) * spot.size
        duck(canvas, dice, Spot(x, y, dice.between(11, 15), dice.pick((-1, 1))))
    return spot
