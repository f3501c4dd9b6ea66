"""Who is on the roads of a scene, and how they move.

Everything moves along a straight line of a road's own coordinates (s along its middle, d to the left of it), vehicles behind
the one in front of them in their lane. Road A follows a circle through the world's origin, road B crosses it at a right angle
at x = middle_b. Traffic keeps to the right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from render_pixels import Road
from world_shapes import CAR, CYCLIST, PEDESTRIAN, PROP

STEP = 0.1  # of the simulation, s
EGO_AXLE = 1.4  # from the rear axle, the ego frame's origin, to the vehicle's middle, m
EGO_LENGTH = 4.6


class Agent(NamedTuple):
    kind: int
    cross: bool  # on road B
    s: float
    d: float
    heading: float  # in the road's coordinates: 0 along it, pi against it
    lane: int  # who follows whom; -1: nobody
    speed: tuple[float, float]  # wanted before and after `change`, m/s
    change: float  # s
    stop: float = math.inf  # the front must not pass this s


@dataclass
class Plan:
    """What a scene's agents have to know of it."""

    road: Road  # of plain floats
    seconds: float
    ego: Agent
    turn: int  # of ego at the junction: 1 left, -1 right, 0 none
    go_a: bool  # the junction's lights let road A drive
    low: float  # the part of road A that ego may see
    high: float
    agents: list[Agent] = field(default_factory=list)


def plan_traffic(road: Road, seconds: float, rng: np.random.Generator) -> Plan:
    """Ego, and more agents than a scene keeps."""
    lane = int(rng.integers(int(road.lanes)))
    middle = -(lane + 0.5) * road.lane
    mode = rng.choice(4, p=[0.14, 0.24, 0.34, 0.28])
    first = (0.0, rng.uniform(1, 4), rng.uniform(4, 8), rng.uniform(8, 12))[mode]
    then = first if rng.random() < 0.5 else rng.uniform(0, 11)
    if mode == 0 and rng.random() < 0.6:
        then = 0.0
    change = rng.uniform(0, seconds)
    travel = first * change + then * (seconds - change)
    start, turn, go_a, stop = -0.5 * travel, 0, True, math.inf
    if road.crossing:
        start = road.middle_b - rng.uniform(12, 50)
        go_a = bool(rng.random() < 0.65)
        if go_a and rng.random() < 0.6:
            turn = 1 if lane == 0 and (road.lanes == 2 or rng.random() < 0.5) else -1
            if turn < 0 and road.start_b > -100:
                turn = 0
        if turn:
            first, then = rng.uniform(3, 6), rng.uniform(3, 8)
            start = road.middle_b - rng.uniform(13, 13 + 2 * first)
        if not go_a:
            stop = road.middle_b - road.half_b - 5
            start = min(start, stop - 4)
    ego = Agent(CAR, False, start + EGO_AXLE, middle, 0, 1 + lane, (first, then), change, stop)
    end = start + travel if not turn else road.middle_b
    plan = Plan(road, seconds, ego, turn, go_a, start - 32, min(end, start + 110) + 42)
    _add_lanes(plan, rng)
    if road.crossing:
        _add_cross_traffic(plan, rng)
    _add_pedestrians(plan, rng)
    _add_cyclists(plan, rng)
    if road.half > road.lanes * road.lane + 1:
        _add_parked(plan, rng)
    _add_props(plan, rng)
    return plan


def _lane_of_cars(
    plan: Plan, rng: np.random.Generator, lane: Agent, low: float, high: float, queue: float
) -> None:
    """Cars from low to high (s) like `lane`: flowing, or with the chance `queue` a standing queue."""
    against = math.cos(lane.heading) < 0
    if rng.random() < (0.75 if math.isfinite(lane.stop) else queue):
        place = (
            rng.uniform(low, high)
            if not math.isfinite(lane.stop)
            else lane.stop + (2.6 if against else -2.6)
        )
        starts = rng.random() < 0.35 and not math.isfinite(lane.stop)
        wanted = (0.0, rng.uniform(3, 9) if starts else 0.0)
        for index in range(int(rng.integers(2, 8))):
            change = rng.uniform(0, plan.seconds) if index == 0 else 0.0
            plan.agents.append(lane._replace(s=place, speed=wanted, change=change))
            place += rng.uniform(6.2, 8.5) * (1 if against else -1)
        return
    base = rng.uniform(2, 12)
    if lane.lane == plan.ego.lane:  # whoever is in front of ego seldom stops it
        base = max(base, rng.uniform(0.8, 1.5) * plan.ego.speed[0])
    reach = 0.0 if lane.lane == plan.ego.lane else base * plan.seconds * 0.8
    low, high = (low, high + reach) if against else (low - reach, high)
    place = low + rng.uniform(0, 12)
    while place < high:
        speed = base * rng.uniform(0.85, 1.15)
        then = speed if rng.random() < 0.7 else rng.uniform(0, 12)
        d = lane.d + rng.uniform(-0.15, 0.15)
        change = rng.uniform(0, plan.seconds)
        plan.agents.append(lane._replace(s=place, d=d, speed=(speed, then), change=change))
        place += rng.uniform(9, 14 + 1.5 * base)


def _add_lanes(plan: Plan, rng: np.random.Generator) -> None:
    road = plan.road
    for index in range(int(road.lanes)):
        for heading, lane, side in ((0.0, 1 + index, -1), (math.pi, 11 + index, 1)):
            stop = math.inf
            if road.crossing and (not plan.go_a or (plan.turn > 0 and side > 0)):
                stop = road.middle_b + side * (road.half_b + 5)
            like = Agent(
                CAR, False, 0, side * (index + 0.5) * road.lane, heading, lane, (0, 0), 0, stop
            )
            if lane == plan.ego.lane:  # in front of ego and behind it
                _lane_of_cars(plan, rng, like, plan.ego.s + 8, plan.high, 0.15)
                like = like._replace(stop=math.inf)
                behind = plan.ego.s - rng.uniform(7, 16)
                speed = (
                    plan.ego.speed[0] * rng.uniform(0.9, 1.3),
                    plan.ego.speed[1] * rng.uniform(0.9, 1.3),
                )
                plan.agents.append(like._replace(s=behind, speed=speed, change=plan.ego.change))
            else:
                _lane_of_cars(plan, rng, like, plan.low, plan.high, 0.4)


def _add_cross_traffic(plan: Plan, rng: np.random.Generator) -> None:
    road = plan.road
    for heading, lane, side in ((math.pi / 2, 21, -1), (-math.pi / 2, 22, 1)):
        if side < 0 and road.start_b > -100:
            continue
        stop = side * (road.half + 5) if plan.go_a else math.inf
        # In road B's coordinates: along it, or against it.
        turned = 0.0 if heading > 0 else math.pi
        like = Agent(CAR, True, 0, side * 0.5 * road.half_b, turned, lane, (0, 0), 0, stop)
        _lane_of_cars(plan, rng, like, -45, 45, 0.4)


def _add_pedestrians(plan: Plan, rng: np.random.Generator) -> None:
    road = plan.road
    for _ in range(rng.poisson(0.13 * (plan.high - plan.low))):
        side = rng.choice((-1, 1))
        d = side * (road.half + rng.uniform(0.5, max(0.6, road.pavement - 0.4)))
        heading = rng.choice((0.0, math.pi))
        stands = rng.random() < 0.35
        speed = 0.0 if stands else rng.uniform(0.7, 1.9)
        heading = rng.uniform(0, 2 * math.pi) if stands else heading + rng.normal(0, 0.02)
        then = speed if stands or rng.random() < 0.8 else 0.0
        s, change = rng.uniform(plan.low, plan.high), rng.uniform(0, plan.seconds)
        plan.agents.append(Agent(PEDESTRIAN, False, s, d, heading, -1, (speed, then), change))
    for _ in range(rng.poisson(5)):  # across the road
        side = int(rng.choice((-1, 1)))
        speed = rng.uniform(0.8, 2.0)
        edge = road.half + rng.uniform(-4, 3)
        s, cross = rng.uniform(plan.low, plan.high), False
        if road.crossing:
            near = rng.choice((-1, 1)) * (2.3 + rng.uniform(-1.2, 1.2))
            cross = plan.go_a
            half = road.half if cross else road.half_b
            s = near + math.copysign(half, near) + (0 if cross else road.middle_b)
            edge = (road.half_b if cross else road.half) + rng.uniform(-3, 4)
        elif rng.random() < 0.6:
            s = road.crosswalk + rng.uniform(-1.3, 1.3)
        heading = -side * math.pi / 2 + rng.normal(0, 0.05)
        plan.agents.append(Agent(PEDESTRIAN, cross, s, side * edge, heading, -1, (speed, speed), 0))


def _add_cyclists(plan: Plan, rng: np.random.Generator) -> None:
    road = plan.road
    for _ in range(rng.poisson(0.11 * (plan.high - plan.low) + 2)):
        side = int(rng.choice((-1, 1)))
        d = side * (road.lanes * road.lane - rng.uniform(0.1, 0.5))
        if rng.random() < 0.25:
            d = side * (road.half + rng.uniform(0.6, 1.4))
        speed = 0.0 if rng.random() < 0.2 else rng.uniform(1.5, 7)
        heading = 0.0 if side < 0 else math.pi
        reach = speed * plan.seconds * 0.6
        low, high = (plan.low - reach, plan.high) if side < 0 else (plan.low, plan.high + reach)
        agent = Agent(CYCLIST, False, rng.uniform(low, high), d, heading, -1, (speed, speed), 0)
        plan.agents.append(agent)


def _add_parked(plan: Plan, rng: np.random.Generator) -> None:
    road = plan.road
    for side in (-1, 1):
        place = plan.low + rng.uniform(0, 10)
        while place < plan.high:
            d = side * (road.half - 1.08 + rng.uniform(-0.08, 0.08))
            heading = (0.0 if side < 0 else math.pi) + rng.normal(0, 0.02)
            if not road.crossing or abs(place - road.middle_b) > road.half_b + 8:
                plan.agents.append(Agent(CAR, False, place, d, heading, -1, (0, 0), 0))
            place += rng.uniform(6, 22)


def _add_props(plan: Plan, rng: np.random.Generator) -> None:
    road = plan.road
    for _ in range(10):
        side = rng.choice((-1, 1))
        d = side * (road.half + road.pavement + rng.uniform(0.2, 9))
        s = rng.uniform(plan.low, plan.high)
        heading = rng.choice((0.0, math.pi))
        if not road.crossing or abs(s - road.middle_b) > road.half_b + road.pavement + 1:
            plan.agents.append(Agent(PROP, False, s, d, heading, -1, (0, 0), 0))


def simulate(
    agents: list[Agent], lengths: np.ndarray, road: Road, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distances driven and speeds [agents, steps + 1]: towards the wanted speed, but never into the vehicle in front."""
    number = len(agents)
    against = np.array([math.cos(agent.heading) < 0 for agent in agents])
    sign = np.where(against, -1.0, 1.0)
    place = sign * np.array([agent.s for agent in agents])
    place /= stretch(agents, road)
    stop = sign * np.array([agent.stop for agent in agents])
    front = place + lengths / 2
    stop = np.where(np.isfinite(stop) & (front <= stop + 0.5), np.maximum(stop, front), np.inf)
    leader, gap = np.arange(number), np.full(number, np.inf)
    lanes = np.array([agent.lane for agent in agents])
    for lane in set(lanes[lanes >= 0].tolist()):
        order = np.flatnonzero(lanes == lane)
        order = order[np.argsort(place[order])]
        leader[order[:-1]] = order[1:]
        gap[order[:-1]] = place[order[1:]] - place[order[:-1]]
        gap[order[:-1]] -= (lengths[order[1:]] + lengths[order[:-1]]) / 2
    times = STEP * np.arange(steps + 1)
    change = np.array([agent.change for agent in agents])
    wanted = np.array([agent.speed for agent in agents])
    wanted = np.where(times < change[:, None], wanted[:, :1], wanted[:, 1:])
    driven, speeds = np.zeros((number, steps + 1)), np.zeros((number, steps + 1))
    room = np.minimum(np.maximum(gap - 1.8, 0), stop - front)
    speeds[:, 0] = np.minimum(wanted[:, 0], room / 1.1)
    for step in range(steps):
        now = driven[:, step]
        room = np.minimum(np.maximum(gap + now[leader] - now - 1.8, 0), stop - front - now)
        speed = speeds[:, step]
        target = np.clip(wanted[:, step + 1], speed - 5 * STEP, speed + 2.2 * STEP)
        speeds[:, step + 1] = np.maximum(np.minimum(target, room / 1.1), 0)
        driven[:, step + 1] = now + 0.5 * STEP * (speed + speeds[:, step + 1])
    return driven, speeds


def stretch(agents: list[Agent], road: Road) -> np.ndarray:
    """How much further one comes along road A's middle than along one's own lane, on a bend."""
    along = np.array([not agent.cross for agent in agents])
    d = np.array([agent.d for agent in agents])
    return np.where(along, 1 / (1 - road.curvature * d), 1.0)


def world_poses(
    agents: list[Agent], driven: np.ndarray, road: Road
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and yaw [agents, steps] in the world after these distances."""
    heading = np.array([agent.heading for agent in agents])[:, None]
    s = np.array([agent.s for agent in agents])[:, None]
    d = np.array([agent.d for agent in agents])[:, None]
    s = s + np.cos(heading) * driven * stretch(agents, road)[:, None]
    d = d + np.sin(heading) * driven
    x, y, tangent = road_to_world(s, d, road.curvature)
    cross = np.array([agent.cross for agent in agents])[:, None]
    x, y = np.where(cross, road.middle_b - d, x), np.where(cross, s, y)
    return x, y, np.where(cross, math.pi / 2, tangent) + heading


def road_to_world(
    s: np.ndarray, d: np.ndarray, k: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    radius = 1 / k
    return (radius - d) * np.sin(k * s), radius - (radius - d) * np.cos(k * s), k * s


def ego_poses(plan: Plan, driven: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and yaw of the rear axle after these distances."""
    road, ego = plan.road, plan.ego
    start = ego.s - EGO_AXLE
    if not plan.turn:
        factor = 1 / (1 - road.curvature * ego.d)
        x, y, yaw = road_to_world(
            start + driven * factor, np.full_like(driven, ego.d), road.curvature
        )
        return x, y, yaw
    radius = 9.5 if plan.turn > 0 else 6.5
    begin = road.middle_b + plan.turn * 0.5 * road.half_b - radius - start
    angle = np.clip((driven - begin) / radius, 0, math.pi / 2)
    before = np.minimum(driven, begin)
    after = np.maximum(driven - begin - radius * math.pi / 2, 0)
    x = start + before + radius * np.sin(angle)
    y = ego.d + plan.turn * (radius * (1 - np.cos(angle)) + after)
    return x, y, plan.turn * angle
